"""Descent of trials: ancestors, descendants, exploits and surviving founders."""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

from hoptim._text import shown
from hoptim.analysis.ranking import best_first
from hoptim.errors import ArgumentError
from hoptim.trial import FinishedTrial

EARLY = 0.05  # share of the steps in which a collapse to one founder is too early; ours, by experience


@dataclass(frozen=True)
class Exploit:
    """A copy of another member's weights, in place of the member's own.

    Attributes:
        trial: Trial that began with the copied weights.
        donor: Trial that they came from.
        left: Member's own last trial before, whose weights were discarded.
        family: All trials of the study.
    """

    trial: FinishedTrial
    donor: FinishedTrial
    left: FinishedTrial
    family: Family = field(repr=False, compare=False)

    @cached_property
    def seen(self) -> dict[int, float]:
        """Return the values that the decision was based on, by member."""
        return {seen.member: seen.value for seen in self.family.seen(self.trial)}

    def rank(self, member: int) -> int:
        """Return a member's rank in what was seen, 1 for the best; values that are not finite are last."""
        order = best_first(self.family.seen(self.trial), self.family.mode)
        return next(rank for rank, trial in enumerate(order, 1) if trial.member == member)

    def place(self, trial: FinishedTrial) -> str:
        """Describe `left` or `donor`: its rank in what was seen, or the earlier step it was kept from."""
        if trial in self.family.seen(self.trial):
            return f"rank {self.rank(trial.member)} of {len(self.seen)}"
        return f"kept from step {trial.step}"

    def __str__(self) -> str:
        """Describe the exploit in one sentence."""
        places = (
            f"member {trial.member} ({trial.value:.6g}, {self.place(trial)})"
            for trial in (self.left, self.donor)
        )
        return f"step {self.trial.step}: {' copied '.join(places)}"


class Family:
    """Finished trials of a study by descent.

    Args:
        trials: All finished trials, in any order.
        size: Number of members.
        mode: "min" or "max".
    """

    def __init__(self, trials: Iterable[FinishedTrial], size: int, mode: str) -> None:
        self.trials = {trial.number: trial for trial in trials}
        self.mode = mode
        self._members: list[list[FinishedTrial]] = [[] for _ in range(size)]
        for trial in self.trials.values():
            self._members[trial.member].append(trial)
        for own in self._members:
            own.sort(key=lambda trial: trial.step)

    def line(self, trial: FinishedTrial) -> list[FinishedTrial]:
        """Return a trial and its ancestors by age: the one with fresh weights first, itself last."""
        line = [trial]
        while (parent := line[-1].parent) is not None:
            line.append(self.trials[parent])
        return line[::-1]

    def descendants(self, trial: FinishedTrial) -> list[FinishedTrial]:
        """Return all trials whose weights contain a trial's training, by number."""
        found = {trial.number}
        for number in sorted(self.trials):  # a parent's number is always below its children's
            if self.trials[number].parent in found:
                found.add(number)
        return [self.trials[number] for number in sorted(found - {trial.number})]

    def exploit(self, trial: FinishedTrial) -> Exploit | None:
        """Return the exploit that a trial began with; None if it continued its own or fresh weights."""
        donor = None if trial.parent is None else self.trials[trial.parent]
        if donor is None or donor.member == trial.member or trial.step == 0:
            return None
        own = self._members[trial.member]
        return Exploit(trial, donor, own[_before(own, trial.step) - 1], self)

    @property
    def exploits(self) -> list[Exploit]:
        """Return all exploits in the order of the trials' numbers."""
        found = (self.exploit(self.trials[number]) for number in sorted(self.trials))
        return [exploit for exploit in found if exploit is not None]

    def seen(self, trial: FinishedTrial) -> list[FinishedTrial]:
        """Return the population that a trial was proposed from, by member.

        It holds each member's last trial before the trial's own step that had ended by then.
        """
        return list(self._seen(trial))

    def _seen(self, trial: FinishedTrial) -> Iterator[FinishedTrial]:
        for own in self._members:
            for i in range(_before(own, trial.step) - 1, -1, -1):
                if own[i].records[1] < trial.records[0]:
                    yield own[i]
                    break

    @cached_property
    def founders(self) -> Mapping[int, int]:
        """Return the founder, the ancestor with fresh weights, of each trial; both as numbers."""
        founders: dict[int, int] = {}
        for number in sorted(self.trials):
            parent = self.trials[number].parent
            founders[number] = number if parent is None else founders[parent]
        return founders

    def survivors(self, step: int | None = None) -> dict[int, int]:
        """Count the members that descend from each founder with survivors, the most first.

        Args:
            step: Step after which to count; a member that has not reached it counts with its last trial.
                Default: each member's last step.
        """
        last = [own[-1 if step is None else min(step, len(own) - 1)] for own in self._members if own]
        return dict(Counter(self.founders[trial.number] for trial in last).most_common())

    @cached_property
    def collapsed(self) -> int | None:
        """Return the first step that all members have done and after which one founder is left, or None."""
        return collapse((self.founders[trial.number] for trial in own) for own in self._members)


