"""Lives a recorded episode again: a child process in the run's own interpreter.

Reads one JSON request from stdin and writes answers to stdout: a JSON line each, a frame's
followed by its raw pixels. Compares rewards and observations with the recorded ones as it goes and
ends with what differed first.

    request   spec (JSON text), reset {seed, options, rng_state, snapshot, observation}, actions,
              rewards, observations, mode, max_numbers, render: [step, …] (-1: after the reset)
    answers   {"frame": step, "height": h, "width": w, "channels": c} + pixels
              {"diverged": step, "what": "reward", "recorded": …, "found": …}
              {"error": "…"}
              {"done": steps}
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from typing import Any, Callable, Optional

from gym_gui.worker.encode import ObservationEncoder, plain
from gym_gui.worker.state import replay_reset

Write = Callable[[dict, bytes], None]


def make_environment(spec_json: str, *, render: bool) -> Any:
    """Make the recorded environment anew, with frames if they are wanted."""
    import gymnasium
    from gymnasium.envs.registration import EnvSpec

    spec = EnvSpec.from_json(spec_json)
    spec.disable_env_checker = True
    spec.kwargs = {k: v for k, v in spec.kwargs.items() if k != "render_mode"}
    return gymnasium.make(spec, **({"render_mode": "rgb_array"} if render else {}))


def to_action(space: Any, value: Any) -> Any:
    """Return a recorded action (plain JSON values) as the environment takes it."""
    import numpy as np

    if hasattr(space, "spaces"):
        if isinstance(space.spaces, dict):
            return {name: to_action(part, value[name]) for name, part in space.spaces.items()}
        return tuple(to_action(part, one) for part, one in zip(space.spaces, value))
    dtype = getattr(space, "dtype", None)
    if dtype is None or isinstance(value, str):
        return value
    if getattr(space, "shape", ()) in ((), None):
        return np.dtype(dtype).type(value)
    return np.asarray(value, dtype=dtype).reshape(space.shape)


class Episode:
    """One episode on its way. ``run`` writes the answers."""

    def __init__(self, request: dict, write: Write) -> None:
        self._request = request
        self._write = write
        self._wanted = set(request.get("render", ()))
        self._encode = ObservationEncoder(
            request.get("mode", "auto"), int(request.get("max_numbers", 64))
        )

    def run(self) -> None:
        """Reset, step through the recorded actions, and tell what is asked."""
        request = self._request
        env = make_environment(request["spec"], render=bool(self._wanted))
        try:
            observation = self._reset(env)
            recorded = request["reset"].get("observation")
            if not self._same(-1, "observation", recorded, observation):
                return
            self._render(env, -1)
            self._steps(env)
        finally:
            env.close()

    def _reset(self, env: Any) -> Any:
        reset = self._request["reset"]
        return replay_reset(
            env,
            seed=reset.get("seed"),
            options=reset.get("options"),
            rng=reset.get("rng_state"),
            snapshot=reset.get("snapshot"),
        )

    def _steps(self, env: Any) -> None:
        request = self._request
        rows = zip(request["actions"], request["rewards"], request["observations"])
        for step, (action, reward, recorded) in enumerate(rows):
            observation, found, _, _, _ = env.step(to_action(env.action_space, action))
            same = self._same(step, "reward", reward, plain(float(found)))
            if not same or not self._same(step, "observation", recorded, observation):
                return
            self._render(env, step)
        self._write({"done": len(request["actions"])}, b"")

    def _same(self, step: int, what: str, recorded: Any, found: Any) -> bool:
        if recorded is None:
            return True
        if what == "observation":
            found = json.loads(self._encode(found))
        if recorded == found:
            return True
        answer = {"diverged": step, "what": what, "recorded": recorded, "found": found}
        self._write(answer, b"")
        return False

    def _render(self, env: Any, step: int) -> None:
        if step not in self._wanted:
            return
        frame = env.render()
        height, width, channels = frame.shape
        answer = {"frame": step, "height": height, "width": width, "channels": channels}
        self._write(answer, frame.tobytes())


def _answers() -> Write:
    """Keep stdout for the answers: whatever the environment prints goes to stderr."""
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def write(answer: dict, data: bytes) -> None:
        stream.write(json.dumps(answer).encode() + b"\n" + data)
        stream.flush()

    return write


def main(text: Optional[str] = None) -> None:
    """Entry point of the child process."""
    write = _answers()
    warnings.simplefilter("ignore")
    try:
        Episode(json.loads(text or sys.stdin.read()), write).run()
    except BrokenPipeError:
        return  # whoever asked has seen enough
    except Exception as error:  # noqa: BLE001 - the process's edge: the asker tells the user
        write({"error": f"{type(error).__name__}: {error}"}, b"")


if __name__ == "__main__":
    main()
