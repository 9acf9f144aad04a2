"""Tells what a script's own signal handler raised from what failed of ours.

A handler runs wherever the training happens to be, also in the midst of a record, and may raise
to get out of it, as a time limit by SIGALRM does. That must reach the script.
"""

from __future__ import annotations

import signal
from typing import Any, Iterator


def is_from_handler(error: BaseException) -> bool:
    """Tell whether ``error`` went through one of this process's signal handlers."""
    codes = set(_handlers())
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in codes:
            return True
        trace = trace.tb_next
    return False


def let_through(error: BaseException) -> None:
    """Raise ``error`` again where it is the script's own."""
    if is_from_handler(error):
        raise error


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
