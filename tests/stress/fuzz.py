"""Fuzzing of whatever reads bytes of others: lines, messages, spools, run files.

    python tests/stress/fuzz.py --inputs 1000000
    python tests/stress/fuzz.py --coverage codec     coverage-guided, where atheris is installed

Each input is made from a sound one. Allowed are two ends: it is taken, and then everything that
must hold of what was taken does; or it is refused for a reason. The reasons are counted.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from google.protobuf.message import DecodeError
from store_samples import steps_batch, write

from gym_gui.core.errors import ProtocolError, StorageError
from gym_gui.rpc import trainer_pb2 as pb
from gym_gui.rpc.codec import decode_batch, encode_batch
from gym_gui.services.trainer.decoding import ChannelDecoder, batches_of
from gym_gui.services.trainer.printed import Completer
from gym_gui.services.trainer.spool import ChannelTail
from gym_gui.telemetry.batch import RecordBatch
from gym_gui.telemetry.db_sink import REFUSALS
from gym_gui.telemetry.leafscan import scan
from gym_gui.telemetry.reader import RunReader
from gym_gui.telemetry.repair import check
from gym_gui.telemetry.spool_decoder import SpoolDecoder
from gym_gui.telemetry.sqlite_store import TelemetrySQLiteStore

SHARES = {"lines": 0.5, "printed": 0.1, "codec": 0.3, "spool": 0.08, "store": 0.02}
TOKENS = [b'"', b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\0", b"\xff", b"\xed\xa0\x80", b"-1"]
TOKENS += [
    b"null",
    b"true",
    b"NaN",
    b'"NaN"',
    b"1e999",
    b"-0",
    b"1.5",
    b"0",
    b"[" * 3000,
    b"\\u0000",
]
TOKENS += [str(1 << bits).encode() for bits in (31, 32, 40, 63, 64, 70)] + [b'"Infinity"', b"\\"]

STEP = (
    b'"stream":0,"index":%d,"episode":0,"step":0,"action":[0.5,1],"reward":1.0,"terminated":false'
)
STEP += b',"truncated":true,"observation":[0.25,"NaN"],"time_ns":7}'
LINES = [
    b'{"type":"step","seq":1,' + STEP % 3,
    b'{"type":"step","seq":1,"agent":"a","flags":8,"proposed_action":2,' + STEP % 4,
    b'{"type":"vstep","seq":1,"streams":[0,1],"index":[4,5],"episode":[0,1],"step":[4,0],"action":'
    b'[1,[2]],"reward":[1,"NaN"],"terminated":[true,false],"truncated":[false,false],"observation":'
    b'[[1],[2]],"time_ns":9,"flags":[0,4]}',
    b'{"type":"packed","seq":1,"count":2,"dtype":"float32","shape":[2],"time_ns":9,"data":"'
    b"AAAAAAAAAAAEAAAAAAAAAAEAAAAAAAAAAwAAAAAAAAAAAAAAAADgPwABAAAAAAAAAAAAgD4AAIC/AQAA"
    b"AAAAAAAEAAAAAAAAAAEAAAAAAAAAAwAAAAAAAAAAAAAAAADgPwEBAAAAAAAAAAAAgD4AAIC/"
    b'"}',
    b'{"type":"packed","seq":1,"count":1,"dtype":"float64","shape":[2],"action_dtype":"float32",'
    b'"action_shape":[1],"time_ns":9,"data":"'
    b"AAAAAAAAAAAEAAAAAAAAAAEAAAAAAAAAAwAAAAAAAAAAAAAAAADgPwEAAAA/AAAAAAAA0D8AAAAAAADw"
    b"vw=="
    b'"}',
    b'{"type":"vpacked","seq":1,"places":[[0,4,1,3],[1,9,0,0]],"dtype":"float32","shape":[1],"data":"'
    b"CQAAAAAAAAAAAQEAAAAAAAAAAgAAAAAAAAAAAAAAAADgPwAAAAAAAOA/AACAPgAAgL8="
    b'"}',
    b'{"type":"reset","seq":1,"stream":0,"episode":0,"time_ns":5,"seed":3,"options":{"a":1},'
    b'"rng":{"before":[1],"after":null},"snapshot":"QUJD","observation":[0]}',
    b'{"type":"episode","seq":1,"stream":0,"episode":0,"length":4,"return":2.5,"terminated":true,'
    b'"truncated":false,"start_ns":1,"time_ns":2,"first_index":0,"success":true}',
    b'{"type":"metric","seq":1,"name":"loss","value":0.5,"global_step":7,"time_ns":8}',
    b'{"type":"log","seq":1,"level":"info","message":"hello","time_ns":8}',
    b'{"type":"frame","seq":1,"stream":0,"episode":0,"step":0,"index":0,"height":2,"width":2,'
    b'"channels":3,"format":"RGB","file":"frames-1.bin","offset":0,"length":12}',
    b'{"type":"run","seq":1,"time_ns":3,"event":"stream","stream":0,"env_id":"CartPole-v1",'
    b'"agents":["a"],"vector":{"id":"1","index":0,"size":2}}',
]


def _reason(error: object) -> str:
    """Return an error's text without what is only this input's."""
    text = re.sub(
        r"A (batch|record) of .*?(?= counts| is not)", r"A \1 of …", str(error), flags=re.DOTALL
    )
    inner = re.search(r"damaged or not a run's file \((.*?)(:|\n|\)\.)", text, re.DOTALL)
    text = inner[1] if inner else text.partition("\n")[0]
    text = re.sub(r"'[^']*'|`[^`]*`|\"[^\"]*\"|\([a-z_]+\)", "…", text)
    return re.sub(r"0x[0-9a-f]+|/\S+|-?[0-9][0-9,]*", "#", text)[:90]


class Fuzz:
    """The targets: each takes bytes and returns why it refused them, "" when it took them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spool = folder / "spool" / "c"
        self.spool.mkdir(parents=True)
        (self.spool / "frames-1.bin").write_bytes(bytes(12))
        self.file = folder / "run" / "telemetry.sqlite"
        self._store = TelemetrySQLiteStore(folder / "kept.sqlite")
        self._kept = 0
        sample = folder / "sample.sqlite"
        self.sound = write(sample, steps_batch(0, 300)).read_bytes()
        self.messages = [self._message(line) for line in LINES]

    def close(self) -> None:
        self._store.close()

    def seeds(self, target: str) -> list[bytes]:
        """Return sound inputs of a target."""
        if target == "codec":
            return self.messages
        if target == "store":
            return [self.sound]
        if target == "spool":
            numbered = [b'{"type":"step","seq":%d,' % (n + 1) + STEP % n for n in range(30)]
            return [b"\n".join(numbered) + b"\n"]
        return LINES

    def lines(self, data: bytes) -> str:
        decoded = SpoolDecoder("c", run_id="r", frames_dir=self.spool).decode(data)
        self._must_hold(decoded.batch)
        if decoded.batch is None and not decoded.rejected and data.strip():
            return "numbered as seen before"
        return _reason(decoded.rejected[0].reason) if decoded.rejected else ""

    def printed(self, data: bytes) -> str:
        lines = Completer().complete(1, [line for line in data.split(b"\n") if line])
        return self.lines(b"\n".join(lines))

    def codec(self, data: bytes) -> str:
        try:
            message = pb.Publication.FromString(data)
        except DecodeError:
            return "no message"
        if not message.HasField("batch"):
            return "no batch"
        try:
            batch = decode_batch(message.batch)
            batch.check()
        except ProtocolError as error:
            return _reason(error)
        self._must_hold(batch, refusals=REFUSALS)
        return ""

    def spool_reader(self, data: bytes) -> str:
        for old in self.spool.glob("*.jsonl"):
            old.unlink()
        half = data.rfind(b"\n", 0, len(data) // 2) + 1
        (self.spool / "0000000000000001.jsonl").write_bytes(data[:half])
        (self.spool / "0000000000000016.jsonl").write_bytes(data[half:])
        rejected: list[str] = []
        tail = ChannelTail(self.spool)
        decoder = ChannelDecoder(tail, run_id="r", reject=lambda _, __, why: rejected.append(why))
        tail.seek(0)
        decoder.resume(0)
        covered = 0
        while (found := tail.read()) is not None:
            for part in batches_of(found):
                batch = decoder.decode(part)[0]
                covered = self._follows(batch, covered)
        self._follows(decoder.last(tail.torn())[0], covered)
        tail.close()
        decoder.close()
        return _reason(rejected[0]) if rejected else ""

    def store(self, data: bytes) -> str:
        shutil.rmtree(self.file.parent, ignore_errors=True)
        self.file.parent.mkdir()
        self.file.write_bytes(data)
        reasons = []
        for use in (_read, _check, _write):
            try:
                use(self.file)
            except StorageError as error:
                reasons.append(f"{use.__name__[1:]}: {_reason(error)}")
        for _ in scan(self.file):
            pass
        return reasons[0] if reasons else ""

    def _message(self, line: bytes) -> bytes:
        batch = SpoolDecoder("c", run_id="r", frames_dir=self.spool).decode(line).batch
        assert batch is not None, line
        return pb.Publication(batch=encode_batch(batch)).SerializeToString()

    def _follows(self, batch: RecordBatch | None, covered: int) -> int:
        if batch is None:
            return covered
        assert batch.first_seq == covered + 1, "a hole between two batches"
        self._must_hold(batch)
        return batch.last_seq

    def _must_hold(self, batch: RecordBatch | None, *, refusals: Any = ProtocolError) -> None:
        """What is taken can be sent, comes back the same, and can be kept."""
        if batch is None:
            return
        batch.check()
        message = encode_batch(batch).SerializeToString()
        back = encode_batch(decode_batch(pb.Batch.FromString(message))).SerializeToString()
        assert back == message, "a batch does not come back as it was sent"
        self._kept += 1
        if self._kept % 20 == 0:
            try:
                with self._store.atomic():
                    self._store.write(batch)
            except refusals:
                return  # the sink puts a note of its loss in its place


def _read(path: Path) -> None:
    with RunReader(path) as reader:
        reader.totals()
        reader.streams()
        reader.steps(0, 0, 50)
        reader.episodes(limit=5)
        reader.returns_curve()


def _check(path: Path) -> None:
    report = check(path)
    if report.problems:
        raise StorageError(report.problems[0])


def _write(path: Path) -> None:
    with TelemetrySQLiteStore(path) as store, store.atomic():
        store.write(steps_batch(300, 20))


def mutated(seeds: list[bytes], draw: random.Random) -> bytes:
    """Return a sound input with some things done to it."""
    data = bytearray(draw.choice(seeds))
    for _ in range(draw.choice((1, 1, 2, 3, 6))):
        place = draw.randrange(len(data) + 1)
        kind = draw.randrange(8)
        if kind == 0 and data:
            data[place % len(data)] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[place : place + draw.randrange(1, 20)] = draw.randbytes(draw.randrange(1, 20))
        elif kind == 2:
            del data[place : place + draw.randrange(1, 60)]
        elif kind == 3:
            data[place:place] = data[place : place + draw.randrange(1, 60)]
        elif kind in (4, 5):
            data[place:place] = draw.choice(TOKENS)
        elif kind == 6:
            _replace_value(data, draw)
        else:
            data[place:] = draw.choice(seeds)[place:]
    return bytes(data)


def altered(data: bytes, draw: random.Random) -> bytes:
    """Return a sound message with another value in some of its fields."""
    message = pb.Publication.FromString(data)
    for _ in range(draw.choice((1, 1, 2, 4))):
        part = message.batch
        while True:
            field = draw.choice(part.DESCRIPTOR.fields)
            value = getattr(part, field.name)
            if field.type != field.TYPE_MESSAGE:
                break
            if not field.is_repeated:
                part = value
            elif len(value):
                part = draw.choice(value)
            else:
                part = value.add()
        _alter(part, field, draw)
    return message.SerializeToString()


def _alter(part: Any, field: Any, draw: random.Random) -> None:
    if field.is_repeated:
        values = getattr(part, field.name)
        del values[draw.randrange(len(values) + 1) :]
        values.extend(["x"] * draw.randrange(3))
    elif field.type == field.TYPE_BYTES:
        setattr(part, field.name, draw.randbytes(draw.choice((0, 1, 7, 8, 16, 24))))
    elif field.type == field.TYPE_STRING:
        texts = ("", "x", "{}", "[]", "[1]", '{"seed":"x"}', '{"a":1}', "\n", "\ud7ff\0", "null")
        setattr(part, field.name, draw.choice(texts))
    elif field.type == field.TYPE_BOOL:
        setattr(part, field.name, draw.random() < 0.5)
    elif field.type == field.TYPE_DOUBLE:
        setattr(part, field.name, draw.choice((0.0, -1.5, 1e308, math.inf, math.nan)))
    else:
        wide = field.type in (field.TYPE_INT64, field.TYPE_UINT64, field.TYPE_SINT64)
        numbers = (0, 1, 2, 1 << 20, (1 << 31) - 1, *((1 << 40, 1 << 62) if wide else ()))
        setattr(part, field.name, draw.choice(numbers))


def _replace_value(data: bytearray, draw: random.Random) -> None:
    """Put another value in the place of one, where the input is a line of JSON."""
    try:
        fields = json.loads(bytes(data))
    except (ValueError, RecursionError):
        return
    if not isinstance(fields, dict) or not fields:
        return
    name = draw.choice(sorted(fields))
    values = [None, True, -1, 1 << 40, 1 << 64, 1.5, 1e308, "", "NaN", "x", [], [[]], {}, {"a": 1}]
    fields[name] = draw.choice(values)
    data[:] = json.dumps(fields, separators=(",", ":")).encode()


def run(inputs: int, *, seed: int, only: str = "", folder: Path) -> dict[str, Counter[str]]:
    """Return for each target how often it gave which reason; "" is taken."""
    fuzz, draw = Fuzz(folder), random.Random(seed)
    found: dict[str, Counter[str]] = {}
    for target, share in SHARES.items():
        if only and target != only:
            continue
        call: Callable[[bytes], str] = (
            fuzz.spool_reader if target == "spool" else getattr(fuzz, target)
        )
        seeds, counts = fuzz.seeds(target), Counter[str]()
        found[target] = counts
        for number in range(inputs if only else round(inputs * share)):
            shape = target == "codec" and draw.random() < 0.7
            data = altered(draw.choice(seeds), draw) if shape else mutated(seeds, draw)
            try:
                counts[call(data)] += 1
            except BaseException:
                kept = Path(tempfile.gettempdir()) / f"fuzz-{target}-{seed}-{number}.bin"
                kept.write_bytes(data)
                sys.stderr.write(f"{target}: input {number} of seed {seed}, kept as {kept}\n")
                raise
    fuzz.close()
    return found


def _guided(target: str, folder: Path, seconds: int) -> None:
    atheris: Any = importlib.import_module("atheris")

    fuzz = Fuzz(folder)
    call = fuzz.spool_reader if target == "spool" else getattr(fuzz, target)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(fuzz.seeds(target)):
        (corpus / str(number)).write_bytes(data)

    def one_input(data: bytes) -> None:
        call(data)

    atheris.instrument_all()
    atheris.Setup([sys.argv[0], str(corpus), f"-max_total_time={seconds}"], one_input)
    atheris.Fuzz()


def main() -> int:
    """Entry point of the long form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", choices=list(SHARES), default="")
    parser.add_argument("--coverage", choices=list(SHARES), default="")
    parser.add_argument("--seconds", type=int, default=120, help="of the coverage-guided form")
    options = parser.parse_args()
    base = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="gg-fuzz-", dir=base) as name:
        if options.coverage:
            _guided(options.coverage, Path(name), options.seconds)
            return 0
        began = time.monotonic()
        found = run(options.inputs, seed=options.seed, only=options.only, folder=Path(name))
    total = sum(counts.total() for counts in found.values())
    sys.stdout.write(f"seed {options.seed}: {total:,} inputs in {time.monotonic() - began:.0f} s\n")
    for target, counts in found.items():
        sys.stdout.write(
            f"{target}: {counts['']:,} taken, {counts.total() - counts['']:,} refused\n"
        )
        for reason, count in counts.most_common():
            if reason:
                sys.stdout.write(f"  {count:>9,}  {reason}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
