"""What a tail has read, to batches that cover each of its numbers once, whatever lines hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from gym_gui.services.trainer.spool import LINE_BYTES, Lines, Tail, frames_number
from gym_gui.telemetry.batch import EventEntry, RecordBatch
from gym_gui.telemetry.spool_decoder import SpoolDecoder

BATCH_LINES = 1024
BATCH_BYTES = 16 << 20  # of lines and raw pictures: a message stays far below its limit
_FRAME = b'{"type":"frame"'
_LENGTH = re.compile(rb'"length":([0-9]{1,9})')
Reject = Callable[[int, bytes, str], None]  # the batch's first number, line, reason


def batches_of(found: Lines) -> Iterator[Lines]:
    """Divide what was read into batches of at most ``BATCH_LINES`` and some ``BATCH_BYTES``."""
    if len(found.lines) <= BATCH_LINES and not any(map(_is_heavy, found.lines)):
        yield found
        return
    start = weight = 0
    for place, line in enumerate(found.lines):
        weighs = _weight(line)
        if place - start == BATCH_LINES or (weight + weighs > BATCH_BYTES and place > start):
            yield found.part(start, place)
            start, weight = place, 0
        weight += weighs
    yield found.part(start, len(found.lines))


def _is_heavy(line: bytes) -> bool:
    return len(line) > BATCH_BYTES // BATCH_LINES or line.startswith(_FRAME)


def _weight(line: bytes) -> int:
    length = _LENGTH.search(line) if line.startswith(_FRAME) else None
    return len(line) + (int(length[1]) if length else 0)


class ChannelDecoder:
    """Decodes what a tail has read, from ``resume`` on; ``reject`` hears of bad lines.

    A spool's records carry their numbers. A printed line's number is its place, good or bad.
    """

    def __init__(self, tail: Tail, *, run_id: str, reject: Reject) -> None:
        self._run_id = run_id
        self._reject = reject
        self._decoder = SpoolDecoder(tail.channel, run_id=run_id, frames_dir=tail.frames_dir)
        self._bad = 0  # of lines in no batch yet

    @property
    def next_seq(self) -> int:
        """The number after the last one that a batch has covered."""
        return self._decoder.next_seq

    @property
    def pictures_number(self) -> int:
        """The number of the pictures' file read last, 0 before the first."""
        return frames_number(self._decoder.pictures_name) or 0

    def resume(self, committed: int) -> None:
        """Go on behind the committed mark."""
        self._decoder.resume(committed + 1)

    def close(self) -> None:
        self._decoder.close()

    def decode(self, found: Lines) -> tuple[RecordBatch | None, int]:
        """Return the lines' batch, and how many were bad; None while no number was spent."""
        first_seq = self._decoder.next_seq
        decoded = self._decoder.decode(b"\n".join(found.lines))
        batch = decoded.batch
        if found.first:
            last_seq = found.first + len(found.lines) - 1
            batch = batch or RecordBatch(self._decoder.channel, first_seq, last_seq)
            batch.first_seq, batch.last_seq, batch.run_id = first_seq, last_seq, self._run_id
            self._decoder.resume(last_seq + 1)
        for rejected in decoded.rejected:
            is_long = len(rejected.line) >= LINE_BYTES
            reason = f"longer than {LINE_BYTES:,} bytes" if is_long else rejected.reason
            self._reject(first_seq, rejected.line, reason)
        self._bad += len(decoded.rejected)
        if batch is None:
            return None, 0
        if decoded.gaps and not found.first:
            batch.events.append(_lost(batch.first_seq, decoded.gaps))
        bad, self._bad = self._bad, 0
        return batch, bad

    def last(self, torn: bytes, *, went_down: bool = False) -> tuple[RecordBatch | None, int]:
        """Return what is still to be said once the worker has ended: of its torn last line, too.

        went_down: the machine stopped meanwhile, so that the channel's end may be missing.
        """
        seq = self.next_seq
        if torn:
            self._reject(seq, torn, "broken off")
        bad, self._bad = self._bad + bool(torn), 0
        words = []
        if went_down:
            words.append(
                f"The machine went down while this was written: what came after record {seq - 1:,}"
                " of its channel, of at most a second, is lost."
            )
        if torn:
            words.append("The last line was broken off; rejected.jsonl has it.")
        elif bad:
            words.append(f"{bad} lines at the end are no records; rejected.jsonl has them.")
        if not words:
            return None, 0
        self._decoder.resume(seq + 1)
        note = EventEntry(seq, "warning", {"message": " ".join(words)})
        batch = RecordBatch(self._decoder.channel, seq, seq, events=[note], run_id=self._run_id)
        return batch, bad


def _lost(seq: int, gaps: Sequence[tuple[int, int]]) -> EventEntry:
    """Name what the spool does not hold: a power cut or another hand took it."""
    ranges = ", ".join(f"{first:,} to {last:,}" for first, last in gaps[:10])
    return EventEntry(seq, "warning", {"message": f"Records {ranges} are not in the spool."})
