"""Starts the tap in every Python process of a run, then the ``sitecustomize`` it stands before."""

import importlib.machinery
import importlib.util
import os
import sys


def _start_tap():
    if os.environ.get("GYM_GUI_TAP"):
        try:
            from gym_gui.worker import bootstrap

            bootstrap.activate()
        except Exception as error:  # noqa: BLE001 - edge of the user's process
            sys.stderr.write(f"gym-gui: not recording: {error}\n")


def _chain():
    here = os.path.dirname(os.path.abspath(__file__))
    others = [p for p in sys.path if os.path.abspath(p or os.getcwd()) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


_start_tap()
_chain()
