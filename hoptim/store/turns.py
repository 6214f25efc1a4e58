"""Turns: which member trains next."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from hoptim.store.tally import Tally

_ROOM = 64  # entries that a short queue may hold besides those in force


class Turns:
    """Members by the trials that they have ended, and which of them wait for a worker.

    A heap of (step, member) has an entry for each member that waits. What is no longer in force is
    skipped once it comes to the front, and swept out before there is more of it than members.

    Args:
        ended: Number of trials that each member has ended; all wait for their next one.
    """

    def __init__(self, ended: Sequence[int]) -> None:
        self._tally = Tally(ended)
        self._step = list(ended)
        self._waits = [True] * len(ended)
        self._sweep()

    @property
    def slowest(self) -> int:
        """Return how many trials the slowest member has ended."""
        return self._tally.least

    def next(self, limit: int, prefer: int | None) -> int | None:
        """Return the waiting member with the lowest step, None if that is beyond a limit.

        Args:
            limit: Highest step that may be trained.
            prefer: Member that comes first among those with the lowest step; then the lowest member does.
        """
        queue = self._queue
        while queue and not self._is_in_force(*queue[0]):
            heappop(queue)
        if not queue or queue[0][0] > limit:
            return None
        step, member = queue[0]
        return prefer if prefer is not None and self._is_in_force(step, prefer) else member

    def take(self, member: int) -> None:
        """Note that a worker has the member's next trial."""
        self._waits[member] = False

    def put_back(self, member: int) -> None:
        """Note that the member's next trial waits for a worker again."""
        self._waits[member] = True
        if len(self._queue) > 2 * len(self._step) + _ROOM:
            self._sweep()
        else:
            heappush(self._queue, (self._step[member], member))

    def end(self, member: int) -> None:
        """Note that the member's trial has ended, and the next one waits for a worker."""
        step = self._step[member]
        self._tally.advance(step)
        self._step[member] = step + 1
        self.put_back(member)

    def add(self, size: int) -> None:
        """Add members, which wait for their first trial."""
        self._tally.add(size)
        self._step += [0] * size
        self._waits += [True] * size
        self._sweep()

    def _is_in_force(self, step: int, member: int) -> bool:
        return self._waits[member] and self._step[member] == step

    def _sweep(self) -> None:
        steps = enumerate(self._step)
        self._queue = [(step, member) for member, step in steps if self._waits[member]]
        heapify(self._queue)
