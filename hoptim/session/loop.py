"""Hands out a study's trials: in a training loop, one by one, or up to a deadline."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice

from hoptim._arguments import number_of
from hoptim._signals import signals_allowed, signals_deferred
from hoptim.errors import ArgumentError, NothingDue, NotTold, StoreError, StudyFailed
from hoptim.session.propose import Proposer
from hoptim.session.session import Session
from hoptim.store.state import State
from hoptim.store.store import Store
from hoptim.trial import Trial

log = logging.getLogger("hoptim")

_SAY_EVERY = 60.0  # seconds between two words about whom a loop waits for
_PAUSES = (0.005, 0.5)  # seconds between looks while nothing is due: first and longest


class Loop:
    """What `hoptim.Study` hands out trials by.

    Args:
        store: The study's records.
        session: Lends the trials.
        decide: Proposes them.
        name: The study's, for messages.
        done: Called once, when all is done.
    """

    def __init__(
        self, store: Store, session: Session, decide: Proposer, name: str, done: Callable[[], None]
    ) -> None:
        self._store, self._session, self._decide, self._name = store, session, decide, name
        self._done: Callable[[], None] | None = done

    def trials(self, deadline: Deadline | None = None) -> Iterator[Trial]:
        """As `Study.__iter__`; with a deadline no trial that would end after it."""
        hand: list[Trial] = []  # the user's trial, and behind it the one claimed along with its tell
        pid = os.getpid()
        self._session.begin_loop(hand)
        try:
            while True:
                with signals_deferred():  # no claim gets lost between the store and this hand
                    hand += [] if hand else self._next(None, deadline)
                if not hand:
                    return
                trial = hand[0]
                # What is claimed along with a tell is claimed whatever the time: not before a deadline.
                trial._following = hand if deadline is None else None
                yield self._session.begin(trial)
                if trial._ended is None and self._store.holds(trial):  # else a copy told it elsewhere
                    raise NotTold(
                        f"Trial {trial.number} was neither told nor failed before the loop went on. Call "
                        "trial.tell(value) or trial.fail(why) in every round; the trial is released."
                    )
                del hand[0]
        finally:
            if pid == os.getpid():
                self._session.end_loop(hand)

    def ask(self, timeout: float | None, deadline: Deadline | None = None) -> Trial | None:
        """As `Study.ask`."""
        found: list[Trial] = []
        try:
            with signals_deferred():
                found = self._next(timeout, deadline)
            return self._session.begin(found[0]) if found else None
        except BaseException:
            self._session.end_loop(found)  # interrupted on its way out
            raise

    def _next(self, timeout: float | None, deadline: Deadline | None = None) -> list[Trial]:
        """The next trial, an empty list when all is done; signals act while it waits, and only then."""
        began = said = time.monotonic()
        pause, longest = _PAUSES
        while not (state := self._store.refresh()).done:
            if deadline is not None and deadline.is_near(state):
                return []
            claim = self._store.ask(self._decide) if self._store.may_ask() else None
            if claim is not None:
                return [self._session.lend(claim)]
            now = time.monotonic()
            if timeout is not None and now - began >= timeout:
                raise NothingDue(f"Nothing became due within {timeout} s: {_waits_for(state)}.")
            if now - said >= _SAY_EVERY:
                said = now
                log.warning("%s waits: %s.", self._name, _waits_for(state))
            with signals_allowed():
                time.sleep(pause if timeout is None else min(pause, began + timeout - now))
            pause = min(pause * 1.5, longest, self._store.look_every)
        self._end(state)
        return []

    def _end(self, state: State) -> None:
        with suppress(StoreError):  # no sign of life is owed any more
            self._store.finish()
        done, self._done = self._done, None
        if done is not None:
            done()
        last = [trials[-1] for trials in state.members]
        if all(trial.failed is not None for trial in last):
            reasons = sorted({str(trial.failed) for trial in last})
            raise StudyFailed(f"The last trial of every member failed for good: {'; '.join(reasons)}.")


class Deadline:
    """When a process must stop, and whether a trial would still end before.

    Args:
        at: Seconds since 1970.
        margin: Seconds to spare.
    """

    def __init__(self, at: float, margin: float) -> None:
        self._at, self._margin = at, margin

    @classmethod
    def of(cls, at: float | datetime, margin: float) -> Deadline:
        """A user's deadline; raises `ArgumentError` when it is no point in time."""
        if isinstance(at, datetime):
            if at.tzinfo is None:
                raise ArgumentError(f"deadline must say its time zone, found {at!r}.")
            at = at.timestamp()
        return cls(number_of("deadline", at), number_of("margin", margin))

    def is_near(self, state: State) -> bool:
        """Whether the next trial, should it take as long as the longest of late, would end too late."""
        late = islice(reversed(state.finished.values()), 2 * state.size)
        took = max((trial.ended - trial.claimed for trial in late if trial.ended is not None), default=0.0)
        return time.time() + took + self._margin > self._at


def _waits_for(state: State) -> str:
    held = [
        f"trial {t.number} of member {t.member}, held by {t.worker}"
        for t in state.open.values()
        if t.worker
    ]
    return "; ".join(held) or "a trial to become due"
