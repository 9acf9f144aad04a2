"""Lines of one channel to batches that keep the lines' numbers, whatever the lines are worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gym_gui.services.trainer.spool import Tail
from gym_gui.telemetry.batch import EventEntry, RecordBatch
from gym_gui.telemetry.spool_decoder import SpoolDecoder

Reject = Callable[[int, bytes, str], None]  # number (the batch's first), line, reason


class ChannelDecoder:
    """Decodes what a tail has read. A line's number is its place; ``reject`` hears of bad ones."""

    def __init__(self, tail: Tail, *, run_id: str, reject: Reject) -> None:
        self._run_id = run_id
        self._reject = reject
        self._decoder = SpoolDecoder(tail.channel, run_id=run_id, frames_dir=tail.frames_dir)

    def decode(self, first_seq: int, lines: Sequence[bytes]) -> tuple[RecordBatch, int]:
        """Return the batch of ``lines``, numbered from ``first_seq``, and how many were bad."""
        last_seq = first_seq + len(lines) - 1
        self._decoder.next_seq = first_seq
        decoded = self._decoder.decode(b"\n".join(lines))
        batch = decoded.batch or RecordBatch(self._decoder.channel, first_seq, last_seq)
        batch.first_seq, batch.last_seq, batch.run_id = first_seq, last_seq, self._run_id
        for rejected in decoded.rejected:
            self._reject(first_seq, rejected.line, rejected.reason)
        if decoded.gaps and not decoded.rejected:
            batch.events.append(_lost(first_seq, decoded.gaps))
        return batch, len(decoded.rejected)


def _lost(seq: int, gaps: Sequence[tuple[int, int]]) -> EventEntry:
    """Name what the spool does not hold: a power cut or another hand took it."""
    ranges = ", ".join(f"{first} to {last}" for first, last in gaps[:10])
    return EventEntry(seq, "warning", {"message": f"Records {ranges} are not in the spool."})
