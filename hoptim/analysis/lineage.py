"""Who came from whom: ancestors, descendants, exploits and the founders that are left."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from hoptim.analysis.ranking import best_first
from hoptim.errors import ArgumentError
from hoptim.trial import FinishedTrial

EARLY = 0.05  # share of the steps in which one founder should not take all; ours, by experience


@dataclass(frozen=True)
class Exploit:
    """A member went on with another one's weights.

    Attributes:
        trial: The trial that began with them.
        donor: The trial that they came from.
        left: The member's own trial before, which it gave up.
        family: Where they live.
    """

    trial: FinishedTrial
    donor: FinishedTrial
    left: FinishedTrial
    family: Family = field(repr=False, compare=False)

    @cached_property
    def seen(self) -> dict[int, float]:
        """The values that the decision was made from, by member: why it was made."""
        return {seen.member: seen.value for seen in self.family.seen(self.trial)}

    def rank(self, member: int) -> int:
        """A member's place in what was seen, 1 for the best; values that are not finite are last."""
        order = best_first(self.family.seen(self.trial), self.family.mode)
        return next(rank for rank, trial in enumerate(order, 1) if trial.member == member)

    def place(self, trial: FinishedTrial) -> str:
        """Where `left` or `donor` stood: its rank in what was seen, or that it was kept from earlier."""
        if trial in self.family.seen(self.trial):
            return f"rank {self.rank(trial.member)} of {len(self.seen)}"
        return f"kept from step {trial.step}"

    def __str__(self) -> str:
        """As one sentence."""
        places = (
            f"member {trial.member} ({trial.value:.6g}, {self.place(trial)})"
            for trial in (self.left, self.donor)
        )
        return f"step {self.trial.step}: {' copied '.join(places)}"


class Family:
    """The finished trials of a study, by descent.

    Args:
        trials: All of them.
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
        """A trial and all whose training is in its weights, by age: the fresh one first, itself last."""
        line = [trial]
        while (parent := line[-1].parent) is not None:
            line.append(self.trials[parent])
        return line[::-1]

    def descendants(self, trial: FinishedTrial) -> list[FinishedTrial]:
        """All trials that have its training in their weights, by number."""
        found = {trial.number}
        for number in sorted(self.trials):  # a parent's number is always below its children's
            if self.trials[number].parent in found:
                found.add(number)
        return [self.trials[number] for number in sorted(found - {trial.number})]

    def exploit(self, trial: FinishedTrial) -> Exploit | None:
        """The exploit that a trial began with, None when it went on with its own weights or fresh."""
        donor = None if trial.parent is None else self.trials[trial.parent]
        if donor is None or donor.member == trial.member or trial.step == 0:
            return None
        own = self._members[trial.member]
        return Exploit(trial, donor, own[_before(own, trial.step) - 1], self)

    @property
    def exploits(self) -> list[Exploit]:
        """All of them, in the order of the trials' numbers."""
        found = (self.exploit(self.trials[number]) for number in sorted(self.trials))
        return [exploit for exploit in found if exploit is not None]

    def seen(self, trial: FinishedTrial) -> list[FinishedTrial]:
        """The population that a trial was proposed from, by member.

        That is each member's last trial before the asker's step that had ended by then.
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
        """By number of a trial, that of the fresh one its weights began with."""
        founders: dict[int, int] = {}
        for number in sorted(self.trials):
            parent = self.trials[number].parent
            founders[number] = number if parent is None else founders[parent]
        return founders

    def survivors(self, step: int | None = None) -> dict[int, int]:
        """How many members descend from each founder that is left, the most first.

        Args:
            step: After which step; members that are not so far yet count with their last trial. None
                takes each member's last.
        """
        last = [own[-1 if step is None else min(step, len(own) - 1)] for own in self._members if own]
        return dict(Counter(self.founders[trial.number] for trial in last).most_common())

    @cached_property
    def collapsed(self) -> int | None:
        """The first step that all members have done and after which one founder is left; None if none."""
        return collapse((self.founders[trial.number] for trial in own) for own in self._members)


class Lineage:
    """Where one trial's weights came from, and what became of them.

    Args:
        family: All trials.
        trial: The one.

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
        """Those whose training is in its weights, the fresh one first, its parent last."""
        return self.line[:-1]

    @property
    def descendants(self) -> list[FinishedTrial]:
        """Those that have its training in their weights, by number."""
        return self.family.descendants(self.trial)

    @property
    def founder(self) -> FinishedTrial:
        """The fresh trial that its weights began with."""
        return self.line[0]

    @property
    def exploits(self) -> list[Exploit]:
        """Those along its line: each time that its weights moved to another member."""
        found = map(self.family.exploit, self.line)
        return [exploit for exploit in found if exploit is not None]

    def __repr__(self) -> str:
        return (
            f"<hoptim.Lineage of trial {self.trial.number}: {len(self.ancestors)} ancestors, "
            f"{len(self.exploits)} exploits, from trial {self.founder.number}>"
        )


def collapse(founders: Iterable[Iterable[int]]) -> int | None:
    """The first step that all members have done and after which one founder is left; None if none.

    Args:
        founders: Per member that of each of its trials, by step.
    """
    steps = enumerate(zip(*founders, strict=False))
    return next((step for step, left in steps if len(set(left)) == 1 < len(left)), None)


def _before(own: Sequence[FinishedTrial], step: int) -> int:
    """How many of a member's trials come before a step; not all need be there."""
    return bisect_left(own, step, key=lambda trial: trial.step)


def chosen(trials: Mapping[int, FinishedTrial], trial: FinishedTrial | int) -> FinishedTrial:
    """A finished trial, given itself or its number.

    Raises:
        ArgumentError: No finished trial has that number.
    """
    number = trial.number if isinstance(trial, FinishedTrial) else trial
    found = trials.get(int(number)) if hasattr(number, "__index__") else None  # numpy's are welcome
    if found is None:
        raise ArgumentError(
            f"trial must be a finished trial or its number, found {trial!r}; "
            f"{len(trials)} trials have ended."
        )
    return found
