"""Run ids and their check: the only form that may become a path."""

from __future__ import annotations

import re
import secrets
import time

from gym_gui.core.errors import UsageError

_RUN_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")


def new_run_id(prefix: str = "run") -> str:
    """Return a new id such as ``run-20260131-142501-9f3a``: sorts by time, safe as a file name."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    slug = re.sub(r"[^a-z0-9]+", "-", prefix.lower()).strip("-")[:32] or "run"
    return f"{slug}-{stamp}-{secrets.token_hex(2)}"


def check_run_id(run_id: str) -> str:
    """Return ``run_id`` unchanged, or raise UsageError if it could leave the data folder."""
    if not _RUN_ID.match(run_id):
        raise UsageError(
            f"{run_id!r} is not a run id.",
            next_step="Run `gym-gui runs` to see the ids of all runs.",
        )
    return run_id
