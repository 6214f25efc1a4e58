"""The loop: hands out a study's trials to a training script, one after another."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

from hoptim._signals import signals_allowed, signals_deferred
from hoptim.errors import DeadlineNear, LockTimeout, NothingDue, NotTold, StoreError, StudyFailed
from hoptim.session.deadline import Deadline
from hoptim.session.hand import Hand
from hoptim.session.handle import lend
from hoptim.session.last_told import StudyKey
from hoptim.session.progress_line import ProgressLine
from hoptim.session.session import Session
from hoptim.stopping import Stopped
from hoptim.store.claim import Claim
from hoptim.store.locking.patience import ENDLESS, Patience
from hoptim.store.state import State
from hoptim.trial import Trial

log = logging.getLogger("hoptim")

_SAY_EVERY = 60.0  # seconds between two messages about a loop that waits
_LOCK_WITHIN = 0.2  # seconds to wait for the lock with any timeout; others hold it for milliseconds
_PAUSES = (0.005, 0.5)  # seconds between looks while nothing is due: first and longest

# Hands of loops, by study and thread. One that an interrupt left hanging is kept alive by its traceback, as
# in a notebook; the next loop there takes back what it held.
_hands: dict[tuple[StudyKey, int], Hand] = {}


class Loop:
    """Trials of one study for one process.

    Args:
        session: This process's session.
        study: The study, given to the callback `done`.

    Attributes:
        line: Line of `progress=True`.
    """

    def __init__(self, session: Session, study: object) -> None:
        self._session, self._store, self._study = session, session.store, study
        self.line = ProgressLine(session)
        self._announced = False
        self._stopped: Stopped | None = None  # of which this loop has told

    def trials(self, deadline: Deadline | None = None) -> Iterator[Trial]:
        """Yield trials until all is done, the study stops, or none would end before a deadline."""
        hand = self._begin(deadline)
        try:
            while True:
                if hand.inherited:  # a forked child goes on with its parent's loop
                    hand = self._begin(deadline)
                with signals_deferred():  # no claim gets lost between the store and this hand
                    try:
                        self._hand_back_if_stopped(hand)
                        ahead = self._session.usable(hand.ahead)
                        hand.ahead = ahead or self._next(None, deadline, self.line)
                    except DeadlineNear:
                        return
                    if hand.ahead is None:
                        break
                    claim, hand.ahead = hand.ahead, None
                    trial = lend(self._session, claim, hand)
                self._session.announce.asked(trial)
                self.line.show()
                yield trial
                if hand.inherited:
                    continue
                if trial.ended is None and self._store.holds(trial):  # else a copy told it elsewhere
                    raise NotTold(
                        f"Trial {trial.number} was neither told nor failed before the loop went on. Call "
                        "trial.tell(value) or trial.fail(why) in every round; the trial is released."
                    )
                hand.lent = None
            self.line.show()  # of a study that was done before, too
        finally:
            self._end(hand)
            self.line.end()

    def ask(self, timeout: float | None, deadline: Deadline | None = None) -> Trial | None:
        """Return the next trial, None when all is done or the study has stopped.

        Args:
            timeout: Seconds to wait for one that is due; None waits on.
            deadline: Point in time. Default: none.

        Raises:
            NothingDue: Nothing became due in time, or the study's lock stayed taken.
            DeadlineNear: No trial would end before the deadline.
        """
        hand = Hand()
        try:
            with signals_deferred():
                hand.ahead = self._next(timeout, deadline)
                if hand.ahead is None:
                    return None
                claim, hand.ahead = hand.ahead, None
                trial = lend(self._session, claim, hand)
            self._session.announce.asked(trial)
            hand.lent = None  # the trial is the caller's alone: dropped, it is handed out again
            return trial
        except BaseException:
            self._end(hand)  # interrupted on its way out
            raise

    def _begin(self, deadline: Deadline | None) -> Hand:
        """Return the hand of a new loop, after that of an earlier one in this thread was emptied."""
        self._end(_hands.get(self._here(), Hand()))
        _hands[self._here()] = hand = Hand(claims_ahead=deadline is None)  # else claimed whatever the time
        return hand

    def _end(self, hand: Hand) -> None:
        """Hand back what a loop has in hand; interrupted before it began, the next loop does it."""
        with signals_deferred():
            if not hand.inherited:
                if hand.lent is not None and hand.lent.ended is None:
                    hand.lent.release()
                if hand.ahead is not None:
                    self._session.hand_back(hand.ahead, unused=True)
            hand.lent = hand.ahead = None  # a trial refers to its hand: the circle would keep its claim
            if _hands.get(self._here()) is hand:
                del _hands[self._here()]

    def _hand_back_if_stopped(self, hand: Hand) -> None:
        """Hand back what was claimed along with the last tell, if the study was stopped since."""
        if hand.ahead is not None and self._store.state.stopped is not None:
            self._session.hand_back(hand.ahead, unused=True)
            hand.ahead = None

    def _here(self) -> tuple[StudyKey, int]:
        return self._session.key, threading.get_ident()

    def _next(
        self, timeout: float | None, deadline: Deadline | None = None, line: ProgressLine | None = None
    ) -> Claim | None:
        """Claim the next trial, None when there is none; signals act while it waits, and only then."""
        waiting = Patience(timeout)
        locking = ENDLESS if timeout is None else Patience(max(timeout, _LOCK_WITHIN))
        said = time.monotonic()
        pause, longest = _PAUSES
        try:
            while True:
                with self._store.alone(locking):  # else another thread may wait for the lock, and we for it
                    state = self._store.refresh()
                    if state.done or state.stopped is not None:
                        break
                    if deadline is not None:
                        deadline.require(self._session.durations.next(state))
                    if (claim := self._session.claim(locking)) is not None:
                        return claim
                if waiting.left == 0:
                    raise NothingDue(f"Nothing became due within {timeout} s: {_waits_for(state)}.")
                if time.monotonic() - said >= _SAY_EVERY:
                    said = time.monotonic()
                    log.warning("%r waits: %s.", self._session, _waits_for(state))
                with signals_allowed():
                    if line is not None:
                        line.show(_members(state))
                    self._store.journal.wait(min(pause, math.inf if waiting.left is None else waiting.left))
                pause = min(pause * 1.5, longest, self._store.look_every)
        except LockTimeout as error:
            if locking.left != 0:
                raise  # lock_timeout is shorter
            raise NothingDue(f"Nothing could be claimed within {timeout} s. {error}") from error
        if state.done:
            self._finish(state, locking)
        elif state.stopped is not None:
            self._say_stopped(state.stopped)
        return None

    def _say_stopped(self, stopped: Stopped) -> None:
        """Log once why there are no more trials; those in hand may still be told, so nothing is left."""
        if self._stopped != stopped:
            self._stopped = stopped
            log.warning(
                "%r has stopped: %s. Open it with resume=True, or run `hoptim resume DIR`, to go on.",
                self._session, stopped.why,
            )  # fmt: skip

    def _finish(self, state: State, patience: Patience) -> None:
        with suppress(StoreError, LockTimeout):  # no heartbeat is owed any more
            self._store.finish(patience.left)
        if not self._announced:
            self._announced = True
            self._session.callbacks.done(self._study)
        last = [trials[-1] for trials in state.members]
        if all(trial.failed is not None for trial in last):
            reasons = sorted({str(trial.failed) for trial in last})
            raise StudyFailed(f"The last trial of every member failed for good: {'; '.join(reasons)}.")


def _members(state: State) -> str:
    """Return the members that train elsewhere, in fewer words than `_waits_for`."""
    held = [str(trial.member) for trial in state.open.values() if trial.worker]
    return f"member{'s' if len(held) > 1 else ''} {', '.join(held)}" if held else "a trial to become due"


def _waits_for(state: State) -> str:
    held = [
        f"trial {t.number} of member {t.member}, held by {t.worker}"
        for t in state.open.values()
        if t.worker
    ]
    return "; ".join(held) or "a trial to become due"
