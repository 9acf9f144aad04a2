"""The environment of a human session, in a process of its own and the chosen interpreter.

Reads one JSON command a line on stdin, answers one JSON line on stdout, followed by the picture's
bytes where its ``frame`` says [height, width, channels]. Each record is in the spool before the
answer: whatever dies, a step that was shown is kept. What the environment itself prints goes to
stderr.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from typing import Any, Optional

from gym_gui.worker import encode, state
from gym_gui.worker.describe import spec_text, success
from gym_gui.worker.render import CannotRenderError, Painter, Picture
from gym_gui.worker.spool import SpoolWriter

# pygame's key codes for keys without a character, as environments' own mappings use them
_KEYS = {1073741903: "right", 1073741904: "left", 1073741905: "down", 1073741906: "up"}
_REGISTERING = ("ale_py", "minigrid")


class Player:
    """One environment, its counters, and its spool."""

    def __init__(self, env: Any, spool: SpoolWriter) -> None:
        self.env = env
        self.spool = spool
        self._text = encode.ObservationEncoder()
        self._painter = Painter(env)
        self._index = self._step = 0
        self._episode = -1
        self._return = 0.0
        self._first_index = self._start_ns = 0
        self._running = False
        self.observation: Any = None
        self._declare()

    def describe(self) -> dict[str, Any]:
        """Return what the session must know of the environment."""
        metadata = getattr(self.env, "metadata", None) or {}
        return {
            "channel": self.spool.channel,
            "space": _space(self.env.action_space),
            "keys": _keys_of(self.env),
            "fps": metadata.get("render_fps") or 30,
        }

    def reset(self, seed: Optional[int]) -> dict[str, Any]:
        """Begin an episode; one still running is broken off."""
        broken = self._end(False, False, None) if self._running else []
        before = state.before_reset(getattr(self.env, "unwrapped", self.env), seed)
        self.observation, _ = self.env.reset(seed=seed)
        after, snapshot = state.after_reset(getattr(self.env, "unwrapped", self.env))
        self._episode += 1
        self._step, self._return, self._running = 0, 0.0, True
        self._first_index, self._start_ns = self._index, time.time_ns()
        rng = {"before": before, "after": after} if before or after else None
        record = self._keep(
            "reset",
            stream=0,
            episode=self._episode,
            time_ns=self._start_ns,
            seed=seed,
            options=None,
            rng=rng,
            snapshot=snapshot,
            observation=json.loads(self._text(self.observation)),
        )
        return {"records": [*broken, record]}

    def step(self, action: Any, flags: int, proposed: Any) -> dict[str, Any]:
        """Take one step. ``flags``: who acted; ``proposed``: what the policy would have done."""
        taken = _action(self.env.action_space, action)
        text = json.loads(encode.encode_action(taken))
        observation, reward, terminated, truncated, info = self.env.step(taken)
        self.observation = observation
        fields: dict[str, Any] = {
            "stream": 0,
            "index": self._index,
            "episode": self._episode,
            "step": self._step,
            "action": text,
            "reward": float(reward),
            "terminated": bool(terminated),
            "truncated": bool(truncated),
            "observation": json.loads(self._text(observation)),
            "time_ns": time.time_ns(),
            "flags": flags,
        }
        if proposed is not None:
            fields["proposed_action"] = proposed
        records = [self._keep("step", **fields)]
        self._index += 1
        self._step += 1
        self._return += float(reward)
        if terminated or truncated:
            records += self._end(bool(terminated), bool(truncated), info)
        return {"records": records}

    def close(self) -> dict[str, Any]:
        """End what runs, and the spool."""
        records = self._end(False, False, None) if self._running and self._step else []
        self.env.close()
        records.append(self._keep("run", time_ns=time.time_ns(), event="end"))
        self.spool.close()
        return {"records": records}

    def picture(self) -> tuple[Optional[list[Any]], bytes]:
        """Return (height, width, channels, format) and bytes; None where nothing is drawn."""
        kept: list[Picture] = []
        data = b""

        def deliver(picture: Picture) -> None:
            nonlocal data
            kept.append(picture)
            data = _packed(picture)

        try:
            self._painter.paint(deliver)
        except CannotRenderError:
            return None, b""
        picture = kept[-1]
        if picture.row_stride:
            return [picture.height, picture.width, 4, "BGRX"], data
        form = {1: "GREY", 3: "RGB", 4: "RGBA"}[picture.channels]
        return [picture.height, picture.width, picture.channels, form], data

    def _declare(self) -> None:
        spec_json, trouble = spec_text(self.env)
        spec = getattr(self.env, "spec", None)
        now = time.time_ns()
        start = {"event": "start", "protocol": 1, "pid": os.getpid(), "argv": sys.argv}
        stream = {
            "event": "stream",
            "stream": 0,
            "env_id": str(getattr(spec, "id", "")),
            "spec": spec_json,
            "observation_space": str(self.env.observation_space),
            "action_space": str(self.env.action_space),
            "agents": [],
            "vector": None,
            "render_mode": getattr(self.env, "render_mode", None),
            "reproducible": bool(spec_json) and not trouble,
            "note": trouble,
        }
        self.first = [self._keep("run", time_ns=now, **fields) for fields in (start, stream)]

    def _end(self, terminated: bool, truncated: bool, info: Any) -> list[dict[str, Any]]:
        self._running = False
        fields: dict[str, Any] = {
            "stream": 0,
            "episode": self._episode,
            "length": self._step,
            "return": self._return,
            "terminated": terminated,
            "truncated": truncated,
            "start_ns": self._start_ns,
            "time_ns": time.time_ns(),
            "first_index": self._first_index,
        }
        reached = success(info)
        if reached is not None:
            fields["success"] = reached
        return [self._keep("episode", **fields)]

    def _keep(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Write one record to the spool, and return it with its number."""
        self.spool.append(kind, ",".join(f'"{k}":{encode.compact(v)}' for k, v in fields.items()))
        return {"type": kind, "seq": self.spool.seq, **fields}


