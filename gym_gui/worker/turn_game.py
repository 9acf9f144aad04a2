"""PettingZoo's games of turns, stepped like a gymnasium environment: one step is one move.

The move belongs to the agent whose turn it is; agents that are out are passed over. So a game
can be played, recorded and simulated again by what serves environments of one agent.
"""

from __future__ import annotations

import importlib
from typing import Any, Optional

PREFIX = "pettingzoo/"


class TurnGame:
    """One game. module: such as ``pettingzoo.classic.connect_four_v3``."""

    render_mode = "rgb_array"
    spec = None

    def __init__(self, module: str, options: dict[str, Any]) -> None:
        self.module, self.options = module, options
        game = importlib.import_module(module)
        self._env = game.env(**{"render_mode": "rgb_array", **options})
        self.agents: list[str] = [str(agent) for agent in self._env.possible_agents]
        first = self._env.possible_agents[0]
        self.action_space = self._env.action_space(first)
        self.observation_space = self._env.observation_space(first)
        self.returns: dict[str, float] = {}
        self.moves: dict[str, int] = {}

    @property
    def unwrapped(self) -> TurnGame:
        return self

    @property
    def metadata(self) -> dict[str, Any]:
        return dict(getattr(self._env, "metadata", None) or {})

    @property
    def turn(self) -> str:
        """Return whose turn it is, "" when the game is over."""
        return str(self._env.agent_selection) if self._env.agents else ""

    def legal(self) -> Optional[list[bool]]:
        """Return which actions are legal now, None where the game does not tell."""
        if not self._env.agents:
            return None
        observation, _, _, _, info = self._env.last()
        mask = observation.get("action_mask") if isinstance(observation, dict) else None
        mask = info.get("action_mask") if mask is None and isinstance(info, dict) else mask
        return None if mask is None else [bool(allowed) for allowed in mask]

    def reset(self, seed: Optional[int] = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Begin a game; return what the first agent sees."""
        self._env.reset(seed=seed, options=options)
        self.returns = dict.fromkeys(self.agents, 0.0)
        self.moves = dict.fromkeys(self.agents, 0)
        return self._env.observe(self._env.agent_selection), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Make the move of the agent whose turn it is; return what the next one sees.

        The reward is the mover's own; ``returns`` keeps everybody's.
        """
        env = self._env
        mover = env.agent_selection
        env.step(action)
        for agent, reward in env.rewards.items():
            self.returns[str(agent)] += float(reward)
        self.moves[str(mover)] += 1
        reward = float(env.rewards.get(mover, 0.0))
        truncated = bool(env.truncations) and all(env.truncations.values())
        last = env.observe(mover)
        while env.agents and (
            env.terminations[env.agent_selection] or env.truncations[env.agent_selection]
        ):
            env.step(None)
        over = not env.agents
        seen = last if over else env.observe(env.agent_selection)
        return seen, reward, over and not truncated, over and truncated, {"agent": str(mover)}

    def render(self) -> Any:
        return self._env.render()

    def close(self) -> None:
        self._env.close()
