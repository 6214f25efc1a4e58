"""A journal under inspection: folded as far as its lines follow, with the bytes behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from hoptim._arguments import sign_of
from hoptim._files import open_regular
from hoptim.store import line_format
from hoptim.store.check import damage
from hoptim.store.check.report import CUT, Finding, Place
from hoptim.store.cursor import PORTION, Cursor
from hoptim.store.layout import JOURNAL
from hoptim.store.line_format import Record
from hoptim.store.shape import StudyShape, names_of
from hoptim.store.state import State
from hoptim.store.study_settings import StudyFile
from hoptim.store.tail import LONGEST_TAIL, fits_an_append


def first_record(path: Path) -> Record:
    """Read record 0 of a journal, {} if there is none that is whole."""
    with suppress(OSError):
        line, end, _ = read_from(path, 0, line_format.LONGEST).partition(b"\n")
        uuid = damage.said(line).get("uuid")
        if isinstance(uuid, str):
            records = line_format.scan(line + end, line_format.start(uuid), 0).records
            return records[0] if records else {}
    return {}


class Reading:
    """All that can be read of a journal, with or without its lock, trusting none of it.

    Args:
        path: The journal.

    Attributes:
        state: State that the good records add up to.
        tail: The bytes behind the last of them, up to one more than an interrupted append leaves.
        contradictions: Records that cannot follow from the ones before; the state is without them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begin(None)

    def _begin(self, settings: StudyFile | None) -> None:
        self._settings = settings
        self._at = Cursor(b"")
        self.tail, self._size = b"", 0
        self.state = _fresh(settings)
        self.contradictions: list[Finding] = []
        self._explained: list[Finding] | None = None

    def more(self, settings: StudyFile | None) -> None:
        """Read what is new; from the front where what was read is gone, or the settings are not known.

        Raises:
            OSError: The file cannot be read, or is not a regular one.
        """
        at = self._at
        gone = at.offset and read_from(self._path, at.offset - len(at.last), len(at.last)) != at.last
        if settings is None or settings != self._settings or gone:
            self._begin(settings)
        while self._fold_portion(read_from(self._path, self._at.offset, PORTION)):
            pass
        tail = read_from(self._path, self._at.offset, LONGEST_TAIL + 1)
        size = os.stat(self._path).st_size
        if (tail, size) != (self.tail, self._size):
            self.tail, self._size, self._explained = tail, size, None

    def _fold_portion(self, data: bytes) -> bool:
        """Fold the good lines at the front of some bytes; return whether there were any."""
        at = self._at
        if not at.offset:
            at.last = self._first_digits(data)
        begin, n = at.offset, at.n
        records = at.advance(data)
        self._make_room(records)
        self._fold(records, data, begin, n)
        return bool(records)

    def _make_room(self, records: list[Record]) -> None:
        """Make room for all members, where study.json cannot say how many there are."""
        asked = [record.get("member") for record in records] if self._settings is None else []
        highest = max((member for member in asked if isinstance(member, int)), default=-1)
        missing = min(highest + 1 - self.state.size, len(asked))
        self.state.add_members(max(missing, 0))

    def _first_digits(self, data: bytes) -> bytes:
        """Return the digits that the first line follows; record 0 itself says which."""
        uuid = damage.said(data[: data.find(b"\n") + 1]).get("uuid")
        if not isinstance(uuid, str):
            uuid = self._settings.uuid if self._settings else ""
        return line_format.start(uuid)

    def _fold(self, records: Iterable[Record], data: bytes, offset: int, n: int) -> None:
        begin = 0
        for i, record in enumerate(records, n):
            try:
                self.state.apply(record)
            except Exception as error:  # a forged record may break the fold in any way
                what = f"{error} ({type(error).__name__})"
                place = Place(i + 1, offset + begin)
                self.contradictions.append(Finding("error", "contradiction", JOURNAL, what, place))
                self.state.n = i + 1  # so that later claims keep their tokens
            begin = data.index(b"\n", begin) + 1

    @property
    def records(self) -> int:
        """Return the number of good records."""
        return self._at.n

    @property
    def torn(self) -> bool:
        """Return whether bytes are left that an interrupted append explains."""
        return bool(self.tail and self.records) and fits_an_append(self.tail, self.records)

    def findings(self) -> list[Finding]:
        """Return what is wrong with the lines, and with what they say.

        Raises:
            OSError: The file cannot be read.
        """
        if self.torn:
            return [*self.contradictions, self._torn_tail()]
        if not self.records and not self.tail:
            what = "The journal is empty, though a study begins with a record. Restore it from a copy."
            return [Finding("error", "empty-journal", JOURNAL, what, Place(1, 0))]
        if self._explained is None:  # once, since it may be long, and be wanted under the lock
            self._explained = damage.explain(self._path, self._at)
        return [*self.contradictions, *self._explained]

    def _torn_tail(self) -> Finding:
        size, place = len(self.tail), Place(self.records + 1, self._at.offset)
        if b"\n" not in self.tail:
            what = (
                f"The last append was interrupted before it was acknowledged, and left {size} bytes. The "
                "next process that asks or tells cuts them off and keeps them in a file of their own."
            )
            return Finding("leftover", "torn-tail", JOURNAL, what, place, CUT)
        what = (
            f"The last {size} bytes are no good records. A power cut in the middle of an append leaves "
            "such bytes; but if a record was changed instead, what it told is lost. Restore a whole copy "
            "if there is one; else the next process that asks or tells cuts them off and keeps them in a "
            "file of their own."
        )
        return Finding("error", "damaged-tail", JOURNAL, what, place, CUT)


def _fresh(settings: StudyFile | None) -> State:
    if settings is None:
        return State(StudyShape(0, 0, 0, 1))
    identity = settings.identity
    sign = sign_of(identity["mode"])
    names = tuple(names_of(identity["space"]))
    return State(StudyShape(identity["size"], settings.steps, identity["seed"], sign, names))


def read_from(path: Path, begin: int = 0, most: int = sys.maxsize) -> bytes:
    """Return the bytes of a regular file that is no link, from an offset on."""
    fd = open_regular(path, os.O_RDONLY)
    try:
        parts = []
        while most > 0 and (part := os.pread(fd, min(most, 1 << 24), begin)):
            parts.append(part)
            begin, most = begin + len(part), most - len(part)
        return b"".join(parts)
    finally:
        os.close(fd)