class Lineage:
    """Ancestors and descendants of one trial.

    Args:
        family: All trials of the study.
        trial: One of them.

    >>> import hoptim
    >>> space = {"x": hoptim.Float(0.0, 1.0)}
    >>> study = hoptim.Study(None, space=space, size=4, steps=10, mode="min")
    >>> for trial in study:
    ...     trial.tell((trial.params["x"] - 0.3) ** 2)
    >>> lineage = study.lineage()
    >>> len(lineage.line), len(lineage.ancestors), lineage.line[-1] == study.best
    (10, 9, True)
    >>> print(lineage.exploits[0])
    step 3: member 3 (0.0421252, rank 4 of 4) copied member 2 (0.0344057, rank 2 of 4)
    """

    def __init__(self, family: Family, trial: FinishedTrial) -> None:
        self.family, self.trial = family, trial
        self.line = family.line(trial)

    @property
    def ancestors(self) -> list[FinishedTrial]:
        """Return the trials whose training its weights contain: the founder first, its parent last."""
        return self.line[:-1]

    @property
    def descendants(self) -> list[FinishedTrial]:
        """Return the trials whose weights contain its training, by number."""
        return self.family.descendants(self.trial)

    @property
    def founder(self) -> FinishedTrial:
        """Return the trial with fresh weights that its line began with."""
        return self.line[0]

    @property
    def exploits(self) -> list[Exploit]:
        """Return the exploits along its line: each time that its weights moved to another member."""
        found = map(self.family.exploit, self.line)
        return [exploit for exploit in found if exploit is not None]

    def __repr__(self) -> str:
        return (
            f"<hoptim.Lineage of trial {self.trial.number}: {len(self.ancestors)} ancestors, "
            f"{len(self.exploits)} exploits, from trial {self.founder.number}>"
        )


def collapse(founders: Iterable[Iterable[int]]) -> int | None:
    """Return the first step that all members have done and after which one founder is left, or None.

    Args:
        founders: Founder of each trial by step, for each member. One member alone never collapses.
    """
    steps = enumerate(zip(*founders, strict=False))
    return next((step for step, left in steps if len(set(left)) == 1 < len(left)), None)


def _before(own: Sequence[FinishedTrial], step: int) -> int:
    """Count a member's trials before a step; some may be missing."""
    return bisect_left(own, step, key=lambda trial: trial.step)


def chosen(trials: Mapping[int, FinishedTrial], trial: FinishedTrial | int) -> FinishedTrial:
    """Return a finished trial, given itself or its number.

    Raises:
        ArgumentError: No finished trial has that number.
    """
    number = trial.number if isinstance(trial, FinishedTrial) else trial
    found = None
    with suppress(Exception):  # an object's own code may raise anything
        found = trials.get(operator.index(number))  # numpy's are welcome
    if found is None:
        raise ArgumentError(
            f"trial must be a finished trial or its number, found {shown(trial)}; "
            f"{len(trials)} trials have ended."
        )
    return found
