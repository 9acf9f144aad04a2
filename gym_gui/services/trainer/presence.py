"""Whether anybody uses the daemon: the calls under way, and those since the last look."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from grpc import aio


class Presence(aio.ServerInterceptor):
    """Counts the calls of a server. A window's subscription is a call that does not end."""

    def __init__(self) -> None:
        self.calls = 0
        self.served = 0
        self._seen = 0

    def was_used(self) -> bool:
        """Tell whether a call is under way, or has come since this was asked last."""
        used = bool(self.calls) or self.served != self._seen
        self._seen = self.served
        return used

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return None
        make = _MAKERS[handler.request_streaming, handler.response_streaming]
        name = f"{_WORDS[handler.request_streaming]}_{_WORDS[handler.response_streaming]}"
        counted = self._counted_stream if handler.response_streaming else self._counted
        return make(
            counted(getattr(handler, name)),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _counted(self, behaviour: Any) -> Any:
        async def call(request: Any, context: Any) -> Any:
            self._begun()
            try:
                return await behaviour(request, context)
            finally:
                self._ended()

        return call

    def _counted_stream(self, behaviour: Any) -> Any:
        async def call(request: Any, context: Any) -> Any:
            self._begun()
            try:
                async for answer in behaviour(request, context):
                    yield answer
            finally:
                self._ended()

        return call

    def _begun(self) -> None:
        self.calls += 1
        self.served += 1

    def _ended(self) -> None:
        self.calls -= 1


_WORDS = {False: "unary", True: "stream"}
_MAKERS: Any = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
