"""The environment of a human session, in a process of its own and the chosen interpreter.

Reads one JSON command a line on stdin, answers one JSON line on stdout, followed by the picture's
bytes where its ``frame`` says [height, width, channels, format]. Each record is in the spool
before the answer: whatever dies, a step that was shown is kept. Lines with a ``notice`` may come
before an answer. What the environment itself prints goes to stderr.

    {"do": "reset", "seed": ..}    {"do": "step", "action": .., "flags": .., "proposed": ..}
    {"do": "undo"}                 {"do": "look"}                 {"do": "close"}

With ``"propose": true`` the answer holds what the policy would do next; ``look`` does nothing
else. An answer with ``refused`` says why nothing was done.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time
import traceback
from typing import Any, Callable, NoReturn, Optional

from gym_gui.core.errors import GymGuiError
from gym_gui.core.records import STEP_HUMAN, SpoolPolicy
from gym_gui.worker import action_space, encode, policies, remake, state
from gym_gui.worker.describe import success
from gym_gui.worker.played_episode import PlayedEpisode
from gym_gui.worker.render import CannotRenderError, Painter, Picture
from gym_gui.worker.resimulate import to_action
from gym_gui.worker.rewind import Rewinder
from gym_gui.worker.spool import SpoolWriter
from gym_gui.worker.turn_game import TurnGame

AGENT_FAILED = 4  # exit code of this process where the policy, not the environment, is to blame
_SEED_BITS = 31


class Player:
    """One environment, the episode that is played in it, and its spool."""

    def __init__(
        self,
        env: Any,
        spool: SpoolWriter,
        *,
        name: str,
        policy: Any = None,
    ) -> None:
        self.env = env
        self.spool = spool
        self._name = name
        self._policy: Optional[policies.Policy] = policy
        self._text = encode.ObservationEncoder()
        self._painter = Painter(env)
        self.blank = ""  # why there is no picture
        self._index = 0
        self._number = -1
        self._episode: Optional[PlayedEpisode] = None
        self._branched = False  # steps were taken back: the next one begins another episode
        self._spec, self._trouble = remake.written(env)
        self._rewinder = Rewinder(self._spec, self._text)
        self.observation: Any = None

    def describe(self) -> dict[str, Any]:
        """Return what the session must know of the environment."""
        metadata = getattr(self.env, "metadata", None) or {}
        return {
            "channel": self.spool.channel,
            "space": action_space.described(self.env.action_space),
            "meanings": action_space.meanings(self.env),
            "keys": action_space.keys_of(self.env),
            "fps": metadata.get("render_fps") or 30,
            "agents": self.env.agents if isinstance(self.env, TurnGame) else [],
            "records": self._declared(),
        }

    def reset(self, seed: Optional[int]) -> dict[str, Any]:
        """Begin an episode, with a fresh seed for None; one still running is broken off."""
        seed = secrets.randbits(_SEED_BITS) if seed is None else seed
        records = self._break_off()
        self._branched = False
        base = getattr(self.env, "unwrapped", self.env)
        before = state.before_reset(base, seed)
        self.observation, _ = self.env.reset(seed=seed)
        after, snapshot = state.after_reset(base)
        rng = {"before": before, "after": after} if before or after else None
        begun = {
            "stream": 0,
            "time_ns": time.time_ns(),
            "seed": seed,
            "options": None,
            "rng": rng,
            "snapshot": snapshot,
            "observation": json.loads(self._text(self.observation)),
        }
        return {"records": [*records, self._begin(begun)], "seed": seed}

    def step(self, action: Any, flags: int, proposed: Any) -> dict[str, Any]:
        """Take one step. ``flags``: who acted; ``proposed``: what the policy would have done."""
        taken, wrong = self._action(action)
        if wrong and flags & STEP_HUMAN:
            return {"records": [], "refused": f"{wrong}."}
        if wrong:
            raise policies.PolicyError(f"The agent's answer {wrong}.")
        text = json.loads(encode.encode_action(taken))
        mover = self.env.turn if isinstance(self.env, TurnGame) else ""
        observation, reward, terminated, truncated, info = self.env.step(taken)
        self.observation = observation
        fields: dict[str, Any] = {
            "stream": 0,
            "action": text,
            "reward": encode.reward(reward),
            "terminated": bool(terminated),
            "truncated": bool(truncated),
            "observation": json.loads(self._text(observation)),
            "time_ns": time.time_ns(),
            "flags": flags,
        }
        if mover:
            fields["agent"] = mover
        if proposed is not None:
            fields["proposed_action"] = proposed
        records = self._branch() if self._branched else []
        records.append(self._keep_step(fields))
        if terminated or truncated:
            records += self._end(bool(terminated), bool(truncated), info)
        return {"records": records}

    def undo(self) -> dict[str, Any]:
        """Take the last step back. It stays in the record; what comes next is another episode."""
        episode = self._episode
        if episode is None or not episode.steps:
            return {"records": [], "refused": "There is no step to take back."}
        obstacle = self._rewinder.goes_back(episode)
        if obstacle:
            return {"records": [], "refused": f"No step can be taken back: {obstacle}."}
        records = self._break_off()
        self.env, self.observation = self._rewinder.exchange(self.env)
        self._painter = Painter(self.env)
        self._branched = True
        self._episode = episode.without_last()
        return {"records": records}

    def proposal(self) -> Any:
        """Return what the policy would do now, None without one or when the episode is over."""
        episode = self._episode
        if self._policy is None or episode is None or episode.over:
            return None
        try:
            return encode.plain(policies.fitted(self.env, self._policy(self.observation)))
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            raise policies.PolicyError(
                f"The agent failed: {type(error).__name__}: {error}."
            ) from error

    def _action(self, action: Any) -> tuple[Any, str]:
        """Return what ``step`` is given, and what is wrong with it ("" for nothing)."""
        space = self.env.action_space
        try:
            taken = to_action(space, action)
        except (KeyError, TypeError, ValueError, OverflowError):
            return None, f"{encode.compact(action)} is no action of {space}"
        return taken, action_space.misfit(space, taken)

    def situation(self) -> dict[str, Any]:
        """Return where the episode stands: its steps so far, whose turn it is, what is legal."""
        told: dict[str, Any] = {"step": 0, "over": True, "turn": "", "legal": None, "return": 0.0}
        if self._episode is not None:
            episode = self._episode
            told.update(step=len(episode.steps), over=episode.over, **{"return": episode.return_})
        if isinstance(self.env, TurnGame):
            told.update(turn=self.env.turn, legal=self.env.legal())
        return told

    def close(self) -> dict[str, Any]:
        """End what runs, and the spool."""
        records = self._break_off()
        self.env.close()
        records.append(self._keep("run", time_ns=time.time_ns(), event="end"))
        self.spool.close()
        return {"records": records}

    def picture(self) -> tuple[Optional[list[Any]], bytes]:
        """Return (height, width, channels, format) and bytes; None where nothing is drawn."""
        kept: list[Picture] = []
        data = b""

        def deliver(picture: Picture) -> None:
            nonlocal data
            kept.append(picture)
            data = _packed(picture)

        try:
            self._painter.paint(deliver)
        except CannotRenderError as error:
            self.blank = str(error)
            return None, b""
        except Exception as error:  # noqa: BLE001 - drawing may fail: the game goes on without
            self.blank = f"its render() failed: {type(error).__name__}: {error}"
            return None, b""
        picture = kept[-1]
        if picture.row_stride:
            return [picture.height, picture.width, 4, "BGRX"], data
        form = {1: "GREY", 3: "RGB", 4: "RGBA"}[picture.channels]
        return [picture.height, picture.width, picture.channels, form], data

    def _declared(self) -> list[dict[str, Any]]:
        now = time.time_ns()
        start = {"event": "start", "protocol": 1, "pid": os.getpid(), "argv": sys.argv}
        stream = {
            "event": "stream",
            "stream": 0,
            "env_id": self._name,
            "spec": self._spec,
            "observation_space": str(self.env.observation_space),
            "action_space": str(self.env.action_space),
            "agents": self.env.agents if isinstance(self.env, TurnGame) else [],
            "vector": None,
            "render_mode": getattr(self.env, "render_mode", None),
            "reproducible": bool(self._spec) and not self._trouble,
            "note": self._trouble,
        }
        return [self._keep("run", time_ns=now, **fields) for fields in (start, stream)]

    def _begin(self, fields: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        self._episode = PlayedEpisode(fields, self._index)
        return self._keep("reset", **fields, episode=self._number)

    def _branch(self) -> list[dict[str, Any]]:
        """Begin the episode that the steps which still stand, and the coming one, belong to."""
        self._branched = False
        stood = self._episode
        assert stood is not None
        records = [self._begin(stood.reset)]
        return records + [self._keep_step(fields) for fields in stood.steps]

    def _keep_step(self, fields: dict[str, Any]) -> dict[str, Any]:
        episode = self._episode
        assert episode is not None
        number = len(episode.steps)
        episode.steps.append(fields)
        self._index += 1
        return self._keep(
            "step", **fields, index=self._index - 1, episode=self._number, step=number
        )

    def _break_off(self) -> list[dict[str, Any]]:
        episode = self._episode
        if episode is None or episode.over or self._branched or not episode.steps:
            return []
        return self._end(False, False, None)

    def _end(self, terminated: bool, truncated: bool, info: Any) -> list[dict[str, Any]]:
        episode = self._episode
        assert episode is not None
        episode.over = True
        fields: dict[str, Any] = {
            "stream": 0,
            "episode": self._number,
            "terminated": terminated,
            "truncated": truncated,
            "start_ns": episode.reset["time_ns"],
            "time_ns": time.time_ns(),
            "first_index": episode.first_index,
        }
        reached = success(info)
        if reached is not None:
            fields["success"] = reached
        if isinstance(self.env, TurnGame):
            game = self.env
            totals = [(name, game.moves[name], game.returns[name]) for name in game.agents]
            parts = [{"agent": name, "length": n, "return": r} for name, n, r in totals]
        else:
            parts = [{"length": len(episode.steps), "return": episode.return_}]
        return [self._keep("episode", **fields, **part) for part in parts]

    def _keep(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Write one record to the spool, and return it with its number."""
        self.spool.append(kind, ",".join(f'"{k}":{encode.compact(v)}' for k, v in fields.items()))
        return {"type": kind, "seq": self.spool.seq, **fields}


