"""What any journal does, and the one of a study that has no directory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from hoptim.store.line_format import Record

Take = Callable[[bool, list[Record]], None]


class Journal(Protocol):
    """Records in one order that all processes agree on."""

    @property
    def mutex(self) -> threading.RLock:
        """What keeps the threads of this process apart."""

    @property
    def name(self) -> str:
        """Name for messages."""

    @property
    def count(self) -> int:
        """Number of records that have been read or appended."""

    def read(self, take: Take) -> None:
        """Hand over what is new since the last read, in portions.

        Args:
            take: Given the records, and whether all earlier ones are void.
        """

    def hold(self, timeout: float | None) -> AbstractContextManager[object]:
        """Nobody else reads and appends within; `read` in it repairs a torn tail."""

    def append(self, records: Sequence[Record]) -> None:
        """Add records, durable when this returns; only within `hold`, after `read`."""

    def forget(self) -> None:
        """Make the next read begin at the first record."""


class MemoryJournal:
    """The counterpart for a study without a directory."""

    def __init__(self) -> None:
        self._mutex = threading.RLock()
        self._records: list[Record] = []
        self._known = 0
        self._void = False

    @property
    def mutex(self) -> threading.RLock:
        """As `Journal.mutex`."""
        return self._mutex

    @property
    def name(self) -> str:
        """As `Journal.name`."""
        return "the journal in memory"

    @property
    def count(self) -> int:
        """As `Journal.count`."""
        return self._known

    def read(self, take: Take) -> None:
        """As `Journal.read`."""
        void, self._void = self._void, False
        new = self._records[self._known :]
        self._known = len(self._records)
        take(void, new)

    def hold(self, timeout: float | None) -> threading.RLock:
        """As `Journal.hold`."""
        return self._mutex

    def append(self, records: Sequence[Record]) -> None:
        """As `Journal.append`."""
        self._records.extend(records)
        self._known = len(self._records)

    def forget(self) -> None:
        """As `Journal.forget`."""
        self._known, self._void = 0, True
