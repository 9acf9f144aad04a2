"""gym-gui: watch reinforcement-learning agents train, keep every step, replay any moment.

Importing this package loads nothing else: the tap puts it on the path of the user's own
interpreter (Python >= 3.9).
"""

__version__ = "0.1.0"

__all__ = ["__version__", "watch"]


def watch(env):
    """Show and record ``env``, an environment that was not made by ``gymnasium.make``; return it.

    Works in a run of gym-gui's; anywhere else it does nothing, so that the script runs alone, too.
    What ``gymnasium.make``, vector environments and PettingZoo give needs no such call.
    """
    from gym_gui.worker.explicit import watch as watch_here

    return watch_here(env)
