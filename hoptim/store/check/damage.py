"""Damage to a journal: lines that were changed, removed, repeated or exchanged."""

from __future__ import annotations

import json
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from hoptim._files import close_read, open_regular
from hoptim.store import line_format
from hoptim.store.check.report import Finding, Place
from hoptim.store.check.runs import MOST_RUNS, Run, follows, read_line, read_runs
from hoptim.store.cursor import Cursor
from hoptim.store.line_format import Record

_MOST_DIGITS = 8  # that a record may have had; more of them prove nothing


class _Break(NamedTuple):
    """Lines in a row that are not what they should be: of what kind, where, and the end of a sentence."""

    kind: str
    place: Place
    rows: int
    what: str


def explain(path: Path, at: Cursor) -> list[Finding]:
    """Return one finding for each break behind the last good line, none if nothing is there.

    Args:
        path: Journal.
        at: Place behind its last good line.

    Raises:
        OSError: The journal cannot be read.
    """
    fd = open_regular(path, os.O_RDONLY)
    try:
        runs, unread = read_runs(fd, at)
        _number(runs, at.n)
        _prove(fd, runs, at)
    finally:
        close_read(fd)
    breaks = _merged(_breaks(runs, at.n))
    if runs and not breaks:
        breaks = [_Break("damaged-line", runs[0].first.place, 1, "is not a line that hoptim writes")]
    found = [_finding(path.name, each) for each in breaks]
    if found:
        found[0] = replace(found[0], what=f"{found[0].what} {_advice(runs, at)}")
    if unread is not None:
        what = f"The bytes from here on were not examined, since {MOST_RUNS} breaks are before them."
        found.append(Finding("error", "not-examined", path.name, what, unread))
    return found


def said(line: bytes) -> Record:
    """Return what a line says, unproven; {} when that is no JSON object."""
    try:
        record = json.loads(line[9:])
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _number(runs: list[Run], n: int) -> None:
    """Give each run the number that its lines prove, else that the first says, else that comes next."""
    expected, lines = n, sum(run.rows for run in runs)
    for run in runs:
        says = run.first.says
        if says is None or (run.rows == 1 and abs(says - expected + 1) > lines):
            says = expected
        run.number = says
        expected = run.end


def _prove(fd: int, runs: list[Run], at: Cursor) -> None:
    """Check the first line of each run against the record before it, wherever that is."""
    ends: dict[int, list[bytes]] = {at.n: [at.last[:8]]}  # by the number of the record behind
    for run in runs:  # digits as written, and as they should be where only they were changed
        digits = [run.last.digits]
        if run.rows == 1 and not run.garbage:
            payload = read_line(fd, run.first)[9:-1]
            digits += [line_format.digits(d, payload) for d in ends.get(run.number, ())]
        ends[run.end] = [*ends.get(run.end, ()), *digits][:_MOST_DIGITS]
    for run in runs:
        if not run.garbage:
            data = read_line(fd, run.first)
            run.whole = any(follows(data, digits) for digits in ends.get(run.number, ()))


def _breaks(runs: list[Run], n: int) -> Iterator[_Break]:
    there, seen = _Numbers(), _Numbers()
    known = expected = n  # the next record, without garbage and with it
    for run in runs:
        there.add(run.number, run.end)
    for run in runs:
        number, place = run.number, run.first.place
        if run.whole and number == known:  # garbage before it stood for no records
            expected = known
        proven = run.whole or (run.rows > 1 and not run.garbage)
        if not run.last.ended:
            yield _Break("damaged-line", place, 1, "has no end")
        elif (number < n and not run.garbage) or (proven and seen.hold(number, number + 1)):
            yield _repeated(run, min(run.rows, expected - number))
        elif number > expected and not there.hold(expected, number):
            what = f"is record {number} where {expected} should be, and that is nowhere"
            yield _Break("missing-records", place, 1, what)
        elif not run.whole:
            yield _damaged(place, run.rows if run.garbage else 1)
        elif number != expected:
            yield _misplaced(run, run.rows if number < expected else 1, expected)
        expected = max(expected, run.end)
        if not run.garbage:
            seen.add(number, run.end)
            known = expected


def _damaged(place: Place, rows: int) -> _Break:
    one = "does not fit its checksum: it was changed, or what it follows"
    more = "do not fit their checksums: they were changed, or what they follow"
    return _Break("damaged-line", place, rows, one if rows == 1 else more)


def _repeated(run: Run, rows: int) -> _Break:
    what = f"repeat records {run.number} to {run.number + rows - 1}"
    return _Break(
        "repeated-record", run.first.place, rows, f"repeats record {run.number}" if rows == 1 else what
    )


def _misplaced(run: Run, rows: int, expected: int) -> _Break:
    records = f"are records {run.number} to {run.number + rows - 1}"
    what = f"{f'is record {run.number}' if rows == 1 else records} where {expected} should be; "
    return _Break("misplaced-record", run.first.place, rows, f"{what}lines were exchanged")


def _merged(breaks: Iterable[_Break]) -> list[_Break]:
    """Merge changed lines in a row into one break."""
    merged: list[_Break] = []
    for each in breaks:
        last = merged[-1] if merged else None
        alike = last is not None and last.kind == each.kind == "damaged-line"
        if last is not None and alike and last.place.line + last.rows == each.place.line:
            merged[-1] = _damaged(last.place, last.rows + each.rows)
        else:
            merged.append(each)
    return merged


def _finding(name: str, found: _Break) -> Finding:
    line, rows = found.place.line, found.rows
    lines = f"Line {line}" if rows == 1 else f"Lines {line} to {line + rows - 1}"
    return Finding("error", found.kind, name, f"{lines} {found.what}.", found.place)


def _advice(runs: list[Run], at: Cursor) -> str:
    whole = sum(run.rows - 1 + run.whole for run in runs if not run.garbage)
    return (
        f"The {at.n} records before it, bytes 0 to {at.offset}, are good; {whole} behind it are whole. "
        "Restore the file from a copy; hoptim never skips records."
    )


class _Numbers:
    """A set of numbers, as the intervals that it consists of."""

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []

    def add(self, begin: int, end: int) -> None:
        """Add all numbers from one up to, and without, another."""
        first, last = bisect_left(self._ends, begin), bisect_right(self._begins, end)
        if first < last:  # those that touch it become one with it
            begin, end = min(begin, self._begins[first]), max(end, self._ends[last - 1])
        self._begins[first:last], self._ends[first:last] = [begin], [end]

    def hold(self, begin: int, end: int) -> bool:
        """Return whether all numbers from one up to, and without, another are there."""
        i = bisect_right(self._begins, begin) - 1
        return i >= 0 and self._ends[i] >= end
