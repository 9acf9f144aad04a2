"""Train every agent of a PettingZoo environment, each with a learner of its own.

AEC environments are played in turns, parallel ones together. Learners need numpy only: a table
of values for small observations, linear values of the observation for large ones.
"""

import argparse
import importlib
import importlib.util
import json

import program_report

LEARNERS = ("auto", "table", "linear")
SMALL = 32  # numbers of an observation up to which a table of values is kept


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--env-id", default="classic/tictactoe_v3", help="family/name, such as sisl/pursuit_v5"
    )
    parser.add_argument("--env-options", default="{}", help="arguments of the environment, as JSON")
    parser.add_argument("--parallel", action="store_true", help="step all agents together")
    parser.add_argument("--episodes", type=int, default=300, help="episodes to play")
    parser.add_argument("--seed", type=int, default=1, help="seed of environment and learners")
    parser.add_argument("--learner", choices=LEARNERS, default="auto", help="auto: by observation")
    parser.add_argument("--learning-rate", type=float, default=0.2, help="step size")
    parser.add_argument("--gamma", type=float, default=0.95, help="discount")
    parser.add_argument(
        "--epsilon", type=float, default=0.2, help="share of random actions at first"
    )
    return parser.parse_args()


class Table:
    """Q-learning with one value for each observation and action."""

    def __init__(self, actions, args, generator):
        self.actions, self.args, self.generator = actions, args, generator
        self.values = {}

    def features(self, observation):
        return observation.tobytes()

    def of(self, state):
        import numpy

        if state not in self.values:
            self.values[state] = numpy.zeros(self.actions)
        return self.values[state]

    def move(self, state, action, error):
        self.of(state)[action] += self.args.learning_rate * error


class Linear(Table):
    """Q-learning with values linear in the observation, for observations too large for a table."""

    def __init__(self, actions, args, generator):
        super().__init__(actions, args, generator)
        self.weights = None

    def features(self, observation):
        import numpy

        flat = observation.astype(float).ravel()
        flat = flat / max(1.0, float(numpy.abs(flat).max(initial=0.0)))
        return numpy.append(flat, 1.0)

    def of(self, state):
        import numpy

        if self.weights is None:
            self.weights = numpy.zeros((self.actions, len(state)))
        return self.weights @ state

    def move(self, state, action, error):
        self.of(state)
        rate = self.args.learning_rate * 0.1 / float(state @ state)
        self.weights[action] += rate * error * state


class Agent:
    """One learner and what it remembers of its last turn."""

    def __init__(self, values, args, generator):
        self.values, self.args, self.generator = values, args, generator
        self.total = 0.0
        self.last = None

    def begin(self):
        self.total, self.last = 0.0, None

    def act(self, observation, epsilon):
        """Return an action for ``observation``, which may carry an ``action_mask``."""
        import numpy

        mask = None
        if isinstance(observation, dict):
            mask, observation = observation.get("action_mask"), observation["observation"]
        state = self.values.features(numpy.asarray(observation))
        allowed = numpy.flatnonzero(mask) if mask is not None else numpy.arange(self.values.actions)
        values = self.values.of(state)[allowed]
        if self.generator.random() < epsilon:
            chosen = int(self.generator.integers(len(allowed)))
        else:
            best = numpy.flatnonzero(values == values.max())
            chosen = int(best[self.generator.integers(len(best))])
        self.last = (state, int(allowed[chosen]))
        return int(allowed[chosen])

    def learn(self, reward, observation, over):
        """Move the last action's value toward ``reward`` and what can follow."""
        import numpy

        self.total += float(reward)
        if self.last is None:
            return
        state, action = self.last
        target = float(reward)
        if not over:
            plain = observation["observation"] if isinstance(observation, dict) else observation
            following = self.values.features(numpy.asarray(plain))
            target += self.args.gamma * float(self.values.of(following).max())
        self.values.move(state, action, target - float(self.values.of(state)[action]))


def make_env(args):
    """Return the environment; says what is wrong where there is none of that name."""
    family, _, name = args.env_id.partition("/")
    try:
        module = importlib.import_module(f"pettingzoo.{family}.{name}")
    except ImportError as error:
        raise SystemExit(f"There is no PettingZoo environment {args.env_id}: {error}.") from None
    make = module.parallel_env if args.parallel else module.env
    return make(**json.loads(args.env_options))


def make_agents(env, args):
    import numpy

    agents = {}
    for number, name in enumerate(env.possible_agents):
        space, seen = env.action_space(name), env.observation_space(name)
        if not hasattr(space, "n"):
            raise SystemExit(
                f"{args.env_id} has continuous actions; these learners choose one of n."
            )
        seen = seen["observation"] if hasattr(seen, "spaces") else seen
        small = int(numpy.prod(seen.shape or (1,))) <= SMALL
        kind = Table if args.learner == "table" or (args.learner == "auto" and small) else Linear
        generator = numpy.random.default_rng([args.seed, number])
        agents[name] = Agent(kind(int(space.n), args, generator), args, generator)
    return agents


def play_in_turns(env, agents, epsilon, seed):
    """Play one AEC episode; return the number of steps, each agent's counted."""
    env.reset(seed=seed)
    steps = 0
    for name in env.agent_iter():
        observation, reward, terminated, truncated, _ = env.last()
        over = terminated or truncated
        agents[name].learn(reward, observation, over)
        env.step(None if over else agents[name].act(observation, epsilon))
        steps += not over
    return steps


def play_together(env, agents, epsilon, seed):
    """Play one parallel episode; return the number of steps, each agent's counted."""
    observations, _ = env.reset(seed=seed)
    steps = 0
    while env.agents:
        chosen = {name: agents[name].act(observations[name], epsilon) for name in env.agents}
        observations, rewards, terminated, truncated, _ = env.step(chosen)
        steps += len(chosen)
        for name in chosen:
            over = terminated[name] or truncated[name]
            agents[name].learn(rewards[name], observations[name], over)
    return steps


def main():
    args = arguments()
    if importlib.util.find_spec("pettingzoo") is None:
        raise SystemExit("pettingzoo is not installed in this interpreter: pip install pettingzoo")
    env = make_env(args)
    agents = make_agents(env, args)
    play = play_together if args.parallel else play_in_turns
    steps, sums = 0, dict.fromkeys(agents, 0.0)
    for episode in range(args.episodes):
        for agent in agents.values():
            agent.begin()
        epsilon = args.epsilon * (1 - episode / args.episodes)
        steps += play(env, agents, epsilon, args.seed if episode == 0 else None)
        for name, agent in agents.items():
            sums[name] += agent.total
            program_report.metric(f"return/{name}", agent.total, steps)
        program_report.metric("epsilon", epsilon, steps)
    env.close()
    told = " ".join(f"return_sum[{name}]={total!r}" for name, total in sums.items())
    print(f"steps={steps} episodes={args.episodes} {told}")


if __name__ == "__main__":
    main()