def _packed(picture: Picture) -> bytes:
    """Return rows without padding: RGB, RGBA or grey as rendered, BGRX of a surface."""
    if not picture.row_stride:
        return picture.data.tobytes()
    width = picture.width * 4
    view = memoryview(picture.data).cast("B")
    if picture.row_stride == width:
        return bytes(view[: picture.height * width])
    starts = range(0, picture.height * picture.row_stride, picture.row_stride)
    return b"".join(bytes(view[start : start + width]) for start in starts)


def _serve(player: Player, commands: Any, answers: Any) -> None:
    _answer(answers, player.describe())
    for line in commands:
        command = json.loads(line)
        what = command["do"]
        if what == "close":
            _answer(answers, player.close())
            return
        if what == "reset":
            told: dict[str, Any] = player.reset(command.get("seed"))
        elif what == "undo":
            told = player.undo()
        elif what == "look":
            told = {"records": []}
        else:
            told = player.step(command["action"], command.get("flags", 0), command.get("proposed"))
        if command.get("propose"):
            told["proposed"] = player.proposal()
        told.update(player.situation())
        shape, data = player.picture()
        told.update(blank="" if shape else player.blank)
        _answer(answers, told, shape, data)
    player.close()


def _answer(
    answers: Any, told: dict[str, Any], shape: Optional[list[Any]] = None, data: bytes = b""
) -> None:
    told["frame"] = shape
    answers.write(json.dumps(told).encode() + b"\n")
    answers.write(data)
    answers.flush()


