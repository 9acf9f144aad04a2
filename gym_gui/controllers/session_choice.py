"""Who chooses the next action: the rules of the control modes, free of threads and processes."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import Any

from gym_gui.core.errors import ControlModeError
from gym_gui.core.records import STEP_HUMAN, STEP_INTERVENTION, ControlMode

WAITING = 256  # human actions not yet taken; more are refused


@dataclass(frozen=True)
class Choice:
    """An action with its flags, and what the policy proposed (None: it was not asked)."""

    action: Any
    flags: int
    proposed: Any = None


@dataclass(frozen=True)
class Situation:
    """Where an episode stands. turn: of a game, whose move it is; legal: which actions are.

    return_: of the steps that stand, those taken back left out; of a game, all agents' together.
    """

    step: int = 0
    over: bool = True
    turn: str = ""
    legal: list[bool] | None = None
    proposed: Any = None
    return_: float = 0.0


class ActionChooser:
    """Takes the human's actions on one thread and gives the next action on another.

    mode, realtime, seat, idle: who is in control, whether time goes on without a key, which
    agent of a game the human is, and what is done while nothing is pressed.
    """

    def __init__(self, *, mode: ControlMode, realtime: bool, has_policy: bool) -> None:
        self.realtime = realtime
        self.has_policy = has_policy
        self.seat = ""
        self.idle: Any = 0
        self.wake = threading.Event()
        self.situation = Situation()
        self._actions: queue.Queue[Any] = queue.Queue(WAITING)
        self._held: Any = None
        self._tapped: Any = None  # held and let go again before its turn came
        self.mode = self.checked(mode)

    def checked(self, mode: ControlMode) -> ControlMode:
        """Return ``mode``. Raises ControlModeError where it needs a policy and there is none."""
        if mode is not ControlMode.HUMAN_ONLY and not self.has_policy:
            raise ControlModeError(
                "Without a policy nobody but you can play.",
                next_step="Choose an agent before you press Play.",
            )
        return mode

    @property
    def holds(self) -> bool:
        """Whether keys are held, rather than pressed for one action each."""
        return self.realtime or self.mode is ControlMode.HYBRID_TAKE_OVER

    @property
    def is_behind(self) -> bool:
        return not self._actions.empty()

    @property
    def asks_policy(self) -> bool:
        return self.has_policy and self.mode is not ControlMode.HUMAN_ONLY

    def lacks_proposal(self) -> bool:
        """Whether the policy must be asked first, as after it came into control."""
        missing = self.situation.proposed is None and not self.situation.over
        return missing and self.asks_policy

    def is_human_turn(self) -> bool:
        """Whether the next action is the human's alone to choose."""
        if self.mode is ControlMode.HYBRID_TURN_BASED:
            turn = self.situation.turn
            return turn == self.seat if turn else self.situation.step % 2 == 0
        return self.mode is ControlMode.HUMAN_ONLY

    def perform(self, action: Any) -> None:
        """Queue one action. Raises ControlModeError where it is not accepted."""
        self._check(action)
        over = self.situation.over
        if self.mode is ControlMode.HYBRID_TURN_BASED and not over and not self.is_human_turn():
            raise ControlModeError("It is the agent's turn.", next_step="Wait for its move.")
        try:
            self._actions.put_nowait(action)
        except queue.Full:
            raise ControlModeError(
                "The environment is slower than the keys.", next_step="Wait a moment."
            ) from None
        self.wake.set()

    def hold(self, action: Any) -> None:
        """Hold an action from now on; None lets it go. One held briefly still acts once."""
        if action is not None:
            self._check(action)
            self._tapped = action
        self._held = action
        self.wake.set()

    def forget_presses(self) -> None:
        """Forget what was pressed and not yet done, as on a reset; a key that is held stays so."""
        self._tapped = None
        while self._queued() is not None:
            pass

    def was_pressed(self) -> bool:
        """Tell whether anything was pressed, and forget it."""
        pressed = self._tapped is not None or not self._actions.empty()
        self.forget_presses()
        return pressed

    def next_choice(self) -> Choice | None:
        """Return what to do now, None to wait."""
        proposed = self.situation.proposed
        if self.is_human_turn():
            action = self._human_action()
            if action is None and self.realtime:
                action = self.idle
            return None if action is None else Choice(action, STEP_HUMAN)
        if proposed is None:
            return None  # it came into control just now, and is asked next
        if self.mode is ControlMode.HYBRID_TAKE_OVER:
            action = self._human_action()
            if action is not None:
                return Choice(action, STEP_HUMAN | STEP_INTERVENTION, proposed)
        return Choice(proposed, 0, proposed)

    def _human_action(self) -> Any:
        tapped, self._tapped = self._tapped, None
        queued = self._queued()
        if queued is not None:
            return queued
        return self._held if self._held is not None else tapped

    def _queued(self) -> Any:
        try:
            return self._actions.get_nowait()
        except queue.Empty:
            return None

    def _check(self, action: Any) -> None:
        if not self.mode.accepts_human:
            raise ControlModeError(
                "The agent alone is in control: a human's action is not accepted.",
                next_step="Choose a human or hybrid mode first.",
            )
        legal = None if self.situation.over else self.situation.legal
        if legal and isinstance(action, int) and not (action < len(legal) and legal[action]):
            raise ControlModeError("That move is not allowed now.", next_step="Choose another one.")
