"""Fan-out of batches inside one process: each subscriber has its own queue and its own policy.

A topic is ``<run id>/<kind>``, either part ``*``; kinds are those of ``Kind``.
"""

from __future__ import annotations

import enum
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gym_gui.telemetry.batch import RecordBatch

TelemetryEvent = RecordBatch
"""What travels on the bus: steps, episodes and other records of one writing process, in order."""


class Policy(enum.Enum):
    """What a full queue does."""

    LOSSLESS = "lossless"  # refuses, and so holds the publisher back
    NEWEST_FIRST = "newest_first"  # drops its oldest batch and counts it


class Kind(enum.Enum):
    """What a subscriber wants to hear of."""

    STEPS = "steps"
    EPISODES = "episodes"
    RECORDS = "records"  # metrics, logs, events, resets
    FRAMES = "frames"
    ALL = "*"


def topic(run_id: str = "*", kind: Kind = Kind.ALL) -> str:
    """Return the topic of one run's (or every run's) batches that hold ``kind``."""
    return f"{run_id}/{kind.value}"


@dataclass(slots=True)
class SubscriptionStats:
    """Counters of one subscriber, in batches; the skipped ones held ``skipped_steps`` steps."""

    depth: int = 0
    peak: int = 0
    received: int = 0
    refused: int = 0
    skipped: int = 0
    skipped_steps: int = 0


class Subscription:
    """One subscriber's bounded queue of batches. Iterate or ``take``; ``close`` when done.

    on_ready: called from the publisher's thread when the queue stops being empty; it must return
    at once (it may hand over to an event loop).
    """

    def __init__(
        self,
        bus: RunBus,
        topics: frozenset[str],
        policy: Policy,
        capacity: int,
        on_ready: Callable[[], None] | None,
    ) -> None:
        self.topics = topics
        self.policy = policy
        self.capacity = capacity
        self._bus = bus
        self._on_ready = on_ready
        self._queue: deque[TelemetryEvent] = deque()
        self._ready = threading.Condition()
        self._stats = SubscriptionStats()
        self._closed = False

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        return self._closed

    def statistics(self) -> SubscriptionStats:
        """Return the counters as they are now."""
        with self._ready:
            self._stats.depth = len(self._queue)
            names = SubscriptionStats.__dataclass_fields__
            return SubscriptionStats(**{name: getattr(self._stats, name) for name in names})

    def take(self, limit: int = 64, *, timeout_s: float | None = None) -> list[TelemetryEvent]:
        """Return up to ``limit`` batches, oldest first; wait for the first one.

        Empty after ``timeout_s`` (None: no limit, 0: do not wait), or once closed and drained.
        """
        with self._ready:
            if not self._queue and not self._closed:
                self._ready.wait_for(lambda: self._queue or self._closed, timeout_s)
            taken = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        if taken and self.policy is Policy.LOSSLESS:
            self._bus._room_was_made()
        return taken

    def close(self) -> None:
        """Stop receiving; what is queued can still be taken. Twice is safe."""
        self._bus._remove(self)
        with self._ready:
            self._closed = True
            self._ready.notify_all()
        self._bus._room_was_made()

    def has_room(self) -> bool:
        return self._closed or self.policy is not Policy.LOSSLESS or self._free()

    def _free(self) -> bool:
        return len(self._queue) < self.capacity

    def _wants(self, names: frozenset[str]) -> bool:
        return not self.topics.isdisjoint(names)

    def _refuse(self) -> None:
        with self._ready:
            self._stats.refused += 1

    def _put(self, batch: TelemetryEvent) -> None:
        with self._ready:
            if self._closed:
                return
            if self.policy is Policy.NEWEST_FIRST and not self._free():
                lost = self._queue.popleft()
                self._stats.skipped += 1
                self._stats.skipped_steps += len(lost.steps)
            was_empty = not self._queue
            self._queue.append(batch)
            self._stats.received += 1
            self._stats.peak = max(self._stats.peak, len(self._queue))
            self._ready.notify()
        if was_empty and self._on_ready is not None:
            self._on_ready()


class RunBus:
    """Hands each published batch to every subscriber of one of its topics. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._room = threading.Condition()
        self._subscriptions: tuple[Subscription, ...] = ()
        self._room_listeners: tuple[Callable[[], None], ...] = ()
        self.published = 0

    def subscribe(
        self,
        topics: Iterable[str],
        *,
        policy: Policy,
        capacity: int = 64,
        on_ready: Callable[[], None] | None = None,
    ) -> Subscription:
        """Return a subscription to ``topics`` whose queue holds ``capacity`` batches."""
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        subscription = Subscription(self, frozenset(topics), policy, capacity, on_ready)
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)
        return subscription

    def publish(self, batch: TelemetryEvent, *, timeout_s: float | None = 0.0) -> bool:
        """Give ``batch`` to all its subscribers, or, while a lossless one is full, to none.

        Waits up to ``timeout_s`` for room (None: without limit; do not wait in an event loop,
        use ``add_room_listener``). Returns False when there was none.
        """
        names = topics_of(batch)
        while True:
            with self._lock:  # publishers queue here: order is the same for all subscribers
                wanting = [s for s in self._subscriptions if s._wants(names)]
                full = [s for s in wanting if not s.has_room()]
                if not full:
                    for subscription in wanting:
                        subscription._put(batch)
                    self.published += 1
                    return True
            for subscription in full:
                subscription._refuse()
            if timeout_s == 0.0 or not self._wait_for_room(full, timeout_s):
                return False

    def add_room_listener(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` whenever a lossless queue was emptied some; returns its remover."""
        with self._lock:
            self._room_listeners = (*self._room_listeners, listener)
        return lambda: self._remove_listener(listener)

    def statistics(self) -> list[SubscriptionStats]:
        """Return the counters of every subscriber."""
        return [subscription.statistics() for subscription in self._subscriptions]

    def _wait_for_room(self, full: list[Subscription], timeout_s: float | None) -> bool:
        with self._room:
            return self._room.wait_for(lambda: all(s.has_room() for s in full), timeout_s)

    def _room_was_made(self) -> None:
        with self._room:
            self._room.notify_all()
        for listener in self._room_listeners:
            listener()

    def _remove(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)

    def _remove_listener(self, listener: Callable[[], None]) -> None:
        with self._lock:
            self._room_listeners = tuple(x for x in self._room_listeners if x is not listener)


def topics_of(batch: TelemetryEvent) -> frozenset[str]:
    """Return every topic under which ``batch`` is published."""
    kinds = ["*"]
    if len(batch.steps):
        kinds.append(Kind.STEPS.value)
    if batch.episodes:
        kinds.append(Kind.EPISODES.value)
    if batch.metrics or batch.logs or batch.events or batch.resets:
        kinds.append(Kind.RECORDS.value)
    if batch.frames:
        kinds.append(Kind.FRAMES.value)
    return frozenset(f"{run}/{kind}" for run in ("*", batch.run_id) for kind in kinds)
