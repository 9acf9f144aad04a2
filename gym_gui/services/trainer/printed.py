"""Records that a worker of any language prints: filled in where it leaves counting to us."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
from msgspec import Raw

from gym_gui.services.trainer.foreign_lane import ForeignLane

_fields = msgspec.json.Decoder(dict[str, Raw])
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError)
_DEFAULTS: dict[str, dict[str, object]] = {"log": {"level": "info"}, "metric": {"global_step": 0}}


class _Counter:
    """Where one stream stands."""

    def __init__(self) -> None:
        self.index = self.episode = self.step = 0
        self.first_index = 0
        self.began_ns = 0


class Completer:
    """Fills in what a printed record may leave out. A line that is no object stays as it is.

    lane: gets the pictures, which do not go into the record.
    """

    def __init__(self, lane: ForeignLane | None = None) -> None:
        self._lane = lane
        self._counters: dict[int, _Counter] = {}

    def complete(self, first_seq: int, lines: Sequence[bytes]) -> list[bytes]:
        """Return the lines as a spool holds them, numbered from ``first_seq``."""
        return [self._line(seq, line) for seq, line in enumerate(lines, first_seq)]

    def _line(self, seq: int, line: bytes) -> bytes:
        try:
            fields = _fields.decode(line)
            kind = msgspec.json.decode(fields["type"], type=str)
            given = {
                name: msgspec.json.decode(fields[name], type=int)
                for name in ("stream", "index", "episode", "step", "time_ns")
                if name in fields
            }
        except (*_BROKEN, KeyError):
            return line
        given.setdefault("stream", 0)
        given.setdefault("time_ns", time.time_ns())
        counter = self._counters.setdefault(given["stream"], _Counter())
        extra = self._counted(kind, counter, given)
        payload = fields.pop("render_payload", None)
        if kind == "step" and self._lane is not None:
            self._show(self._lane, fields, given, payload)
        whole = {"type": fields.pop("type"), "seq": seq, **given, **extra}
        for name in ("seq", *given):
            fields.pop(name, None)
        return msgspec.json.encode({**whole, **fields})

    def _show(
        self,
        lane: ForeignLane,
        fields: dict[str, Raw],
        given: dict[str, int],
        payload: Raw | None,
    ) -> None:
        ended = b"true" in (fields.get("terminated"), fields.get("truncated"))
        try:
            reward = msgspec.json.decode(fields.get("reward", b"0"), type=float)
        except _BROKEN:
            return  # the decoder will refuse the record
        lane.seen(
            reward=reward,
            step=given["step"],
            episode=given["episode"],
            ended=ended,
            payload=payload,
        )

    def _counted(self, kind: str, counter: _Counter, given: dict[str, int]) -> dict[str, object]:
        """Count one record; return the fields it needs that are not among the numbers given."""
        if kind == "step":
            given["index"] = counter.index = given.get("index", counter.index)
            given["episode"] = counter.episode = given.get("episode", counter.episode)
            given["step"] = counter.step = given.get("step", counter.step)
            counter.index += 1
            counter.step += 1
            return {"action": None, "observation": None, "terminated": False, "truncated": False}
        if kind == "reset":
            counter.episode = given.get("episode", counter.episode + (counter.step > 0))
            counter.step, counter.first_index = 0, counter.index
            counter.began_ns = given["time_ns"]
            given["episode"] = counter.episode
            return {}
        if kind == "episode":
            given["episode"] = given.get("episode", counter.episode)
            counter.episode, counter.step = given["episode"] + 1, 0
            first, counter.first_index = counter.first_index, counter.index
            began = counter.began_ns or given["time_ns"]
            flags = {"terminated": False, "truncated": False}
            return {"first_index": first, "start_ns": began, **flags}
        return (
            {"level": "info"} if kind == "log" else {"global_step": 0} if kind == "metric" else {}
        )
