"""References: which checkpoints may still be loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hoptim.store.fields import truth
from hoptim.store.past import Finished, Trials
from hoptim.store.published import Published
from hoptim.store.tally import Tally
from hoptim.store.trial_record import TrialRecord

Keep = Callable[[TrialRecord], bool]


class References:
    """Checkpoints that exist, and what may still load them.

    A checkpoint is needed if its trial is what an ask could still choose, at any step that may still be
    asked after; if it is the parent of an open trial; if it is to be retained until a trial continues from
    it; or if it has the best value of all. Each record brings only a few into doubt, which `unneeded` then
    looks at: neither the population nor the history is walked.

    Args:
        size: Number of members.

    Attributes:
        stateful: True if trials have checkpoints; None until the first finite value.
        saved: Trials whose checkpoint exists, and what it is.
        retained: Trials to be kept until a trial continues from them, and none has yet.
    """

    def __init__(self, size: int) -> None:
        self.stateful: bool | None = None
        self.saved: dict[int, Published] = {}
        self.retained: set[int] = set()
        self._best: int | None = None
        self._latest: dict[int, int] = {}  # of each member, the trial that ended last
        self._continuing: dict[int, int] = {}  # number of open trials by their parent
        self._proposed = Tally([0] * size)
        self._by_step: dict[int, list[int]] = {}  # of trials from the floor on
        self._doubtful: set[int] = set()  # saved; all others are needed

    @property
    def _floor(self) -> int:
        """Return the lowest step that may still be asked after."""
        return max(self._proposed.least - 1, 0)

    def propose(self, trial: TrialRecord) -> None:
        """Note a new trial, which will load its parent's checkpoint."""
        if self.stateful is False:
            return
        if trial.parent is not None:
            self.retained.discard(trial.parent)
            self._continuing[trial.parent] = self._continuing.get(trial.parent, 0) + 1
        if self._proposed.advance(trial.step):
            for number in self._by_step.pop(self._floor - 1, ()):
                self._doubt(number)

    def end(self, trial: TrialRecord) -> None:
        """Note that a trial has ended, which takes the place of its member's one before."""
        if self.stateful is False:
            return
        self._doubt(self._latest.get(trial.member))
        self._latest[trial.member] = trial.number
        if (parent := trial.parent) is not None:
            self._continuing[parent] -= 1
            if not self._continuing[parent]:
                del self._continuing[parent]
                self._doubt(parent)

    def save(self, trial: TrialRecord, record: Mapping[str, Any], format: int) -> None:
        """Note a trial's checkpoint; the first trial that did not fail says whether trials have them.

        Args:
            trial: Trial that has ended.
            record: Record of its tell.
            format: Format of the study; tells of format 1 name no checkpoint.
        """
        if trial.valued and not trial.finite:
            return
        old = format == 1
        if self.stateful is None:
            self.stateful = truth(record.get("saved", False)) if old else "checkpoint" in record
        if self.stateful:
            claim = f"{trial.number}.{trial.token}"
            named = Published(claim) if old else Published.recorded(record["checkpoint"], claim)
            self.saved[trial.number] = named
            self._by_step.setdefault(trial.step, []).append(trial.number)
            if trial.retain:
                self.retained.add(trial.number)
        elif "checkpoint" in record and not old:
            raise ValueError("the study's first value came without a checkpoint")

    def prefer(self, trial: TrialRecord) -> None:
        """Note the trial with the best value of all so far."""
        self._doubt(self._best)
        self._best = trial.number

    def drop(self, numbers: Iterable[int]) -> None:
        """Note that checkpoints no longer exist; raise `KeyError` if one did not."""
        for number in numbers:
            del self.saved[number]
            self._doubtful.discard(number)
            self.retained.discard(number)  # lost, if it was one of them

    def add(self, size: int) -> None:
        """Add members without trials."""
        self._proposed.add(size)

    def resume(
        self,
        members: Sequence[Trials],
        finished: Finished,
        open: Mapping[int, TrialRecord],
        stateful: bool | None,
    ) -> None:
        """Take up the trials of a snapshot, whose `saved` and `retained` are there already.

        Args:
            members: Finished trials of each member.
            finished: All of them, by number.
            open: Trials that have not ended, by member.
            stateful: True if trials have checkpoints; None where that is not known.
        """
        self.stateful = stateful
        self._latest = {member: trials[-1].number for member, trials in enumerate(members) if trials}
        self._continuing = Counter(trial.parent for trial in open.values() if trial.parent is not None)
        self._proposed = Tally([len(trials) + (member in open) for member, trials in enumerate(members)])
        for number in self.saved:
            if (step := finished[number].step) >= self._floor:
                self._by_step.setdefault(step, []).append(number)
        self._doubtful = set(self.saved)

    def unneeded(self, finished: Mapping[int, TrialRecord], keep: Keep | None) -> list[int]:
        """Return the trials whose checkpoint can no longer be loaded, in the order of their ends.

        Args:
            finished: Trials that have ended, by number.
            keep: Predicate of what must stay nevertheless, asked each time, since its answer may depend on
                how far the study is; None keeps none.
        """
        if not self._doubtful:
            return []  # as always where trials have no checkpoints
        for number in [number for number in self._doubtful if self._is_needed(finished[number])]:
            self._doubtful.remove(number)
        spare = sorted((finished[number] for number in self._doubtful), key=_closed)
        return [trial.number for trial in spare if keep is None or not keep(trial)]

    def _doubt(self, number: int | None) -> None:
        if number in self.saved:
            self._doubtful.add(number)

    def _is_needed(self, trial: TrialRecord) -> bool:
        number = trial.number
        return (
            trial.step >= self._floor
            or number == self._latest[trial.member]
            or number in self._continuing
            or number in self.retained
            or number == self._best
        )


def _closed(trial: TrialRecord) -> int:
    return trial.closed
