"""Byte layout of a ring file, version 2. All words are little-endian u64 or IEEE f64.

Header, one page; each block has cache lines (64 bytes) of its own:

    byte  word  field             type  meaning
    static, written before the file is renamed into place
       0     0  magic             u64   written last; anything else is not a ring
       8     1  version           u64   of this layout
      16     2  generation        u64   1, then +1 for each new frame size of one writer
      24     3  writer pid        u64
      32     4  session           u64   random, differs between any two rings
      40     5  slots             u64   1 to 64
      48     6  slot stride       u64   bytes, a whole number of pages
      56     7  slot capacity     u64   bytes of pixels that fit into a slot
      64     8  flags             u64   bit 0: slots carry a CRC-32 that readers must check
      72     9  tiles             u64   environments in the picture, 1 when not tiled
      80    10  tile columns      u64
      88    11  width             u64   pixels, as configured
      96    12  height            u64
     104    13  channels          u64
     112    14  environments      u64   that the process steps and could show, 1 or more
     120    15  first             u64   number of the environment in the first tile, from 0
    writer
     128    16  head              u64   number of the newest whole frame, 0 before the first
     136    17  state             u64   1 LIVE, 2 REPLACED, 3 CLOSED
    live HUD, under its own sequence word
     192    24  sequence          u64   odd: being written
     200    25  monotonic         u64   ns
     208    26  step              u64
     216    27  episode           u64
     224    28  last reward       f64
     232    29  rolling return    f64
     240    30  step rate         f64   Hz
    demand
     256    32  epoch             u64   changed by a viewer whenever a lease or control changes
     320    40  lease 0..3              one cache line each:
              +0  owner           u64   random, 0 when free
              +1  deadline        u64   monotonic ns
              +2  wanted          f64   Hz
              +3  budget          f64   share of wall time, 0 to 1
              +4  viewer pid      u64
              +5  view            u64   0 as the run was started, 1 all environments, 2 + k only
                                        the environment k
    control
     576    72  owner             u64
     584    73  deadline          u64   monotonic ns
     592    74  paused            u64   0 or 1
     600    75  max steps         f64   per second, 0 is unlimited
    why there are no pictures, under its own sequence word
     640    80  sequence          u64   odd: being written
     648    81  length            u64   bytes of the reason, 0 where there are pictures
     656    82  CRC-32            u64   of the reason's bytes
     704        reason                  UTF-8, at most 1024 bytes

Slot k begins at byte 4096 + k * stride; its pixels begin one page further:

    byte  word  field             type  meaning
       0     0  sequence          u64   odd: being written; 2 n: frame n is whole
       8     1  monotonic         u64   ns
      16     2  step              u64
      24     3  episode           u64
      32     4  last reward       f64
      40     5  rolling return    f64
      48     6  step rate         f64   Hz
      56     7  height            u64   pixels
      64     8  width             u64
      72     9  channels          u64   bytes a pixel: 1, 3 or 4
      80    10  pixel format      u64   1 RGB, 2 RGBA, 3 GREY, 4 BGRX; +16: columns first
      88    11  row stride        u64   bytes (of a column where columns come first)
      96    12  CRC-32            u64   of bytes 8 to 95 and the pixels, begun with the frame's
                                        number (or an old frame could pass for it); where flagged
"""

from __future__ import annotations

import enum
import platform

MAGIC = int.from_bytes(b"GYMGUI\x01\n", "little")
VERSION = 2
PAGE = 4096
MAX_SLOTS = 64
MAX_SIDE = 1 << 15

# header words
W_MAGIC, W_VERSION, W_GENERATION, W_PID, W_SESSION, W_SLOTS, W_STRIDE, W_CAPACITY = range(8)
W_FLAGS, W_TILES, W_COLUMNS, W_WIDTH, W_HEIGHT, W_CHANNELS, W_ENVIRONMENTS, W_FIRST = range(8, 16)
W_HEAD, W_STATE = 16, 17
W_HUD = 24
W_EPOCH = 32
W_LEASES, LEASES, LEASE_WORDS = 40, 4, 8
L_OWNER, L_DEADLINE, L_WANTED, L_BUDGET, L_PID, L_VIEW = range(6)
W_CONTROL = 72
C_OWNER, C_DEADLINE, C_PAUSED, C_MAX_STEPS = range(4)
W_REASON = 80
R_SEQUENCE, R_LENGTH, R_CRC = range(3)
REASON_FROM, REASON_BYTES = 704, 1024

# what a lease asks to see
VIEW_DEFAULT, VIEW_ALL, VIEW_ONE = 0, 1, 2
MAX_VIEW = 1 << 16

# slot words
S_SEQUENCE, S_MONOTONIC, S_STEP, S_EPISODE, S_REWARD, S_RETURN, S_RATE = range(7)
S_HEIGHT, S_WIDTH, S_CHANNELS, S_FORMAT, S_ROW_STRIDE, S_CRC = range(7, 13)
SLOT_CRC_FROM, SLOT_CRC_TO = 8, 96

FLAG_CRC = 1
COLUMNS_FIRST = 16


class WriterState(enum.IntEnum):
    """The writer's own word about its ring."""

    LIVE = 1
    REPLACED = 2
    CLOSED = 3


class PixelFormat(enum.IntEnum):
    """Order of the bytes of one pixel."""

    RGB = 1
    RGBA = 2
    GREY = 3
    BGRX = 4

    @property
    def channels(self) -> int:
        return _CHANNELS[self]


_CHANNELS = {
    PixelFormat.RGB: 3,
    PixelFormat.RGBA: 4,
    PixelFormat.GREY: 1,
    PixelFormat.BGRX: 4,
}
FORMAT_OF_CHANNELS = {1: PixelFormat.GREY, 3: PixelFormat.RGB, 4: PixelFormat.RGBA}


def round_up(size: int) -> int:
    """Return ``size`` bytes rounded up to whole pages."""
    return -(-size // PAGE) * PAGE


def stores_stay_in_order() -> bool:
    """Tell whether this processor shows one thread's stores to others in program order."""
    return platform.machine().lower() in ("x86_64", "amd64", "i686", "i386")
