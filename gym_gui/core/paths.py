"""Where things lie on disk. One place, so that no two parts guess differently."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Optional, Union

from gym_gui.core.errors import DataDirError
from gym_gui.core.ids import check_run_id

DATA_DIR_VARIABLE = "GYM_GUI_DATA_DIR"
SETTINGS_NAME = "settings.toml"
TAP_VARIABLE = "GYM_GUI_TAP"  # path of the tap's configuration, set for the worker


def default_data_dir() -> Path:
    """Return the data folder: ``$GYM_GUI_DATA_DIR``, else the one chosen in the preferences.

    The choice stands in the settings file of the platform's place for user data, which is used
    itself where nothing was chosen.
    """
    chosen = os.environ.get(DATA_DIR_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    usual = usual_data_dir()
    return _chosen_folder(usual / SETTINGS_NAME) or usual


def _chosen_folder(settings: Path) -> Optional[Path]:
    try:
        import tomllib  # not before Python 3.11, which the program itself has

        folder = tomllib.loads(settings.read_text(encoding="utf-8"))["data"]["folder"]
    except (ImportError, OSError, ValueError, KeyError, TypeError):
        return None
    return Path(folder).expanduser().absolute() if folder and isinstance(folder, str) else None


def usual_data_dir() -> Path:
    """Return the platform's place for user data."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "gym-gui"
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "gym-gui"


def private_dir(path: Union[str, Path]) -> Path:
    """Create ``path`` (mode 0700 whatever the umask), check that it is ours, and return it.

    Raises DataDirError with the cause when it cannot be made, written or trusted.
    """
    path = Path(path)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
        if status.st_uid != os.getuid():
            raise DataDirError(
                f"{path} belongs to another user.", next_step="Choose another with --data-dir."
            )
        if status.st_mode & 0o077:
            path.chmod(0o700)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise DataDirError(
            f"The folder {path} cannot be used: {error.strerror or error}.",
            next_step="Free or unlock it, or choose another with --data-dir.",
        ) from error
    return path


def _runtime_bases() -> list[Path]:
    bases = []
    if os.environ.get("XDG_RUNTIME_DIR"):
        bases.append(Path(os.environ["XDG_RUNTIME_DIR"]) / "gym-gui")
    if os.path.isdir("/dev/shm"):
        bases.append(Path("/dev/shm") / f"gym-gui-{os.getuid()}")
    bases.append(Path(tempfile.gettempdir()) / f"gym-gui-{os.getuid()}")
    return bases


def runtime_dir(data_dir: Union[str, Path]) -> Path:
    """Return the private folder for the sockets and rings that belong to ``data_dir``.

    Short whatever the data folder's length: a Unix socket's path is limited to 107 bytes.
    """
    digest = hashlib.sha256(os.fsencode(str(Path(data_dir).absolute()))).hexdigest()[:12]
    problem: Optional[DataDirError] = None
    for base in _runtime_bases():
        try:
            private_dir(base)
            return private_dir(base / digest)
        except DataDirError as error:
            problem = error
    assert problem is not None
    raise problem


class DataDir:
    """Paths inside one data folder. Creates nothing until asked to."""

    def __init__(self, root: Optional[Union[str, Path]] = None) -> None:
        self.root = Path(root).expanduser().absolute() if root else default_data_dir()

    def create(self) -> DataDir:
        """Make the folder and its parts, private to the user. Raises DataDirError."""
        for part in (self.root, self.runs, self.daemon):
            private_dir(part)
        return self

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def daemon(self) -> Path:
        return self.root / "daemon"

    @property
    def registry(self) -> Path:
        return self.root / "registry.sqlite"

    @property
    def settings(self) -> Path:
        return self.root / SETTINGS_NAME

    @property
    def ring_dir(self) -> Path:
        return private_dir(runtime_dir(self.root) / "rings")

    @property
    def socket(self) -> Path:
        return runtime_dir(self.root) / "daemon.sock"

    def run(self, run_id: str) -> RunDir:
        return RunDir(self.runs / check_run_id(run_id))


class RunDir:
    """Paths inside one run's folder."""

    def __init__(self, root: Union[str, Path]) -> None:
        self.root = Path(root)

    @property
    def run_id(self) -> str:
        return self.root.name

    @property
    def spec(self) -> Path:
        return self.root / "run.json"

    @property
    def store(self) -> Path:
        return self.root / "telemetry.sqlite"

    @property
    def spool(self) -> Path:
        return self.root / "spool"

    @property
    def tap(self) -> Path:
        return self.root / "tap"

    @property
    def tap_config(self) -> Path:
        return self.root / "tap.json"

    @property
    def stdout(self) -> Path:
        return self.root / "stdout.log"

    @property
    def stderr(self) -> Path:
        return self.root / "stderr.log"

    @property
    def launch(self) -> Path:
        return self.root / "launch.json"

    @property
    def supervisor(self) -> Path:
        return self.root / "supervisor.json"

    @property
    def proxy(self) -> Path:
        return self.root / "proxy.json"

    @property
    def rejected(self) -> Path:
        return self.root / "rejected.jsonl"
