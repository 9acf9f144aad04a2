"""The model of the ring needs spin, which test.sh installs where it may."""

import shutil

collect_ignore = [] if shutil.which("spin") else ["test_ring_model.py"]
