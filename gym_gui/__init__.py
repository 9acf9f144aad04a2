"""gym-gui: watch reinforcement-learning agents train, keep every step, replay any moment.

Importing this package loads nothing else: the tap puts it on the path of the user's own
interpreter (Python >= 3.9).
"""

__version__ = "0.1.0"
