"""Transactions: records that are decided under the lock and written in one append."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from hoptim._signals import signals_deferred
from hoptim.errors import HoptimError, StudyDamaged
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.folding import fold
from hoptim.store.line_format import Record
from hoptim.store.liveness import Watch
from hoptim.store.memory_journal import Journal
from hoptim.store.shape import StudyShape
from hoptim.store.snapshot import Snapshots
from hoptim.store.state import State


class Transactions:
    """A journal, the state that its records add up to, and the one way to add some.

    Args:
        journal: Records of the study.
        shape: Settings of the study.
        checkpoints: Files that transactions drop.
        watch: Heartbeat files, of which transactions remove those of dead workers; None in memory.
        snapshots: File that spares reading a long journal; None in memory.
        lead: Steps that a member may be ahead of the slowest unfinished one.

    Attributes:
        state: State as last read.
    """

    def __init__(
        self,
        journal: Journal,
        shape: StudyShape,
        checkpoints: Checkpoints,
        watch: Watch | None,
        snapshots: Snapshots | None,
        lead: int,
    ) -> None:
        self.state = State(shape)
        self._lead = lead
        self._journal, self._shape = journal, shape
        self._checkpoints, self._watch, self._snapshots = checkpoints, watch, snapshots
        self._current: Transaction | None = None

    @property
    def mutex(self) -> threading.RLock:
        """Lock that keeps the threads of this process apart."""
        return self._journal.mutex

    def alone(self, timeout: float | None) -> AbstractContextManager[object]:
        """Keep the other threads of this process out of a block.

        Args:
            timeout: Seconds to wait at most for one that is in; None waits on.
        """
        return self._journal.alone(timeout)

    def refresh(self) -> State:
        """Return the state by all records that can be read now, without the lock."""
        with self._journal.mutex:
            return self._catch_up()

    @contextmanager
    def begin(self, timeout: float | None) -> Iterator[Transaction]:
        """Run a block under the lock, with all records read; what it adds is written at its end.

        Most of them are read before the lock is taken, since others wait for it meanwhile. Only once what
        was added is durable are files removed: those of dead workers still under the lock, since one that
        comes back must not claim again before its file is gone; checkpoints without it.

        Args:
            timeout: Seconds to wait for the lock; None waits on.
        """
        with signals_deferred():
            with self._journal.hold(timeout, self._catch_up_ahead):
                if self._current is not None and self._current.process == os.getpid():
                    yield self._current  # in memory alone: a directory's lock is not re-entrant
                    return
                self._current = transaction = Transaction(self)
                try:
                    self._catch_up()
                    yield transaction
                    if transaction.records:
                        self._journal.append(transaction.records, self._wakes)
                    for worker in transaction.dead:
                        if self._watch is not None:
                            self._watch.remove_dead(worker)
                except BaseException:
                    if transaction.records or self.state.n != self._journal.count:  # folded, not written
                        self._journal.forget()
                    raise
                finally:
                    self._current = None
            if transaction.removed:
                self._checkpoints.drop(transaction.removed)
            if transaction.lost:
                self._checkpoints.clear(transaction.lost)
            if transaction.records and self._snapshots is not None:
                self._snapshots.after(self.state, len(transaction.records))

    @property
    def _wakes(self) -> bool:
        """Return whether one who waits may find something now: a trial that is due, or that all is over."""
        state = self.state
        over = state.stopped is not None or not state.open.workers
        return over or state.due(self._lead, None) is not None

    def _catch_up_ahead(self) -> None:
        """Read what there is; what is wrong with it is for whoever reads it under the lock to say."""
        if self._current is None:  # else this thread is within a transaction
            with suppress(HoptimError):
                self._catch_up()

    def _catch_up(self) -> State:
        try:
            if self._snapshots is not None and not self._journal.count:
                self.state = self._snapshots.begin() or self.state
            self._journal.read(self._fold)
        except BaseException:  # what was read and not folded must be read again
            self._journal.forget()
            raise
        return self.state

    def _fold(self, void: bool, records: list[Record]) -> None:
        if void:
            self.state = State(self._shape)
        fold(self.state, records, self._journal.name)


class Transaction:
    """What one hold of the lock adds to a study.

    Attributes:
        process: Pid of the process that began it.
        records: Records that are folded already and written at the end.
        removed: Names of checkpoints to remove once the records are durable.
        lost: Trial and token of claims that were taken back, of which all files go as well.
        dead: Workers whose files to remove once the records are durable: until then the proof of their
            death is needed.
    """

    def __init__(self, owner: Transactions) -> None:
        self._owner = owner
        self.process = os.getpid()
        self.records: list[Record] = []
        self.removed: list[str] = []
        self.lost: list[tuple[int, int]] = []
        self.dead: list[str] = []

    @property
    def state(self) -> State:
        """Return the state with all records, those of this transaction included."""
        return self._owner.state

    def add(self, op: str, **fields: Any) -> None:
        """Fold a record now; it is written at the end of the transaction."""
        record = {"n": self.state.n, "op": op, **fields}
        if not self.records:
            record["time"] = round(time.time(), 3)
        try:
            self.state.apply(record)
        except StudyDamaged as error:
            raise AssertionError(f"hoptim was about to write {record!r}") from error
        self.records.append(record)

    def drop(self, numbers: Iterable[int]) -> None:
        """Drop the checkpoints of some trials, as a part of the last record."""
        if dropped := list(numbers):
            self.removed += [self.state.saved[number].name for number in dropped]
            self.state.drop(dropped)
            self.records[-1]["drops"] = dropped
