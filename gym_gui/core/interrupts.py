"""Tells what a script's own signal handler raised from what failed of ours.

A handler runs wherever the training happens to be, also in the midst of a record, and may raise
to get out of it, as a time limit by SIGALRM does. That must reach the script.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional

_OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")


def from_handler(error: BaseException) -> Optional[BaseException]:
    """Return what a signal handler raised, where ``error`` is that, or was made of it by us."""
    codes = set(_handlers())
    one: Optional[BaseException] = error
    while one is not None:
        trace = one.__traceback__
        if one is not error and (trace is None or not _is_ours(trace)):
            return None  # the script caught it itself, and it has nothing to do with this
        while trace is not None:
            if trace.tb_frame.f_code in codes:
                return one
            trace = trace.tb_next
        one = one.__cause__ or one.__context__
    return None


def let_through(error: BaseException) -> None:
    """Raise again what is the script's own."""
    own = from_handler(error)
    if own is not None:
        raise own


@contextmanager
def held_back() -> Iterator[None]:
    """Let handlers wait, for work of once whose libraries swallow what a handler raises.

    ``Path.mkdir`` takes any OSError, and TimeoutError is one, for a folder that is there. To mask
    the signals would not do: the kernel hands them to another thread, and Python to this one.
    """
    came: List[int] = []

    def note(number: int, _: Any) -> None:
        came.append(number)

    handlers: Dict[int, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():  # they run nowhere else
            for number in signal.valid_signals():
                if callable(signal.getsignal(number)):
                    handlers[number] = signal.signal(number, note)
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


def _is_ours(trace: Any) -> bool:
    """Tell whether it was caught in code of ours."""
    return trace.tb_frame.f_code.co_filename.startswith(_OURS)


def _handlers() -> Iterator[Any]:
    """Yield the code of each handler that is written in Python."""
    for number in signal.valid_signals():
        handler: Any = signal.getsignal(number)
        while hasattr(handler, "func"):  # functools.partial
            handler = handler.func
        for candidate in (handler, type(handler).__dict__.get("__call__")):
            code = getattr(getattr(candidate, "__func__", candidate), "__code__", None)
            if code is not None:
                yield code
