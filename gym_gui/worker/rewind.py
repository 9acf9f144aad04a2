"""Takes a step back: a second environment lives the episode again up to the step before.

The first one is left alone until the second has given the very same observations and rewards, so
an environment that does not repeat itself loses nothing by the attempt.
"""

from __future__ import annotations

import json
from typing import Any

from gym_gui.worker import encode, remake
from gym_gui.worker.encode import ObservationEncoder
from gym_gui.worker.played_episode import PlayedEpisode
from gym_gui.worker.resimulate import to_action
from gym_gui.worker.state import replay_reset


class Rewinder:
    """spec: what ``remake.again`` takes; empty where the environment cannot be made again."""

    def __init__(self, spec: str, text: ObservationEncoder) -> None:
        self.spec = spec
        self._text = text
        self._spare: Any = None
        self._observation: Any = None

    def goes_back(self, episode: PlayedEpisode) -> str:
        """Live the episode again up to before its last step; return why it cannot, "" when done."""
        if not self.spec:
            return "this environment cannot be made a second time"
        try:
            same = self._lives_again(episode)
        except Exception as error:  # noqa: BLE001 - whatever the second one does, the first goes on
            self._spare = None
            return f"a second environment failed: {type(error).__name__}: {error}"
        return "" if same else "this environment does not repeat itself exactly"

    def _lives_again(self, episode: PlayedEpisode) -> bool:
        if self._spare is None:
            self._spare = remake.again(self.spec)
        env, reset = self._spare, episode.reset
        seen = replay_reset(
            env,
            seed=reset["seed"],
            options=reset["options"],
            rng=reset["rng"],
            snapshot=reset["snapshot"],
        )
        if not self._same(seen, reset):
            return False
        for step in episode.steps[:-1]:
            seen, reward, *_ = env.step(to_action(env.action_space, step["action"]))
            equal = encode.number(encode.reward(reward)) == encode.number(step["reward"])
            if not equal or not self._same(seen, step):
                return False
        self._observation = seen
        return True

    def exchange(self, env: Any) -> tuple[Any, Any]:
        """Return the environment that went back, with its observation; keep ``env`` for next."""
        back, self._spare = self._spare, env
        return back, self._observation

    def _same(self, observation: Any, record: dict[str, Any]) -> bool:
        return bool(json.loads(self._text(observation)) == record["observation"])