def _packed(picture: Picture) -> bytes:
    """Return rows without padding: RGB, RGBA or grey as rendered, BGRX of a surface."""
    if not picture.row_stride:
        return picture.data.tobytes()
    width = picture.width * 4
    view = memoryview(picture.data).cast("B")
    starts = range(0, picture.height * picture.row_stride, picture.row_stride)
    return b"".join(bytes(view[start : start + width]) for start in starts)


def _space(space: Any) -> dict[str, Any]:
    """Return an action space as plain data for the window's controls."""
    kind = type(space).__name__
    told: dict[str, Any] = {"kind": kind, "text": str(space)}
    if kind == "Discrete":
        told.update(n=int(space.n), start=int(space.start))
    elif kind == "MultiDiscrete":
        told.update(nvec=space.nvec.tolist())
    elif kind == "MultiBinary":
        told.update(shape=list(space.shape))
    elif kind == "Box":
        told.update(low=encode.plain(space.low), high=encode.plain(space.high))
    return told


def _action(space: Any, action: Any) -> Any:
    """Return ``action`` as the space takes it."""
    dtype = getattr(space, "dtype", None)
    if type(space).__name__ == "Discrete" or dtype is None:
        return action
    import numpy

    return numpy.asarray(action, dtype=dtype).reshape(space.shape)


def _keys_of(env: Any) -> list[list[Any]]:
    """Return the environment's own mapping as pairs of key names and action."""
    own = getattr(getattr(env, "unwrapped", env), "get_keys_to_action", None)
    if own is None:
        return []
    pairs = []
    for keys, action in own().items():
        names = [_key_name(key) for key in (keys if isinstance(keys, tuple) else (keys,))]
        pairs.append([names, encode.plain(action)])
    return pairs


def _key_name(key: Any) -> str:
    if isinstance(key, str):
        return {" ": "space"}.get(key, key.lower())
    return _KEYS.get(key) or {32: "space"}.get(key) or chr(key).lower()


def _serve(player: Player, answers: Any) -> None:
    _answer(answers, {**player.describe(), "records": player.first}, None, b"")
    for line in sys.stdin:
        command = json.loads(line)
        what = command["do"]
        if what == "close":
            _answer(answers, player.close(), None, b"")
            return
        if what == "reset":
            told = player.reset(command.get("seed"))
        else:
            told = player.step(command["action"], command.get("flags", 0), command.get("proposed"))
        _answer(answers, told, *player.picture())
    player.close()


def _answer(answers: Any, told: dict[str, Any], shape: Optional[list[Any]], data: bytes) -> None:
    told["frame"] = shape
    answers.write(json.dumps(told).encode() + b"\n" + data)
    answers.flush()


def main() -> None:
    """Run until stdin ends or ``close`` is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--env-id", required=True)
    parser.add_argument("--options", default="{}")
    parser.add_argument("--spool", required=True)
    args = parser.parse_args()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the environment prints must not come between our answers
    import gymnasium

    for name in _REGISTERING:
        if name.split("_")[0] in args.env_id.lower():
            importlib.import_module(name)
    options = {"render_mode": "rgb_array", **json.loads(args.options)}
    _serve(Player(gymnasium.make(args.env_id, **options), SpoolWriter(args.spool)), answers)


if __name__ == "__main__":
    main()
