"""One helper that runs a function off the GUI thread and comes back to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6 import QtCore


class _Answer(QtCore.QObject):
    done = QtCore.Signal(object)
    failed = QtCore.Signal(object)


class _Task:
    """What the pool calls. No ``QRunnable``: PySide leaves some of those behind for ever."""

    def __init__(self, function: Callable[[], Any], answer: _Answer) -> None:
        self._function = function
        self._answer = answer

    def __call__(self) -> None:
        try:
            result = self._function()
        except Exception as error:  # noqa: BLE001 - a thread's edge: the caller gets the error
            self._tell(self._answer.failed, error)
        else:
            self._tell(self._answer.done, result)

    @staticmethod
    def _tell(signal: Any, value: object) -> None:
        try:
            signal.emit(value)
        except RuntimeError:
            return  # the widget that asked is gone, and with it whoever would listen


class Background(QtCore.QObject):
    """Runs functions on the application's thread pool.

    Answers arrive on the thread that owns this object, and none after ``close()``; what is
    under way then still runs to its end, and nobody waits for it.
    """

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._answers: set[_Answer] = set()

    def run(
        self,
        function: Callable[[], Any],
        *,
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> Callable[[], None]:
        """Call ``function`` elsewhere, then ``done(result)`` or ``failed(error)`` here.

        Returns what makes neither of them come; the function itself runs to its end.
        """
        answer = _Answer()
        self._answers.add(answer)

        def finish(callback: Callable[[Any], None], value: Any) -> None:
            is_wanted = answer in self._answers
            self._answers.discard(answer)
            answer.done.disconnect()  # or signal and function would keep each other for ever
            answer.failed.disconnect()
            if is_wanted:
                callback(value)

        queued = QtCore.Qt.ConnectionType.QueuedConnection
        answer.done.connect(lambda value: finish(done, value), queued)
        answer.failed.connect(lambda error: finish(failed, error), queued)
        QtCore.QThreadPool.globalInstance().start(_Task(function, answer))
        return lambda: self._answers.discard(answer)

    def close(self) -> None:
        """Forget what was asked. Twice is safe."""
        self._answers.clear()
