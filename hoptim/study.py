"""The study: what a training script talks to; opens it, hands out its trials, shows what came of it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hoptim import settings as study_file
from hoptim import signals
from hoptim.arguments import check_whole, plain
from hoptim.clerk import Clerk
from hoptim.decision import Decide
from hoptim.dimension import Dimension
from hoptim.errors import (
    ArgumentError,
    NoResult,
    NothingDue,
    NotTold,
    StoreError,
    StudyFailed,
    StudyMismatch,
)  # fmt: skip
from hoptim.identity import Identity, checked, recorded, space_of
from hoptim.optimizer import Optimizer
from hoptim.policy import Policy
from hoptim.settings import Settings
from hoptim.space import Space
from hoptim.state import State
from hoptim.store import Store
from hoptim.trial import FinishedTrial, Trial

if TYPE_CHECKING:
    from hoptim.check.report import Report

log = logging.getLogger("hoptim")

_SAY_EVERY = 60.0  # seconds between two words about whom a loop waits for
_PAUSES = (0.005, 0.5)  # seconds between looks while nothing is due: first and longest


class Study:
    """A population in training, in a directory that any number of processes may share.

    Iterating gives one trial after another until every member has done its steps. The same call
    makes the study the first time and reopens it afterwards.

    Args:
        path: The directory; None keeps everything in memory, checkpoints in a temporary folder.
        space: Hyperparameters by name: `Float`, `Int`, `Choice` or `Ordinal`.
        optimizer: Who decides; None means `ROMUL()`.
        size: Number of members.
        steps: Trials of each member. Larger than before extends the study.
        mode: "min" or "max": whether a lower or a higher value is better. No default: a wrong
            guess would cost a run.
        seed: Seeds the draws and every trial; 0 or more.
        start: Known first configurations of the first members, each a full or partial mapping.
        lead: How many steps a member may be ahead of the slowest unfinished one. 1 keeps workers
            busy and comparisons fair.
        synchronous: Nobody gets step s + 1 before all have finished s; the same as `lead=0`.
        keep: Given a finished trial, whether this process must not drop its checkpoint. None keeps
            what may still be loaded and the best.
        max_attempts: A trial that failed so often has failed for good.
        max_interruptions: A trial whose worker was lost so often has failed for good.
        lease: Seconds without a sign of life until a worker on another host counts as dead; on the
            same host a death is proven at once. Over NFS at least 120.
        lock_timeout: Seconds to wait for the study's lock; None waits on, with a warning every 10 s.
        single_host: Your word that all processes run on one machine. Without it a directory on a
            mount whose locks are known not to reach other machines is refused.

    Raises:
        ArgumentError: An argument cannot work.
        StudyMismatch: The directory holds a study with other settings; lists each difference.
        StudyDamaged: The directory's files are not what hoptim wrote.
        StoreError: The directory cannot be read or written.

    >>> import hoptim
    >>> space = {"x": hoptim.Float(0.0, 1.0)}
    >>> study = hoptim.Study(None, space=space, size=4, steps=10, mode="min")
    >>> for trial in study:
    ...     trial.tell((trial.params["x"] - 0.3) ** 2)
    >>> study.best_ever.value < 1e-3
    True
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        *,
        space: Mapping[str, Dimension] | Space,
        optimizer: Optimizer | None = None,
        size: int,
        steps: int,
        mode: str,
        seed: int = 0,
        start: Sequence[Mapping[str, Any]] | None = None,
        lead: int = 1,
        synchronous: bool = False,
        keep: Callable[[FinishedTrial], bool] | None = None,
        max_attempts: int = 3,
        max_interruptions: int = 20,
        lease: float = 120.0,
        lock_timeout: float | None = None,
        single_host: bool = False,
    ) -> None:
        identity = checked(space, optimizer, size, mode, seed, start)
        check_whole("steps", steps, 1)
        policy = Policy(
            lead, synchronous, keep, max_attempts, max_interruptions, lease, lock_timeout, single_host
        )
        wanted = identity.to_json()
        if path is None:
            self._attach(None, Settings(os.urandom(16).hex(), wanted, int(steps)), identity, policy)
            return
        folder = Path(path).absolute()
        found = study_file.read(folder) or study_file.create(folder, wanted, int(steps), single_host)
        if start is None:
            wanted["start"] = found.identity.get("start")
        study_file.compare(folder, found.identity, wanted)
        there = recorded(found.identity, identity.space, identity.optimizer)
        self._attach(folder, found, there, policy)
        self._extend(int(steps))

    def _attach(self, folder: Path | None, found: Settings, identity: Identity, policy: Policy) -> None:
        self.path = None if folder is None else str(folder)
        self.space, self.optimizer, self.size, self.mode, self.seed, start = identity
        self._sign = identity.sign
        self._decide = Decide(self.space, self.optimizer, start)
        self._store = Store(
            folder,
            found.uuid,
            lambda: State(
                identity.size, found.steps, identity.seed, identity.sign, identity.space.dimensions
            ),
            policy,
            lambda entry: self._clerk.show(entry),  # noqa: PLW0108 - there is no clerk yet
        )
        self._clerk = Clerk(self._store, self._decide, self.path, found.uuid)

    def _extend(self, steps: int) -> None:
        recorded = self._store.refresh().steps
        if steps < recorded:
            raise StudyMismatch(
                f"The study in {self.path!r} has {recorded} steps, asked for {steps}. Steps that are "
                "there cannot be taken back; ask for at least as many."
            )
        if steps > recorded:
            self._store.extend(steps)

    def __repr__(self) -> str:
        return f"<hoptim.Study {self.path or 'in memory'}: {self.size} members, {self.steps} steps>"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.path is None:
            raise ArgumentError("A study in memory cannot be sent to another process; give it a directory.")
        return _reopen, (self.path, self.space, self.optimizer, self._store.policy)

    # -- what can be seen ------------------------------------------------------------------------

    @property
    def steps(self) -> int:
        """Trials of each member, with all extensions."""
        return self._store.refresh().steps

    @property
    def done(self) -> bool:
        """Whether every member has done its steps."""
        return self._store.refresh().done

    @property
    def trials(self) -> list[FinishedTrial]:
        """All finished trials in the order of their numbers."""
        return [self._clerk.show(trial) for trial in self._store.refresh().history()]

    @property
    def best(self) -> FinishedTrial:
        """The best of the members' latest trials: what population based training delivers.

        Raises:
            NoResult: No member's latest trial has a finite value.
        """
        latest = [trials[-1] for trials in self._store.refresh().members if trials]
        finite = [trial for trial in latest if trial.finite]
        if not finite:
            raise NoResult(f"{self!r} has no trial with a finite value among its members' latest.")
        return self._clerk.show(min(finite, key=lambda t: (self._sign * t.value, t.number)))

    @property
    def best_ever(self) -> FinishedTrial:
        """The trial with the best value of all; its checkpoint is kept.

        Raises:
            NoResult: No trial has a finite value yet.
        """
        best = self._store.refresh().best_ever
        if best is None:
            raise NoResult(f"{self!r} has no trial with a finite value yet.")
        return self._clerk.show(best)

    def check(self) -> Report:
        """All that is wrong in the study's directory, while others may train; changes nothing.

        Raises:
            ArgumentError: A study in memory has no directory.
        """
        from hoptim.check.inspection import check  # seldom needed

        if self.path is None:
            raise ArgumentError("A study in memory has no directory to check.")
        return check(Path(self.path), single_host=self._store.policy.single_host)

    # -- asking ----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Trial]:
        """Trials to train until all is done; waits while nothing is due.

        A thread has one loop at a time: a new one hands back what an earlier one was left with, as
        after Ctrl-C in a notebook.

        Raises:
            NotTold: The loop went on without `tell` or `fail`.
            StudyFailed: Every member's last trial failed for good.
        """
        hand: list[Trial] = []  # the user's trial, and behind it the one claimed along with its tell
        pid = os.getpid()
        self._clerk.begin_loop(hand)
        try:
            while True:
                with signals.undisturbed():  # no claim gets lost between the store and this hand
                    hand += [] if hand else self._next(None)
                if not hand:
                    return
                trial = hand[0]
                trial._following = hand
                yield self._clerk.begin(trial)
                if trial._ended is None and self._store.holds(trial):  # else a copy told it elsewhere
                    raise NotTold(
                        f"Trial {trial.number} was neither told nor failed before the loop went on. Call "
                        "trial.tell(value) or trial.fail(why) in every round; the trial is released."
                    )
                del hand[0]
        finally:
            if pid == os.getpid():
                self._clerk.end_loop(hand)

    def ask(self, timeout: float | None = None) -> Trial | None:
        """The next trial to train, None when all is done.

        Args:
            timeout: Seconds to wait for one that is due; None waits on.

        Raises:
            NothingDue: Nothing became due in time.
            StudyFailed: Every member's last trial failed for good.
        """
        found: list[Trial] = []
        try:
            with signals.undisturbed():
                found = self._next(timeout)
            return self._clerk.begin(found[0]) if found else None
        except BaseException:
            self._clerk.end_loop(found)  # interrupted on its way out
            raise

    def _next(self, timeout: float | None) -> list[Trial]:
        """The next trial, an empty list when all is done; signals act while it waits, and only then."""
        began = said = time.monotonic()
        pause, longest = _PAUSES
        while not (state := self._store.refresh()).done:
            claim = self._store.ask(self._decide) if self._store.may_ask() else None
            if claim is not None:
                return [self._clerk.lend(claim)]
            now = time.monotonic()
            if timeout is not None and now - began >= timeout:
                raise NothingDue(f"Nothing became due within {timeout} s: {self._waits_for(state)}.")
            if now - said >= _SAY_EVERY:
                said = now
                log.warning("%r waits: %s.", self, self._waits_for(state))
            with signals.disturbed():
                time.sleep(pause if timeout is None else min(pause, began + timeout - now))
            pause = min(pause * 1.5, longest, self._store.look_every)
        with suppress(StoreError):  # no sign of life is owed any more
            self._store.finish()
        self._check_failed(state)
        return []

    def _check_failed(self, state: State) -> None:
        last = [trials[-1] for trials in state.members]
        if all(trial.failed is not None for trial in last):
            reasons = sorted({str(trial.failed) for trial in last})
            raise StudyFailed(f"The last trial of every member failed for good: {'; '.join(reasons)}.")

    def _waits_for(self, state: State) -> str:
        held = [
            f"trial {t.number} of member {t.member}, held by {t.worker}"
            for t in state.open.values()
            if t.worker
        ]
        return "; ".join(held) or "a trial to become due"