def _noticing(answers: Any) -> Callable[[str], None]:
    def tell(text: str) -> None:
        answers.write(json.dumps({"notice": text}).encode() + b"\n")
        answers.flush()

    return tell


def main() -> None:
    """Run until stdin ends or ``close`` is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--env-id", required=True)
    parser.add_argument("--options", default="{}")
    parser.add_argument("--policy", default="null")
    parser.add_argument("--spool", required=True)
    args = parser.parse_args()
    commands, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the environment prints must not come between our answers
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # nor may it read our commands
    env = remake.make(args.env_id, json.loads(args.options))
    source = json.loads(args.policy)
    try:
        policy = policies.load(source, env) if source else None
    except GymGuiError as error:
        _fail_for_the_agent(error)
    # A step that cannot be kept waits for room: it is not shown before.
    spool = SpoolWriter(args.spool, policy=SpoolPolicy.PAUSE_RUN.value, on_full=_noticing(answers))
    player = Player(env, spool, name=args.env_id, policy=policy)
    try:
        _serve(player, commands, answers)
    except policies.PolicyError as error:
        _fail_for_the_agent(error)


def _fail_for_the_agent(error: GymGuiError) -> NoReturn:
    sys.stderr.write(f"{error}\n")
    raise SystemExit(AGENT_FAILED) from None


if __name__ == "__main__":
    main()
