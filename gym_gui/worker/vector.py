"""Vector environments that step their parts in this process: their steps are recorded together."""

from __future__ import annotations

import functools
import time
import weakref
from types import ModuleType
from typing import Any, Optional

from gym_gui.core.records import STEP_RESET
from gym_gui.core.vector_block import SUFFIX
from gym_gui.worker import bootstrap, encode
from gym_gui.worker.batch import Batch, is_clear
from gym_gui.worker.made_by_hand import tap_part
from gym_gui.worker.session import TapSession

_MOST_BATCHES = 8  # a script that gives ever new kinds of actions is recorded part by part
_HOLD_NS = 50_000_000  # how long a step that was taken whole may wait for its record
_AUTORESET = f',"flags":{STEP_RESET}'


class VectorGroup:
    """Gathers the steps that one vector step makes, in one record.

    holds: whether vector steps can be taken whole, and held for a while: see ``batch``.
    """

    def __init__(self, session: TapSession, taps: list[Any], size: int, *, holds: bool) -> None:
        self.session = session
        self._batch: Optional[Batch] = None
        self._batches = 0
        self._may_hold = holds
        self._write_at = 0  # Unix ns, of what the batch holds
        self.asked: Any = None  # the actions of the step to come, where they are given beforehand
        self.taking = False  # this vector step whole: its parts leave their results with the taps
        self.taps = taps
        self.size = size
        self.id = session.new_vector()
        self.stepping = False
        self.calls = 0  # vector steps; the script counts calls * size
        self.env_steps = 0
        self.autoresets = 0
        self._reported = self._told = 0  # time and calls of the last report
        self._later: list[tuple[str, str]] = []
        self.gathering = False
        self.described = ""  # how the steps are packed: see ``encode.describe_packed``
        self.packed: list[bytes] = []  # of this vector step: see ``encode.packed_steps``
        self.rows: list[tuple[Any, ...]] = []  # what cannot be packed: see ``encode.vector_step``
        for index, tap in enumerate(taps):
            tap.vector = {"id": self.id, "index": index, "size": size}
        session.own(self)

    def begin(self, actions: Any, *, stepping: bool) -> None:
        """From here to ``commit`` the parts hand their records to this group."""
        self.stepping = stepping
        self.gathering = True
        if self.taps[0].group is not self:
            for tap in self.taps:
                tap.group = self
        batch = self._batch
        if stepping and self._may_hold:
            is_taken = batch is not None and batch.takes(actions)
            self.taking = is_taken or self._new_batch(actions)

    def _new_batch(self, actions: Any) -> bool:
        """Begin to hold steps with such actions, if that can be."""
        self._let_go()
        if any(tap.stream < 0 for tap in self.taps):
            return False  # the first step will declare it
        path = self.session.writer().directory / f"{self.id}{SUFFIX}"
        self._batches += 1
        self._batch = Batch.of(self.taps, actions, path) if self._batches <= _MOST_BATCHES else None
        self._may_hold = self._batch is not None
        return self._batch is not None and self._batch.takes(actions)

    def _let_go(self) -> None:
        """Write what is held, and hold no more for now."""
        self._write_held()
        batch, self._batch = self._batch, None
        if batch is not None:
            batch.close()

    def catch_up(self, tap: Any) -> None:
        """Record the steps that are still held, and the one of ``tap`` that is not even that."""
        self._write_held()
        if self.taking and tap.result is not None:
            self._record(tap)

    def _record(self, tap: Any) -> None:
        """Record one part's step of this vector step by itself."""
        assert self._batch is not None
        result, tap.result = tap.result, None
        action = self._batch.actions()[self.taps.index(tap)]
        tap.stepped(tap.take(action), result)

    def _write_held(self) -> None:
        batch = self._batch
        if batch is not None and batch.held:
            self._settle(batch)
            batch.write(self.session.writer())

    def _settle(self, batch: Batch) -> None:
        self.env_steps += batch.settle(self.taps) * self.size

    def commit_whole(self, result: Any) -> bool:
        """Hold this vector step; False where its parts were recorded one by one.

        result: what the vector environment returns, None where it raised.
        """
        batch, now = self._batch, time.time_ns()
        assert batch is not None
        ends = batch.hold(self.taps, result, now) if result is not None else None
        if ends is None:
            self._write_held()
            for tap in self.taps:
                if tap.result is not None:
                    self._record(tap)
            self.taking = False
            return False
        self.taking = self.gathering = self.stepping = False
        self.calls += 1
        if ends or now >= self._write_at or batch.held == batch.rows:
            self._write_held()
            self._write_at = now + _HOLD_NS
        for tap in self.taps:
            if ends and (tap.result[2] or tap.result[3]):
                _, _, terminated, truncated, info = tap.result
                tap.end_episode(now, bool(terminated), bool(truncated), info)
            tap.result = None
        lane = self.session.lane
        if not lane.last_ns <= now < lane.next_ns:
            self._settle(batch)
            lane.tick(now, self.taps)
            self._report(now)
        return True

    def takes(self, described: str) -> bool:
        """Tell whether steps that are packed so go into this vector step's packed record."""
        if not self.packed:
            self.described = described
        return self.described is described

    def add_later(self, kind: str, body: str) -> None:
        """Take a record that belongs after the steps of this vector step."""
        self._later.append((kind, body))
        if kind == "reset" and body.endswith(_AUTORESET):
            self.autoresets += 1

    def commit(self) -> None:
        """Write what was gathered: the steps, then episodes and resets."""
        self.gathering = False
        now = time.time_ns()
        session = self.session
        packed, rows = self.packed, self.rows
        if packed:
            self.packed = []
            self.env_steps += len(packed)
            session.append("packed", encode.packed_steps(self.described, packed, now))
        if rows:
            self.rows = []
            self.env_steps += len(rows)
            session.append("vstep", encode.vector_step(rows, now))
        if self.stepping:
            self.calls += 1
            self.stepping = False
        if self._later:
            later, self._later = self._later, []
            for kind, body in later:
                session.append(kind, body)
        lane = session.lane
        if not lane.last_ns <= now < lane.next_ns:
            lane.tick(now, self.taps)
            self._report(now)

    def finish(self) -> None:
        """Write what is held, and report the totals once more, at the end."""
        self._let_go()
        if self.calls:
            self._report(1 << 62)

    def after_fork(self) -> None:
        """In a forked child: count anew."""
        self.calls = self.env_steps = self.autoresets = self._reported = self._told = 0
        self._later = []
        self.packed, self.rows = [], []
        self._batch = None  # its block is the parent's
        self.gathering = self.taking = False

    def _report(self, now: int) -> None:
        """Say once a second how many steps the script counts, and how many were autoresets."""
        if now - self._reported < 1_000_000_000 or self.calls == self._told:
            return
        self._reported, self._told = now, self.calls
        self.session.event(
            "vector_totals",
            vector=self.id,
            size=self.size,
            global_step=self.calls * self.size,
            env_steps=self.env_steps,
            autoresets=self.autoresets,
        )


