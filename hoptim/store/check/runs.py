"""Lines behind the last good one of a journal, in runs of alike ones: much garbage takes little memory."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hoptim.store import line_format
from hoptim.store.check.report import Place
from hoptim.store.cursor import Cursor

MOST_RUNS = 10_000  # that are read: whoever has so many breaks needs no more of them
_PORTION = 1 << 20  # bytes read at a time
_RECORD = re.compile(rb'^[^\n]{9}\{"n":(\d{1,18}),[^\n]*\n?', re.MULTILINE)


class Line(NamedTuple):
    """A line, or what is left of one.

    Attributes:
        place: Line and byte in the file.
        size: Number of its bytes.
        digits: Its first 8 bytes.
        says: Record number that it claims, unproven; None if it does not look like a record.
        ended: True if it ends with a newline.
    """

    place: Place
    size: int
    digits: bytes
    says: int | None
    ended: bool


class _Piece(NamedTuple):
    """A line that looks like a record, with its bytes, or several that do not, without."""

    first: Line
    last: Line
    rows: int = 1
    data: bytes = b""


@dataclass(slots=True)
class Run:
    """Lines in a row: records each of which follows the one before, or lines that look like none.

    Attributes:
        first: First line; what follows it may have proven its number.
        last: Last line.
        rows: Number of lines.
        number: Record number that the first has, or had before it was changed.
        whole: True if the record before the first, wherever that stands, proves it.
    """

    first: Line
    last: Line
    rows: int
    number: int = -1
    whole: bool = False

    @property
    def garbage(self) -> bool:
        """Return whether its lines look like no records."""
        return self.first.says is None

    @property
    def end(self) -> int:
        """Return the record number behind its last line."""
        return self.number + self.rows


def read_runs(fd: int, at: Cursor) -> tuple[list[Run], Place | None]:
    """Return the runs behind a place in a journal, and where reading was given up, if it was.

    Args:
        fd: Descriptor of the journal.
        at: Place behind the last good line.
    """
    found: list[Run] = []
    for piece in _pieces(fd, at):
        if not _goes_on(found, piece):
            if len(found) >= MOST_RUNS:
                return found, piece.first.place
            found.append(Run(piece.first, piece.last, piece.rows))
    return found, None


def read_line(fd: int, line: Line) -> bytes:
    """Return the bytes of a line that looks like a record."""
    return os.pread(fd, line.size, line.place.byte)


def follows(data: bytes, digits: bytes) -> bool:
    """Return whether a line is a whole one behind one with the given digits."""
    whole = data[8:9] == b" " and data[-1:] == b"\n"
    return whole and data[:8] == line_format.digits(digits, data[9:-1])


def _goes_on(found: list[Run], piece: _Piece) -> bool:
    """Add lines to the last run if they go on with it; return whether they did."""
    if not found:
        return False
    run, first = found[-1], piece.first
    if first.says is None:
        if run.garbage and run.last.ended and piece.last.ended:
            run.last, run.rows = piece.last, run.rows + piece.rows
            return True
        return False
    if not follows(piece.data, run.last.digits):
        return False
    if run.garbage or run.rows == 1:  # the number of the line before is proven, whatever it says
        before = run.last._replace(says=first.says - 1)
        if run.rows > 1:
            run.rows -= 1
            found.append(Run(before, before, 1))
        else:
            run.first = before
        run = found[-1]
    if run.first.says is None or run.first.says + run.rows != first.says:
        return False
    run.last, run.rows = piece.last, run.rows + 1
    return True


def _pieces(fd: int, at: Cursor) -> Iterator[_Piece]:
    """Yield each line that looks like a record, and others together."""
    place, data = Place(at.n + 1, at.offset), b""
    while True:
        more = os.pread(fd, _PORTION, place.byte + len(data))
        data += more
        end = data.rfind(b"\n") + 1 if more else len(data)
        if not end and len(data) > line_format.LONGEST:
            size, ended = _length(fd, place.byte)
            line = Line(place, size, data[:8], None, ended)
            yield _Piece(line, line)
            place, data = Place(place.line + 1, place.byte + size), b""
            continue
        yield from _pieces_of(data[:end], place)
        place, data = Place(place.line + data.count(b"\n", 0, end), place.byte + end), data[end:]
        if not more:
            return


def _pieces_of(data: bytes, place: Place) -> Iterator[_Piece]:
    """Yield as `_pieces` does, from bytes that begin and end with a line."""
    begin = 0
    for match in _RECORD.finditer(data):
        yield from _garbage(data[begin : match.start()], place)
        lines = data.count(b"\n", begin, match.start())
        place = Place(place.line + lines, place.byte + match.start() - begin)
        line = _line(match[0], place, int(match[1]))
        yield _Piece(line, line, data=match[0])
        begin, place = match.end(), Place(place.line + 1, place.byte + line.size)
    yield from _garbage(data[begin:], place)


def _garbage(data: bytes, place: Place) -> Iterator[_Piece]:
    """Yield lines that look like no records; the last of the file alone, if it has no end."""
    end = data.rfind(b"\n") + 1
    rows = data.count(b"\n")
    if rows:
        begin = data.rfind(b"\n", 0, end - 1) + 1
        first = _line(data[: data.find(b"\n") + 1], place)
        last = _line(data[begin:end], Place(place.line + rows - 1, place.byte + begin))
        yield _Piece(first, last, rows)
    if data[end:]:
        line = _line(data[end:], Place(place.line + rows, place.byte + end))
        yield _Piece(line, line)


def _line(data: bytes, place: Place, says: int | None = None) -> Line:
    return Line(place, len(data), data[:8], says, data.endswith(b"\n"))


def _length(fd: int, begin: int) -> tuple[int, bool]:
    """Return the bytes of the line that begins somewhere, and whether it has an end."""
    offset = begin
    while data := os.pread(fd, _PORTION, offset):
        end = data.find(b"\n") + 1
        if end:
            return offset + end - begin, True
        offset = _behind_hole(fd, offset + len(data))
    return offset - begin, False


def _behind_hole(fd: int, offset: int) -> int:
    """Return where bytes were written at or behind an offset: a crash may leave gigabytes of nothing."""
    try:
        return os.lseek(fd, offset, os.SEEK_DATA)
    except OSError as error:  # all the rest is a hole; or the file system cannot tell
        return os.fstat(fd).st_size if error.errno == errno.ENXIO else offset