def load(
    path: str | os.PathLike[str],
    *,
    space: Mapping[str, Dimension] | Space | None = None,
    optimizer: Optimizer | None = None,
    **options: Any,
) -> Study:
    """Open a study that exists, by its path alone; nothing is written until it is asked.

    Args:
        path: The directory.
        space: Needed only to get the objects behind the names of a mapped `Choice`.
        optimizer: Needed only to ask a study with an optimizer of your own.
        **options: What is not part of the study, as for `Study`: `lead`, `synchronous`, `keep`,
            `max_attempts`, `max_interruptions`, `lease`, `lock_timeout`, `single_host`.

    Raises:
        ArgumentError: There is no study in the directory.
        StudyMismatch: `space` or `optimizer` are not the recorded ones.
    """
    return _reopen(path, space, optimizer, Policy(**options))


def _reopen(
    path: str | os.PathLike[str],
    space: Mapping[str, Dimension] | Space | None,
    optimizer: Optimizer | None,
    policy: Policy,
) -> Study:
    folder = Path(path).absolute()
    found = study_file.read(folder)
    if found is None:
        raise ArgumentError(f"There is no study in {str(folder)!r}: study.json is missing.")
    wanted = dict(found.identity)
    if space is not None:
        space = space_of(space)
        wanted["space"] = space.to_json()
    if optimizer is not None:
        wanted["optimizer"] = optimizer.describe()
    study_file.compare(folder, found.identity, plain(wanted, "The settings"))
    study = Study.__new__(Study)
    study._attach(folder, found, recorded(found.identity, space, optimizer), policy)
    return study
