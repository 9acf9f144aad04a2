"""A child process that lives a recorded episode again: ``python -m gym_gui.worker.resimulate``.

It runs in the interpreter that recorded the episode. Requests come as JSON lines on stdin;
answers go to what was stdout when it started (the environment's own prints go to stderr), a
JSON line each, followed by ``bytes`` raw bytes where it says so.

    {"op": "open", "spec": JSON text, "mode": .., "max_numbers": ..}   make the environment
    {"op": "episode", "reset": {..}, "actions": [..], "rewards": [..],
     "observations": [..], "ends": [..]}        live it once, compare; -> {"diverged": null | {..}}
    {"op": "frame", "step": k}                   the picture after k steps, RGB
"""

from __future__ import annotations

import copy
import json
import os
import warnings
import zlib
from typing import Any, BinaryIO, Optional

from gym_gui.worker import encode, remake
from gym_gui.worker.comparing import is_recorded, numbers
from gym_gui.worker.render import CannotRenderError, Painter, Picture
from gym_gui.worker.state import replay_reset

SNAPSHOT_EVERY = 100  # steps


class Episode:
    """One recorded episode, as the request gave it."""

    def __init__(self, request: dict[str, Any], space: Any) -> None:
        self.reset: dict[str, Any] = request["reset"]
        self.rewards: list[Any] = request["rewards"]
        self.observations: list[Any] = request["observations"]
        self.ends: list[bool] = request["ends"]
        self._written: list[Any] = request["actions"]
        self._space = space
        self.wide = False  # floats as the script's float64 rather than the space's own type

    def __len__(self) -> int:
        return len(self._written)

    def action(self, step: int) -> Any:
        return to_action(self._space, self._written[step], wide=self.wide)


class Resimulation:
    """The environment of one stream, and where it stands in an episode.

    One environment, never rendered, lives the episode and leaves copies of itself on the way;
    another is rendered, and goes on from the nearest copy.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        self._spec_text: str = request["spec"]
        self._encoder = encode.ObservationEncoder(request["mode"], request["max_numbers"])
        self._pilot = self._make()
        self._shown: Any = None
        self._painter: Optional[Painter] = None
        self._at = -1
        self._episode: Optional[Episode] = None
        self._snapshots: dict[int, Any] = {}
        self._copies = True
        self._seen: list[int] = []  # checksum of the observation after so many steps

    def _make(self) -> Any:
        return remake.again(self._spec_text)

    @property
    def frames_per_s(self) -> Optional[float]:
        """The environment's own pace, where it names one."""
        pace = (getattr(self._pilot, "metadata", None) or {}).get("render_fps")
        return float(pace) if pace else None

    def load(self, request: dict[str, Any]) -> Optional[dict[str, Any]]:
        """Live the episode once; return the first difference from the recording, or None."""
        self._episode = Episode(request, self._pilot.action_space)
        diverged = self._live()
        if diverged is not None and diverged["step"] >= 0:
            self._episode.wide = True
            if self._live() is None:
                return None
            self._episode.wide = False
            diverged = self._live()
        return diverged

    def _live(self) -> Optional[dict[str, Any]]:
        self._snapshots = {}
        self._at = -1
        episode = self._loaded()
        first = replay_reset(self._pilot, **episode.reset)
        self._seen = [0]
        found = self._difference(-1, first, None, None)
        for step in range(len(episode)):
            if step % SNAPSHOT_EVERY == 0:
                self._keep(step)
            observation, reward, terminated, truncated, _ = self._pilot.step(episode.action(step))
            self._seen.append(self._checksum(observation))
            if found is None:
                found = self._difference(step, observation, reward, bool(terminated or truncated))
        return found

    def _keep(self, step: int) -> None:
        if not self._copies or not step:
            return
        try:
            self._snapshots[step] = copy.deepcopy(self._pilot)
        except Exception:  # noqa: BLE001 - many environments cannot be copied: live from the start
            self._copies = False

    def _checksum(self, observation: Any) -> int:
        return zlib.crc32(self._encoder(observation).encode())

    def _difference(
        self, step: int, observation: Any, reward: Any, ended: Optional[bool]
    ) -> Optional[dict[str, Any]]:
        episode = self._loaded()
        recorded = episode.observations[step + 1]
        if recorded is not None and not is_recorded(observation, recorded, self._encoder):
            seen = json.loads(self._encoder(observation))
            return _diverged(step, "observation", recorded, seen)
        if step < 0:
            return None
        wanted = episode.rewards[step]
        got = json.loads(encode.number(encode.reward(reward)))
        if got != wanted:
            return _diverged(step, "reward", wanted, got)
        if ended != episode.ends[step]:
            return _diverged(step, "end of the episode", episode.ends[step], ended)
        return None

    def frame(self, step: int) -> tuple[dict[str, int], bytes]:
        """Return the picture after ``step`` steps: its size, and RGB rows."""
        self._seek(step)
        pictures: list[tuple[dict[str, int], bytes]] = []
        if self._painter is None:
            self._painter = Painter(self._shown)
        self._painter.paint(lambda picture: pictures.append(_rgb(picture)))
        return pictures[0]

    def _seek(self, step: int) -> None:
        episode = self._loaded()
        if not 0 <= step <= len(episode):
            raise ValueError(f"the episode has {len(episode)} steps")
        start = max((at for at in self._snapshots if at <= step), default=0)
        if not (0 <= self._at <= step and start <= self._at):
            self._place(start)
        while self._at < step:
            observation = self._shown.step(episode.action(self._at))[0]
            self._at += 1
            if self._snapshots and self._checksum(observation) != self._seen[self._at]:
                # A copy shares state with its original: live from the start each time, then.
                self._copies, self._snapshots, self._shown = False, {}, None
                self._place(0)

    def _place(self, start: int) -> None:
        if start:
            # What was shown needs no closing, which would quit pygame for the next one too.
            self._shown = copy.deepcopy(self._snapshots[start])
            self._painter = None
        else:
            if self._shown is None:
                self._shown = self._make()
                self._painter = None
            replay_reset(self._shown, **self._loaded().reset)
        self._at = start

    def _loaded(self) -> Episode:
        if self._episode is None:
            raise ValueError("no episode has been opened")
        return self._episode


