"""The study: what a training script talks to; opens it, hands out its trials, shows what came of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Unpack

from hoptim._arguments import moment_of, truth_of
from hoptim._html import quiet
from hoptim._text import said
from hoptim.analysis.candidate import Candidate
from hoptim.analysis.family import Family
from hoptim.analysis.lineage import Lineage
from hoptim.analysis.schedule import Schedule
from hoptim.errors import ArgumentError
from hoptim.optimizers.base import Optimizer
from hoptim.options import OptionKeywords, Options
from hoptim.session.deadline import Deadline
from hoptim.session.handle import Handle
from hoptim.session.loop import Loop
from hoptim.session.pinned import pinned
from hoptim.session.results import Results
from hoptim.session.session import Session
from hoptim.session.study_config import StudyArguments, space_of
from hoptim.space.space import Space
from hoptim.start import Start
from hoptim.stopping import Stopped
from hoptim.trial import FinishedTrial, Keeper, Trial

if TYPE_CHECKING:
    from pandas import DataFrame

    from hoptim.analysis.status import Status
    from hoptim.store.check.report import Report


class Study:
    """A population in training, in a directory that any number of processes may share.

    Iterating gives one trial after another until every member has done its steps, or the study stops.
    The same call makes the study the first time and reopens it afterwards.

    Args:
        path: Directory, in which `~` is the home folder; a link is followed once, when the study is
            opened. Or the URL of a study in a PostgreSQL database, such as
            "postgresql://user@host/db?study=name" (extra `postgres`). None keeps everything in memory,
            checkpoints in a temporary folder.
        space: Hyperparameters by name: `Float`, `Int`, `Choice` or `Ordinal`, dicts and lists of them, and
            constants.
        size: Number of members.
        steps: Trials of each member. Larger than before extends the study.
        mode: "min" or "max", for whether a lower or a higher value is better. No default: a wrong
            guess would cost a run.
        optimizer: Search algorithm. Default: the recorded one when reopened, else `MixedHorizon()`.
        seed: Seed of the draws and of every trial, 0 or more. Default: 0.
        start: Known first configurations of the first members, each a full or partial mapping, or a
            `Start`, which has trained weights besides. Default: the recorded ones when reopened, else none.
        checkpoints: URL of object storage for the checkpoints, such as "s3://bucket/prefix" (extra `s3`; or
            any other that fsspec knows, with `remote`). Default: the recorded one when reopened, else the
            directory; a study in a database has no other place for them.
        resume: Record that a study which has stopped goes on. Default: False, which leaves it stopped.
        **options: Options of this process: `lead`, `synchronous`, `keep`, `max_attempts`,
            `max_interruptions`, `max_deaths`, `lease`, `lock_timeout`, `single_host`, `strict`,
            `callbacks`, `stop` and `progress`, as `Options` documents them.

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
        space: Mapping[str, Any] | Space,
        size: int,
        steps: int,
        mode: str,
        optimizer: Optimizer | None = None,
        seed: int = 0,
        start: Sequence[Mapping[str, Any] | Start] | None = None,
        checkpoints: str | None = None,
        resume: bool = False,
        **options: Unpack[OptionKeywords],
    ) -> None:
        arguments = StudyArguments(space, optimizer, size, mode, seed, start)
        self._begin(Session.create(path, arguments, steps, Options.of(options), checkpoints), resume)

    def _begin(self, session: Session, resume: bool) -> None:
        if truth_of("resume", resume):
            session.store.resume()
        self._session = session
        self._loop = Loop(session, self)

    def __repr__(self) -> str:
        return repr(self._session)

    @quiet
    def _repr_html_(self) -> str:
        from hoptim.session.glance import glance  # seldom needed

        return glance(self._session)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.path is None:
            raise ArgumentError("A study in memory cannot be sent to another process; give it a directory.")
        options = replace(self.options, progress=False)  # one line for all processes, of this one
        return _Reopened, (self.path, options, self.space, self.optimizer)

    # -- what it is ------------------------------------------------------------------------------

    @property
    def path(self) -> str | None:
        """Return the directory, None in memory."""
        return self._session.path

    @property
    def uuid(self) -> str:
        """Return the identifier, the same in every process and in copies of the directory."""
        return self._session.uuid

    @property
    def space(self) -> Space:
        """Return the hyperparameters."""
        return self._session.config.space

    @property
    def optimizer(self) -> Optimizer:
        """Return the search algorithm."""
        return self._session.config.optimizer

    @property
    def size(self) -> int:
        """Return the number of members."""
        return self._session.config.size

    @property
    def mode(self) -> str:
        """Return "min" or "max"."""
        return self._session.config.mode

    @property
    def seed(self) -> int:
        """Return the seed."""
        return self._session.config.seed

    @property
    def options(self) -> Options:
        """Return the options of this process."""
        return self._session.options

    @property
    def steps(self) -> int:
        """Return the trials of each member, with all extensions."""
        return self._session.store.refresh().steps

    @property
    def done(self) -> bool:
        """Return True if every member has done its steps."""
        return self._session.store.refresh().done

    @property
    def stopped(self) -> Stopped | None:
        """Return why, by whom and when the study was stopped; None if it was not, or was resumed since."""
        return self._session.store.refresh().stopped

    @property
    def origin(self) -> Study | None:
        """Return the study that this one was forked from, as it was then; None for any other."""
        origin = self._session.origin
        return None if origin is None or origin.path is None else load(origin.path)

    # -- what came of it -------------------------------------------------------------------------

    def results(self) -> Results:
        """Return one consistent view of the journal as it is now.

        Each of the properties below reads the journal anew. Where more than one thing is read while
        others train, read it from one `Results`: `best.value` and `best.params` are then of one trial.
        """
        return self._session.results()

    @property
    def trials(self) -> list[FinishedTrial]:
        """Return all finished trials in the order of their numbers."""
        return list(self.results().trials)

    @property
    def best(self) -> FinishedTrial:
        """Return the best of the members' latest trials: what population based training delivers.

        Raises:
            NoResult: No member's latest trial has a finite value.
        """
        return self.results().best

    def top(self, n: int = 5, last: int = 1) -> list[Candidate]:
        """Return the best of the members' latest trials, by the mean of the last values of their lineages.

        Args:
            n: Number of trials at most. Default: 5.
            last: Number of values of each lineage, the trial's own included. Default: 1, its own alone.

        Returns:
            The trials with finite values, the best first, each with its `mean` and `values`.

        Raises:
            ArgumentError: A number below 1.
        """
        return self.results().top(n, last)

    @property
    def best_ever(self) -> FinishedTrial:
        """Return the trial with the best value of all; its checkpoint is kept.

        Raises:
            NoResult: No trial has a finite value yet.
        """
        return self.results().best_ever

    @property
    def family(self) -> Family:
        """Return all finished trials by descent: exploits, founders that are left, who saw what."""
        return self.results().family

    def lineage(self, trial: FinishedTrial | int | None = None) -> Lineage:
        """Return where a trial's weights came from, and what became of them.

        Args:
            trial: Finished trial or its number. Default: `best`.

        Raises:
            NoResult: No member's latest trial has a finite value.
            ArgumentError: No such trial has ended.
        """
        return self.results().lineage(trial)

    def schedule(self, trial: FinishedTrial | int | None = None) -> Schedule:
        """Return what a trial's weights were really trained with, by age, through every exploit.

        In a fork with another space it begins with the generation that was brought into it; what came
        before is `study.origin.schedule(...)`. From a `Start` on, it begins at the age that this gave.

        Args:
            trial: Finished trial or its number. Default: `best`.

        Raises:
            NoResult: No member's latest trial has a finite value.
            ArgumentError: No such trial has ended, it failed, or it stands for a `Start`.
        """
        return self.results().schedule(trial)

    def pin(self, trial: FinishedTrial | int | None = None) -> AbstractContextManager[str]:
        """Keep a trial's checkpoint in a `with` block, to evaluate it while others train; gives its path.

        No process drops it meanwhile; afterwards the next `tell` does, unless it is needed. The pin of a
        process that died ends with it on the same host, elsewhere with its `lease`.

        Args:
            trial: Finished trial or its number. Default: `best`, as it is when the block begins.

        Raises:
            NoResult: No member's latest trial has a finite value.
            ArgumentError: No such trial has ended.
            CheckpointError: The trial has no checkpoint, or it was dropped. At the end of the block: this
                process had no heartbeat for so long that it may have been dropped.
            StoreError: This process may not write in the directory.
        """
        return pinned(self._session, trial)

    def to_pandas(self) -> DataFrame:
        """Return all finished trials as a DataFrame; see `Results.to_pandas`."""
        return self.results().to_pandas()

    def status(self) -> Status:
        """Return how the study stands: results, running trials, failures, diversity, disk usage."""
        from hoptim.session.look import status  # seldom needed

        return status(self._session)

    def check(self) -> Report:
        """Return all that is wrong in the study's directory, while others may train; changes nothing.

        Raises:
            ArgumentError: A study in memory has no directory.
        """
        return self._session.check()

    # -- asking ----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Trial]:
        """Yield trials to train until all is done or the study stops; wait while nothing is due.

        A thread has one loop at a time: a new one hands back what an earlier one was left with, as
        after Ctrl-C in a notebook.

        Raises:
            NotTold: The loop went on without `tell` or `fail`.
            StudyFailed: Every member's last trial failed for good.
        """
        return self._loop.trials()

    def until(self, deadline: float | datetime, margin: float = 30.0) -> Iterator[Trial]:
        """Yield trials as the loop over the study does, but none that would end after a deadline.

        The first trial is expected to take the median time of the study's latest; while that is not
        known, it is handed out up to the deadline. Each further one is expected to take the median of
        this process's own latest plus three median absolute deviations. What is left is for the next
        process: `study.done` tells whether there is any.

        Args:
            deadline: Seconds since 1970, such as Slurm's SLURM_JOB_END_TIME, or an aware datetime.
            margin: Seconds to spare, for starting up and for epochs that take a little longer.
                Default: 30.

        Raises:
            ArgumentError: No point in time.
            NotTold, StudyFailed: Same causes as the loop over the study.
        """
        return self._loop.trials(Deadline(deadline, margin))

    def ask(
        self, timeout: float | None = None, deadline: float | datetime | None = None, margin: float = 30.0
    ) -> Trial | None:
        """Return the next trial to train, None when all is done or the study has stopped.

        Args:
            timeout: Seconds to wait for one that is due, and for the study's lock, which may be held by a
                stopped process; for the lock at least 0.2. Default: None, which waits on, and leaves to
                faster workers what they end sooner, as the loop does.
            deadline: Point in time as for `until`, before which the trial must end. Default: none.
            margin: Seconds to spare, as for `until`. Default: 30.

        Raises:
            NothingDue: Nothing became due in time, or the study's lock stayed taken.
            DeadlineNear: No trial would end before the deadline.
            StudyFailed: Every member's last trial failed for good.
        """
        if timeout is not None:
            timeout = moment_of("timeout", timeout)
        return self._loop.ask(timeout, None if deadline is None else Deadline(deadline, margin))

    def stop(self, reason: str = "no reason given") -> None:
        """Stop the study, for all its workers: no trial is begun any more.

        Each worker's loop ends after the trial in hand, which is told as ever. A study that has stopped
        stays so, with the first reason, until it is opened with `resume=True`.

        Args:
            reason: Reason, kept in the journal; of more than 20,000 characters, both ends are kept.

        Raises:
            ArgumentError: The study is of format 1, which cannot record a stop.

        >>> import hoptim
        >>> space = {"x": hoptim.Float(0.0, 1.0)}
        >>> study = hoptim.Study(None, space=space, size=4, steps=10, mode="min")
        >>> for trial in study:
        ...     trial.tell(trial.params["x"])
        ...     if trial.step == 2:
        ...         study.stop("seen enough")
        >>> study.stopped.why, len(study.trials)
        ('seen enough', 9)
        """
        self._session.store.stop(said(reason))

    def record_deaths(self, start: str) -> bool:
        """Record that workers have died, for the launcher that saw their process end and did not end it.

        What they held is taken back, and a trial that has ended `max_deaths` workers is marked failed.
        Any other death is an interruption, which the other workers notice.

        Args:
            start: Identifier that the launcher gave to the process, and all that it starts, in the
                environment variable `HOPTIM_START`: 8 random hexadecimal digits, lower case.

        Returns:
            True if the workers held trials, even if other workers took them back before.
        """
        return self._session.store.record_deaths(start)

    def show_progress(self) -> None:
        """Draw the line of `progress=True` if it is time, for a launcher that trains nothing itself.

        A loop over the study does so of its own, and that of a pickled study never does: a launcher that
        sends it to its workers shows one line for all.
        """
        self._loop.line.show()

    def end_progress(self) -> None:
        """Draw the line of `progress=True` for the last time and go to the next, if it was ever drawn."""
        self._loop.line.end()

    def keeper(self) -> Keeper:
        """Return the study's side of a `Trial` that another process of the same job claimed.

        `hoptim.torch.trials` gives it to the ranks that follow the one which asks.
        """
        return Handle(self._session, None)


class _Reopened(Study):
    """A study that was opened by its path alone."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        options: Options,
        space: Space | None = None,
        optimizer: Optimizer | None = None,
        resume: bool = False,
    ) -> None:
        self._begin(Session.open(path, options, space, optimizer), resume)


def load(
    path: str | os.PathLike[str],
    *,
    space: Mapping[str, Any] | Space | None = None,
    optimizer: Optimizer | None = None,
    resume: bool = False,
    **options: Unpack[OptionKeywords],
) -> Study:
    """Open a study that exists, by its path alone; without `resume`, nothing is written until it is asked.

    Args:
        path: Directory.
        space: Hyperparameters as recorded, needed only to get the objects behind the names of a mapped
            `Choice`. Default: the recorded ones.
        optimizer: Search algorithm as recorded, needed only to ask a study with one of your own.
            Default: the recorded one.
        resume: Record that a study which has stopped goes on. Default: False.
        **options: Options of this process, as for `Study`; see `Options`.

    Returns:
        The study.

    Raises:
        ArgumentError: There is no study in the directory, or an option that there is not.
        StudyMismatch: `space` or `optimizer` is not the recorded one.
    """
    known = None if space is None else space_of(space)
    return _Reopened(path, Options.of(options), known, optimizer, resume)
