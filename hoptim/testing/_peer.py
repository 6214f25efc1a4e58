"""Readers and writers of one journal, as processes of their own are, and what they do side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from hoptim.store.line_format import Record
from hoptim.store.memory_journal import Journal

LIMIT = 60.0  # seconds after which what should come is missing

T = TypeVar("T")


class Peer:
    """A reader and writer of a journal.

    Args:
        journal: Its own object of the journal.

    Attributes:
        journal: Journal.
        records: All records that it knows, without what a journal adds to them.
        voids: Flag for each portion that was handed over: True if all earlier records were void.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.records: list[Record] = []
        self.voids: list[bool] = []

    def read(self) -> list[Record]:
        """Read on, and return all records."""
        self.catch_up()
        return self.records

    def catch_up(self) -> None:
        """Read on."""
        self.journal.read(self._take)

    def append(self, *records: Record) -> None:
        """Append records, given without numbers, in a hold of their own."""
        with self.journal.hold(LIMIT):
            self.add(*records)

    def hold(self, timeout: float) -> None:
        """Hold the journal for a moment, and add nothing."""
        with self.journal.hold(timeout):
            pass

    def add(self, *records: Record, wakes: bool = True) -> None:
        """Append records within a hold, after a read."""
        self.read()
        new = [{"n": self.journal.count + i, **record} for i, record in enumerate(records)]
        self.journal.append(new, wakes)
        self.records += new

    def values(self, key: str = "value") -> list[Any]:
        """Return one field of the notes among the records."""
        return [record[key] for record in self.records if record["op"] == "note"]

    def _take(self, void: bool, records: list[Record]) -> None:
        if void:
            self.records = []
        self.voids.append(void)
        self.records += [{k: v for k, v in record.items() if k != "batch"} for record in records]


def note(*values: Any) -> list[Record]:
    """Return records that hold some values, without numbers."""
    return [{"op": "note", "value": value} for value in values]


def elsewhere(*calls: Callable[[], T]) -> list[T]:
    """Return what calls give, each in a thread of its own.

    Raises:
        AssertionError: One does not end.
    """
    found: dict[int, T] = {}
    errors: list[BaseException] = []

    def run(i: int, call: Callable[[], T]) -> None:
        try:
            found[i] = call()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=each, daemon=True) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(1.5 * LIMIT)  # a hold gives up before
        if thread.is_alive() and not errors:
            raise AssertionError(f"A call must end, but one still waits after {1.5 * LIMIT:.0f} s.")
    if errors:
        raise errors[0]
    return [found[i] for i in range(len(calls))]


def error_of(call: Callable[[], object]) -> BaseException | None:
    """Return what a call raises, None if nothing."""
    try:
        call()
    except Exception as error:
        return error
    return None
