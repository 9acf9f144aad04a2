"""Reading what a script's own logger wrote: TensorBoard's event files, W&B's offline files.

Owns: the two file formats, read incrementally, also while they are written.
Knows nothing of Qt, and needs neither tensorboard nor wandb.
"""

from gym_gui.services.learner_logs.places import Place, told_places
from gym_gui.services.learner_logs.points import Points
from gym_gui.services.learner_logs.tensorboard import EventFolder, find_event_folders
from gym_gui.services.learner_logs.wandb import OfflineRun, find_offline_runs

__all__ = [
    "EventFolder",
    "OfflineRun",
    "Place",
    "Points",
    "find_event_folders",
    "find_offline_runs",
    "told_places",
]