_groups: dict[int, tuple[Any, Optional[VectorGroup]]] = {}  # by id: reference to it, its group
_NONE: tuple[Any, Optional[VectorGroup]] = (lambda: None, None)


def _group_of(session: TapSession, vector: Any) -> Optional[VectorGroup]:
    """Return the group of a vector environment that is met for the first time."""
    envs = list(getattr(vector, "envs", []))
    seen = [tap for tap in (tap_part(session, env) for env in envs) if tap is not None]
    holds = len(set(seen)) == len(envs) and all(map(is_clear, envs)) and not session.record_frames
    group = VectorGroup(session, seen, len(envs), holds=holds) if seen else None
    key = id(vector)
    _groups[key] = weakref.ref(vector, lambda gone: _forget(key, gone)), group
    if group is not None:
        session.when_gone(vector, group.finish)
    return group


def _forget(key: int, gone: Any) -> None:
    if _groups.get(key, _NONE)[0] is gone:  # else another vector lives at that address by now
        del _groups[key]


def patch_sync(session: TapSession, module: ModuleType) -> None:
    """Gather the steps of every ``SyncVectorEnv``, of gymnasium 0.29 and 1.x."""
    cls = module.SyncVectorEnv
    if "step_wait" in cls.__dict__:  # 0.29
        _note_actions(cls)
        _wrap(session, cls, "step_wait", stepping=True)
        _wrap(session, cls, "reset_wait", stepping=False)
    else:
        _wrap(session, cls, "step", stepping=True)
        _wrap(session, cls, "reset", stepping=False)


