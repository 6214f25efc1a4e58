"""What the records of a journal add up to; no I/O, no clock, no optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from hoptim._arguments import LARGEST_COUNT
from hoptim.errors import StudyDamaged
from hoptim.store.counts import Counts
from hoptim.store.fields import check_params, metrics, moment, number, truth, whole, worker_name
from hoptim.store.format import NEWEST, known_format, refuse_op
from hoptim.store.founders import Founders
from hoptim.store.line_format import Record
from hoptim.store.open_trials import OpenTrials
from hoptim.store.past import Finished, LazyFinished, LazyTrials, Trials
from hoptim.store.references import Keep, References
from hoptim.store.shape import StudyShape
from hoptim.store.trial_record import TrialRecord
from hoptim.store.turns import Turns


class State:
    """The fold of all records so far.

    It obeys the records alone, never a setting of the process that reads them.

    Args:
        shape: Settings of the study.

    Attributes:
        size: Number of members.
        steps: Trials of each member, with all extensions.
        seed: Seed of the study.
        sign: 1 if lower values are better, -1 if higher ones are.
        format: Format of the records.
        n: Number of records.
        time: Time of the last record, seconds since 1970; written once for all records of one append.
        members: Per member its finished trials, by step.
        open: Trials that have not ended, by member.
        finished: Trials that have ended, by number.
        count: Number of trials proposed.
        counts: Counts of what went wrong so far.
        founders: Founders that the members descend from.
        saved: Trials whose checkpoint exists, and what it is.
        gone: Trials whose checkpoint went without being dropped, so that nothing continues from them.
        retained: Trials to be kept until a trial continues from them, and none has yet.
        best_ever: The finished trial with the best finite value, the first of equals.
        stopped: Reason why no trial is to be begun any more; None while none is given.
        lost: Workers whose trials were taken back.
    """

    def __init__(self, shape: StudyShape) -> None:
        self.size, self.steps, self.seed, self.sign = shape.size, shape.steps, shape.seed, shape.sign
        self._names = None if shape.names is None else set(shape.names)
        self.format, self.n, self.time, self.count = NEWEST, 0, 0.0, 0
        self.members: list[Trials] = [[] for _ in range(self.size)]
        self.open = OpenTrials()
        self.finished: Finished = {}
        self.counts, self.founders = Counts(), Founders(self.size)
        self._turns, self._references = Turns([0] * self.size), References(self.size)
        self.saved, self.retained = self._references.saved, self._references.retained
        self.gone: set[int] = set()
        self.best_ever: TrialRecord | None = None
        self.stopped: str | None = None
        self.lost: set[str] = set()

    def apply(self, record: Record) -> None:
        """Add one record.

        Raises:
            StudyDamaged: It contradicts the records before it.
            NewerFormat: It is of a later version.
        """
        op = record.get("op")
        handler = _HANDLERS.get(op) if type(op) is str else None
        if handler is None:
            refuse_op(self.n, op)
        try:
            if "time" in record:
                self.time = moment(record["time"])
            handler(self, record)
            if "drops" in record:
                self._references.drop(record["drops"])
        except (KeyError, TypeError, ValueError, IndexError, OverflowError, AttributeError) as error:
            raise StudyDamaged(
                f"Record {self.n} ({op}) contradicts the records before it: "
                f"{type(error).__name__}: {error}."
            ) from error
        self.n += 1

    @property
    def stateful(self) -> bool | None:
        """Return whether trials have checkpoints; None until the first finite value."""
        return self._references.stateful

    @property
    def done(self) -> bool:
        """Return whether every member has finished its steps."""
        return self.slowest >= self.steps

    @property
    def slowest(self) -> int:
        """Return how many trials the slowest member has finished."""
        return self._turns.slowest

    @property
    def lacks_past(self) -> bool:
        """Return whether trials that ended long ago have not been read yet; see `Past`."""
        return isinstance(self.finished, LazyFinished) and not self.finished.whole

    def held(self, number: int, token: int) -> TrialRecord | None:
        """Return the open trial of a claim, None when that claim is no longer valid."""
        trial = self.open.numbered(number)
        return trial if trial is not None and trial.token == token and trial.worker is not None else None

    def due(self, lead: int, prefer: int | None) -> int | None:
        """Return the member to train next, None when nothing is due.

        Due is what is not held, not finished, and at most `lead` steps ahead of the slowest
        unfinished member. The lowest step first; among equals `prefer`, then the lowest member.
        """
        return self._turns.next(min(self.slowest + lead, self.steps - 1), prefer)

    def level(self, step: int) -> list[TrialRecord]:
        """Return, for each member, its finished trial with the largest step at most `step`."""
        if step < 0:
            return []
        return [trials[step] if step < len(trials) else trials[-1] for trials in self.members if trials]

    def ended_since(self, count: int) -> list[TrialRecord]:
        """Return the trials that ended after the first `count`, in that order; no others are visited."""
        return list(islice(reversed(self.finished.values()), len(self.finished) - count))[::-1]

    def unreferenced(self, keep: Keep | None) -> list[int]:
        """Return the trials whose checkpoint can no longer be loaded; see `References.unneeded`."""
        return self._references.unneeded(self.finished, keep)

    def drop(self, numbers: Iterable[int]) -> None:
        """Note that the checkpoints of some trials are dropped."""
        self._references.drop(numbers)

    def add_members(self, size: int) -> None:
        """Make room for members that the study's shape does not tell of."""
        self.size += size
        self.members += [[] for _ in range(size)]
        self._turns.add(size)
        self._references.add(size)
        self.founders.size += size

    def resume(
        self,
        members: Sequence[LazyTrials],
        finished: LazyFinished,
        open: Iterable[TrialRecord],
        stateful: bool | None,
    ) -> None:
        """Take up the trials of a snapshot; what it says besides of them is taken up already.

        Args:
            members: Finished trials of each member.
            finished: All of them.
            open: Trials that have not ended.
            stateful: True if trials have checkpoints; None where that is not known.
        """
        self.members, self.finished = [*members], finished
        self._turns = Turns([len(trials) for trials in members])
        for trials in members:
            for trial in trials[self.slowest :]:
                self.founders.end(trial)
        for trial in open:
            self.open.add(trial)
            if trial.worker is not None:
                self.open.claim(trial, trial.worker)
                self._turns.take(trial.member)
        self._references.resume(self.members, finished, self.open, stateful)
        if self.best_ever is not None:
            self._references.prefer(self.best_ever)

    def _create(self, record: Record) -> None:
        if self.n:
            raise ValueError("the study was created before")
        self.format = known_format(record["format"])

    def _ask(self, record: Record) -> None:
        if "member" not in record:
            if (trial := self.open.numbered(record["trial"])) is None:
                raise ValueError(f"trial {record['trial']} is not open")
            if trial.worker is not None:
                raise ValueError(f"trial {trial.number} is held by {trial.worker}")
        else:
            trial = self._proposed(record)
        self.open.claim(trial, worker_name(record["worker"]))
        self._turns.take(trial.member)
        trial.token, trial.claimed = self.n, self.time

    def _proposed(self, record: Record) -> TrialRecord:
        member, parent = record["member"], record["parent"]
        if not 0 <= whole(member) < self.size:
            raise ValueError(f"there is no member {member}")
        check_params(record["params"], record["x"], self._names, partial=self.format > 1)
        step = len(self.members[member])
        if member in self.open or (record["trial"], record["step"]) != (self.count, step):
            raise ValueError(f"member {member} is not due for trial {record['trial']}")
        begun = None if parent is None else self.finished[parent]
        trial = TrialRecord.proposed_by(record, begun, self.seed, self.time, self.n)
        self._references.propose(trial)
        self.open.add(trial)
        self.count += 1
        return trial

    def _claimed(self, record: Record) -> TrialRecord:
        if (trial := self.held(record["trial"], record["token"])) is None:
            raise ValueError(f"claim {record['token']} of trial {record['trial']} is not valid")
        return trial

    def _tell(self, record: Record) -> None:
        trial = self._claimed(record)
        trial.value = number(record["value"], or_none=self.format > 1)
        trial.valued = record["value"] is not None
        trial.metrics = metrics(record, any_json=self.format > 1)
        self._end(trial, record)
        self._references.save(trial, record, self.format)
        best = self.best_ever
        if trial.finite and (best is None or self.sign * trial.value < self.sign * best.value):
            self.best_ever = trial
            self._references.prefer(trial)

    def _end(self, trial: TrialRecord, record: Record, failed: str | None = None) -> None:
        trial.ended, trial.closed, trial.failed = self.time, self.n, failed
        trial.id = record.get("id", "")
        if trial.valued and not trial.finite:
            self.counts.failed += 1
        if failed is not None:
            self.counts.attempts += 1
        self.open.end(trial)
        self.founders.end(trial)
        self._turns.end(trial.member)
        self._references.end(trial)
        self.members[trial.member].append(trial)
        self.finished[trial.number] = trial

    def _fail(self, record: Record) -> None:
        trial = self._claimed(record)
        if record["final"]:
            self._end(trial, record, str(record["why"]))
        else:
            trial.id = record.get("id", "")
            trial.reasons = [*trial.reasons, str(record["why"])]
            self.counts.attempts += 1
            self._put_back(trial, interrupted=False)

    def _release(self, record: Record) -> None:
        self._put_back(self._claimed(record), interrupted=not record.get("unused", False))

    def _reclaim(self, record: Record) -> None:
        trial = self._claimed(record)
        died = truth(record.get("died", False))
        trial.deaths += died
        self.lost.add(str(trial.worker))
        if record["final"]:
            often = f"lost with its worker {trial.worker} too often"
            self._end(trial, record, f"ended the processes of {trial.deaths} workers" if died else often)
        else:
            trial.losses += 1
            self._put_back(trial, interrupted=True)

    def _put_back(self, trial: TrialRecord, interrupted: bool) -> None:
        trial.interruptions += interrupted
        self.counts.interruptions += interrupted
        self.open.release(trial)
        self._turns.put_back(trial.member)

    def _extend(self, record: Record) -> None:
        if not self.steps < whole(record["steps"]) <= LARGEST_COUNT:
            raise ValueError(f"{record['steps']} steps are no extension of {self.steps}")
        self.steps = record["steps"]

    def _drop(self, record: Record) -> None:
        if not record["drops"]:
            raise ValueError("no trial is named")
        self.gone.update(record["drops"])

    def _stop(self, record: Record) -> None:
        self.stopped = None if record["why"] is None else str(record["why"])


_HANDLERS: dict[str, Callable[[State, Record], None]] = {
    "create": State._create,
    "ask": State._ask,
    "tell": State._tell,
    "fail": State._fail,
    "release": State._release,
    "reclaim": State._reclaim,
    "extend": State._extend,
    "drop": State._drop,
    "stop": State._stop,
}
