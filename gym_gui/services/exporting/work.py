"""What every export shares: progress that can say stop, and files that are whole or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gym_gui.core.errors import GymGuiError, StorageError

Progress = Callable[[int, int], bool]
"""Called with (done, total); returns False to break the export off."""


class ExportCancelledError(GymGuiError):
    """The user broke the export off; nothing was left behind."""


def silent(_done: int, _total: int) -> bool:
    """Show nothing, never stop."""
    return True


def advance(progress: Progress, done: int, total: int) -> None:
    """Report, and raise ExportCancelledError when asked to stop."""
    if not progress(done, total):
        raise ExportCancelledError("The export was broken off.", next_step="Nothing was written.")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a place to write to; it becomes ``path`` when the block ends without an error.

    A file that was at ``path`` before stays until then; a folder there must be empty. The place
    is a file's or a folder's name with the same ending.
    """
    part = path.with_name(f".{os.getpid()}.part.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        if part.is_dir() and path.is_dir():
            path.rmdir()  # an empty one only: nobody's files go
        part.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}.",
            next_step="Choose another place, or make room.",
        ) from error
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        elif part.exists():
            part.unlink()
