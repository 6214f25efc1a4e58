"""Results: one consistent, immutable view of a study's journal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from functools import cached_property
from itertools import islice, takewhile
from operator import attrgetter
from typing import TYPE_CHECKING

from hoptim._arguments import sign_of, whole_of
from hoptim.analysis import flat_table
from hoptim.analysis.candidate import Candidate
from hoptim.analysis.family import Family
from hoptim.analysis.frame import frame
from hoptim.analysis.lineage import Lineage, chosen
from hoptim.analysis.progress import diversity, early_collapse, rate
from hoptim.analysis.ranking import best
from hoptim.analysis.schedule import Interval, Schedule
from hoptim.errors import ArgumentError, NoResult
from hoptim.session.prehistory import comparable
from hoptim.session.present import Presenter
from hoptim.session.study_config import StudyConfig
from hoptim.start import GIVEN
from hoptim.stopping import Stopped
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord
from hoptim.trial import FinishedTrial

if TYPE_CHECKING:
    from pandas import DataFrame


class Results:
    """A study's journal as it was at one moment; later records do not change it.

    Made by `hoptim.Study.results()`. Whatever is read from one `Results` belongs together, while
    other processes go on. Checkpoints are those that existed then, and may be dropped since.

    Attributes:
        records: Number of records in the journal.
        size: Number of members.
        steps: Trials of each member, with all extensions.
        mode: "min" or "max".
    """

    def __init__(
        self,
        name: str,
        state: State,
        config: StudyConfig,
        present: Presenter,
        before: Callable[[], Results | None],
    ) -> None:
        self.records, self.steps = state.n, state.steps
        self.size, self.mode = config.size, config.mode
        self._name, self._config, self._present, self._before = name, config, present, before
        self._state = state  # finished trials are only ever added: what ended later is left out
        self._counts = [len(own) for own in state.members]
        self._finished = len(state.finished)
        self._lately = list(islice(reversed(state.finished.values()), 4 * state.size))[::-1]
        self._saved = dict(state.saved)
        self._best_ever = state.best_ever
        self._stateful, self._stopped = state.stateful, state.stopped
        self._wrong, self._sole = copy(state.counts), state.founders.sole
        self._open = [copy(record) for record in state.open.values()]

    # -- trials ----------------------------------------------------------------------------------

    @cached_property
    def trials(self) -> tuple[FinishedTrial, ...]:
        """Return all finished trials in the order of their numbers."""
        return tuple(self.family.trials.values())

    def since(self, record: int) -> list[FinishedTrial]:
        """Return the trials that ended at or behind a record of the journal, in the order of their ends.

        With `records` of an earlier `Results` these are the trials that ended since.

        Args:
            record: Number of the record, from 0.
        """
        more = len(self._state.finished) - self._finished  # ended after this view
        last_first = islice(reversed(self._state.finished.values()), more, None)
        found = [*takewhile(lambda trial: trial.closed >= record, last_first)]
        return list(map(self._show, reversed(found)))

    @property
    def latest(self) -> list[FinishedTrial]:
        """Return the latest trial of each member that has one, by member."""
        return list(map(self._show, self._latest))

    @property
    def best(self) -> FinishedTrial:
        """Return the best of the members' latest trials: what population based training delivers.

        Raises:
            NoResult: No member's latest trial has a finite value.
        """
        first = best(self._latest, self.mode)
        if first is None:
            advanced = any(not trial.valued for trial in self._latest)
            more = ": some advanced without a value. Read best_ever, or wait for one." if advanced else "."
            raise NoResult(f"{self._name} has no trial with a finite value among its members' latest{more}")
        return self._show(first)

    def top(self, n: int = 5, last: int = 1) -> list[Candidate]:
        """Return the best of the members' latest trials, by the mean of the last values of their lineages.

        Of many noisy values the best flatters: it is the luckiest as well. The mean of several values of
        one lineage, which are of nearly the same weights, flatters less.

        Args:
            n: Number of trials at most. Default: 5.
            last: Number of values of each lineage, the trial's own included. Default: 1, its own alone.

        Returns:
            The trials with finite values, the best first.

        Raises:
            ArgumentError: A number below 1.
        """
        count, length = whole_of("n", n, 1), whole_of("last", last, 1)
        lines = [(record, self._values(record, length)) for record in self._latest if record.finite]
        means = [(_mean(values), record, values) for record, values in lines]
        sign = sign_of(self.mode)
        means.sort(key=lambda ranked: (sign * ranked[0], ranked[1].number))
        return [Candidate(self._show(record), mean, values) for mean, record, values in means[:count]]

    @property
    def best_ever(self) -> FinishedTrial:
        """Return the trial with the best value of all; its checkpoint is kept.

        Raises:
            NoResult: No trial has a finite value yet.
        """
        if self._best_ever is None:
            raise NoResult(f"{self._name} has no trial with a finite value yet.")
        return self._show(self._best_ever)

    @cached_property
    def family(self) -> Family:
        """Return all finished trials by descent: exploits, founders that are left, who saw what."""
        return Family(self._numbered, self._number, self.size, self.mode)

    def lineage(self, trial: FinishedTrial | int | None = None) -> Lineage:
        """Return where a trial's weights came from, and what became of them.

        Args:
            trial: Finished trial or its number. Default: `best`.

        Raises:
            NoResult: No member's latest trial has a finite value.
            ArgumentError: No such trial has ended.
        """
        return Lineage(self.family, chosen(self.family.trials, self.best if trial is None else trial))

    def schedule(self, trial: FinishedTrial | int | None = None) -> Schedule:
        """Return what a trial's weights were really trained with, by age, through every exploit.

        In a fork with another space it begins with the generation that was brought into it; what came
        before is `study.origin.schedule(...)`. In one with another objective, what came before has no
        values. Weights that a `Start` gave are no interval: it begins at their age.

        Args:
            trial: Finished trial or its number. Default: `best`.

        Raises:
            NoResult: No member's latest trial has a finite value.
            ArgumentError: No such trial has ended, it failed, or it stands for a `Start`.
        """
        line = self.lineage(trial).line
        if line[-1].valued and not line[-1].finite:
            raise ArgumentError(f"Trial {line[-1].number} failed, so there is nothing to train again.")
        if line[-1].worker == GIVEN:
            raise ArgumentError(
                f"Trial {line[-1].number} stands for weights that start= gave, so nothing was trained here."
            )
        line = [trial for trial in line if trial.worker != GIVEN]
        before: Sequence[Interval] = ()
        space = self._config.space
        old = None if line[0].origin is None else self._before()
        if old is not None and old._config.space == space:
            reached = old.schedule(line[0].origin).intervals
            before, line = comparable(reached, line[0], self.family, old.family), line[1:]
        own = [Interval(t.age, t.params, t.seed, t.value, t.number, t.member, t.step) for t in line]
        return Schedule([*before, *own], space)

    def to_pandas(self) -> DataFrame:
        """Return all finished trials as a DataFrame: the table that `hoptim export` prints.

        A row is a trial, by number. Hyperparameters are in columns `params.NAME`, metrics in
        `metrics.NAME`, with a column for each value of a mapping; a named object of a `Choice` is given by
        its name. Times are seconds since 1970.

        Raises:
            MissingExtra: pandas is not installed.
        """
        space = self._config.space
        rows = [flat_table.row(trial, space) for trial in self.trials]
        return frame(flat_table.header(self.trials, space), rows)

    # -- progress, as `hoptim.analysis.status.Status` shows it ------------------------------------

    @property
    def progress(self) -> list[int]:
        """Return how many trials each member has ended, `(size,)`."""
        return list(self._counts)

    @property
    def finished(self) -> int:
        """Return how many trials have ended."""
        return self._finished

    @property
    def done(self) -> bool:
        """Return True if every member has done its steps."""
        return min(self._counts) >= self.steps

    @property
    def stopped(self) -> Stopped | None:
        """Return why, by whom and when the study was stopped; None if it was not, or was resumed."""
        return self._stopped

    @property
    def running(self) -> list[TrialRecord]:
        """Return the records of trials that a worker holds, by member."""
        return [record for record in self._open if record.worker is not None]

    @property
    def failed(self) -> int:
        """Return how many trials failed for good or were told a value that is not finite."""
        return self._wrong.failed

    @property
    def attempts(self) -> int:
        """Return how many attempts failed, of all trials."""
        return self._wrong.attempts

    @property
    def interruptions(self) -> int:
        """Return how many claims were released or taken back, of all trials."""
        return self._wrong.interruptions

    @property
    def unread(self) -> dict[str, int]:
        """Return how many trials were told though their `checkpoint` or their `params` were never read."""
        return {"checkpoint": self._wrong.unread_checkpoints, "params": self._wrong.unread_params}

    @property
    def founders(self) -> dict[int, int]:
        """Return how many members descend from each founder that is left, by its trial's number."""
        return dict(Counter(record.founder for record in self._latest).most_common())

    @property
    def diversity(self) -> dict[str, float]:
        """Return by hyperparameter how far the members' latest lie apart: 1 as drawn, 0 if all equal."""
        return diversity(self._config.space, [record.x for record in self._latest])

    @property
    def rate(self) -> float | None:
        """Return how many trials ended per second of late, None before the second."""
        return rate([record.ended for record in self._lately if record.ended is not None])

    @property
    def remaining(self) -> float | None:
        """Return the seconds to the end at that rate, None where unknown."""
        left = 0 if self.stopped else self.size * self.steps - self.finished
        if self.done:
            return 0.0
        return left / self.rate if self.rate and self.running and left else None

    @property
    def collapsed(self) -> str | None:
        """Return a sentence if one founder took all in the first steps, else None."""
        return None if self._stateful is False else early_collapse(self._sole, self.size, self.steps)

    @cached_property
    def _ended(self) -> list[TrialRecord]:
        return list(self._state.finished.values())[: self._finished]

    def _values(self, record: TrialRecord, most: int) -> tuple[float, ...]:
        """Return the latest values of a trial's lineage, its own last; trials that have none are passed."""
        values = [record.value]
        while len(values) < most and record.since is not None:
            record = self._state.finished[record.since]
            values.append(record.value)
        return tuple(reversed(values))

    @property
    def _latest(self) -> list[TrialRecord]:
        members = zip(self._state.members, self._counts, strict=True)
        return [own[count - 1] for own, count in members if count]

    @cached_property
    def _numbered(self) -> dict[int, TrialRecord]:
        return {record.number: record for record in sorted(self._ended, key=attrgetter("number"))}

    def _number(self, number: int) -> FinishedTrial:
        return self._show(self._numbered[number])

    def _show(self, record: TrialRecord) -> FinishedTrial:
        return self._present.finished(record, self._saved)


def _mean(values: Sequence[float]) -> float:
    """Return a mean that is finite whenever the values are."""
    return math.fsum(value / len(values) for value in values)
