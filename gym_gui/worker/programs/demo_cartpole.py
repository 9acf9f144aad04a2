"""The demonstration: a linear policy learns CartPole-v1 by CMA-ES.

An ordinary training script, started like any other: plain ``gymnasium.make``, no import of
gym-gui. It pushes right whenever ``weights . observation + bias > 0`` and begins with a bias
that always pushes right, so that the first poles fall within ten steps.
"""

from __future__ import annotations

import argparse
import warnings

import gymnasium
import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # cma tells that matplotlib, which it plots with, is absent
    import cma

FIRST_GUESS = [0.0, 0.0, 0.0, 0.0, 1.0]  # four weights and the bias


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env-id", default="CartPole-v1")
    parser.add_argument("--steps", type=int, default=200_000, help="environment steps to train for")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--population", type=int, default=6, help="policies tried a generation")
    parser.add_argument("--sigma", type=float, default=0.3, help="first step size of the search")
    return parser.parse_args()


class Trainer:
    """Counts every step itself, so that what was recorded can be compared with it."""

    def __init__(self, env: gymnasium.Env, *, steps: int, seed: int) -> None:
        self.env = env
        self.limit = steps
        self.seed = seed
        self.steps = 0
        self.episodes = 0

    @property
    def spent(self) -> bool:
        return self.steps >= self.limit

    def episode(self, policy: np.ndarray, *, generation: int) -> float:
        """Play one episode, or what the step limit leaves of it, and return its return.

        All policies of a generation begin at the same state, so that luck does not rank them.
        """
        weights, bias = policy[:4], policy[4]
        observation, _ = self.env.reset(seed=self.seed * 1000 + generation)
        total, over = 0.0, False
        while not over and not self.spent:
            action = int(observation @ weights + bias > 0)
            observation, reward, terminated, truncated, _ = self.env.step(action)
            self.steps += 1
            total += float(reward)
            over = terminated or truncated
        self.episodes += over
        return total


def main() -> None:
    options = arguments()
    env = gymnasium.make(options.env_id)
    trainer = Trainer(env, steps=options.steps, seed=options.seed)
    search = cma.CMAEvolutionStrategy(
        FIRST_GUESS,
        options.sigma,
        {"seed": options.seed, "popsize": options.population, "verbose": -9},
    )
    generation = 0
    while not trainer.spent:
        policies = search.ask()
        returns = [trainer.episode(policy, generation=generation) for policy in policies]
        search.tell(policies, [-value for value in returns])
        generation += 1
        mean, best = float(np.mean(returns)), float(np.max(returns))
        print(
            f"generation {generation}: mean return {mean:.1f}, best {best:.0f}, "
            f"{trainer.steps} steps",
            flush=True,
        )
    env.close()
    print(f"trained: steps={trainer.steps} episodes={trainer.episodes}", flush=True)


if __name__ == "__main__":
    main()
