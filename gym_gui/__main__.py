"""``python -m gym_gui`` is ``gym-gui``."""

import sys

from gym_gui.cli import main

if __name__ == "__main__":
    sys.exit(main())
