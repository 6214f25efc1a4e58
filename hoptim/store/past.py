"""The past: trials that ended before a snapshot, counted at once and read when one of them is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, ValuesView
from typing import NamedTuple, overload

from hoptim.errors import StudyDamaged
from hoptim.store.trial_record import TrialRecord


class History(NamedTuple):
    """All trials that had ended at some record.

    Attributes:
        members: Finished trials of each member, by step.
        ended: Finished trials in the order in which they ended.
    """

    members: Sequence[Sequence[TrialRecord]]
    ended: Collection[TrialRecord]


class Past:
    """What a state that began with a snapshot lacks; read once somebody wants it.

    Args:
        read: Function that reads the history up to the snapshot from the journal.
        mutex: Lock that keeps the threads of this process apart.
    """

    def __init__(self, read: Callable[[], History], mutex: threading.RLock) -> None:
        self._read: Callable[[], History] | None = read
        self._mutex = mutex
        self._members: Sequence[LazyTrials] = ()
        self._finished: LazyFinished | None = None

    @property
    def whole(self) -> bool:
        """Return whether nothing is lacking any more."""
        return self._read is None

    def lacks(self, members: Sequence[LazyTrials], finished: LazyFinished) -> None:
        """Take the collections to complete.

        Args:
            members: Finished trials of each member, by step.
            finished: Finished trials by number.
        """
        self._members, self._finished = members, finished

    def complete(self) -> None:
        """Read what is lacking and put it in front of what is known; once is enough.

        Raises:
            StudyDamaged: The journal is damaged before the snapshot, or says otherwise.
            StoreError: The journal cannot be read.
        """
        with self._mutex:
            if self._read is None or self._finished is None:
                return
            found, known = self._read(), self._finished.known
            if any(
                repr(known[trial.number]) != repr(trial) for trial in found.ended if trial.number in known
            ):
                raise StudyDamaged(
                    "snapshot.json says otherwise than the journal that it was made from. Remove it and "
                    "open the study again: it is not needed, and the journal is read instead."
                )
            for trials, own in zip(self._members, found.members, strict=True):
                trials.prepend([known.get(trial.number, trial) for trial in own])
            self._finished.prepend([known.get(trial.number, trial) for trial in found.ended])
            self._read = None


class LazyTrials(Sequence[TrialRecord]):
    """Trials in order, of which the first are not read yet.

    Args:
        lacking: Number of those that are not read.
        known: The others.
        past: Completes this sequence.
    """

    __slots__ = ("_known", "_lacking", "_past")

    def __init__(self, lacking: int, known: list[TrialRecord], past: Past) -> None:
        self._lacking, self._known, self._past = lacking, known, past

    def __len__(self) -> int:
        return self._lacking + len(self._known)

    @overload
    def __getitem__(self, at: int) -> TrialRecord: ...
    @overload
    def __getitem__(self, at: slice) -> list[TrialRecord]: ...
    def __getitem__(self, at: int | slice) -> TrialRecord | list[TrialRecord]:
        if isinstance(at, slice):
            places = range(len(self))[at]
            if places and min(places[0], places[-1]) < self._lacking:
                self._past.complete()
            return [self._known[place - self._lacking] for place in places]
        place = range(len(self))[at]
        if place < self._lacking:
            self._past.complete()
        return self._known[place - self._lacking]

    def __iter__(self) -> Iterator[TrialRecord]:
        if self._lacking:
            self._past.complete()
        return iter(self._known)

    def append(self, trial: TrialRecord) -> None:
        """Add a trial at the end."""
        self._known.append(trial)

    def prepend(self, trials: list[TrialRecord]) -> None:
        """Put the first trials in front, of which some may be known already."""
        self._known[:0] = trials[: self._lacking]
        self._lacking = 0


class LazyFinished(Mapping[int, TrialRecord]):
    """Finished trials by number, in the order in which they ended; some may not be read yet.

    Args:
        ended: All of them in order.
        open: Trials that had not ended at the snapshot.
        count: Number of trials that had been proposed at the snapshot.
        known: Trials that are read, by number.

    Attributes:
        known: Trials that are read, by number.
    """

    def __init__(
        self, ended: LazyTrials, open: Collection[int], count: int, known: dict[int, TrialRecord]
    ) -> None:
        self._ended, self._open, self._count = ended, open, count
        self.known = known
        self._past = ended._past

    @property
    def whole(self) -> bool:
        """Return whether all are read."""
        return self._past.whole

    def __len__(self) -> int:
        return len(self._ended)

    def __contains__(self, number: object) -> bool:
        return number in self.known or self._is_lacking(number)

    def __getitem__(self, number: int) -> TrialRecord:
        if number not in self.known and self._is_lacking(number):
            self._past.complete()
        return self.known[number]

    def __setitem__(self, number: int, trial: TrialRecord) -> None:
        self.known[number] = trial
        self._ended.append(trial)

    def __iter__(self) -> Iterator[int]:
        self._past.complete()
        return iter(self.known)

    def values(self) -> Ended:
        """Return the trials in order; from the end on, the last ones take no reading."""
        return Ended(self, self._ended)

    def prepend(self, trials: list[TrialRecord]) -> None:
        """Put the first trials in front, of which some may be known already."""
        self._ended.prepend(trials)
        self.known.clear()
        self.known.update((trial.number, trial) for trial in self._ended)

    def _is_lacking(self, number: object) -> bool:
        early = isinstance(number, int) and 0 <= number < self._count
        return early and not self.whole and number not in self._open


class Ended(ValuesView[TrialRecord]):
    """The trials of a mapping, by the order in which they ended."""

    def __init__(self, finished: LazyFinished, ended: LazyTrials) -> None:
        super().__init__(finished)
        self._ended = ended

    def __iter__(self) -> Iterator[TrialRecord]:
        return iter(self._ended)

    def __reversed__(self) -> Iterator[TrialRecord]:
        return reversed(self._ended)


Trials = list[TrialRecord] | LazyTrials
Finished = dict[int, TrialRecord] | LazyFinished