class NumberedFactory:
    """Makes one part of an ``AsyncVectorEnv``, in its process, and tells it its place."""

    def __init__(self, make: Any, place: dict[str, Any], next_step: bool) -> None:
        self.make = make
        self.place = place
        self.next_step = next_step

    def __call__(self) -> Any:
        env = self.make()
        session = bootstrap.session()  # of the process that steps it
        tap = tap_part(session, env) if session is not None else None
        if tap is not None:
            tap.vector = self.place
            tap.resets_next_step = self.next_step
        return env


class AsyncTotals:
    """Counts the vector steps of one ``AsyncVectorEnv``; its parts record themselves."""

    def __init__(self, session: TapSession, size: int) -> None:
        self.session = session
        self.size = size
        self.id = session.new_vector()
        self.calls = 0
        self._reported = self._told = 0

    def stepped(self) -> None:
        self.calls += 1
        now = time.time_ns()
        if now - self._reported >= 1_000_000_000:
            self._report(now)

    def finish(self) -> None:
        """Report the totals once more at the end."""
        if self.calls != self._told:
            self._report(time.time_ns())

    def after_fork(self) -> None:
        self.calls = self._told = 0

    def _report(self, now: int) -> None:
        self._reported, self._told = now, self.calls
        step = self.calls * self.size
        self.session.event("vector_totals", vector=self.id, size=self.size, global_step=step)


def patch_async(session: TapSession, module: ModuleType) -> None:
    """Number the parts of every ``AsyncVectorEnv`` and count its vector steps."""
    cls = module.AsyncVectorEnv
    init, step_wait = cls.__init__, cls.step_wait
    if getattr(init, "_gym_gui", False):
        return
    totals: weakref.WeakKeyDictionary[Any, AsyncTotals] = weakref.WeakKeyDictionary()

    @functools.wraps(init)
    def numbered_init(self: Any, env_fns: Any, *args: Any, **kwargs: Any) -> None:
        env_fns = list(env_fns)
        total = AsyncTotals(session, len(env_fns))
        mode = kwargs.get("autoreset_mode", "next_step")
        next_step = hasattr(module, "AutoresetMode") and "next" in str(mode).lower()
        places = ({"id": total.id, "index": i, "size": total.size} for i in range(total.size))
        numbered = [NumberedFactory(f, p, next_step) for f, p in zip(env_fns, places)]
        init(self, numbered, *args, **kwargs)
        self.env_fns = env_fns
        totals[self] = total
        session.own(total)
        session.when_gone(self, total.finish)

    @functools.wraps(step_wait)
    def counted_step_wait(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = step_wait(self, *args, **kwargs)
        if self in totals:
            try:
                totals[self].stepped()
            except Exception as error:  # noqa: BLE001 - the edge to the user's training loop
                session.failed("Vector steps are not counted", error)
        return result

    numbered_init._gym_gui = True  # type: ignore[attr-defined]
    cls.__init__, cls.step_wait = numbered_init, counted_step_wait


def _wrap(session: TapSession, cls: type, name: str, *, stepping: bool) -> None:
    original = cls.__dict__[name]
    if getattr(original, "_gym_gui", False):
        return

    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        reference, group = _groups.get(id(self), _NONE)
        try:
            if reference() is not self:
                group = _group_of(session, self)
            if group is not None:
                actions = args[0] if args else kwargs.get("actions", group.asked)
                group.begin(actions, stepping=stepping)
        except Exception as error:  # noqa: BLE001 - the edge to the user's training loop
            session.failed("A vector environment is recorded part by part", error)
        result = None
        try:
            result = original(self, *args, **kwargs)
        finally:
            try:
                if group is not None and not (group.taking and group.commit_whole(result)):
                    group.commit()
            except Exception as error:  # noqa: BLE001 - the edge to the user's training loop
                session.failed("A vector step is not recorded", error)
        return result

    method._gym_gui = True  # type: ignore[attr-defined]
    setattr(cls, name, method)


def _note_actions(cls: type) -> None:
    """Take the actions from ``step_async``, which keeps only an iterator over them."""
    original = cls.__dict__["step_async"]
    if getattr(original, "_gym_gui", False):
        return

    @functools.wraps(original)
    def step_async(self: Any, actions: Any) -> Any:
        reference, group = _groups.get(id(self), _NONE)
        if group is not None and reference() is self:
            group.asked = actions
        return original(self, actions)

    step_async._gym_gui = True  # type: ignore[attr-defined]
    cls.step_async = step_async
