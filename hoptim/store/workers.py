"""The workers of a study: this process as one of them, and its looks at the others."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Iterator

from hoptim.store.heartbeat import BEATS_PER_LEASE, Heartbeat
from hoptim.store.liveness import LOOK_EVERY, Watch
from hoptim.store.signs import Signs
from hoptim.store.state import State
from hoptim.store.worker import Worker


class Workers:
    """This process among the workers of a study; in memory it is alone.

    Args:
        signs: Signs of the study's workers, None in memory.
        heartbeat: Heartbeat of this process in the study.
        guest: True if claims outlive this process.

    Attributes:
        watch: Looks at the other workers; None in memory.
        suspects: Workers that the last look found dead; the deciding look is under the lock.
    """

    def __init__(self, signs: Signs | None, heartbeat: Heartbeat, guest: bool) -> None:
        self._signs, self._heartbeat, self._guest = signs, heartbeat, guest
        self.watch = None if signs is None else Watch(signs, heartbeat.lease)
        self.suspects: list[str] = []
        self._mine: Worker | None = None
        self._looked = 0.0

    @property
    def name(self) -> str:
        """Return the name that this process claims by; a forked child has not its parent's."""
        worker = self.mine
        return "memory" if worker is None else worker.id

    @property
    def mine(self) -> Worker | None:
        """Return the worker that this process is, None before its first claim."""
        worker = self._mine
        return None if worker is None or worker.pid != os.getpid() else worker

    @property
    def look_every(self) -> float:
        """Return the seconds between looks at the others, often enough that no lease is missed."""
        return min(LOOK_EVERY, self._heartbeat.lease / (2 * BEATS_PER_LEASE))

    def is_lost(self) -> bool:
        """Return whether this process stood still for so long that others took it for dead."""
        return self._mine is not None and not self._mine.is_shown()

    def begin(self) -> Worker | None:
        """Return a worker for this process to start, None if it is one already."""
        if self._signs is None:
            return None
        if (worker := self.mine) is not None:
            if worker.is_shown():
                return None
            worker.stop()
        return Worker(self._signs, self._heartbeat, self._guest)

    def joined(self, worker: Worker) -> None:
        """Take a worker that was started for this process; it stops with this object, but for a guest."""
        self._mine = worker
        if not self._guest:  # a guest's claim outlives this process
            weakref.finalize(self, worker.stop)

    def leave(self) -> None:
        """Stop the worker that this process is."""
        if (worker := self.mine) is not None:
            worker.stop()
            self._mine = None

    def look_around(self, state: State) -> None:
        """Look now and then, without the lock, at the others whose turn it is."""
        if self.watch is None or time.monotonic() - self._looked < self.look_every:
            return
        self._looked = time.monotonic()
        others = {*state.open.workers} - {self.name}
        self.suspects = self.watch.dead(self.watch.in_turn(others))

    def dead(self) -> Iterator[tuple[str, float]]:
        """Give the suspects that are dead by a last look; only under the lock.

        Each comes with the seconds for which it gave no sign of life, 0 if its death is proven.
        """
        suspects, self.suspects = self.suspects, []
        if self.watch is not None:
            for worker in self.watch.dead(suspects):
                yield worker, self.watch.silence(worker)
