"""Runs as Ray jobs: one job a run, each on a node with room for it.

A job's command is ``gym_gui.services.trainer.remote_job``, which starts supervisor, worker and
proxy on its node. Ray carries its address and the run's own token, nothing else of ours; the spec
is fetched from the daemon over TLS.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from gym_gui.core.errors import LauncherError, UsageError
from gym_gui.core.records import RunSpec
from gym_gui.rpc.endpoint import TOKEN_VARIABLE
from gym_gui.services.trainer.launchers.base import (
    Job,
    JobState,
    JobStatus,
    Launcher,
    LauncherAddress,
)
from gym_gui.services.trainer.remote_job import DAEMON_VARIABLE, RUN_VARIABLE, PathMap

READY_S = 30.0  # how long a Ray that answers may not be ready for jobs
UPLOAD_BYTES = 100 << 20
UPLOAD_NONE = "no"
EXCLUDED = (".git", ".venv", "venv", "__pycache__", "node_modules", "runs", "wandb", "videos")
_STATES = {
    "PENDING": JobState.PENDING,
    "RUNNING": JobState.RUNNING,
    "SUCCEEDED": JobState.ENDED,
    "FAILED": JobState.LOST,
    "STOPPED": JobState.STOPPED,
}


class RayLauncher(Launcher):
    """Speaks with Ray's job server, whose address is the dashboard's."""

    is_far = True

    def __init__(self, address: LauncherAddress) -> None:
        self._address = address
        self._known: Any = None

    def submit(self, job: Job) -> None:
        assert job.endpoint is not None
        run_id = job.spec.run_id
        folder = upload_folder(job.spec, self._address.upload)
        paths = PathMap.of_this_machine(job.run_dir, folder)
        variables = {
            DAEMON_VARIABLE: str(job.endpoint),
            TOKEN_VARIABLE: job.endpoint.token,
            RUN_VARIABLE: run_id,
            **paths.variables(),
        }
        environment: dict[str, Any] = {"env_vars": variables}
        if folder is not None:
            environment["working_dir"] = str(folder)
            environment["excludes"] = [f"**/{name}/" for name in EXCLUDED]
        python = shlex.quote(self._address.python)
        self._submit(
            entrypoint=f"exec {python} -m gym_gui.services.trainer.remote_job",
            submission_id=run_id,
            runtime_env=environment,
            metadata={"gym-gui run": run_id, "name": job.spec.name},
            entrypoint_num_cpus=self._address.cpus or None,
            entrypoint_num_gpus=self._address.gpus or None,
        )

    def _submit(self, **words: Any) -> None:
        deadline = time.monotonic() + READY_S
        while True:
            try:
                self._client().submit_job(**words)
                return
            except RuntimeError as error:
                if "already exists" in str(error):
                    return
                if "No available agent" not in str(error) or time.monotonic() > deadline:
                    raise self._failed(error) from error
                time.sleep(1.0)  # a Ray that has just been started
            except (OSError, ValueError) as error:
                raise self._failed(error) from error

    def status(self, job: Job) -> JobStatus:
        try:
            found = self._client().get_job_info(job.spec.run_id)
        except RuntimeError as error:
            if "does not exist" in str(error):
                return JobStatus(JobState.LOST, "Ray does not know the job any more")
            raise self._failed(error) from error
        except OSError as error:
            raise self._failed(error) from error
        words = str(found.message or "").strip()
        return JobStatus(_STATES[str(found.status.value)], words)

    def logs(self, job: Job) -> str:
        try:
            return str(self._client().get_job_logs(job.spec.run_id))[-8192:]
        except (RuntimeError, OSError) as error:
            raise self._failed(error) from error

    def stop(self, job: Job) -> None:
        try:
            self._client().stop_job(job.spec.run_id)
        except RuntimeError as error:
            if "does not exist" not in str(error):
                raise self._failed(error) from error
        except OSError as error:
            raise self._failed(error) from error

    def _client(self) -> Any:
        if self._known is None:
            self._known = _connect(self._address.url)
        return self._known

    def _failed(self, error: Exception) -> LauncherError:
        self._known = None  # a cluster that was started anew is another one
        words = str(error).strip().splitlines()
        return LauncherError(
            f"Ray at {self._address.url} did not do it:"
            f" {words[0][:300] if words else type(error).__name__}",
            next_step="Look at its dashboard, or ask it: ray job list",
        )


def _connect(url: str) -> Any:
    try:
        from ray.job_submission import JobSubmissionClient
    except ImportError as error:
        raise LauncherError(
            "Ray is not installed here.", next_step="Install it: pip install 'gym-gui[ray]'"
        ) from error
    try:
        return JobSubmissionClient(url)
    except (ConnectionError, RuntimeError, OSError, ValueError) as error:
        raise LauncherError(
            f"No Ray answers at {url}.",
            next_step="Start one (ray start --head), and give the address of its dashboard,"
            " which is port 8265.",
        ) from error


def upload_folder(spec: RunSpec, wish: str) -> Path | None:
    """Return the folder that the nodes get a copy of, None for none. Raises UsageError."""
    if wish == UPLOAD_NONE:
        return None
    if wish:
        folder = Path(wish).expanduser()
        if not folder.is_dir():
            raise UsageError(f"There is no folder {wish} to upload.", next_step="Correct upload=.")
        return _checked(folder.resolve())
    ours = Path(__file__).resolve().parents[3]
    for word in spec.command[:3]:
        path = Path(spec.cwd, word)
        if word != sys.executable and path.is_file() and not os.access(path, os.X_OK):
            script = path.resolve()
            return None if script.is_relative_to(ours) else _checked(script.parent)
    return None


def _checked(folder: Path) -> Path:
    size = 0
    for root, names, files in os.walk(folder):
        names[:] = [name for name in names if name not in EXCLUDED]
        size += sum(os.lstat(os.path.join(root, name)).st_size for name in files)
        if size > UPLOAD_BYTES:
            raise UsageError(
                f"{folder} holds more than {UPLOAD_BYTES >> 20} MB: too much to copy to the nodes.",
                next_step="Name a smaller folder with ?upload=FOLDER, or ?upload=no where the"
                " nodes see the same files.",
            )
    return folder
