"""Where a vector environment's steps are held in mapped memory before they are written.

What is stored in a mapped file outlives the process, as what was written does: the kernel holds
it. The process that steps stores each vector step here and writes many of them as one ``vpacked``
record; if it dies in between, whoever reads its spool makes the record from here.

    64-bit integers   magic, bytes of the head, length of the text, bytes of a vector step,
                      vector steps held, number of the record being written from them, or 0
    text              the record's fields but number and data, as JSON text without braces
    vector steps      after the head, as the record's data has them

By the last number a death in the midst of writing the record is told from one before it: the
record is in the spool then, or it is not.
"""

from __future__ import annotations

import os
from binascii import b2a_base64
from pathlib import Path
from struct import Struct
from typing import Optional

MAGIC = 0x31504554_53474747
HEAD = Struct("<6q")
HELD, SEQ = 4, 5  # places in it
SUFFIX = ".held"


def record_body(text: str, steps: bytes) -> str:
    """Return the body of a ``vpacked`` record. text: its other fields; steps: its data."""
    return f'{text},"data":"{b2a_base64(steps, newline=False).decode()}"'


def left_behind(memory: bytes) -> Optional[tuple[int, str]]:
    """Return what a process left in its block when it died: the number, 0 or more, that the record
    was to have, and the record's body. None where nothing is held. Raises ValueError where the
    memory is no block.
    """
    if len(memory) < HEAD.size:
        raise ValueError("it is too short")
    magic, head, length, size, held, seq = HEAD.unpack_from(memory)
    if not magic:
        return None  # it had not begun
    if magic != MAGIC:
        raise ValueError("it has another magic number")
    if length < 0 or head < HEAD.size + length or size < 1 or held < 0 or seq < 0:
        raise ValueError("its numbers are out of range")
    if head + held * size > len(memory):
        raise ValueError("it is shorter than it says")
    if not held:
        return None
    text = memory[HEAD.size : HEAD.size + length].decode()
    return seq, record_body(text, memory[head : head + held * size])


def give_number(path: Path, seq: int) -> None:
    """Note in a dead process's block which record was made of it."""
    descriptor = os.open(str(path), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.pwrite(descriptor, seq.to_bytes(8, "little"), SEQ * 8)
    finally:
        os.close(descriptor)
