"""All trials of a study by descent: lines, exploits, and founders that are left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from hoptim.analysis.populations import Populations, Recorded, Standing, before, seen, standing
from hoptim.analysis.ranking import best_first
from hoptim.trial import FinishedTrial


@dataclass(frozen=True)
class Exploit:
    """A copy of another member's weights, in place of the member's own.

    Attributes:
        trial: Trial that began with the copied weights.
        donor: Trial that they came from.
        left: Member's own last trial before, whose weights were discarded.
        standing: Ranks of both in the population that the decision was based on.
        family: All trials of the study.
    """

    trial: FinishedTrial
    donor: FinishedTrial
    left: FinishedTrial
    standing: Standing = field(repr=False, compare=False)
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
        rank = self.standing.left if trial.number == self.left.number else self.standing.donor
        return f"kept from step {trial.step}" if rank is None else f"rank {rank} of {self.standing.size}"

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
        records: All finished trials by number and in that order, as they are recorded.
        show: Function that returns one as a user sees it, given its number.
        size: Number of members.
        mode: "min" or "max".

    Attributes:
        trials: The same trials by number; each is made when it is first asked for.
        mode: "min" or "max".
    """

    def __init__(
        self, records: Mapping[int, Recorded], show: Callable[[int], FinishedTrial], size: int, mode: str
    ) -> None:
        self.trials: Mapping[int, FinishedTrial] = _Shown(records, show)
        self.mode = mode
        self._records, self._size = records, size

    def line(self, trial: FinishedTrial) -> list[FinishedTrial]:
        """Return a trial and its ancestors by age: the one with fresh weights first, itself last."""
        line = [trial]
        while (parent := line[-1].parent) is not None:
            line.append(self.trials[parent])
        return line[::-1]

    def descendants(self, trial: FinishedTrial) -> list[FinishedTrial]:
        """Return all trials whose weights contain a trial's training, by number."""
        found = {trial.number}
        for number, record in self._records.items():  # a parent's number is always below its children's
            if record.parent in found:
                found.add(number)
        return [self.trials[number] for number in sorted(found - {trial.number})]

    def exploit(self, trial: FinishedTrial) -> Exploit | None:
        """Return the exploit that a trial began with; None if it continued its own or fresh weights."""
        record = self._records[trial.number]
        pair = self._left_and_donor(record)
        if pair is None:
            return None
        return self._exploit(record, *pair, standing(seen(self._members, record), *pair, self.mode))

    @property
    def exploits(self) -> list[Exploit]:
        """Return all exploits in the order of the trials' numbers."""
        populations, found = Populations(self._members, self.mode), []
        for record in self._records.values():
            if (pair := self._left_and_donor(record)) is not None:
                found.append(self._exploit(record, *pair, populations.standing(record, *pair)))
        return found

    def _left_and_donor(self, trial: Recorded) -> tuple[Recorded, Recorded] | None:
        """Return whose weights a trial discarded, and whose it copied; None if it copied none."""
        donor = None if trial.parent is None else self._records[trial.parent]
        if donor is None or donor.member == trial.member or trial.step == 0:
            return None
        own = self._members[trial.member]
        return own[before(own, trial.step) - 1], donor

    def _exploit(self, trial: Recorded, left: Recorded, donor: Recorded, ranks: Standing) -> Exploit:
        own, copied, old = (self.trials[each.number] for each in (trial, donor, left))
        return Exploit(own, copied, old, ranks, self)

    def seen(self, trial: FinishedTrial) -> list[FinishedTrial]:
        """Return the population that a trial was proposed from, by member.

        It holds each member's last trial before the trial's own step that had ended by then, if it has a
        value.
        """
        return [self.trials[each.number] for each in seen(self._members, self._records[trial.number])]

    @property
    def founders(self) -> Mapping[int, int]:
        """Return the founder, the ancestor with fresh weights, of each trial; both as numbers."""
        return {number: record.founder for number, record in self._records.items()}

    def survivors(self, step: int | None = None) -> dict[int, int]:
        """Count the members that descend from each founder with survivors, the most first.

        Args:
            step: Step after which to count; a member that has not reached it counts with its last trial.
                Default: each member's last step.
        """
        last = [own[-1 if step is None else min(step, len(own) - 1)] for own in self._members if own]
        return dict(Counter(trial.founder for trial in last).most_common())

    @cached_property
    def collapsed(self) -> int | None:
        """Return the first step that all members have done and after which one founder is left, or None."""
        return collapse((trial.founder for trial in own) for own in self._members)

    @cached_property
    def _members(self) -> Sequence[Sequence[Recorded]]:
        members: list[list[Recorded]] = [[] for _ in range(self._size)]
        for trial in self._records.values():
            members[trial.member].append(trial)
        for own in members:
            own.sort(key=lambda trial: trial.step)
        return members


class _Shown(Mapping[int, FinishedTrial]):
    """Trials as a user sees them, of which each is made when it is first asked for."""

    def __init__(self, records: Mapping[int, Recorded], show: Callable[[int], FinishedTrial]) -> None:
        self._records, self._show = records, show
        self._made: dict[int, FinishedTrial] = {}

    def __getitem__(self, number: int) -> FinishedTrial:
        if number not in self._made:
            self._made[number] = self._show(number)
        return self._made[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)


def collapse(founders: Iterable[Iterable[int]]) -> int | None:
    """Return the first step that all members have done and after which one founder is left, or None.

    Args:
        founders: Founder of each trial by step, for each member. One member alone never collapses.
    """
    steps = enumerate(zip(*founders, strict=False))
    return next((step for step, left in steps if len(set(left)) == 1 < len(left)), None)
