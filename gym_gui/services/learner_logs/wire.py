"""Protocol Buffers' wire format, as far as reading scalars needs it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Yield (field number, wire type, value) of one message.

    Fixed values come as their bytes. Raises ValueError for bytes that are no message.
    """
    position, end = 0, len(data)
    while position < end:
        key, position = _varint(data, position)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, position = _varint(data, position)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, position = _varint(data, position)
        elif kind == FIXED64:
            size = 8
        elif kind == FIXED32:
            size = 4
        else:
            raise ValueError(f"wire type {kind} is not known")
        if position + size > end:
            raise ValueError("the message ends too early")
        yield number, kind, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ValueError("a number ends too early")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def signed(value: int) -> int:
    """Return a varint of type int64 as Python's own number."""
    return value - (1 << 64) if value >> 63 else value


def real(value: bytes) -> float:
    """Return a fixed value of 4 or 8 bytes as a number."""
    return struct.unpack("<f" if len(value) == 4 else "<d", value)[0]
