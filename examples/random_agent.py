"""A training loop as anybody might write it, without any training: random actions.

Knows nothing of gym-gui: ``gym-gui run -- examples/random_agent.py`` watches and records it.
"""

import argparse

import gymnasium


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env-id", default="CartPole-v1")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    env = gymnasium.make(options.env_id)
    env.action_space.seed(options.seed)
    steps = 0
    for episode in range(options.episodes):
        env.reset(seed=options.seed + episode)
        over = False
        while not over:
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            over = terminated or truncated
            steps += 1
    env.close()
    print(f"trained: steps={steps} episodes={options.episodes}")


if __name__ == "__main__":
    main()