def to_action(space: Any, value: Any, *, wide: bool = False) -> Any:
    """Turn an action's JSON value back into what the script passed to ``step``."""
    import numpy as np

    if isinstance(value, dict) and hasattr(space, "spaces"):
        return {key: to_action(space[key], item, wide=wide) for key, item in value.items()}
    if isinstance(value, list) and isinstance(getattr(space, "spaces", None), tuple):
        parts = zip(space.spaces, value)
        return tuple(to_action(part, item, wide=wide) for part, item in parts)
    kind = getattr(space, "dtype", None)
    if isinstance(value, list):
        floats = kind is not None and np.issubdtype(kind, np.floating)
        return np.array(numbers(value), dtype=np.float64 if wide and floats else kind)
    if kind is None or isinstance(value, str) or getattr(space, "shape", ()) not in ((), None):
        return value
    return np.dtype(kind).type(value)


def _diverged(step: int, what: str, recorded: Any, got: Any) -> dict[str, Any]:
    return {"step": step, "what": what, "recorded": recorded, "got": got}


def _rgb(picture: Picture) -> tuple[dict[str, int], bytes]:
    import numpy as np

    if picture.row_stride:
        shape, strides = (picture.height, picture.width, 4), (picture.row_stride, 4, 1)
        array = np.ndarray(shape, np.uint8, picture.data, 0, strides)[:, :, 2::-1]
    else:
        array = np.asarray(picture.data).reshape(picture.height, picture.width, -1)
        array = np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array[:, :, :3]
    return {"height": picture.height, "width": picture.width}, array.tobytes()


def answer(session: Optional[Resimulation], request: dict[str, Any]) -> tuple[Any, Any, bytes]:
    """Carry out one request; return (session, reply, raw bytes)."""
    operation = request.get("op")
    if operation == "open":
        session = Resimulation(request)
        return session, {"ok": True, "frames_per_s": session.frames_per_s}, b""
    if session is None:
        raise ValueError("open an environment first")
    if operation == "episode":
        return session, {"ok": True, "diverged": session.load(request)}, b""
    if operation == "frame":
        size, pixels = session.frame(int(request["step"]))
        return session, {"ok": True, "bytes": len(pixels), **size}, pixels
    raise ValueError(f"unknown request {operation!r}")


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer until the requests end."""
    warnings.simplefilter("ignore")
    session: Optional[Resimulation] = None
    for line in requests:
        raw = b""
        try:
            session, reply, raw = answer(session, json.loads(line))
        except CannotRenderError as error:
            reply = {"ok": False, "error": str(error), "blank": True}
        except Exception as error:  # noqa: BLE001 - an environment may raise anything: tell, go on
            reply = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(reply).encode() + b"\n" + raw)
        replies.flush()


def main() -> None:
    """Keep the pipes for ourselves; whatever the environment prints goes to stderr."""
    with os.fdopen(os.dup(0), "rb") as requests, os.fdopen(os.dup(1), "wb") as replies:
        os.dup2(2, 1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        serve(requests, replies)


if __name__ == "__main__":
    main()
