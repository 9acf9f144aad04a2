"""A gymnasium environment as a BDI agent sees it: beliefs from observations, actions by name.

A program's own world is a Python file with ``beliefs(env, observation, reward, info)`` yielding
``(name, *arguments)``, and optionally ``ACTIONS``, a mapping of names to actions.
"""

import importlib.util

FROZEN_LAKE_ACTIONS = {"left": 0, "down": 1, "right": 2, "up": 3}
MINIGRID_ACTIONS = {
    "turn_left": 0,
    "turn_right": 1,
    "forward": 2,
    "pick_up": 3,
    "drop": 4,
    "toggle": 5,
    "done": 6,
}


def frozen_lake_beliefs(env, observation, reward, info):
    """Yield ``position(Row, Col)``, and the map as ``hole(R, C)``, ``goal(R, C)``, ``size``."""
    lake = env.unwrapped
    row, column = divmod(int(observation), lake.ncol)
    yield ("position", row, column)
    yield ("size", lake.nrow, lake.ncol)
    for r, cells in enumerate(lake.desc):
        for c, cell in enumerate(cells):
            if cell == b"H":
                yield ("hole", r, c)
            elif cell == b"G":
                yield ("goal", r, c)


def minigrid_beliefs(env, observation, reward, info):
    """Yield what stands ahead, where the agent is and looks, what it carries, and where things are.

    Directions: 0 east, 1 south, 2 west, 3 north.
    """
    grid = env.unwrapped
    x, y = (int(part) for part in grid.agent_pos)
    yield ("at", x, y)
    yield ("facing", int(grid.agent_dir))
    ahead = grid.grid.get(*grid.front_pos)
    yield ("ahead", ahead.type if ahead is not None else "nothing")
    yield ("carrying", grid.carrying.type if grid.carrying is not None else "nothing")
    for index, thing in enumerate(grid.grid.grid):
        if thing is None or thing.type in ("wall", "floor"):
            continue
        place = (index % grid.grid.width, index // grid.grid.width)
        yield ("thing", thing.type, *place)
        if thing.type == "door":
            state = "locked" if thing.is_locked else "open" if thing.is_open else "closed"
            yield ("door", state, *place)


def plain_beliefs(env, observation, reward, info):
    """Yield ``observation(N)`` for a number, ``observation(I, N)`` for the numbers of a vector."""
    if getattr(observation, "shape", ()) == () and not isinstance(observation, (dict, tuple)):
        yield ("observation", _number(observation))
        return
    parts = observation.items() if isinstance(observation, dict) else enumerate(observation)
    for key, value in parts:
        if getattr(value, "shape", ()) == ():
            yield ("observation", key, _number(value))


def _number(value):
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, (int, float)) else str(value)


class World:
    """Steps the environment for an agent, and tells what it must believe afterwards.

    mind: called before each step with ``(episode, step)``; records what the agent has in mind.
    """

    def __init__(self, env, *, episodes, seed, own=None, mind=None):
        self.env = env
        self.episodes = episodes
        self.seed = seed
        self.episode = -1
        self.step = 0
        self.total = 0.0
        self.finished = False
        self.returns = []
        self.steps = 0
        self.mind = mind
        self.names, self._beliefs = _view_of(env, own)
        self._last = (None, 0.0, {})
        self._over = True

    def begin(self):
        """Start the next episode; ``finished`` once there have been enough."""
        if self.episode + 1 >= self.episodes:
            self.finished = True
            return
        observation, info = self.env.reset(seed=self.seed if self.episode < 0 else None)
        self.episode += 1
        self.step, self.total, self._over = 0, 0.0, False
        self._last = (observation, 0.0, info)

    def act(self, action):
        """Take one step with an action's name or number. Raises ValueError for an unknown one."""
        if self._over:
            raise ValueError("the episode is over: .next_episode begins another")
        if isinstance(action, str):
            if action not in self.names:
                raise ValueError(f"no action {action!r}; there are {', '.join(self.names)}")
            action = self.names[action]
        elif isinstance(action, float) and hasattr(self.env.action_space, "n"):
            action = int(action)
        if self.mind is not None:
            self.mind(self.episode, self.step)
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._last = (observation, float(reward), info)
        self.total += float(reward)
        self.step += 1
        self.steps += 1
        if terminated or truncated:
            self._over = True
            self.returns.append(self.total)

    def beliefs(self):
        """Return what is true now, as ``(name, *arguments)``."""
        observation, reward, info = self._last
        found = list(self._beliefs(self.env, observation, reward, info))
        found += [("reward", reward), ("return", self.total), ("episode", self.episode)]
        found.append(("over",) if self._over else ("running",))
        return found


def _view_of(env, own):
    """Return the names of actions and the function that gives beliefs."""
    names, beliefs = {}, plain_beliefs
    kind = type(env.unwrapped)
    if kind.__name__ == "FrozenLakeEnv":
        names, beliefs = FROZEN_LAKE_ACTIONS, frozen_lake_beliefs
    elif any(base.__name__ == "MiniGridEnv" for base in kind.__mro__):
        names, beliefs = MINIGRID_ACTIONS, minigrid_beliefs
    if own:
        spec = importlib.util.spec_from_file_location("bdi_own_world", own)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return getattr(module, "ACTIONS", names), module.beliefs
    return names, beliefs
