"""The populations that trials were proposed from: who was seen, and in which order."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

from hoptim.analysis.ranking import Ranked, best_first, rank_key

FEW = 10  # trials that a ranking is shown by


class Recorded(Ranked, Protocol):
    """A trial with its place among the others, as the store records it."""

    @property
    def step(self) -> int:
        """Return the member's own count of trials before it."""

    @property
    def parent(self) -> int | None:
        """Return the number of the trial whose weights it continued from, None when fresh."""

    @property
    def founder(self) -> int:
        """Return the number of the fresh trial that its weights began with."""

    @property
    def proposed(self) -> int:
        """Return the number of the record that proposed it."""

    @property
    def closed(self) -> int:
        """Return the number of the record that ended it, -1 while it is open."""


AnyRecorded = TypeVar("AnyRecorded", bound=Recorded)


class Standing(NamedTuple):
    """Ranks in a population, 1 for the best.

    Attributes:
        left: Rank of the trial whose weights were discarded; None if it was not seen.
        donor: Rank of the trial whose weights were copied; None if it was kept from an earlier step.
        size: Number of trials seen.
        best: Member and value of the best ten.
    """

    left: int | None
    donor: int | None
    size: int
    best: tuple[tuple[int, float], ...]


def seen(members: Iterable[Sequence[AnyRecorded]], trial: Recorded) -> Iterator[AnyRecorded]:
    """Yield the population that a trial was proposed from, by member.

    It holds each member's last trial before the trial's own step that had ended by then, if it has a value.

    Args:
        members: Trials of each member, by step; some may be missing.
        trial: Trial that was proposed.
    """
    for own in members:
        for i in range(before(own, trial.step) - 1, -1, -1):
            if own[i].closed < trial.proposed:
                if own[i].valued:
                    yield own[i]
                break


def before(own: Sequence[Recorded], step: int) -> int:
    """Count a member's trials before a step; some may be missing."""
    if own and own[-1].step == len(own) - 1:  # none is: no search, for which a long history would be read
        return min(step, len(own))
    return bisect_left(own, step, key=lambda trial: trial.step)


def standing(population: Iterable[Recorded], left: Recorded, donor: Recorded, mode: str) -> Standing:
    """Return the ranks of two trials in a population."""
    order = best_first(population, mode)
    rank = {trial.number: place for place, trial in enumerate(order, 1)}
    best = tuple((trial.member, trial.value) for trial in order[:FEW])
    return Standing(rank.get(left.number), rank.get(donor.number), len(order), best)


class Populations:
    """All populations in the order of the records, each made from the one before by what ended since.

    That costs some comparisons for each trial, where `seen` looks at all members each time.

    Args:
        members: Finished trials of each member, by step, none missing.
        mode: "min" or "max".
    """

    def __init__(self, members: Sequence[Sequence[Recorded]], mode: str) -> None:
        self._members, self._key = members, rank_key(mode)
        self._ends = sorted((t for own in members for t in own), key=lambda trial: -trial.closed)
        self._ended = [0] * len(members)
        self._levels: dict[int, list[_Ranked]] = {}  # by step, each member's last trial up to it in order

    def standing(self, trial: Recorded, left: Recorded, donor: Recorded) -> Standing:
        """Return the ranks of two trials in the population that a third was proposed from.

        Args:
            trial: Trial that was proposed, not before that of the call before.
            left: First trial to rank.
            donor: Second trial to rank.
        """
        while self._ends and self._ends[-1].closed < trial.proposed:
            self._end(self._ends.pop())
        level = self._level(trial.step - 1)
        best = tuple((each.member, each.value) for *_, each in level[:FEW])
        return Standing(self._rank(level, left), self._rank(level, donor), len(level), best)

    def _level(self, step: int) -> list[_Ranked]:
        if step not in self._levels:
            slowest = min(self._ended)  # no trial is proposed any more from what all have gone beyond
            self._levels = {s: level for s, level in self._levels.items() if s + 1 >= slowest}
            counts = zip(self._members, self._ended, strict=True)
            last = ((own, min(ended, before(own, step + 1))) for own, ended in counts)
            trials = (own[count - 1] for own, count in last if count)
            self._levels[step] = sorted(self._ranked(trial) for trial in trials if trial.valued)
        return self._levels[step]

    def _end(self, trial: Recorded) -> None:
        """Let a trial take the place of its member's one before."""
        at = self._ended[trial.member]
        self._ended[trial.member] += 1
        for step, level in self._levels.items():
            if step >= trial.step:
                if at and (last := self._members[trial.member][at - 1]).valued:
                    del level[bisect_left(level, self._ranked(last))]
                if trial.valued:
                    insort(level, self._ranked(trial))

    def _rank(self, level: Sequence[_Ranked], trial: Recorded) -> int | None:
        at = bisect_left(level, self._ranked(trial))
        return at + 1 if at < len(level) and level[at][-1].number == trial.number else None

    def _ranked(self, trial: Recorded) -> _Ranked:
        return *self._key(trial), trial


_Ranked = tuple[int, float, int, Recorded]  # compared by `rank_key`, in which no two are equal
