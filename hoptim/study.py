"""The study: what a training script talks to; opens it, hands out its trials, shows what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hoptim._arguments import check_whole, plain
from hoptim.analysis.lineage import Family, Lineage, chosen
from hoptim.analysis.ranking import best
from hoptim.analysis.schedule import Interval, Schedule
from hoptim.errors import ArgumentError, NoResult, StudyMismatch
from hoptim.optimizers.base import Optimizer
from hoptim.options import Options
from hoptim.session.callbacks import announce
from hoptim.session.loop import Deadline, Loop
from hoptim.session.propose import Proposer
from hoptim.session.session import Session
from hoptim.session.study_config import StudyConfig, checked, recorded, space_of
from hoptim.space.dimensions import Dimension
from hoptim.space.space import Space
from hoptim.store import study_file
from hoptim.store.shape import StudyShape
from hoptim.store.store import Store
from hoptim.store.study_file import StudyFile
from hoptim.trial import FinishedTrial, Trial

if TYPE_CHECKING:
    from datetime import datetime

    from hoptim.analysis.status import Status
    from hoptim.store.check.report import Report


ORIGIN = "origin"  # folder of a fork with the journal of the study that it was forked from


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
        callbacks: Objects whose methods are called as things happen in this process, each optional:
            `asked(trial)`, `exploited(exploit)`, `told(finished)`, `failed(trial, why)`, `done(study)`.
            One that raises is logged, and the study goes on.

    Raises:
        ArgumentError: An argument cannot work.
        OptimizerError: The optimizer cannot work in this space.
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
        callbacks: Sequence[Any] = (),
    ) -> None:
        identity = checked(space, optimizer, size, mode, seed, start)
        check_whole("steps", steps, 1)
        policy = Options(
            lead, synchronous, keep, max_attempts, max_interruptions, lease, lock_timeout, single_host,
            callbacks,
        )  # fmt: skip
        wanted = identity.to_json()
        if path is None:
            self._attach(None, StudyFile(os.urandom(16).hex(), wanted, int(steps)), identity, policy)
            return
        folder = Path(path).absolute()
        found = study_file.read(folder) or study_file.create(folder, wanted, int(steps), single_host)
        if start is None:
            wanted["start"] = found.identity.get("start")
        study_file.compare(folder, found.identity, wanted)
        there = recorded(found.identity, identity.space, identity.optimizer)
        self._attach(folder, found, there, policy)
        self._extend(int(steps))

    def _attach(
        self, folder: Path | None, found: StudyFile, identity: StudyConfig, policy: Options
    ) -> None:
        self.path = None if folder is None else str(folder)
        self.space, self.optimizer, self.size, self.mode, self.seed, start = identity
        self._sign = identity.sign
        self._decide = Proposer(self.space, self.optimizer, start)
        shape = StudyShape(
            identity.size, found.steps, identity.seed, identity.sign, tuple(identity.space.dimensions)
        )
        self._store = Store(folder, found.uuid, shape, policy, policy.guest)
        self._session = Session(self._store, self._decide, self.path, found.uuid)
        self._loop = Loop(
            self._store,
            self._session,
            self._decide,
            repr(self),
            lambda: announce(policy.callbacks, "done", self),
        )

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
        where, steps = self.path or "in memory", self._store.state.steps
        return f"<hoptim.Study {where}: {self.size} members, {steps} steps>"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.path is None:
            raise ArgumentError("A study in memory cannot be sent to another process; give it a directory.")
        return _reopen, (self.path, self.space, self.optimizer, self._store.options)

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
        return [self._session.show(trial) for trial in self._store.refresh().history()]

    @property
    def best(self) -> FinishedTrial:
        """The best of the members' latest trials: what population based training delivers.

        Raises:
            NoResult: No member's latest trial has a finite value.
        """
        latest = [trials[-1] for trials in self._store.refresh().members if trials]
        first = best(latest, self.mode)
        if first is None:
            raise NoResult(f"{self!r} has no trial with a finite value among its members' latest.")
        return self._session.show(first)

    @property
    def best_ever(self) -> FinishedTrial:
        """The trial with the best value of all; its checkpoint is kept.

        Raises:
            NoResult: No trial has a finite value yet.
        """
        best = self._store.refresh().best_ever
        if best is None:
            raise NoResult(f"{self!r} has no trial with a finite value yet.")
        return self._session.show(best)

    @property
    def family(self) -> Family:
        """All finished trials by descent: exploits, founders that are left, and who saw what."""
        return Family(self.trials, self.size, self.mode)

    def lineage(self, trial: FinishedTrial | int | None = None) -> Lineage:
        """Where a trial's weights came from, and what became of them.

        Args:
            trial: A finished trial or its number; None takes `best`.

        Raises:
            NoResult: No member's latest trial has a finite value.
            ArgumentError: No such trial has ended.
        """
        family = self.family
        return Lineage(family, chosen(family.trials, self.best if trial is None else trial))

    def schedule(self, trial: FinishedTrial | int | None = None) -> Schedule:
        """What a trial's weights were really trained with, by age, through every exploit.

        In a fork with another space it begins with the generation that was brought into it; what came
        before is `study.origin.schedule(...)`.

        Args:
            trial: A finished trial or its number; None takes `best`.

        Raises:
            NoResult: No member's latest trial has a finite value.
            ArgumentError: No such trial has ended, or it failed.
        """
        line = self.lineage(trial).line
        if not line[-1].finite:
            raise ArgumentError(f"Trial {line[-1].number} failed, so there is nothing to train again.")
        before: Sequence[Interval] = ()
        if (
            line[0].origin is not None
            and (origin := self.origin) is not None
            and origin.space == self.space
        ):
            before, line = origin.schedule(line[0].origin).intervals, line[1:]
        own = [Interval(t.age, t.params, t.seed, t.value, t.number, t.member, t.step) for t in line]
        return Schedule([*before, *own], self.space)

    @property
    def origin(self) -> Study | None:
        """The study that this one was forked from, as it was then, to look at; None for any other."""
        folder = None if self.path is None else Path(self.path) / ORIGIN
        return load(folder) if folder is not None and folder.is_dir() else None

    def status(self) -> Status:
        """How the study stands: results, who trains what, failures, diversity, disk; changes nothing."""
        from hoptim.analysis.status import status  # seldom needed

        return status(self)

    def check(self) -> Report:
        """All that is wrong in the study's directory, while others may train; changes nothing.

        Raises:
            ArgumentError: A study in memory has no directory.
        """
        from hoptim.store.check.inspection import check  # seldom needed

        if self.path is None:
            raise ArgumentError("A study in memory has no directory to check.")
        return check(Path(self.path), single_host=self._store.options.single_host)

    # -- asking ----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Trial]:
        """Trials to train until all is done; waits while nothing is due.

        A thread has one loop at a time: a new one hands back what an earlier one was left with, as
        after Ctrl-C in a notebook.

        Raises:
            NotTold: The loop went on without `tell` or `fail`.
            StudyFailed: Every member's last trial failed for good.
        """
        return self._loop.trials()

    def until(self, deadline: float | datetime, margin: float = 30.0) -> Iterator[Trial]:
        """As the loop over the study itself, but no trial that would end after a deadline.

        A trial is expected to take as long as the longest of the study's latest; the first ones, of
        which nothing is known, are handed out up to the deadline. What is left is for the next process:
        `study.done` tells whether there is any.

        Args:
            deadline: Seconds since 1970, such as Slurm's SLURM_JOB_END_TIME, or an aware datetime.
            margin: Seconds to spare, for starting up and for epochs that take a little longer.

        Raises:
            ArgumentError: No point in time.
            NotTold, StudyFailed: As for the loop over the study.
        """
        return self._loop.trials(Deadline.of(deadline, margin))

    def ask(
        self, timeout: float | None = None, deadline: float | datetime | None = None, margin: float = 30.0
    ) -> Trial | None:
        """The next trial to train, None when all is done.

        Args:
            timeout: Seconds to wait for one that is due; None waits on.
            deadline: As for `until`; then None is returned, too, when no trial would end before it.
            margin: As for `until`.

        Raises:
            NothingDue: Nothing became due in time.
            StudyFailed: Every member's last trial failed for good.
        """
        return self._loop.ask(timeout, None if deadline is None else Deadline.of(deadline, margin))


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
    return _reopen(path, space, optimizer, Options(**options))


def _reopen(
    path: str | os.PathLike[str],
    space: Mapping[str, Dimension] | Space | None,
    optimizer: Optimizer | None,
    policy: Options,
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
