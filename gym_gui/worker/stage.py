"""What a process shows: one of its environments, or all of them as tiles of one picture."""

from __future__ import annotations

import time
from typing import Any, Callable, Collection, Optional

from gym_gui.core.errors import GymGuiError, RingSpaceError
from gym_gui.core.interrupts import let_through
from gym_gui.fastlane.buffer import FastLaneWriter
from gym_gui.fastlane.frames import FastLaneConfig, FastLaneMetrics
from gym_gui.fastlane.layout import VIEW_ONE, PixelFormat
from gym_gui.worker import describe
from gym_gui.worker.atlas import Atlas
from gym_gui.worker.render import Painter, Picture

MAX_TILES = 64
_PATIENCE_NS = 2_000_000  # for the thread of the environment whose turn it is


class Stage:
    """Renders one environment at a time, in turn, and publishes the whole.

    taps: the process's environments. view: ``VIEW_ALL``, or ``VIEW_ONE`` + the number of one.
    painters: one for each tap, kept from stage to stage.
    """

    def __init__(
        self,
        taps: list[Any],
        view: int,
        painters: dict[Any, Painter],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self.view = view
        self._environments = len(taps)
        self._first = min(view - VIEW_ONE, len(taps) - 1) if view >= VIEW_ONE else 0
        self._taps = taps[self._first :][:1] if view >= VIEW_ONE else taps[:MAX_TILES]
        for tap in self._taps:
            if tap not in painters:
                painters[tap] = Painter(tap.base)
        self._painters = [painters[tap] for tap in self._taps]
        self._failed = failed
        self._turn = 0
        self._waits_since_ns = 0
        self._shown: list[Any] = [None] * len(self._taps)  # (episode, index) that is shown
        self._atlas = Atlas(len(self._taps)) if len(self._taps) > 1 else None
        self.why_not = self._why_not()  # none of them can be drawn, in plain words; or empty

    @property
    def tiles(self) -> int:
        return len(self._taps)

    @property
    def tap(self) -> Any:
        """The environment whose turn it is."""
        return self._taps[self._turn]

    def _why_not(self) -> str:
        reasons = [painter.why_not for painter in self._painters]
        return reasons[0] if all(reasons) else ""

    def choose(self, within: Optional[Collection[Any]] = None) -> bool:
        """Turn to the next environment that has moved since it was shown.

        One that rests (kept for evaluation, say) takes no pictures from those that train.
        within: the only ones that may be drawn now (others step in other threads at this very
        moment); False while it is none of theirs turn.
        """
        turn = self._next(None)
        if within is None:
            self._turn = turn
            return True
        if self._taps[turn] not in within:
            now = time.monotonic_ns()
            self._waits_since_ns = self._waits_since_ns or now
            if now - self._waits_since_ns < _PATIENCE_NS:
                return False
            turn = self._next(within)
        self._waits_since_ns = 0
        self._turn = turn
        return self._taps[turn] in within

    def _next(self, within: Optional[Collection[Any]]) -> int:
        count = len(self._taps)
        ahead = [(self._turn + offset) % count for offset in range(count)]
        ready = [
            turn
            for turn in ahead
            if not self._painters[turn].why_not and (within is None or self._taps[turn] in within)
        ]
        return next(filter(self._moved, ready), ready[0] if ready else self._turn)

    def _moved(self, turn: int) -> bool:
        tap = self._taps[turn]
        return self._shown[turn] != (tap.episode, tap.index)

    def show(self, writer: FastLaneWriter, metrics: FastLaneMetrics, *, alone: bool = True) -> None:
        """Render the environment whose turn it is and publish. Says once if it cannot render.

        alone: no other thread steps environments.
        """
        tap, painter = self.tap, self._painters[self._turn]
        try:
            painter.paint(lambda picture: self._deliver(writer, metrics, tap, picture), alone=alone)
        except RingSpaceError as error:
            self.why_not = str(error)
            self._failed("Live pictures are off for this process", error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a render may raise anything
            let_through(error)
            name, hint = describe.env_id(tap.env), _hint(tap.env)
            painter.why_not = f"{name}: {_cause(error)}{hint}."
            self.why_not = self._why_not()
            self._failed(f"{name} shows no pictures{hint}", error)
        self._shown[self._turn] = (tap.episode, tap.index)
        self._turn = (self._turn + 1) % len(self._taps)

    def _deliver(
        self, writer: FastLaneWriter, metrics: FastLaneMetrics, tap: Any, picture: Picture
    ) -> None:
        config = FastLaneConfig(picture.width, picture.height, picture.channels)
        data: Any = picture.data
        row_stride = picture.row_stride
        pixel_format = PixelFormat.BGRX if row_stride else None
        if self._atlas is not None:
            self._atlas.draw(self._turn, picture)
            assert self._atlas.tiling is not None
            config = self._atlas.tiling.config
            data, row_stride, pixel_format = self._atlas.pixels, 0, self._atlas.format
        config = config._replace(environments=self._environments, first=self._first)
        if writer.config != config:
            writer.resize(config)
        step, episode = tap.step, max(tap.episode, 0)
        if row_stride:
            writer.publish_rows(
                data, row_stride, metrics=metrics, step=step, episode=episode,
                pixel_format=PixelFormat.BGRX,
            )  # fmt: skip
        else:
            writer.publish(
                data, metrics=metrics, step=step, episode=episode, pixel_format=pixel_format
            )


def _cause(error: BaseException) -> str:
    if isinstance(error, GymGuiError):
        return str(error)
    return f"its render() ended with {type(error).__name__}: {error}".rstrip(". ")


def _hint(env: Any) -> str:
    """Return what may help: some environments prepare their drawing when they are made."""
    asked = getattr(env, "render_mode", None) is not None
    return "" if asked else ' (made with render_mode="rgb_array" it may)'
