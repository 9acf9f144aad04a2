"""PPO in one file, in the manner of single-file research scripts: nothing here knows gym-gui.

python ppo.py --env-id CartPole-v1 --total-timesteps 20000 --num-envs 4 --seed 1
"""

import argparse
import os
import random
import time

import gymnasium as gym
import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical, Normal
from torch.utils.tensorboard import SummaryWriter


def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--env-id", default="CartPole-v1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--total-timesteps", type=int, default=20_000)
    parser.add_argument("--num-envs", type=int, default=4)
    parser.add_argument("--num-steps", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=2.5e-4)
    parser.add_argument("--update-epochs", type=int, default=4)
    parser.add_argument("--num-minibatches", type=int, default=4)
    parser.add_argument("--gamma", type=float, default=0.99)
    parser.add_argument("--gae-lambda", type=float, default=0.95)
    parser.add_argument("--clip", type=float, default=0.2)
    parser.add_argument("--ent-coef", type=float, default=0.01)
    parser.add_argument("--log-dir", default="runs")
    parser.add_argument("--vector", choices=["sync", "async"], default="sync")
    return parser.parse_args()


def make_env(env_id):
    def thunk():
        env = gym.wrappers.RecordEpisodeStatistics(gym.make(env_id))
        if not isinstance(env.observation_space, gym.spaces.Box):
            return gym.wrappers.FlattenObservation(env)
        return gym.wrappers.FlattenObservation(env) if env.observation_space.shape[1:] else env

    return thunk


def layer(inputs, outputs, scale=2**0.5):
    linear = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(linear.weight, scale)
    nn.init.zeros_(linear.bias)
    return linear


def mlp(inputs, outputs, scale):
    return nn.Sequential(
        layer(inputs, 64), nn.Tanh(), layer(64, 64), nn.Tanh(), layer(64, outputs, scale)
    )


class Agent(nn.Module):
    def __init__(self, observation_space, action_space):
        super().__init__()
        inputs = int(np.prod(observation_space.shape))
        self.discrete = isinstance(action_space, gym.spaces.Discrete)
        outputs = action_space.n if self.discrete else int(np.prod(action_space.shape))
        self.actor = mlp(inputs, int(outputs), 0.01)
        self.critic = mlp(inputs, 1, 1.0)
        self.log_std = nn.Parameter(torch.zeros(int(outputs)), requires_grad=not self.discrete)

    def policy(self, x):
        out = self.actor(x)
        return Categorical(logits=out) if self.discrete else Normal(out, self.log_std.exp())

    def evaluate(self, x, action=None):
        policy = self.policy(x)
        action = policy.sample() if action is None else action
        logprob, entropy = policy.log_prob(action), policy.entropy()
        if not self.discrete:
            logprob, entropy = logprob.sum(-1), entropy.sum(-1)
        return action, logprob, entropy, self.critic(x).squeeze(-1)


def finished_returns(infos):
    """Returns of the episodes that ended in this vector step, on gymnasium 0.29 and 1.x."""
    if "final_info" in infos:
        finals = infos["final_info"]
        if isinstance(finals, dict):
            return list(finals["episode"]["r"][finals["_episode"]])
        return [np.asarray(i["episode"]["r"]).item() for i in finals if i and "episode" in i]
    if "episode" in infos:
        return list(infos["episode"]["r"][infos["_episode"]])
    return []


def advantages(args, rewards, dones, values, next_value, next_done):
    result, last = torch.zeros_like(rewards), 0.0
    for t in reversed(range(args.num_steps)):
        alive = 1.0 - (next_done if t == args.num_steps - 1 else dones[t + 1])
        following = next_value if t == args.num_steps - 1 else values[t + 1]
        delta = rewards[t] + args.gamma * following * alive - values[t]
        last = delta + args.gamma * args.gae_lambda * alive * last
        result[t] = last
    return result


def update(args, agent, optimizer, batch):
    obs, actions, logprobs, advs, returns = batch
    size = len(obs) // args.num_minibatches
    for _ in range(args.update_epochs):
        for part in torch.randperm(len(obs)).split(size):
            _, logprob, entropy, value = agent.evaluate(obs[part], actions[part])
            ratio = (logprob - logprobs[part]).exp()
            adv = (advs[part] - advs[part].mean()) / (advs[part].std() + 1e-8)
            clipped = ratio.clamp(1 - args.clip, 1 + args.clip)
            policy_loss = -torch.min(adv * ratio, adv * clipped).mean()
            value_loss = 0.5 * (value - returns[part]).pow(2).mean()
            loss = policy_loss - args.ent_coef * entropy.mean() + 0.5 * value_loss
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()
    return policy_loss.item(), value_loss.item()


def main():
    args = parse_args()
    random.seed(args.seed)
    np.random.seed(args.seed)
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    writer = SummaryWriter(os.path.join(args.log_dir, f"{args.env_id}-{args.seed}"))
    vector = gym.vector.SyncVectorEnv if args.vector == "sync" else gym.vector.AsyncVectorEnv
    envs = vector([make_env(args.env_id) for _ in range(args.num_envs)])
    agent = Agent(envs.single_observation_space, envs.single_action_space)
    optimizer = torch.optim.Adam(agent.parameters(), lr=args.learning_rate, eps=1e-5)

    shape = (args.num_steps, args.num_envs)
    obs = torch.zeros(shape + envs.single_observation_space.shape)
    actions = torch.zeros(shape + envs.single_action_space.shape)
    logprobs, rewards, dones, values = (torch.zeros(shape) for _ in range(4))
    next_obs = torch.as_tensor(envs.reset(seed=args.seed)[0], dtype=torch.float32)
    next_done = torch.zeros(args.num_envs)
    global_step, episodes, started = 0, 0, time.time()

    for _ in range(args.total_timesteps // (args.num_steps * args.num_envs)):
        for t in range(args.num_steps):
            global_step += args.num_envs
            obs[t], dones[t] = next_obs, next_done
            with torch.no_grad():
                action, logprobs[t], _, values[t] = agent.evaluate(next_obs)
            actions[t] = action
            seen, reward, terminated, truncated, infos = envs.step(action.numpy())
            rewards[t] = torch.as_tensor(reward, dtype=torch.float32)
            next_obs = torch.as_tensor(seen, dtype=torch.float32)
            next_done = torch.as_tensor(terminated | truncated, dtype=torch.float32)
            for value in finished_returns(infos):
                episodes += 1
                print(f"global_step={global_step}, episodic_return={value}")
                writer.add_scalar("charts/episodic_return", value, global_step)
        with torch.no_grad():
            next_value = agent.critic(next_obs).squeeze(-1)
        advs = advantages(args, rewards, dones, values, next_value, next_done)
        batch = (obs.flatten(0, 1), actions.flatten(0, 1), logprobs.flatten(), advs.flatten())
        losses = update(args, agent, optimizer, (*batch, (advs + values).flatten()))
        writer.add_scalar("losses/policy_loss", losses[0], global_step)
        writer.add_scalar("losses/value_loss", losses[1], global_step)
        writer.add_scalar("charts/SPS", int(global_step / (time.time() - started)), global_step)
    weights = sum(p.detach().double().sum().item() for p in agent.parameters())
    print(f"total_steps={global_step} episodes={episodes} weights={weights!r}")
    print(f"steps_per_s={global_step / (time.time() - started):.1f}")
    envs.close()
    writer.close()


if __name__ == "__main__":
    main()
