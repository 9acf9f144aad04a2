"""A question asked off the GUI thread until it is answered: what keeps it may be over later."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6 import QtCore

from gym_gui.controllers.background import Background
from gym_gui.core.errors import GymGuiError, StoreBusyError, StoreSpaceError

PAUSES_MS = (1_000, 2_000, 5_000)
_PASSING = (StoreBusyError, StoreSpaceError)


class Patient(QtCore.QObject):
    """Asks one question at a time; a newer one takes the place of an older one.

    sign: returns something that changes when the cause of a failure may be gone, such as
    ``signs_of`` a file, so that a damaged file is not read again and again; called off the GUI
    thread. A file that is locked, or a full disk, is tried again whatever it says.
    """

    def __init__(
        self, parent: QtCore.QObject, *, sign: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__(parent)
        self._background = Background(self)
        self._sign = sign
        self._forget: Callable[[], None] = lambda: None
        self._timer = QtCore.QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._try)
        self._question: tuple[Callable[[], Any], Callable[..., None], Callable[..., None]] | None
        self._question = None
        self._failure: tuple[object, Exception] | None = None  # the sign then, the error
        self._tries = 0

    @property
    def waits(self) -> bool:
        """Whether the last question failed and will be asked again."""
        return self._failure is not None

    def ask(
        self,
        function: Callable[[], Any],
        *,
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Call ``function`` elsewhere until it succeeds, then ``done(result)`` here.

        failed: called with each error that is another than the one before.
        """
        self._question, self._failure, self._tries = (function, done, failed), None, 0
        self._try()

    def drop(self) -> None:
        """Forget the question; it is not asked any more."""
        self._timer.stop()
        self._forget()
        self._question = self._failure = None

    def close(self) -> None:
        """Ask no more. Twice is safe."""
        self.drop()
        self._background.close()

    def _try(self) -> None:
        self._timer.stop()
        self._forget()
        if self._question is None:
            return
        function = self._question[0]
        failure, sign = self._failure, self._sign

        def attempt() -> tuple[object, Exception | None, Any]:
            now = sign()
            if failure is not None and now == failure[0] and not _may_pass(failure[1]):
                return (*failure, None)
            try:
                return now, None, function()
            except Exception as error:  # noqa: BLE001 - a thread's edge: told, then tried again
                return now, error, None

        self._forget = self._background.run(attempt, done=self._take, failed=self._unsigned)

    def _unsigned(self, error: Exception) -> None:
        self._take((None, error, None))

    def _take(self, answer: tuple[object, Exception | None, Any]) -> None:
        now, error, result = answer
        if self._question is None:
            return
        _, done, failed = self._question
        if error is None:
            self._question = self._failure = None
            done(result)
            return
        before, self._failure = self._failure, (now, error)
        self._timer.start(PAUSES_MS[min(self._tries, len(PAUSES_MS) - 1)])
        self._tries += 1
        if before is None or str(before[1]) != str(error):
            failed(error)


def _may_pass(error: Exception) -> bool:
    return isinstance(error, _PASSING) or not isinstance(error, GymGuiError)


def signs_of(*paths: Path) -> tuple[object, ...]:
    """Return what changes when one of the files appears, goes, is replaced or written."""
    return tuple(_sign_of(path) for path in paths)


def _sign_of(path: Path) -> object:
    try:
        found = os.stat(path)
    except OSError as error:
        return error.errno
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
