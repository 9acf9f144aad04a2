"""Rows straight from the pages of a SQLite file, for tables whose inner pages are lost.

Reads the leaf pages of tables (type 13 of the file format) one by one, whatever points at them, and
tells tables apart by their number of columns. Only what is wholly inside the format is taken.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TABLES = {10: "steps", 8: "frames", 7: "resets", 5: "metrics"}
"""Number of columns of the tables that can be told apart."""

_LEAF = 13
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


class _BrokenCellError(Exception):
    """What was read is not a cell of a table."""


def scan(path: Path) -> Iterator[tuple[str, list[Any]]]:
    """Yield (table, row) for every row found; the row's first value is its key."""
    with path.open("rb") as file:
        head = file.read(100)
        if len(head) < 100:
            return
        size = struct.unpack(">H", head[16:18])[0]
        size = 65536 if size == 1 else size
        if size < 512 or size & (size - 1):
            size = 4096
        pages = _Pages(file, size, size - head[20])
        number = 2  # the first page holds the schema
        while page := pages.read(number):
            if page[0] == _LEAF:
                yield from _rows(pages, page)
            number += 1


class _Pages:
    def __init__(self, file: Any, size: int, usable: int) -> None:
        self._file = file
        self.size = size
        self.usable = usable if 480 <= usable <= size else size

    def read(self, number: int) -> bytes:
        """Return a page, numbered from 1; empty when the file does not hold all of it."""
        self._file.seek((number - 1) * self.size)
        page = self._file.read(self.size)
        return page if len(page) == self.size else b""


def _rows(pages: _Pages, page: bytes) -> Iterator[tuple[str, list[Any]]]:
    (count,) = struct.unpack(">H", page[3:5])
    if 8 + 2 * count > pages.usable:
        return
    for place in struct.unpack(f">{count}H", page[8 : 8 + 2 * count]):
        try:
            key, values = _cell(pages, page, place)
        except (_BrokenCellError, IndexError, struct.error, UnicodeDecodeError):
            continue
        table = TABLES.get(len(values))
        if table is not None and values[0] is None:  # the key stands in its own place
            values[0] = key
            yield table, values


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for number in range(9):
        byte = data[at + number]
        if number == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + number + 1
    raise _BrokenCellError


def _cell(pages: _Pages, page: bytes, place: int) -> tuple[int, list[Any]]:
    length, at = _varint(page, place)
    key, at = _varint(page, at)
    payload = _payload(pages, page, at, length)
    return key - (1 << 64) if key >> 63 else key, _record(payload)


def _payload(pages: _Pages, page: bytes, at: int, length: int) -> bytes:
    most = pages.usable - 35
    if length <= most:
        if at + length > pages.usable:
            raise _BrokenCellError
        return page[at : at + length]
    least = (pages.usable - 12) * 32 // 255 - 23
    local = least + (length - least) % (pages.usable - 4)
    local = local if local <= most else least
    parts = [page[at : at + local]]
    (following,) = struct.unpack(">I", page[at + local : at + local + 4])
    left = length - local
    while left > 0:
        more = pages.read(following) if following > 1 else b""
        if not more:
            raise _BrokenCellError
        parts.append(more[4 : 4 + min(left, pages.usable - 4)])
        left -= len(parts[-1])
        (following,) = struct.unpack(">I", more[:4])
    return b"".join(parts)


def _record(payload: bytes) -> list[Any]:
    head, at = _varint(payload, 0)
    if not 2 <= head <= len(payload) or head > 64:
        raise _BrokenCellError
    values: list[Any] = []
    place = head
    while at < head:
        kind, at = _varint(payload, at)
        value, place = _value(payload, kind, place)
        values.append(value)
    if place != len(payload):
        raise _BrokenCellError
    return values


def _value(payload: bytes, kind: int, at: int) -> tuple[Any, int]:
    if kind in (0, 8, 9):
        return {0: None, 8: 0, 9: 1}[kind], at
    if kind in (10, 11):
        raise _BrokenCellError
    size = _INTEGERS.get(kind) or (8 if kind == 7 else (kind - 12) // 2)
    data = payload[at : at + size]
    if len(data) != size:
        raise _BrokenCellError
    if kind < 7:
        return int.from_bytes(data, "big", signed=True), at + size
    if kind == 7:
        return struct.unpack(">d", data)[0], at + size
    return (data.decode() if kind % 2 else data), at + size
