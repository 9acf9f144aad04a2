"""Between an AgentSpeak agent and its world: actions, percepts, and what it has in mind.

Works on ``agentspeak`` alone and on SPADE's agents, which hold the same kind of agent.
"""

import json

import agentspeak
import program_report
from agentspeak import runtime

PERCEPT = frozenset([agentspeak.Literal("source", (agentspeak.Literal("percept"),))])
ADD, REMOVE = agentspeak.Trigger.addition, agentspeak.Trigger.removal
BELIEF = agentspeak.GoalType.belief


def add_actions(actions, world):
    """Give programs ``.act(Action)`` and ``.next_episode``."""

    @actions.add(".act", 1)
    def act(agent, term, intention):
        world.act(_plain(agentspeak.grounded(term.args[0], intention.scope)))
        perceive(agent, world)
        yield

    @actions.add(".next_episode", 0)
    def next_episode(agent, term, intention):
        world.begin()
        if not world.finished:
            perceive(agent, world)
        yield


def perceive(agent, world):
    """Make the agent believe what is true now, at once, and tell its plans what changed.

    Beliefs are set in the belief base itself: SPADE's ``set_belief`` would arrive a cycle late,
    after the plan that acted has gone on.
    """
    now = {_literal(belief) for belief in world.beliefs()}
    known = {
        belief
        for group in list(agent.beliefs.values())
        for belief in group
        if belief.annots == PERCEPT
    }
    for gone in known - now:
        agent.beliefs[gone.literal_group()].discard(gone)
    for gone in known - now:
        _tell(agent, REMOVE, gone)
    fresh = now - known
    for belief in fresh:
        agent.beliefs[belief.literal_group()].add(belief)
    for belief in fresh:
        _tell(agent, ADD, belief)


def _tell(agent, trigger, belief):
    """Start the plans for this change, if there are any. The belief base already has it."""
    plans = agent.plans.get((trigger, BELIEF, belief.functor, len(belief.args)))
    if plans and trigger is ADD:
        agent.call(trigger, BELIEF, belief, runtime.Intention(), delayed=True)
    elif plans:
        agent.beliefs[belief.literal_group()].add(belief)  # call() takes it out again
        agent.call(trigger, BELIEF, belief, runtime.Intention(), delayed=True)


def _literal(belief):
    name, *arguments = belief
    terms = tuple(agentspeak.Literal(item) if isinstance(item, str) else item for item in arguments)
    return agentspeak.Literal(name, terms, PERCEPT)


def _plain(term):
    return term.functor if isinstance(term, agentspeak.Literal) else term


def snapshot(agent):
    """Return beliefs, goals and intentions as sorted texts."""
    beliefs = sorted(_text(belief) for group in agent.beliefs.values() for belief in group)
    stacks = [stack for stack in agent.intentions if stack]
    goals, intentions = [], []
    for stack in stacks:
        heads = [_text(part.head_term) for part in stack if part.head_term is not None]
        goals += heads
        intentions.append(" <- ".join(reversed(heads)))
    return {"beliefs": beliefs, "goals": sorted(set(goals)), "intentions": intentions}


def _text(term):
    return agentspeak.asl_repr(term).replace("[source(percept)]", "")


class MindRecorder:
    """Hands over each step's beliefs, goals and intentions as a ``bdi`` line of the run's log.

    Beliefs that did not change since the step before are left out of ``beliefs`` and only the
    difference is written (``added``, ``removed``); the first step of an episode is whole.
    """

    def __init__(self, name):
        self.name = name
        self.agent = None
        self._known = set()

    def __call__(self, episode, step):
        mind = snapshot(self.agent)
        beliefs = set(mind.pop("beliefs"))
        record = {"agent": self.name, "stream": 0, "episode": episode, "step": step, **mind}
        if step == 0:
            record["beliefs"] = sorted(beliefs)
        else:
            record["added"] = sorted(beliefs - self._known)
            record["removed"] = sorted(self._known - beliefs)
        self._known = beliefs
        program_report.log("bdi", json.dumps(record, separators=(",", ":")))
