"""Let an AgentSpeak program act in a gymnasium environment, and record what it has in mind.

Runs on ``agentspeak`` alone, or on SPADE for agents that exchange messages.
"""

import argparse
import importlib
import importlib.util
from pathlib import Path

RUNTIMES = ("agentspeak", "spade")
ASL = Path(__file__).resolve().parent / "asl"
WORKED = {"frozen_lake": "FrozenLake-v1", "door_key": "MiniGrid-DoorKey-5x5-v0"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--program",
        default="frozen_lake",
        help="an .asl file, or one that ships: frozen_lake, door_key",
    )
    parser.add_argument("--env-id", default="", help="the environment; empty: the program's own")
    parser.add_argument("--env-options", default="{}", help="further arguments of make, as JSON")
    parser.add_argument("--episodes", type=int, default=10, help="episodes to play")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first episode")
    parser.add_argument(
        "--runtime",
        choices=RUNTIMES,
        default="agentspeak",
        help="spade: agents that exchange messages, through a server on loopback",
    )
    parser.add_argument(
        "--peers", nargs="*", default=[], help="further .asl files: agents to talk to"
    )
    parser.add_argument("--world", default="", help="a Python file with beliefs(...) and ACTIONS")
    parser.add_argument("--port", type=int, default=0, help="the XMPP server's port; 0: a free one")
    parser.add_argument("--output", default="bdi", help="folder for the server's files")
    return parser.parse_args()


def program_file(name):
    """Return the path of an .asl file: one that ships by its name, or the user's."""
    path = ASL / f"{name}.asl" if name in WORKED else Path(name)
    if not path.is_file():
        raise SystemExit(
            f"There is no AgentSpeak program {name}. "
            f"Give an .asl file, or one of {', '.join(WORKED)}."
        )
    return path


def make_env(args):
    import json

    import gymnasium

    env_id = args.env_id or WORKED.get(args.program, "")
    if not env_id:
        raise SystemExit("Say which environment: --env-id FrozenLake-v1.")
    if env_id.startswith("MiniGrid"):
        importlib.import_module("minigrid")
    options = json.loads(args.env_options)
    if args.program == "frozen_lake" and not args.env_id:
        options.setdefault("is_slippery", False)
    return gymnasium.make(env_id, **options)


def agent_names(programs):
    """Return unique names for the agents, from their files."""
    names = []
    for path in programs:
        name = path.stem
        names.append(name if name not in names else f"{name}{len(names)}")
    return list(zip(names, programs))


def run_alone(programs, world, recorder):
    """Run on agentspeak without a server; all agents take turns in this thread."""
    import agentspeak
    import bdi_mind
    from agentspeak import runtime, stdlib

    environment = runtime.Environment()
    agents = []
    for number, (name, path) in enumerate(programs):
        actions = agentspeak.Actions(stdlib.actions)
        if number == 0:
            bdi_mind.add_actions(actions, world)
        with open(path) as source:
            agents.append(environment.build_agent(source, actions, name=name))
    recorder.agent = agents[0]
    while not world.finished:
        busy = [agent.step() for agent in agents if not world.finished]
        if not any(busy):
            raise SystemExit("No agent has anything left to do: the program ended its own goals.")


def main():
    args = arguments()
    programs = agent_names([program_file(name) for name in (args.program, *args.peers)])
    missing = _missing(args.runtime)
    if missing:
        raise SystemExit(
            f"{missing} is not installed in this interpreter: "
            "pip install spade==4.1.4 spade-bdi==0.3.3 agentspeak==0.2.2 pyjabber==0.4.5 greenlet"
        )
    import bdi_mind
    from bdi_world import World

    recorder = bdi_mind.MindRecorder(programs[0][0])
    env = make_env(args)
    world = World(env, episodes=args.episodes, seed=args.seed, own=args.world, mind=recorder)
    if args.runtime == "spade":
        import bdi_spade

        bdi_spade.run(programs, world, recorder, port=args.port, folder=args.output)
    else:
        run_alone(programs, world, recorder)
    env.close()
    print(f"steps={world.steps} episodes={len(world.returns)} return_sum={sum(world.returns)!r}")


def _missing(runtime):
    """Return the first package that this runtime needs and the interpreter lacks."""
    wanted = ("agentspeak",) if runtime == "agentspeak" else ("agentspeak", "spade_bdi", "greenlet")
    for name in wanted:
        if importlib.util.find_spec(name) is None:
            return name
    return ""


if __name__ == "__main__":
    main()
