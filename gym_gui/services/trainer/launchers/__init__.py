"""Where a run's processes are started: on this machine, or on a cluster.

A launcher has four verbs (submit, status, logs, stop) and is chosen by ``RunSpec.launcher``. One
for another cluster is one more class here and one line in ``launcher_for``.
"""

from gym_gui.services.trainer.launchers.base import (
    LOCAL,
    Job,
    JobState,
    JobStatus,
    Launcher,
    LauncherAddress,
    parse_launcher,
)
from gym_gui.services.trainer.launchers.choice import launcher_for

__all__ = [
    "LOCAL",
    "Job",
    "JobState",
    "JobStatus",
    "Launcher",
    "LauncherAddress",
    "launcher_for",
    "parse_launcher",
]
