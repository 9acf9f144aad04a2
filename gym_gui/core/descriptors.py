"""Open files that live inside somebody else's process.

A training script may close its standard output, or every file it finds, and open files of its
own: these get the lowest free numbers. Ours stand far above, so that neither the script's output
lands in our files nor our records in the script's.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager, suppress
from typing import Iterator

_FAR_UP = (512, 128, 3)  # first choice first: the limit of open files may be low


def move_up(descriptor: int) -> int:
    """Return the same open file under a number far above, and close ``descriptor``.

    Before a lock is taken on it: closing any number of a file frees the process's locks on it.
    """
    for lowest in _FAR_UP:
        try:
            moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EMFILE):
                raise
            continue
        os.close(descriptor)
        return moved
    return descriptor


def close(descriptor: int) -> None:
    """Close a number that the script may have closed already."""
    try:
        os.close(descriptor)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise


@contextmanager
def low_taken() -> Iterator[None]:
    """Make what is opened meanwhile, where its number cannot be chosen, stand far above too.

    Python's ``mmap`` keeps a copy of the number it is given: the lowest free one.
    """
    taken = [os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)]
    try:
        with suppress(OSError):  # the limit of open files is lower: as far up as it lets us
            while taken[-1] < _FAR_UP[1]:
                taken.append(os.dup(taken[0]))
        os.close(taken.pop())  # this number is for what is opened now
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
