"""Joining and leaving the workers of a study, and tidying up behind those that were killed."""

from __future__ import annotations

from pathlib import Path

from hoptim.store import shutdown
from hoptim.store.claims import Claims
from hoptim.store.locking.patience import Patience, limited
from hoptim.store.orphans import Orphans
from hoptim.store.pins import Pins
from hoptim.store.repeating import repeated
from hoptim.store.state import State
from hoptim.store.transactions import Transactions
from hoptim.store.workers import Workers

LEAVE_WITHIN = 10.0  # seconds; after that the exit is not held up any longer


class Membership:
    """Makes this process a worker of a study before its first claim, and ends that.

    Args:
        workers: This process among the workers.
        pins: Pins of the study; None in memory.
        claims: Claims of this process.
        orphans: Files and folders that killed workers left in the directory.
        transactions: Records of the study.
        guest: True if claims outlive this process, so that nothing is released at its exit.
    """

    def __init__(
        self, workers: Workers, pins: Pins | None, claims: Claims, orphans: Orphans,
        transactions: Transactions, guest: bool,
    ) -> None:  # fmt: skip
        self._workers, self._pins, self._claims = workers, pins, claims
        self._orphans, self._transactions, self._guest = orphans, transactions, guest

    @repeated
    def join(self, timeout: float | None) -> None:
        """Become a worker; anew in a forked child.

        Args:
            timeout: Seconds to wait for the lock; None waits on.
        """
        patience = Patience(timeout)
        with self._transactions.alone(patience.left):
            worker = self._workers.begin()
            if worker is None:
                return
            self._claims.begin_anew()
            try:
                with self._transactions.begin(patience.left) as transaction:
                    left = self._left_over(transaction.state)
                    worker.start()
            except BaseException:  # the next try has a name of its own
                worker.stop()
                raise
            self._workers.joined(worker)
            if not self._guest:
                shutdown.release_at_exit(self)
        self._orphans.remove(left)

    def leave(self, timeout: float | None = None) -> None:
        """Release everything that this process holds, tidy up, and stop its heartbeat.

        Args:
            timeout: Seconds to wait for the lock, or for a server that is away, at most and by default 10.
        """
        with limited(Patience(timeout).within(LEAVE_WITHIN)) as patience:
            left = self._leave(patience)
        self._orphans.remove(left)

    @repeated
    def _leave(self, patience: Patience) -> list[Path]:
        with self._transactions.alone(patience.left):
            if self._workers.mine is None:
                return []
            name = self._workers.name
            with self._transactions.begin(patience.left) as transaction:
                for trial in transaction.state.open.held_by(name):
                    transaction.add("release", trial=trial.number, token=trial.token)
                left = self._left_over(transaction.state)
            self._workers.leave()
        return left

    @repeated
    def finish(self, timeout: float | None = None) -> None:
        """Leave, and tidy up even if this process held nothing: all is done, so no later one will.

        Args:
            timeout: Seconds to wait, as for `leave`.
        """
        self._orphans.all_done()
        before = Patience(timeout)
        self.leave(before.left)
        with limited(before.within(LEAVE_WITHIN)) as patience:
            left = self._tidy(patience)
        self._orphans.remove(left)

    def _tidy(self, patience: Patience) -> list[Path]:
        if self._workers.watch is None:
            return []
        left_behind = self._workers.watch.names() or (self._pins is not None and self._pins.names())
        if left_behind or self._orphans.find(self._transactions.refresh()):
            with self._transactions.begin(patience.left) as transaction:
                return self._left_over(transaction.state)
        return []

    def _left_over(self, state: State) -> list[Path]:
        """Remove the heartbeat files of killed processes; return what else they left behind."""
        if self._workers.watch is not None:
            self._workers.watch.remove_idle(state.open.workers)
        if self._pins is not None:
            self._pins.remove_dead()
        return self._orphans.find(state)
