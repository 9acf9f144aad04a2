"""The thread of a human session: the environment, the way of its records, and the pace."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gym_gui.controllers.session_choice import ActionChooser, Situation
from gym_gui.core.errors import GymGuiError, StoreSpaceError
from gym_gui.core.paths import DataDir, RunDir, private_dir
from gym_gui.core.records import (
    ControlMode,
    EpisodeRecord,
    RunRecord,
    RunSpec,
    RunState,
    StepRecord,
)
from gym_gui.services.human_session import PlayedEnvironment, PolicySource, Shown
from gym_gui.services.key_mappings import load_mapping
from gym_gui.services.registry import RunRegistry
from gym_gui.services.session_recovery import finish_session, import_spool, session_lock
from gym_gui.services.storage import StorageRecorderService
from gym_gui.services.telemetry import TelemetryService
from gym_gui.telemetry.batch import EventEntry, RecordBatch
from gym_gui.telemetry.db_sink import SWITCH_INTERVAL_S

END_PAUSE_S = 0.8  # how long an ended episode stays on the screen where time goes on by itself
PATIENCE_S = 3.0  # how long the environment may take to end, once it is asked to
IDLE_S = 0.25  # how often a session that waits looks whether it shall end


@dataclass
class SessionPlan:
    """What a session plays. frames_per_s: None for the environment's own; seat: the human's."""

    spec: RunSpec
    seed: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    policy: PolicySource | None = None
    frames_per_s: float | None = None
    seat: int = 0


class SessionThread:
    """Runs one session to its end. ``tell(name, *values)`` carries what happens elsewhere."""

    def __init__(
        self,
        plan: SessionPlan,
        data_dir: DataDir,
        chooser: ActionChooser,
        tell: Callable[..., None],
    ) -> None:
        self.plan = plan
        self.chooser = chooser
        self.requests: queue.SimpleQueue[tuple[str, int | None]] = queue.SimpleQueue()
        self.paused = False
        self.stopping = threading.Event()
        self._left = threading.Event()  # the environment's process is gone
        self._data_dir = data_dir
        self._tell = tell
        self._environment: PlayedEnvironment | None = None
        self._recorder: StorageRecorderService | None = None
        self._behind = False  # the store's queue was full once: the rest comes from the spool
        self._over_since = 0.0
        self._due = 0.0
        self._thread = threading.Thread(target=self._run, name="human-session", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def ask_to_stop(self) -> None:
        """Let the session end; an environment that does not answer in time is killed."""
        if not self.stopping.is_set():
            self.stopping.set()
            threading.Thread(target=self._insist, name="session-end", daemon=True).start()
        self.chooser.wake.set()

    def _insist(self) -> None:
        if not self._left.wait(PATIENCE_S):
            self._kill()

    def _kill(self) -> None:
        environment = self._environment
        if environment is not None:
            environment.kill()

    def join(self, timeout_s: float) -> None:
        """Wait for the end."""
        self._thread.join(timeout_s)

    # -- life ------------------------------------------------------------------------------------

    def _run(self) -> None:
        reason, record = "", None
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL_S)  # the window and the store's writer run beside us
        try:
            run_dir = self._data_dir.create().run(self.plan.spec.run_id)
            private_dir(run_dir.root)
            with (
                session_lock(run_dir),
                RunRegistry(self._data_dir) as registry,
                TelemetryService(self._data_dir) as service,
            ):
                self._service = service
                registry.add(self.plan.spec, state=RunState.RUNNING, started_ns=time.time_ns())
                service.open_run(self.plan.spec.run_id, spec=self.plan.spec)
                reason = self._play_and_record(run_dir)
                record = self._finish(registry, run_dir, reason)
        except Exception as error:  # noqa: BLE001 - a thread's edge: the window shows it
            reason = reason or str(error)
        finally:
            sys.setswitchinterval(before)
        self._tell("ended", reason, record)

    def _play_and_record(self, run_dir: RunDir) -> str:
        """Play until asked to stop; return why it ended by itself, else an empty string."""
        try:
            with StorageRecorderService(run_dir.root / "episodes") as self._recorder:
                self._play(run_dir)
        except GymGuiError as error:
            return "" if self.stopping.is_set() else str(error)
        return ""

    def _finish(self, registry: RunRegistry, run_dir: RunDir, reason: str) -> RunRecord:
        run_id = self.plan.spec.run_id
        self._service.flush(run_id)
        whole = import_spool(self._service, run_id, run_dir)
        state = RunState.FAILED if reason else RunState.FINISHED
        return finish_session(
            self._service, registry, run_id, run_dir, whole=whole, state=state, cause=reason
        )

    def _play(self, run_dir: RunDir) -> None:
        plan = self.plan
        environment = PlayedEnvironment(
            plan.spec,
            run_dir,
            ring_dir=self._data_dir.ring_dir,
            options=plan.options,
            policy=plan.policy,
            notice=lambda text: self._tell("noticed", text),
        )
        self._environment = environment
        try:
            environment.open()
            about = environment.about
            self._channel = about["channel"]
            self._period_s = 1.0 / (plan.frames_per_s or float(about["fps"]))
            about["saved_keys"] = load_mapping(self._data_dir, plan.spec.env_id)
            self.chooser.idle = about["space"]["idle"]
            agents = about["agents"]
            if agents:
                self.chooser.seat = agents[min(plan.seat, len(agents) - 1)]
            self._take(environment.first)
            self._tell("started", plan.spec.run_id, about)
            self._reset(environment, plan.seed)
            while not self.stopping.is_set():
                self._turn(environment)
        finally:
            last = environment.close()
            self._left.set()
            if last is not None:
                self._take(last)

    # -- one turn --------------------------------------------------------------------------------

    def _turn(self, environment: PlayedEnvironment) -> None:
        """Do what was asked for, or take one step, or wait a while for either."""
        chooser = self.chooser
        chooser.wake.clear()
        if not self.requests.empty():
            what, seed = self.requests.get()
            self._reset(environment, seed) if what == "reset" else self._undo(environment)
        elif self.paused:
            chooser.wake.wait(IDLE_S)
        elif chooser.situation.over:
            self._after_the_end(environment)
        elif self._in_time():
            self._step(environment)

    def _in_time(self) -> bool:
        """Wait for the next step's time, where there is one; False when something came up."""
        chooser = self.chooser
        if not chooser.realtime and chooser.is_human_turn():
            return True
        rest = self._due - time.monotonic()
        if rest > 0:
            # Keys do not cut the wait short: they are read when the time has come.
            self.stopping.wait(min(rest, IDLE_S))
            return rest <= IDLE_S and self.requests.empty() and not self.paused
        return True

    def _step(self, environment: PlayedEnvironment) -> None:
        if self.chooser.lacks_proposal():
            self._take(environment.look())
        choice = self.chooser.next_choice()
        if choice is None:
            self.chooser.wake.wait(IDLE_S)
            return
        now = time.monotonic()
        self._due = max(self._due + self._period_s, now)
        shown = environment.step(
            choice.action,
            flags=choice.flags,
            proposed=choice.proposed,
            propose=self.chooser.asks_policy,
        )
        if shown.told.get("refused"):
            self._tell("noticed", shown.told["refused"])
        self._take(shown)

    def _reset(self, environment: PlayedEnvironment, seed: int | None) -> None:
        self.chooser.forget_presses()
        self._take(environment.reset(seed, propose=self.chooser.asks_policy))
        self._due = time.monotonic() + self._period_s

    def _undo(self, environment: PlayedEnvironment) -> None:
        """Take back one step; in a game against the agent, back to the human's own turn."""
        self.chooser.forget_presses()
        shown = environment.undo(propose=self.chooser.asks_policy)
        if shown.told.get("refused"):
            self._tell("noticed", shown.told["refused"])
            return
        self._take(shown)
        mode = self.chooser.mode
        if mode is ControlMode.HYBRID_TURN_BASED and not self.chooser.is_human_turn():
            self._undo(environment)
        elif self.chooser.holds or mode is ControlMode.AGENT_ONLY:
            self.paused = True
            self._tell("paused", True)

    def _after_the_end(self, environment: PlayedEnvironment) -> None:
        """Show how it ended for a moment, or until a key is pressed; then begin anew."""
        chooser = self.chooser
        game = bool(environment.about["agents"])
        by_hand = chooser.mode is ControlMode.HUMAN_ONLY and not chooser.realtime
        if by_hand or (game and chooser.mode is not ControlMode.AGENT_ONLY):
            if chooser.was_pressed():
                self._reset(environment, None)
            else:
                chooser.wake.wait(IDLE_S)
        elif time.monotonic() - self._over_since >= END_PAUSE_S:
            self._reset(environment, None)
        else:
            self.stopping.wait(0.02)

    # -- what was done ---------------------------------------------------------------------------

    def _take(self, shown: Shown) -> None:
        """Hand an answer's records to the service, then show it.

        What the store's queue has no room for is in the spool, and imported from there at the end.
        """
        told = shown.told
        if "over" in told:
            self._look(told)
        for seq, record in shown.records:
            self._record(seq, record)
        if shown.shape is not None:
            self._tell("frame", shown.pixels, *shown.shape)
        elif told.get("blank"):
            self._tell("blank", told["blank"])
        for _, record in shown.records:
            if isinstance(record, StepRecord):
                self._tell("stepped", record)
            elif isinstance(record, EpisodeRecord):
                self._tell("episode_finished", record)
            elif not isinstance(record, dict):
                self._tell("began", record)
        if "over" in told:
            self._tell("situation", self.chooser.situation, self.chooser.is_human_turn())

    def _look(self, told: dict[str, Any]) -> None:
        if told["over"] and not self.chooser.situation.over:
            self._over_since = time.monotonic()
        self.chooser.situation = Situation(
            told["step"],
            told["over"],
            told["turn"],
            told["legal"],
            told.get("proposed"),
            told["return"],
        )

    def _record(self, seq: int, record: Any) -> None:
        run_id = self.plan.spec.run_id
        if isinstance(record, dict):
            known = ("type", "seq", "event", "time_ns")
            data = {key: value for key, value in record.items() if key not in known}
            entry = EventEntry(seq, record["event"], data, record["time_ns"])
            batch = RecordBatch(self._channel, seq, seq, events=[entry], run_id=run_id)
            stored = not self._behind and self._service.publish(batch, timeout_s=0.0)
        else:
            stored = not self._behind and self._service.record(
                run_id, [record], channel=self._channel, first_seq=seq, timeout_s=0.0
            )
            self._write_aside(record)
        self._behind = not stored

    def _write_aside(self, record: Any) -> None:
        """Add to the ring of episode files; without room it ends, and the spool keeps all."""
        if self._recorder is None:
            return
        try:
            self._recorder.record(record)
        except StoreSpaceError as error:
            self._tell("noticed", str(error))
            self._recorder.close()
            self._recorder = None
