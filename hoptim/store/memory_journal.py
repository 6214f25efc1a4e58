"""The interface of a journal, and the one of a study that has no directory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from hoptim.store.line_format import Record

Take = Callable[[bool, list[Record]], None]


class Journal(Protocol):
    """Records in one order that all processes agree on."""

    @property
    def mutex(self) -> threading.RLock:
        """Return the lock that keeps the threads of this process apart."""

    @property
    def name(self) -> str:
        """Return the name for messages."""

    @property
    def count(self) -> int:
        """Return the number of records that have been read or appended."""

    def read(self, take: Take) -> None:
        """Hand over what is new since the last read, in portions.

        Args:
            take: Function that is given whether all earlier records are void, and the new ones.
        """

    def alone(self, timeout: float | None) -> AbstractContextManager[object]:
        """Keep the other threads of this process out of a block.

        Args:
            timeout: Seconds to wait at most for one that is in; None waits on.
        """

    def hold(
        self, timeout: float | None, ahead: Callable[[], None] | None = None
    ) -> AbstractContextManager[object]:
        """Keep others from appending within a block; `read` in it repairs a torn tail.

        Args:
            timeout: Seconds to wait at most for another holder; None waits on, and logs for whom.
            ahead: Function that reads, called before the hold while this thread alone is in, wherever
                that spares others more than it costs this process; once or twice, or not at all. Default:
                None.

        Raises:
            LockTimeout: Another one still holds it.
            HoldLost: At the end of the block or in `append`, see there.
            StoreError: It is not known whether what was appended is there; its `id` tells.
        """

    def append(self, records: Sequence[Record], wakes: bool = True) -> None:
        """Add records, all or none, durable once the hold has ended; only within `hold`, after `read`.

        The number of the first one, the `count` before, is what fences a hold: should a holder have
        stalled for so long, or been cut off, that its hold went to another one who appended, then that
        number is given, and nothing is added.

        Args:
            records: Records; their numbers are given here.
            wakes: False if those who `wait` would find nothing to do. Default: True.

        Raises:
            HoldLost: Others have appended since `read`.
        """

    def forget(self) -> None:
        """Make the next read begin at the first record."""

    def wait(self, seconds: float) -> None:
        """Wait until records are added that wake, at most some seconds; it may end earlier.

        Args:
            seconds: Longest time.
        """


class MemoryJournal:
    """The counterpart for a study without a directory."""

    def __init__(self) -> None:
        self._mutex = threading.RLock()
        self._records: list[Record] = []
        self._known = 0
        self._void = False

    @property
    def mutex(self) -> threading.RLock:
        """Implement `Journal.mutex`."""
        return self._mutex

    @property
    def name(self) -> str:
        """Implement `Journal.name`."""
        return "the journal in memory"

    @property
    def count(self) -> int:
        """Implement `Journal.count`."""
        return self._known

    def read(self, take: Take) -> None:
        """Implement `Journal.read`."""
        if self._known < len(self._records) or self._void:
            void, self._void = self._void, False
            new = self._records[self._known :]
            self._known = len(self._records)
            take(void, new)

    def alone(self, timeout: float | None) -> threading.RLock:
        """Implement `Journal.alone`; here no thread waits for anything while it is in."""
        return self._mutex

    def hold(self, timeout: float | None, ahead: Callable[[], None] | None = None) -> threading.RLock:
        """Implement `Journal.hold`; nobody else writes, so that nothing need be read before it."""
        return self._mutex

    def append(self, records: Sequence[Record], wakes: bool = True) -> None:
        """Implement `Journal.append`."""
        self._records.extend(records)
        self._known = len(self._records)

    def forget(self) -> None:
        """Implement `Journal.forget`."""
        self._known, self._void = 0, True

    def wait(self, seconds: float) -> None:
        """Implement `Journal.wait`."""
        time.sleep(seconds)
