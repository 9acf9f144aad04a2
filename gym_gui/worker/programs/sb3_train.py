"""Train, resume or evaluate a Stable-Baselines3 policy.

Runs in the user's interpreter and needs stable-baselines3 there. Nothing of gym-gui is imported
but the optional hand-over of metrics.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import program_report

ALGORITHMS = ("A2C", "DDPG", "DQN", "PPO", "SAC", "TD3")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--algorithm", choices=ALGORITHMS, default="PPO", help="the learner")
    parser.add_argument("--policy", default="auto", help="policy class; auto fits the observation")
    parser.add_argument("--env-id", default="CartPole-v1", help="the environment")
    parser.add_argument("--num-envs", type=int, default=1, help="environments stepped together")
    parser.add_argument("--total-timesteps", type=int, default=20_000, help="steps to train")
    parser.add_argument("--seed", type=int, default=1, help="seed of environment and learner")
    parser.add_argument("--learning-rate", type=float, default=None, help="empty: the library's")
    parser.add_argument("--gamma", type=float, default=None, help="discount; empty: the library's")
    parser.add_argument("--batch-size", type=int, default=None, help="empty: the library's")
    parser.add_argument("--n-steps", type=int, default=None, help="rollout length (PPO, A2C)")
    parser.add_argument("--hyperparameters", default="{}", help="further ones, as a JSON object")
    parser.add_argument(
        "--save-every", type=int, default=0, help="steps from save to save; 0: none"
    )
    parser.add_argument("--resume", default="", help="a saved policy (.zip) to go on from")
    parser.add_argument("--evaluate", default="", help="a saved policy (.zip) to watch, untrained")
    parser.add_argument("--episodes", type=int, default=10, help="episodes to evaluate")
    parser.add_argument("--output", default="sb3", help="folder for what is saved")
    return parser.parse_args()


def hyperparameters(args):
    """Return the keyword arguments for the learner: only what the user set."""
    chosen = json.loads(args.hyperparameters)
    if not isinstance(chosen, dict):
        raise SystemExit("--hyperparameters must be a JSON object, such as '{\"ent_coef\": 0.01}'.")
    for name in ("learning_rate", "gamma", "batch_size", "n_steps"):
        value = getattr(args, name)
        if value is not None:
            chosen[name] = value
    return chosen


def make_output():
    """Return an SB3 logger output that hands every value over as a metric of the run."""
    from stable_baselines3.common.logger import KVWriter

    class RunWriter(KVWriter):
        def write(self, key_values, key_excluded, step=0):
            for name, value in key_values.items():
                if isinstance(value, (int, float)) or getattr(value, "shape", None) == ():
                    program_report.metric(name, float(value), step)

        def close(self):
            """Nothing is held open."""

    return RunWriter()


def policy_name(args, env):
    if args.policy != "auto":
        return args.policy
    from gymnasium.spaces import Dict
    from stable_baselines3.common.preprocessing import is_image_space

    if isinstance(env.observation_space, Dict):
        return "MultiInputPolicy"
    return "CnnPolicy" if is_image_space(env.observation_space) else "MlpPolicy"


def learner(args, algorithm, env):
    if args.resume:
        model = algorithm.load(args.resume, env=env, **hyperparameters(args))
        model.set_random_seed(args.seed)
        return model
    return algorithm(policy_name(args, env), env, seed=args.seed, **hyperparameters(args))


def train(args, algorithm):
    from stable_baselines3.common.callbacks import CheckpointCallback
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.logger import HumanOutputFormat, Logger

    output = Path(args.output)
    output.mkdir(parents=True, exist_ok=True)
    env = make_vec_env(args.env_id, n_envs=args.num_envs, seed=args.seed)
    model = learner(args, algorithm, env)
    model.set_logger(Logger(str(output), [HumanOutputFormat(sys.stdout), make_output()]))
    callback = None
    if args.save_every:
        every = max(1, args.save_every // args.num_envs)
        callback = CheckpointCallback(every, str(output), name_prefix="checkpoint")
    started = time.monotonic()
    model.learn(
        args.total_timesteps, callback=callback, reset_num_timesteps=not args.resume, log_interval=1
    )
    model.save(output / "final.zip")
    report(env, model, time.monotonic() - started)
    env.close()


def report(env, model, seconds):
    """Say what was trained, in the learner's own count, and every episode's return."""
    returns = [value for one in env.env_method("get_episode_rewards") for value in one]
    print(
        f"trained timesteps={model.num_timesteps} episodes={len(returns)} "
        f"return_sum={sum(returns)!r} seconds={seconds:.1f}"
    )


def evaluate(args, algorithm):
    import gymnasium

    env = gymnasium.make(args.env_id)
    model = algorithm.load(args.evaluate)
    for episode in range(args.episodes):
        observation, _ = env.reset(seed=args.seed if episode == 0 else None)
        total, done = 0.0, False
        while not done:
            action, _ = model.predict(observation, deterministic=True)
            observation, reward, terminated, truncated, _ = env.step(action)
            total += float(reward)
            done = terminated or truncated
        print(f"evaluation episode={episode} return={total!r}")
        program_report.metric("evaluation/return", total, episode)
    env.close()


def main():
    args = arguments()
    try:
        import stable_baselines3
    except ImportError:
        raise SystemExit(
            "stable-baselines3 is not installed in this interpreter. "
            "Install it there (pip install stable-baselines3), or choose another with --python."
        ) from None
    algorithm = getattr(stable_baselines3, args.algorithm)
    if args.evaluate:
        evaluate(args, algorithm)
    else:
        train(args, algorithm)


if __name__ == "__main__":
    main()
