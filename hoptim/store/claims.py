"""The claims of this process: how it gets the next one, and which of them are in use."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from hoptim.options import Options
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.claim import Claim
from hoptim.store.deaths import take_back
from hoptim.store.lost import give_up, is_gone, record_lost
from hoptim.store.pace import Pace
from hoptim.store.state import State
from hoptim.store.transactions import Transaction
from hoptim.store.trial_record import TrialRecord
from hoptim.store.workers import Workers

Propose = Callable[[State, int, int], dict[str, Any]]  # state, member, number -> fields of an ask


class Claims:
    """Claims that this process has, or may get.

    Args:
        workers: This process among the workers, by whose name it claims.
        options: Options of this process.
        checkpoints: Files of the checkpoints, to continue from.

    Attributes:
        prefer: Member that this process trained last, whose weights it has in memory.
    """

    def __init__(self, workers: Workers, options: Options, checkpoints: Checkpoints) -> None:
        self.prefer: int | None = None
        self._workers, self._options, self._checkpoints = workers, options, checkpoints
        self._pace = Pace()
        self._used: weakref.WeakValueDictionary[int, Claim] = weakref.WeakValueDictionary()
        self._exported: list[Claim] = []  # in use by another process, even when ours is no longer

    def may_get(self, state: State, patient: bool) -> bool:
        """Return whether `next` would find something in a state.

        Args:
            state: State of the study.
            patient: True to leave to others what they end sooner.
        """
        if self._unused(state) is not None or self._workers.suspects:
            return True
        return self._due(state, patient) is not None

    def next(self, transaction: Transaction, propose: Propose, patient: bool) -> Claim | None:
        """Claim the next trial that is due, None when nothing is; first take back those of the dead.

        Args:
            transaction: Takes the records.
            propose: Function that gives the fields of a trial that is not proposed yet.
            patient: True to leave to others what they end sooner.
        """
        if self._workers.is_lost():
            return None  # others took this process for dead; the next ask begins anew
        if transaction.state.stopped is not None:
            return None
        if self._workers.suspects:
            self._take_back(transaction)
        state = transaction.state
        if (trial := self._unused(state)) is not None:
            return self._lend(trial, state)
        while (member := self._due(state, patient)) is not None:
            known = state.open.get(member)
            if known is not None:
                transaction.add("ask", trial=known.number, worker=self._workers.name)
            else:
                fields = self._proposed(transaction, member, propose)
                transaction.add("ask", trial=state.count, **fields, worker=self._workers.name)
            trial = state.open[member]
            if known is None or not is_gone(state, self._checkpoints, trial.parent):
                return self._lend(trial, state)
            give_up(transaction, self._checkpoints, trial)
        return None

    def _proposed(self, transaction: Transaction, member: int, propose: Propose) -> dict[str, Any]:
        """Return the fields of a new trial whose parent's checkpoint is there."""
        state = transaction.state
        while True:
            fields = propose(state, member, state.count)
            if not is_gone(state, self._checkpoints, fields["parent"]):
                return {"member": member, "step": len(state.members[member]), **fields}
            record_lost(transaction, self._checkpoints, fields["parent"])

    def forget(self, token: int) -> None:
        """Note that a claim is no longer in use; as long as it is held, it may be lent again."""
        self._used.pop(token, None)

    def begin_anew(self) -> None:
        """Forget the claims of an earlier worker."""
        self._used.clear()
        self.prefer = None

    def mark_exported(self, token: int, state: State) -> None:
        """Note that a copy of a claim went to another process, so that it stays in use until it ends."""
        lent = self._used.get(token)
        exported = self._exported
        self._exported = [claim for claim in exported if state.held(claim.number, claim.token) is not None]
        if lent is not None:
            self._exported.append(lent)

    def _due(self, state: State, patient: bool) -> int | None:
        """Return the member to train next, None when nothing is due, or only what others end sooner."""
        member = state.due(self._options.ahead, self.prefer)
        if member is None or not patient or self._workers.watch is None:  # in memory there are no others
            return member
        leaves = self._pace.leaves(state, member, self._options.ahead, self._workers.name)
        return None if leaves else member

    def _unused(self, state: State) -> TrialRecord | None:
        """Return a trial that this process holds and does not use, as after an ask of unknown outcome."""
        held = state.open.held_by(self._workers.name)
        for trial in held:
            if trial.token not in self._used:
                return trial
        return None

    def _lend(self, trial: TrialRecord, state: State) -> Claim:
        self._pace.begin(state)
        self._used[trial.token] = claim = Claim(trial, state)
        return claim

    def _take_back(self, transaction: Transaction) -> None:
        """Reclaim the trials of workers that are dead; the last look at each is under the lock."""
        for worker, silence in self._workers.dead():
            take_back(transaction, worker, self._options, silence)
