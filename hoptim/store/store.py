"""A study's records behind its lock: who trains what, and what came of it."""

from __future__ import annotations

import logging
import os
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hoptim._signals import signals_deferred
from hoptim.errors import (
    AlreadyTold,
    ArgumentError,
    CheckpointError,
    ClaimLost,
    NoCheckpoint,
    StudyDamaged,
)
from hoptim.options import Options
from hoptim.store import shutdown
from hoptim.store.adoption import AdoptedTrial
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.claim import Claim, Held
from hoptim.store.journal import FileJournal
from hoptim.store.line_format import Record
from hoptim.store.liveness import BEATS_PER_LEASE, Watch, Worker
from hoptim.store.memory_journal import Journal, MemoryJournal
from hoptim.store.shape import StudyShape
from hoptim.store.state import FORMAT, State
from hoptim.store.trial_record import TrialRecord

log = logging.getLogger("hoptim")

Propose = Callable[[State, int, int], dict[str, Any]]  # state, member, number -> fields of an ask
Keep = Callable[[TrialRecord], bool]

_LEAVE_WITHIN = 10.0  # seconds; after that the exit is not held up any longer
_LOOK_EVERY = 1.0  # seconds between looks at other workers at most; a death is noticed within two


class Store:
    """Claims, ends and reclaims trials; each operation is one append, decided under the lock.

    Args:
        folder: The study's directory, None for one in memory.
        uuid: The study's identifier.
        shape: Settings of the study that its records must fit.
        options: Options of this process; `keep` and `callbacks` are not looked at.
        guest: Whether claims outlive this process, as `hoptim.remote` needs it. Default: False.
    """

    def __init__(
        self,
        folder: Path | None,
        uuid: str,
        shape: StudyShape,
        options: Options,
        guest: bool = False,
    ) -> None:
        self.options = options
        self.checkpoints = Checkpoints(folder, uuid)
        self.journal: Journal = (
            MemoryJournal() if folder is None else FileJournal(folder, uuid, options.single_host)
        )
        self.watch = None if folder is None else Watch(folder, options.lease)
        self._lent: weakref.WeakValueDictionary[int, Claim] = weakref.WeakValueDictionary()
        self.prefer: int | None = None  # the member that this process trained last
        self._folder, self._shape, self._guest = folder, shape, guest
        self._state = State(shape)
        self._batch: list[Record] = []  # folded in this hold, written at its end
        self._spare: list[tuple[int, int]] = []  # checkpoints to remove after it
        self._dead: list[str] = []  # workers to bury after it
        self._worker: Worker | None = None
        self._away: list[Claim] = []
        self._suspects: set[str] = set()
        self._looked = 0.0
        if folder is None:
            with self._hold():
                self._add("create", format=FORMAT)

    @property
    def state(self) -> State:
        """The state as last read."""
        return self._state

    @property
    def look_every(self) -> float:
        """Seconds between looks at the others, often enough that no lease is missed."""
        return min(_LOOK_EVERY, self.options.lease / (2 * BEATS_PER_LEASE))

    def refresh(self) -> State:
        """The state by all records that can be read now, without the lock."""
        with self.journal.mutex:
            return self._catch_up()

    def ask(self, propose: Propose) -> Claim | None:
        """Claim the next trial that is due, None when nothing is.

        Args:
            propose: Called under the lock for a trial that nobody has proposed yet.
        """
        self._be_alive()
        self._look_around()
        with self._hold():
            return self._claim(propose)

    def tell(
        self, claim: Held, ended: Record, then: Propose | None, keep: Keep | None = None
    ) -> Claim | None:
        """End a claim with a value.

        Args:
            claim: The trial and token.
            ended: Fields of the record: id, value, and metrics and saved where there are.
            then: Claim the next trial in the same append, proposed by this.
            keep: Function that tells whether a finished trial's checkpoint must stay. Default: None,
                which drops whatever is no longer referenced.

        Returns:
            The next claim, None without `then` or when nothing is due.

        Raises:
            ClaimLost: The claim is no longer valid; nothing is recorded.
            NoCheckpoint: As `check_checkpoint`.
        """
        following = None
        with self._hold() as state:
            known = state.finished.get(claim.number)
            if known is None or known.id != ended["id"]:  # else a retry: the first one did arrive
                self._valid(claim)
                self.check_checkpoint(claim, ended)
                # One word per study says whether trials have checkpoints: the first finite tell's.
                fields = {k: v for k, v in ended.items() if k != "saved" or state.stateful is None}
                self._add("tell", trial=claim.number, token=claim.token, **fields)
                self._drop_spare(keep)
            self.prefer = claim.member
            if then is not None:
                try:
                    following = self._claim(then)
                except Exception:  # the tell must not suffer; the next ask says it again
                    log.debug("The next trial could not be claimed along with a tell.", exc_info=True)
        self.checkpoints.forget(claim.number, claim.token, ended=True)
        return following

    def mark_exported(self, claim: Held) -> None:
        """A copy of the claim went to another process: nobody here may be given it again."""
        lent = self._lent.get(claim.token)
        held = {trial.token for trial in self._state.open.values()}
        self._away = [known for known in self._away if known.token in held]
        if lent is not None:
            self._away.append(lent)

    def may_ask(self) -> bool:
        """Whether `ask` would find something, by what can be read now without the lock."""
        self._look_around()
        state, me = self.refresh(), self._name()
        lost = any(t.worker == me and t.token not in self._lent for t in state.open.values())
        return lost or bool(self._suspects) or state.due(self.options.ahead, self.prefer) is not None

    def fail(self, claim: Held, id: str, why: str, retry: bool, keep: Keep | None = None) -> None:
        """End an attempt as a failure.

        Args:
            claim: The trial and token.
            id: Identifier of the record, so that a retry is found.
            why: Reason, kept in the journal.
            retry: Whether the trial may be handed out again, up to `max_attempts` times.
            keep: As for `tell`.

        Raises:
            ClaimLost: The claim is no longer valid; nothing is recorded.
        """
        with self._hold() as state:
            known = state.finished.get(claim.number) or state.open.get(claim.member)
            if known is not None and known.id == id:  # a retry: the first one did arrive
                final = known.ended is not None
            else:
                trial = self._valid(claim)
                final = not retry or trial.attempt >= self.options.max_attempts
                self._add("fail", id=id, trial=claim.number, token=claim.token, why=why, final=final)
                self._drop_spare(keep)
        self.checkpoints.forget(claim.number, claim.token, ended=final)

    def resume_claim(self, number: int, token: int) -> Claim:
        """Return a claim that another process was given, to be told or failed by this one.

        Args:
            number: Trial.
            token: Token of the claim; whether it is still valid shows when it is used.

        Raises:
            ArgumentError: The study has no such trial.
        """
        state = self.refresh()
        trial = state.finished.get(number) or {t.number: t for t in state.open.values()}.get(number)
        if trial is None:
            where = "in memory" if self._folder is None else f"in {str(self._folder)!r}"
            raise ArgumentError(f"The study {where} has no trial {number}, but {state.count} so far.")
        claim = Claim(trial, state)
        claim.token = token
        return claim

    def adopt_generation(self, generation: Sequence[AdoptedTrial]) -> None:
        """Record trials of another study as this study's first generation, each asked and told at once.

        Args:
            generation: One trial for each member, in order.

        Raises:
            ArgumentError: The study has trials already, or another number of members.
            StoreError: A checkpoint cannot be linked or copied.
        """
        first = self.refresh().n  # an ask's token is its record number
        for member, adopted in enumerate(generation):
            if adopted.checkpoint is not None:
                self.checkpoints.adopt(adopted.checkpoint, member, first + 2 * member)
        with self._hold() as state:
            if state.count or state.n != first or len(generation) != state.size:
                raise ArgumentError(
                    f"A generation of {len(generation)} trials cannot begin a study of {state.size} "
                    f"members with {state.count} trials; it begins a new study of its own size."
                )
            for member, adopted in enumerate(generation):
                self._add("ask", **adopted.ask(member))
                saved = adopted.checkpoint is not None and state.stateful is None
                self._add("tell", **adopted.tell(member, state.n - 1, saved))

    def release(self, claim: Held, unused: bool) -> None:
        """Hand a trial back; it will be handed out again as it is.

        Args:
            claim: The trial and token; fine if the claim is lost already.
            unused: Nobody began it, so it does not count as an interruption.
        """
        self._lent.pop(claim.token, None)  # should it fail: handed out here again
        with self._hold() as state:
            if state.held(claim.number, claim.token) is None:
                return
            more = {"unused": True} if unused else {}
            self._add("release", trial=claim.number, token=claim.token, **more)
        self.checkpoints.forget(claim.number, claim.token, ended=False)

    def extend(self, steps: int) -> None:
        """Raise the number of steps."""
        with self._hold() as state:
            if steps > state.steps:
                self._add("extend", steps=steps)

    def leave(self) -> None:
        """Release everything that this process holds, tidy up, and stop its sign of life."""
        with self.journal.mutex:
            worker = self._worker
            if worker is None or worker.pid != os.getpid():
                return
            with self._hold(_LEAVE_WITHIN) as state:
                for trial in [t for t in state.open.values() if t.worker == worker.id]:
                    self._add("release", trial=trial.number, token=trial.token)
                left = self._left_over(state)
            worker.stop()
            self._worker = None
        self.checkpoints.remove(left)

    def finish(self) -> None:
        """All is done: leave, and tidy up even if this process held nothing, since no later one will."""
        self.leave()
        if self._folder is None or self.watch is None:
            return
        if self._orphans(self.refresh()) or self.watch.anybody():
            with self._hold(_LEAVE_WITHIN) as state:
                left = self._left_over(state)
            self.checkpoints.remove(left)

    def _left_over(self, state: State) -> list[Path]:
        """What killed processes left behind; their signs of life are removed at once."""
        if self.watch is not None:
            self.watch.remove_idle({t.worker for t in state.open.values()})
        return self._orphans(state)

    def _orphans(self, state: State) -> list[Path]:
        claims = [(t.number, t.token) for t in state.open.values() if t.worker is not None]
        open_ = [t.number for t in state.open.values()]
        return self.checkpoints.orphans([*state.saved.items(), *claims], open_)

    def told(self, claim: Held, id: str) -> bool:
        """Whether a tell with an unknown outcome did arrive; raises `ClaimLost` for a lost claim."""
        with self.journal.mutex:
            ended = self._catch_up().finished.get(claim.number)
            if ended is not None and ended.id == id:
                return True
            self._valid(claim)
            return False

    def holds(self, claim: Held) -> bool:
        """Whether a claim is still valid, by what can be read now."""
        return self.refresh().held(claim.number, claim.token) is not None

    def check_checkpoint(self, claim: Held, ended: Mapping[str, Any]) -> None:
        """Raise unless a finite value comes with a checkpoint just when the study has them."""
        stateful, saved = self._state.stateful, ended.get("saved", False)
        if stateful is None or isinstance(ended["value"], str) or stateful == saved:
            return
        if stateful:
            raise NoCheckpoint(
                f"Trial {claim.number} was told a value without a checkpoint, but this study's trials "
                "have checkpoints, and others could not continue from it. The claim is kept: tell "
                "again with save=... or checkpoint=trial.draft."
            )
        raise CheckpointError(
            f"Trial {claim.number} was told with a checkpoint, but this study's first value came "
            "without one, so its trials have none. The claim is kept: tell without it, or begin a "
            "new study whose every tell saves."
        )

    def _valid(self, claim: Held) -> TrialRecord:
        trial = self._state.held(claim.number, claim.token)
        if trial is not None:
            return trial
        ended = self._state.finished.get(claim.number)
        if ended is not None and ended.token == claim.token and ended.failed is None:
            raise AlreadyTold(f"Trial {claim.number} has been told already; nothing was recorded.")
        raise ClaimLost(
            f"Trial {claim.number} was given to another worker while this one gave no sign of life, "
            "or was ended elsewhere. Nothing was recorded; go on with the next trial."
        )

    def _claim(self, propose: Propose) -> Claim | None:
        state = self._state
        if self._worker is not None and not self._worker.is_shown():
            return None  # stood still for so long that it was remove_dead; the next ask begins anew
        self._take_back()
        me = self._name()
        for trial in state.open.values():
            if trial.worker == me and trial.token not in self._lent:
                return self._lend(trial)  # of an ask with an unknown outcome, or let go of unread
        member = state.due(self.options.ahead, self.prefer)
        if member is None:
            return None
        if member in state.open:
            self._add("ask", trial=state.open[member].number, worker=me)
        else:
            fields = propose(state, member, state.count)
            step = len(state.members[member])
            self._add("ask", trial=state.count, member=member, step=step, **fields, worker=me)
        return self._lend(state.open[member])

    def _lend(self, trial: TrialRecord) -> Claim:
        self._lent[trial.token] = claim = Claim(trial, self._state)
        return claim

    def _take_back(self) -> None:
        """Reclaim from workers that are dead; the last look at each is under the lock."""
        if self.watch is None or not self._suspects:
            return
        for worker in sorted(self._suspects):
            if not self.watch.is_dead(worker):
                continue
            for trial in [t for t in self._state.open.values() if t.worker == worker]:
                final = trial.interruptions + 1 >= self.options.max_interruptions
                log.warning("%s died in trial %d.", self.watch.name(worker).capitalize(), trial.number)
                self._add("reclaim", trial=trial.number, token=trial.token, final=final)
                self._spare.append((trial.number, trial.token))  # should it have come that far
            self._dead.append(worker)
        self._suspects.clear()

    def _look_around(self) -> None:
        """Look at the others now and then, outside the lock."""
        if self.watch is None or time.monotonic() - self._looked < self.look_every:
            return
        self._looked = time.monotonic()
        others = {t.worker for t in self._state.open.values() if t.worker} - {self._name()}
        self._suspects = {worker for worker in sorted(others) if self.watch.is_dead(worker)}

    def _drop_spare(self, keep: Keep | None) -> None:
        spare = self._state.unreferenced(keep)
        if spare:
            self._spare += [(number, self._state.saved.pop(number)) for number in spare]
            self._batch[-1]["drops"] = spare

    def _be_alive(self) -> None:
        """Become a worker before the first claim; anew in a forked child."""
        with self.journal.mutex:
            if self._folder is None or self.watch is None:
                return
            worker = self._worker
            if worker is not None and worker.pid == os.getpid():
                if worker.is_shown():
                    return
                worker.stop()
            self._lent.clear()
            self.prefer = None
            worker = Worker(self._folder, self.options.lease, self._guest)
            with self._hold() as state:
                left = self._left_over(state)
                worker.start()
            self._worker = worker
            if not self._guest:  # else the claim outlives this process
                weakref.finalize(self, worker.stop)
                shutdown.release_at_exit(self)
        self.checkpoints.remove(left)

    def _name(self) -> str:
        """Who claims; a forked child is nobody yet, and not its parent."""
        worker = self._worker
        return "memory" if worker is None or worker.pid != os.getpid() else worker.id

    @contextmanager
    def _hold(self, within: float | None = None) -> Iterator[State]:
        """Under the lock, with all records read; what the block adds is written at its end.

        Only then, and without the lock, is removed what the block found spare.
        """
        with signals_deferred():
            with self.journal.hold(within or self.options.lock_timeout):
                try:
                    yield self._catch_up()
                    if self._batch:
                        self.journal.append(self._batch)
                    self._bury()
                except BaseException:
                    if self._batch or self._state.n != self.journal.count:  # folded, not written
                        self.journal.forget()
                    self._spare.clear()
                    self._dead.clear()
                    raise
                finally:
                    self._batch.clear()
            spare, self._spare = self._spare, []
            self.checkpoints.drop(spare)

    def _bury(self) -> None:
        """Only now: until its claims were taken back, the proof of a death was needed.

        And only under the lock: one that comes back must not claim again before its sign is gone.
        """
        dead, self._dead = self._dead, []
        for worker in dead:
            if self.watch is not None:
                self.watch.remove_dead(worker)

    def _catch_up(self) -> State:
        try:
            self.journal.read(self._fold)
        except BaseException:  # what was read and not folded must be read again
            self.journal.forget()
            raise
        return self._state

    def _fold(self, void: bool, records: list[Record]) -> None:
        if void:
            self._state = State(self._shape)
        try:
            for record in records:
                self._state.apply(record)
        except StudyDamaged as error:
            where = f"{self._folder}/journal.jsonl, line {self._state.n + 1}"
            raise StudyDamaged(f"{where}: {error}") from error

    def _add(self, op: str, **fields: Any) -> None:
        """Fold a record now; it is written at the end of the hold."""
        record = {"n": self._state.n, "op": op, **fields}
        if not self._batch:
            record["time"] = round(time.time(), 3)
        try:
            self._state.apply(record)
        except StudyDamaged as error:
            raise AssertionError(f"hoptim was about to write {record!r}") from error
        self._batch.append(record)
