"""The store: the operations on a study's records, each of which is one append."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from hoptim.errors import ArgumentError
from hoptim.options import Options
from hoptim.store.adoption import AdoptedTrial, publish_generation, record_generation
from hoptim.store.backend import Backend
from hoptim.store.beginning import Beginning, begin
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.claim import Claim, Held
from hoptim.store.claims import Claims, Propose
from hoptim.store.deaths import take_back
from hoptim.store.draft import Draft
from hoptim.store.endings import (
    is_told,
    record_failure,
    record_tell,
    require_checkpoint,
    require_valid,
)
from hoptim.store.format import NEWEST
from hoptim.store.heartbeat import Heartbeat
from hoptim.store.layout import PINS, WORKERS
from hoptim.store.line_format import Record
from hoptim.store.liveness import Watch
from hoptim.store.locking.patience import ENDLESS, Patience
from hoptim.store.lost import give_up
from hoptim.store.membership import Membership
from hoptim.store.memory_journal import Journal, MemoryJournal
from hoptim.store.orphans import Orphans
from hoptim.store.pins import Keep, Pin, Pins, drop_unreferenced
from hoptim.store.published import Published
from hoptim.store.repeating import repeated
from hoptim.store.shape import StudyShape
from hoptim.store.state import State
from hoptim.store.stop_record import record_resumption, record_stop, require_format, stop_if_met
from hoptim.store.transactions import Transaction, Transactions
from hoptim.store.worker import is_of_start
from hoptim.store.workers import Workers

log = logging.getLogger("hoptim")


class Store:
    """Records of a study: who trains what, and what came of it; the only writer of them.

    Args:
        backend: Backend of the study, None for one in memory.
        uuid: Identifier of the study.
        shape: Settings of the study that its records must fit.
        options: Options of this process; `keep` and `callbacks` are not looked at.
        guest: True if claims outlive this process, as `hoptim.remote` needs it. Default: False.

    Attributes:
        options: Options of this process.
        checkpoints: Files of the checkpoints.
        journal: Records on disk.
    """

    def __init__(
        self, backend: Backend | None, uuid: str, shape: StudyShape, options: Options, guest: bool = False
    ) -> None:
        self.options, heartbeat = options, Heartbeat(options.lease)
        self.journal: Journal
        if backend is None:
            self.checkpoints, orphans = Checkpoints(None, uuid), Orphans(None, uuid)
            self.journal, snapshots = MemoryJournal(), None
            self._workers, self._pins = Workers(None, heartbeat, guest), None
        else:
            self.checkpoints, orphans = backend.storage(uuid)
            self.journal, snapshots = backend.records(uuid, shape)
            self._workers = Workers(backend.signs(WORKERS), heartbeat, guest)
            self._pins = Pins(backend.signs(PINS), heartbeat)
        self._transactions = Transactions(
            self.journal, shape, self.checkpoints, self.watch, snapshots, options.ahead
        )
        self._claims = Claims(self._workers, options, self.checkpoints)
        self._membership = Membership(
            self._workers, self._pins, self._claims, orphans, self._transactions, guest
        )
        if backend is None:
            with self._transaction() as transaction:
                transaction.add("create", format=NEWEST)

    @property
    def watch(self) -> Watch | None:
        """Return the looks at other workers; None in memory."""
        return self._workers.watch

    @property
    def state(self) -> State:
        """Return the state as last read."""
        return self._transactions.state

    @property
    def look_every(self) -> float:
        """Return the seconds between looks at the others, often enough that no lease is missed."""
        return self._workers.look_every

    def refresh(self) -> State:
        """Return the state by all records that can be read now, without the lock."""
        return self._transactions.refresh()

    def alone(self, patience: Patience) -> AbstractContextManager[object]:
        """Keep the other threads of this process out of a block.

        Args:
            patience: Time to wait for one that is in, and may itself wait for the lock.

        Raises:
            LockTimeout: It is still in.
        """
        return self._transactions.alone(patience.within(self.options.lock_timeout))

    def may_ask(self, patience: Patience) -> bool:
        """Return whether `ask` would find something, by what was read last."""
        self._workers.look_around(self.state)
        return self._claims.may_get(self.state, patient=patience.left is None)

    def told(self, claim: Held, ended: Record) -> bool:
        """Return whether a tell with an unknown outcome did arrive.

        Args:
            claim: Trial and token.
            ended: Fields of the record, as for `tell`.

        Raises:
            ClaimLost: The claim is no longer valid.
            AlreadyTold: The trial was told otherwise.
        """
        with self.journal.mutex:
            if is_told(self.refresh(), claim, ended):
                return True
            require_valid(self.state, claim)
            return False

    def check_checkpoint(self, claim: Held, value: Any, saved: bool) -> None:
        """Raise unless a trial that did not fail ends with a checkpoint just when the study has them."""
        require_checkpoint(self.state, claim, value, saved)

    def publish(self, draft: Draft) -> Published:
        """Publish a draft; in a study of format 1, whose tells name none, that waits for the tell.

        Raises:
            CheckpointError: There is no draft, or it is a link.
        """
        if self.state.format == 1:
            return self.checkpoints.seal(draft, draft.claim)
        return self.checkpoints.publish(draft)

    def holds(self, claim: Held) -> bool:
        """Return whether a claim is still valid, by what can be read now."""
        return self.refresh().held(claim.number, claim.token) is not None

    @repeated
    def ask(self, propose: Propose, patience: Patience = ENDLESS) -> Claim | None:
        """Claim the next trial that is due, None when nothing is.

        Args:
            propose: Function that gives the fields of a trial that is not proposed yet, called under
                the lock.
            patience: Time to wait for the lock, besides `lock_timeout`. If it is endless, what others end
                sooner is left to them. Default: endless.

        Raises:
            LockTimeout: The lock stayed taken.
        """
        self._membership.join(patience.within(self.options.lock_timeout))
        self._workers.look_around(self.state)
        with self._transactions.begin(patience.within(self.options.lock_timeout)) as transaction:
            if self.options.stop is not None:
                require_format(transaction.state)
                stop_if_met(transaction, self.options.stop)
            return self._claims.next(transaction, propose, patient=patience.left is None)

    @repeated
    def tell(
        self, claim: Held, ended: Record, then: Propose | None, keep: Keep | None = None
    ) -> Claim | None:
        """End a claim with a value, or as trained and not valued.

        Args:
            claim: Trial and token.
            ended: Fields of the record: id, value (None without one), and metrics and checkpoint where
                there are.
            then: Proposes the trial that is claimed in the same append. Default: None, which claims none.
            keep: Function that tells whether a finished trial's checkpoint must stay. Default: None,
                which drops whatever is no longer referenced.

        Returns:
            The next claim, None without `then`, when nothing is due, or when others end sooner what is.

        Raises:
            ClaimLost: The claim is no longer valid; nothing is recorded.
            NoCheckpoint: The study's trials have checkpoints, and this one has none.
            CheckpointError: The study's trials have no checkpoints, and this one has.
        """
        following = None
        with self._transaction() as transaction:
            if record_tell(transaction, claim, ended, self.checkpoints):
                drop_unreferenced(transaction, keep, self._pins)
                stop_if_met(transaction, self.options.stop)
            self._claims.prefer = claim.member
            if then is not None:
                try:
                    following = self._claims.next(transaction, then, patient=True)
                except Exception:  # the tell must not suffer; the next ask says it again
                    log.debug("The next trial could not be claimed along with a tell.", exc_info=True)
        self.checkpoints.forget(claim.number, claim.token, ended=True)
        return following

    @repeated
    def fail(self, claim: Held, id: str, why: str, retry: bool, keep: Keep | None = None) -> None:
        """End an attempt as a failure.

        Args:
            claim: Trial and token.
            id: Identifier of the record, so that a retry is found.
            why: Reason, kept in the journal.
            retry: True if the trial may be handed out again, up to `max_attempts` times.
            keep: Function as for `tell`. Default: None.

        Raises:
            ClaimLost: The claim is no longer valid; nothing is recorded.
        """
        with self._transaction() as transaction:
            attempts = self.options.max_attempts if retry else 1
            final = record_failure(transaction, claim, id, why, attempts)
            drop_unreferenced(transaction, keep, self._pins)
            stop_if_met(transaction, self.options.stop)
        self.checkpoints.forget(claim.number, claim.token, ended=final)

    @repeated
    def release(self, claim: Held, unused: bool) -> None:
        """Hand a trial back; it will be handed out again as it is.

        Args:
            claim: Trial and token; fine if the claim is lost already.
            unused: True if it was not begun, so that it does not count as an interruption.
        """
        self._claims.forget(claim.token)  # should it fail: handed out here again
        with self._transaction() as transaction:
            if transaction.state.held(claim.number, claim.token) is None:
                return
            more = {"unused": True} if unused else {}
            transaction.add("release", trial=claim.number, token=claim.token, **more)
        self.checkpoints.forget(claim.number, claim.token, ended=False)

    @repeated
    def record_deaths(self, start: str) -> bool:
        """Take back what the workers of a start held, as trials that may have ended their process.

        Args:
            start: Identifier of the start.

        Returns:
            True if they held trials, also when another process was the first to take them back.
        """
        held = [worker for worker in self.refresh().open.workers if is_of_start(worker, start)]
        if held and self.watch is not None:
            with self._transaction() as transaction:
                for worker in self.watch.proven_dead(sorted(held)):
                    take_back(transaction, worker, self.options, died=True)
        return any(is_of_start(worker, start) for worker in self.state.lost)

    @repeated
    def keep_if_whole(self, claim: Claim) -> bool:
        """Return whether a trial can begin; give it up if its parent's checkpoint is gone or changed.

        Args:
            claim: The claim, fresh from `ask` or `tell`.
        """
        if claim.checkpoint is None or self.checkpoints.can_begin_from(claim.checkpoint):
            return True
        with self._transaction() as transaction:
            trial = transaction.state.held(claim.number, claim.token)
            if trial is not None:
                give_up(transaction, self.checkpoints, trial)
        return False

    @repeated
    def extend(self, steps: int) -> None:
        """Raise the number of steps."""
        with self._transaction() as transaction:
            if steps > transaction.state.steps:
                transaction.add("extend", steps=steps)

    @repeated
    def stop(self, why: str) -> None:
        """Record that no trial is to be begun any more; the first reason stays.

        Args:
            why: Reason.

        Raises:
            ArgumentError: The study is of format 1, which has no such record.
        """
        with self._transaction() as transaction:
            record_stop(transaction, why)

    @repeated
    def resume(self) -> None:
        """Record that a stopped study goes on."""
        if self.refresh().stopped is not None:
            with self._transaction() as transaction:
                record_resumption(transaction)

    def leave(self, timeout: float | None = None) -> None:
        """Release everything that this process holds, tidy up, and stop its heartbeat.

        Args:
            timeout: Seconds to wait for the lock, at most and by default 10.
        """
        self._membership.leave(timeout)

    def finish(self, timeout: float | None = None) -> None:
        """Leave, and tidy up even if this process held nothing: all is done, so no later one will.

        Args:
            timeout: Seconds to wait for the lock, as for `leave`.
        """
        self._membership.finish(timeout)

    def mark_exported(self, claim: Held) -> None:
        """Note that a copy of the claim went to another process, so that it is not given out again here."""
        self._claims.mark_exported(claim.token, self.state)

    def resume_claim(self, number: int, token: int) -> Claim:
        """Return a claim that another process was given, to be told or failed by this one.

        Args:
            number: Trial.
            token: Token of the claim; whether it is still valid shows when it is used.

        Raises:
            ArgumentError: The study has no such trial.
        """
        return Claim.resumed(self.refresh(), number, token, self.journal.name)

    @repeated
    def adopt_generation(self, generation: Sequence[AdoptedTrial]) -> None:
        """Record trials of another study as this study's first generation, each asked and told at once.

        Args:
            generation: One trial for each member, in order.

        Raises:
            ArgumentError: The study has trials already, or another number of members.
            StoreError: A checkpoint cannot be linked or copied.
        """
        published = publish_generation(self.checkpoints, self.refresh(), generation)
        with self._transaction() as transaction:
            record_generation(transaction, generation, published)

    def begin(self, beginnings: Sequence[Beginning], propose: Propose) -> list[Record]:
        """Copy the checkpoints that a study without trials begins with, and fold the records that say so.

        Args:
            beginnings: Members and what they begin with.
            propose: Function that gives the fields of the first trial of a member.

        Returns:
            The records, for the one who makes the study's directory to write.

        Raises:
            StoreError, CheckpointError: A checkpoint cannot be copied.
        """
        in_memory = isinstance(self.journal, MemoryJournal)
        if not in_memory:  # not made yet, nor is its first record
            self.state.apply({"op": "create", "format": NEWEST})
        records = begin(self.state, beginnings, self.checkpoints, propose)
        if in_memory:
            self.journal.append(records)
        return records

    @repeated
    def pin(self, choose: Callable[[State], Iterable[int]]) -> Pin:
        """Keep checkpoints of trials from being dropped, until the returned pin is released.

        Args:
            choose: Called under the lock with the state; returns the numbers of trials whose checkpoints
                are there.

        Raises:
            CheckpointError: A trial has no checkpoint, or it was dropped.
            ArgumentError: The study is in memory, where checkpoints cannot be shared.
        """
        if self._pins is None:
            raise ArgumentError("A study in memory has no checkpoints that another study could share.")
        with self._transaction() as transaction:
            return self._pins.add(transaction.state.saved, choose(transaction.state))

    def _transaction(self) -> AbstractContextManager[Transaction]:
        return self._transactions.begin(self.options.lock_timeout)
