"""What the records of a journal add up to; no I/O, no clock, no optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hoptim._arguments import LARGEST_COUNT
from hoptim.errors import StudyDamaged
from hoptim.store.fields import check_params, metrics, moment, number, truth, whole, worker_name
from hoptim.store.format import NEWEST, known_format, refuse_op
from hoptim.store.line_format import Record
from hoptim.store.published import Published
from hoptim.store.seeds import trial_seed
from hoptim.store.shape import StudyShape
from hoptim.store.trial_record import TrialRecord


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
        stateful: True if trials have checkpoints; None until the first finite value.
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
        self.format = NEWEST
        self.n = 0
        self.time = 0.0
        self.members: list[list[TrialRecord]] = [[] for _ in range(self.size)]
        self.open: dict[int, TrialRecord] = {}
        self.finished: dict[int, TrialRecord] = {}
        self.count = 0
        self.stateful: bool | None = None
        self.saved: dict[int, Published] = {}
        self.gone: set[int] = set()
        self.retained: set[int] = set()
        self.best_ever: TrialRecord | None = None
        self.stopped: str | None = None
        self.lost: set[str] = set()

    def apply(self, record: Record) -> None:
        """Add one record.

        Raises:
            StudyDamaged: It contradicts the records before it.
            NewerFormat: It is of a later version.
        """
        handler = _HANDLERS.get(str(record.get("op")))
        if handler is None:
            refuse_op(self.n, record.get("op"))
        try:
            if "time" in record:
                self.time = moment(record["time"])
            handler(self, record)
            for number in record.get("drops", ()):
                del self.saved[number]
        except (KeyError, TypeError, ValueError, IndexError, OverflowError, AttributeError) as error:
            raise StudyDamaged(
                f"Record {self.n} ({record['op']}) contradicts the records before it: "
                f"{type(error).__name__}: {error}."
            ) from error
        self.n += 1

    @property
    def done(self) -> bool:
        """Return whether every member has finished its steps."""
        return all(len(trials) >= self.steps for trials in self.members)

    def held(self, number: int, token: int) -> TrialRecord | None:
        """Return the open trial of a claim, None when that claim is no longer valid."""
        for trial in self.open.values():
            if trial.number == number:
                return trial if trial.token == token and trial.worker is not None else None
        return None

    def due(self, lead: int, prefer: int | None) -> int | None:
        """Return the member to train next, None when nothing is due.

        Due is what is not held, not finished, and at most `lead` steps ahead of the slowest
        unfinished member. The lowest step first; among equals `prefer`, then the lowest member.
        """
        steps = [len(trials) for trials in self.members]
        limit = min(min(steps) + lead, self.steps - 1)
        free = [
            (step, member != prefer, member)
            for member, step in enumerate(steps)
            if step <= limit and (member not in self.open or self.open[member].worker is None)
        ]
        return min(free)[2] if free else None

    def level(self, step: int) -> list[TrialRecord]:
        """Return, for each member, its finished trial with the largest step at most `step`."""
        if step < 0:
            return []
        return [trials[step] if step < len(trials) else trials[-1] for trials in self.members if trials]

    def unreferenced(self, keep: Callable[[TrialRecord], bool] | None) -> list[int]:
        """Return the trials whose checkpoint can no longer be loaded.

        Needed are: what an ask could still choose, at any step that may still be asked after, the
        parents of open trials, what was proposed to be retained, the best ever (the best latest is
        among the first), what `keep` says.
        """
        if not self.saved:
            return []
        asking = [
            self.open[member].step if member in self.open else len(trials) - 1
            for member, trials in enumerate(self.members)
        ]
        floor = max(min(asking), 0)
        needed = {trial.parent for trial in self.open.values()} | self.retained
        if self.best_ever is not None:
            needed.add(self.best_ever.number)
        for trials in self.members:
            needed.update(t.number for t in trials[min(floor, len(trials) - 1) :])
        unreferenced = [number for number in self.saved if number not in needed]
        return [n for n in unreferenced if keep is None or not keep(self.finished[n])]

    def _create(self, record: Record) -> None:
        if self.n:
            raise ValueError("the study was created before")
        self.format = known_format(record["format"])

    def _ask(self, record: Record) -> None:
        if "member" not in record:
            trial = {t.number: t for t in self.open.values()}[record["trial"]]
            if trial.worker is not None:
                raise ValueError(f"trial {trial.number} is held by {trial.worker}")
        else:
            trial = self._proposed(record)
        trial.worker = worker_name(record["worker"])
        trial.token, trial.claimed = self.n, self.time

    def _proposed(self, record: Record) -> TrialRecord:
        member, parent = record["member"], record["parent"]
        if not 0 <= whole(member) < self.size:
            raise ValueError(f"there is no member {member}")
        step = len(self.members[member])
        check_params(record["params"], record["x"], self._names, partial=self.format > 1)
        if member in self.open or record["trial"] != self.count or record["step"] != step:
            raise ValueError(f"member {member} is not due for trial {record['trial']}")
        begun = None if parent is None else self.finished[parent]
        age, founder = (0, self.count) if begun is None else (begun.age + 1, begun.founder)
        trial = TrialRecord(
            self.count, member, step, parent, record["params"], record["x"], record.get("memo"), age,
            trial_seed(self.seed, self.count), self.time, self.n, founder,
            truth(record.get("retain", False)),
        )  # fmt: skip
        if parent is None and "origin" in record:  # of the study that this one was forked from
            trial.origin, trial.age = whole(record["origin"]), whole(record["age"])
            trial.seed = whole(record["seed"])
        self.retained.discard(parent)
        self.open[member] = trial
        self.count += 1
        return trial

    def _claimed(self, record: Record) -> TrialRecord:
        trial = self.held(record["trial"], record["token"])
        if trial is None:
            raise ValueError(f"claim {record['token']} of trial {record['trial']} is not valid")
        return trial

    def _tell(self, record: Record) -> None:
        trial = self._claimed(record)
        trial.value = number(record["value"], or_none=self.format > 1)
        trial.metrics = metrics(record, any_json=self.format > 1)
        self._end(trial, record)
        self._save(trial, record)
        best = self.best_ever
        if trial.finite and (best is None or self.sign * trial.value < self.sign * best.value):
            self.best_ever = trial

    def _save(self, trial: TrialRecord, record: Record) -> None:
        """Note the checkpoint of a trial that was told, and by the first one that studies have them."""
        if not trial.finite and record["value"] is not None:
            return
        old, claim = self.format == 1, f"{trial.number}.{trial.token}"
        if self.stateful is None:
            self.stateful = truth(record.get("saved", False)) if old else "checkpoint" in record
        if self.stateful:
            named = Published(claim) if old else Published.recorded(record["checkpoint"], claim)
            self.saved[trial.number] = named
            if trial.retain:
                self.retained.add(trial.number)
        elif "checkpoint" in record and not old:
            raise ValueError("the study's first value came without a checkpoint")

    def _end(self, trial: TrialRecord, record: Record, failed: str | None = None) -> None:
        trial.ended, trial.closed, trial.failed = self.time, self.n, failed
        trial.id = record.get("id", "")
        del self.open[trial.member]
        self.members[trial.member].append(trial)
        self.finished[trial.number] = trial

    def _fail(self, record: Record) -> None:
        trial = self._claimed(record)
        if record["final"]:
            self._end(trial, record, str(record["why"]))
        else:
            trial.id = record.get("id", "")
            trial.reasons = [*trial.reasons, str(record["why"])]
            trial.worker = None

    def _release(self, record: Record) -> None:
        trial = self._claimed(record)
        trial.interruptions += not record.get("unused", False)
        trial.worker = None

    def _reclaim(self, record: Record) -> None:
        trial = self._claimed(record)
        died = truth(record.get("died", False))
        trial.deaths += died
        self.lost.add(str(trial.worker))
        if record["final"]:
            often = f"lost with its worker {trial.worker} too often"
            self._end(trial, record, f"ended the processes of {trial.deaths} workers" if died else often)
        else:
            trial.interruptions += 1
            trial.losses += 1
            trial.worker = None

    def _extend(self, record: Record) -> None:
        if not self.steps < whole(record["steps"]) <= LARGEST_COUNT:
            raise ValueError(f"{record['steps']} steps are no extension of {self.steps}")
        self.steps = record["steps"]

    def _drop(self, record: Record) -> None:
        if not record["drops"]:
            raise ValueError("no trial is named")
        self.gone.update(record["drops"])
        self.retained.difference_update(record["drops"])

    def _stop(self, record: Record) -> None:
        self.stopped = None if record["why"] is None else str(record["why"])

    def history(self) -> Iterable[TrialRecord]:
        """Give the finished trials in the order of their numbers."""
        return (self.finished[number] for number in sorted(self.finished))


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
