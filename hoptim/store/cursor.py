"""How far a journal has been read."""

from __future__ import annotations

from collections.abc import Sequence

from hoptim.store import line_format
from hoptim.store.line_format import Record

PORTION = 4 * line_format.LONGEST  # bytes to read at a time, since a journal may be long


class Cursor:
    """A place between two lines of a journal; the lines before it are good and have been read.

    Args:
        digits: Digits that the first line follows.

    Attributes:
        offset: Bytes before it.
        n: Records before it.
        last: The line before it; its digits are the first 8 bytes. At the front, the given digits.
    """

    __slots__ = ("last", "n", "offset")

    def __init__(self, digits: bytes) -> None:
        self.offset, self.n, self.last = 0, 0, digits

    def advance(self, data: bytes) -> list[Record]:
        """Return the records of the good lines at the front of some bytes, and move behind them.

        Args:
            data: Bytes of the journal from here on.
        """
        found = line_format.scan(data, self.last[:8], self.n, self.last)
        self.offset += found.length
        self.n += len(found.records)
        self.last = found.last
        return found.records

    def encode(self, records: Sequence[Record]) -> list[bytes]:
        """Return the lines of one append behind this place.

        Args:
            records: Records; their numbers are given here.
        """
        lines: list[bytes] = []
        previous = self.last[:8]
        for i, record in enumerate(records):
            batch = {"batch": i} if i else {}  # tells a torn batch from damage, see line_format.is_torn
            lines.append(line_format.encode({"n": self.n + i, **record, **batch}, previous))
            previous = lines[-1][:8]
        return lines

    def appended(self, lines: list[bytes]) -> None:
        """Move behind lines that were written here."""
        self.offset += sum(map(len, lines))
        self.n += len(lines)
        self.last = lines[-1]
