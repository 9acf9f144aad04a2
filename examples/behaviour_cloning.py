"""Learn a policy from a Minari dataset, such as one of episodes that a person played by hand.

    gym-gui export last cartpole/human-v0 --to minari --by-human
    python examples/behaviour_cloning.py cartpole/human-v0

Softmax regression from observations to discrete actions, written out with numpy; then the learned
policy and a random one play the dataset's environment, and their mean returns are printed.
"""

import argparse
import json

import gymnasium
import minari
import numpy as np


def demonstrations(dataset):
    """Return all observations, (steps, numbers), and the actions taken at them, (steps,)."""
    observations, actions = [], []
    for episode in dataset.iterate_episodes():
        seen = np.asarray(episode.observations, dtype=np.float64)
        observations.append(seen[:-1].reshape(len(seen) - 1, -1))
        actions.append(np.asarray(episode.actions))
    return np.concatenate(observations), np.concatenate(actions)


def fit(observations, actions, count, *, rounds=2000, rate=0.5):
    """Return (mean, scale, weights) of the softmax regression; weights: (numbers + 1, count)."""
    mean, scale = observations.mean(axis=0), observations.std(axis=0) + 1e-8
    inputs = np.c_[(observations - mean) / scale, np.ones(len(observations))]
    wanted = np.eye(count)[actions]
    weights = np.zeros((inputs.shape[1], count))
    for _ in range(rounds):
        scores = inputs @ weights
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        weights += rate * inputs.T @ (wanted - chances) / len(inputs)
    return mean, scale, weights


def mean_return(env, choose, *, episodes=20):
    total = 0.0
    for episode in range(episodes):
        observation, _ = env.reset(seed=1000 + episode)
        over = False
        while not over:
            observation, reward, terminated, truncated, _ = env.step(choose(observation))
            total += float(reward)
            over = terminated or truncated
    return total / episodes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", help="the dataset's id, such as cartpole/human-v0")
    args = parser.parse_args()
    dataset = minari.load_dataset(args.dataset)
    env = gymnasium.make(dataset.env_spec)
    first = int(getattr(env.action_space, "start", 0))
    observations, actions = demonstrations(dataset)
    mean, scale, weights = fit(observations, actions - first, int(env.action_space.n))

    def cloned(observation):
        inputs = np.append((np.ravel(observation) - mean) / scale, 1.0)
        return first + int((inputs @ weights).argmax())

    env.action_space.seed(1)
    result = {
        "steps": len(actions),
        "cloned": mean_return(env, cloned),
        "random": mean_return(env, lambda _: env.action_space.sample()),
    }
    env.close()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
