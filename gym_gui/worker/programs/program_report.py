"""How our training programs hand over metrics and log lines.

Inside a run they go through the tap; anywhere else they are printed as protocol lines, so that
the programs also work by themselves. Standard library only.
"""

import json
import math
import sys


def _session():
    try:
        from gym_gui.worker import bootstrap
    except ImportError:
        return None
    return bootstrap.session()


def metric(name, value, global_step):
    """Hand over one scalar of the learner."""
    session = _session()
    if session is not None:
        session.metric(name, float(value), int(global_step))
        return
    value = float(value)
    if not math.isfinite(value):
        value = {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    _print({"type": "metric", "name": name, "value": value, "global_step": int(global_step)})


def log(level, message):
    """Hand over one line of the run's log."""
    session = _session()
    if session is not None:
        session.log(level, message)
        return
    _print({"type": "log", "level": level, "message": message})


def _print(record):
    sys.stdout.write(json.dumps(record, separators=(",", ":")) + "\n")
