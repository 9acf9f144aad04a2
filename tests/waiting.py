"""Waiting for a condition: the only way in which a test waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

Value = TypeVar("Value")


def wait_until(check: Callable[[], Value], *, timeout_s: float = 30.0, what: str = "") -> Value:
    """Return the first true value of ``check``; fail naming ``what`` when none comes in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout_s:g} s for {what or check}")
        time.sleep(0.01)
