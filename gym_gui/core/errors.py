"""Every error that gym-gui raises on purpose: one class per cause.

    GymGuiError                     anything a user may be shown in one line
    ├── UsageError                  the user's input is wrong (path, environment id, option)
    │   └── ScriptNotFoundError
    ├── RunNotFoundError            no run of that id or unambiguous prefix
    ├── DaemonError                 the daemon cannot be reached or refuses
    │   ├── DaemonNotRunningError
    │   ├── DaemonAlreadyRunningError
    │   ├── DaemonLostError         the connection is broken; a later call may find it again
    │   ├── DaemonSilentError       it is there and does not answer
    │   ├── DaemonVersionError      it speaks another version of the protocol
    │   ├── AccessError             it does not accept the token
    │   └── CertificateError        its certificate is not the expected one, or has expired
    ├── RemoteError                 another machine cannot be reached or used through ssh
    ├── LauncherError               a cluster cannot be reached, or does not take the run
    ├── StorageError                a database or data folder cannot be used
    │   ├── DataDirError
    │   ├── StoreVersionError       written by a newer gym-gui
    │   ├── StoreMissingError       there is no file, not yet or not any more
    │   ├── StoreBusyError          locked by another process for now
    │   ├── StoreSpaceError         the disk is full, or refuses to write
    │   └── StoreCorruptError
    ├── ProtocolError               a record or message breaks the protocol
    ├── FrameShapeError             a frame's shape or dtype does not fit the ring
    ├── RingError                   a ring cannot be created or is not a ring
    │   └── RingSpaceError          no room in shared memory
    ├── ReplayError                 a moment cannot be shown again
    │   └── DivergenceError         re-simulation differs from the recording
    └── ControlModeError            human input in a mode that does not accept it

Each message names the cause; ``next_step`` tells the user what to do about it.
"""

from __future__ import annotations


class GymGuiError(Exception):
    """Base of all errors raised on purpose. ``next_step`` is one sentence for the user."""

    exit_code = 1

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        if self.next_step:
            return f"{self.message} {self.next_step}"
        return self.message


class UsageError(GymGuiError):
    """The user's input is wrong."""

    exit_code = 2


class ScriptNotFoundError(UsageError):
    """The training script does not exist or is not a file."""


class RunNotFoundError(GymGuiError):
    """No run has this id, or a prefix matches several."""


class DaemonError(GymGuiError):
    """The daemon cannot be reached or refuses a request."""


class DaemonNotRunningError(DaemonError):
    """No daemon serves this data folder."""


class DaemonAlreadyRunningError(DaemonError):
    """Another daemon already serves this data folder."""


class DaemonLostError(DaemonError):
    """The connection to the daemon is broken; whether it took the request is not known."""


class DaemonSilentError(DaemonError):
    """The daemon is there, but does not answer for now."""


class DaemonVersionError(DaemonError):
    """The daemon speaks another version of the protocol."""


class AccessError(DaemonError):
    """The daemon does not accept the token, or not for this call."""


class CertificateError(DaemonError):
    """The daemon's certificate is not the expected one, or has expired."""


class RemoteError(GymGuiError):
    """Another machine cannot be reached or used through ssh."""


class LauncherError(GymGuiError):
    """A cluster cannot be reached, or does not take the run."""


class StorageError(GymGuiError):
    """A database or data folder cannot be used."""


class DataDirError(StorageError):
    """The data folder is missing, read-only, or full."""


class StoreVersionError(StorageError):
    """The file was written by a newer gym-gui; it is left as it is."""


class StoreMissingError(StorageError):
    """The file is not there: nothing was recorded yet, or it was moved or deleted."""


class StoreBusyError(StorageError):
    """Another process holds the file's lock; the same call may work later."""


class StoreSpaceError(StorageError):
    """The disk is full or refuses to write; nothing of the transaction was kept."""


class StoreCorruptError(StorageError):
    """The file is damaged; ``gym-gui repair`` salvages what can be read."""


class ProtocolError(GymGuiError):
    """A record or message breaks the protocol."""


class FrameShapeError(GymGuiError, ValueError):
    """A frame's shape or dtype is not what was configured; nothing was written."""


class RingError(GymGuiError):
    """A ring cannot be created, or the file is not a ring."""


class RingSpaceError(RingError):
    """Shared memory has no room for the ring."""


class ReplayError(GymGuiError):
    """A recorded moment cannot be shown again."""


class DivergenceError(ReplayError):
    """Re-simulation gave another reward or observation than was recorded."""


class ControlModeError(GymGuiError):
    """Human input arrived in a control mode that does not accept it."""
