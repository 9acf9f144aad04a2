"""An environment of one's own, made without ``gymnasium.make``, watched by an explicit call.

    gym-gui run -- examples/own_environment.py

Runs without gym-gui, too.
"""

import argparse

import gymnasium
import numpy as np

try:
    from gym_gui import watch
except ImportError:  # gym-gui is not installed here, and this is no run of its

    def watch(env):
        return env


class Gather(gymnasium.Env):
    """A dot on a field that shall come to the middle."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}
    observation_space = gymnasium.spaces.Box(-8, 8, (2,), np.int64)
    action_space = gymnasium.spaces.Discrete(4)
    moves = ((0, 1), (0, -1), (1, 0), (-1, 0))

    def __init__(self, render_mode="rgb_array"):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.np_random.integers(-8, 9, 2)
        self.steps = 0
        return self.place.copy(), {}

    def step(self, action):
        self.place = np.clip(self.place + self.moves[action], -8, 8)
        self.steps += 1
        there = not self.place.any()
        return self.place.copy(), 1.0 if there else -0.01, bool(there), self.steps == 200, {}

    def render(self):
        picture = np.full((170, 170, 3), 30, np.uint8)
        picture[80:90, 80:90] = (90, 200, 90)
        y, x = (self.place + 8) * 10
        picture[y : y + 10, x : x + 10] = (240, 200, 60)
        return picture


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    env = watch(Gather())
    values = np.zeros((17, 17, 4))
    generator = np.random.default_rng(options.seed)
    steps, returns = 0, []
    for episode in range(options.episodes):
        place, _ = env.reset(seed=options.seed + episode)
        total, over = 0.0, False
        while not over:
            known = values[tuple(place + 8)]
            action = int(generator.choice(np.flatnonzero(known == known.max())))
            following, reward, terminated, truncated, _ = env.step(action)
            best = 0.0 if terminated else values[tuple(following + 8)].max()
            known[action] += 0.5 * (reward + 0.97 * best - known[action])
            place, over = following, terminated or truncated
            steps, total = steps + 1, total + reward
        returns.append(total)
    env.close()
    print(f"trained: steps={steps} episodes={options.episodes} return_sum={sum(returns)!r}")


if __name__ == "__main__":
    main()
