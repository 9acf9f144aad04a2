"""Files of ours in a process that is not ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from gym_gui.core import descriptors

LOW_LIMIT = """
import resource, os, mmap, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
from gym_gui.core import descriptors
file = descriptors.move_up(os.open(sys.argv[1], os.O_RDWR))
with descriptors.low_taken():
    view = mmap.mmap(file, 4)
print(file, view[:])
"""


def test_a_file_is_moved_far_above_and_stays_the_same_file(tmp_path: Path) -> None:
    low = os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT)
    os.write(low, b"text")
    moved = descriptors.move_up(low)
    assert moved >= 512
    assert os.pread(moved, 4, 0) == b"text"
    assert not os.get_inheritable(moved)
    descriptors.close(moved)
    descriptors.close(moved)


def test_what_is_opened_meanwhile_stands_above(tmp_path: Path) -> None:
    with descriptors.low_taken():
        opened = os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT)
    assert opened >= 128
    after = os.open(tmp_path / "b", os.O_RDWR | os.O_CREAT)
    assert after < 128
    os.close(after)
    os.close(opened)


def test_a_low_limit_of_open_files_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"text")
    done = subprocess.run(
        [sys.executable, "-c", LOW_LIMIT, str(path)], capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith("b'text'\n"), done.stderr
