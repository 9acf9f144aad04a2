"""Whether a daemon still answers. Its streams are quiet while nothing happens, so it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

PULSE_S = 2.0  # between two questions
ANSWER_S = 5.0  # how long one may stay without an answer


async def answers(client: Any) -> bool:
    """Ask once; False when nothing came within ``ANSWER_S``. Raises GymGuiError as it came."""
    try:
        async with asyncio.timeout(ANSWER_S):
            await client.health()
    except TimeoutError:
        return False
    return True


async def feel_pulse(client: Any, tell: Callable[[bool], Any]) -> None:
    """Ask until cancelled, and ``await tell(answers)`` each time that the answer is another.

    Errors are left to the streams of the same connection: they end with them.
    """
    was_well = True
    while True:
        await asyncio.sleep(PULSE_S)
        is_well = await answers(client)
        if is_well != was_well:
            was_well = is_well
            await tell(is_well)
