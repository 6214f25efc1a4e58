"""Damage to a journal: lines that were changed, removed, repeated or exchanged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import zip_longest
from typing import NamedTuple

from hoptim.store import line_format
from hoptim.store.check.report import Finding, Place
from hoptim.store.line_format import Record


class _Line(NamedTuple):
    """A line behind the last good one.

    Attributes:
        place: Line and byte in the file.
        data: Its bytes.
        says: Record number that it claims, unproven; None if it is no JSON.
        number: Record number that it has, or had before it was changed.
        whole: True if the record before it, wherever that stands, proves it.
    """

    place: Place
    data: bytes
    says: int | None
    number: int = -1
    whole: bool = False


def explain(name: str, tail: bytes, last: bytes, n: int, offset: int) -> list[Finding]:
    """Return one finding for each break, none for an empty tail.

    Args:
        name: Name of the file.
        tail: The bytes from the first bad line on.
        last: The last good line, or the digits that the first line follows.
        n: Number that the first bad record should have had.
        offset: Byte that the tail begins with.
    """
    lines = _proven(_numbered(_split(tail, n, offset), n), last[:8], n)
    found = _merged(_break(name, kind, line, what) for kind, line, what in _breaks(lines, last, n))
    if lines and not found:
        found = [_break(name, "damaged-line", lines[0], "is not a line that hoptim writes")]
    if found:
        behind = sum(line.whole for line in lines)
        advice = (
            f"The {n} records before it, bytes 0 to {offset}, are good; {behind} behind it are whole. "
            "Restore the file from a copy; hoptim never skips records."
        )
        found[0] = replace(found[0], what=f"{found[0].what} {advice}")
    return found


def said(line: bytes) -> Record:
    """Return what a line says, unproven; {} when that is no JSON object."""
    try:
        record = json.loads(line[9:])
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _split(tail: bytes, n: int, offset: int) -> list[_Line]:
    lines = []
    for i, data in enumerate(re.findall(rb"[^\n]*\n|[^\n]+", tail)):
        says = said(data).get("n")
        lines.append(_Line(Place(n + i + 1, offset), data, says if isinstance(says, int) else None))
        offset += len(data)
    return lines


def _numbered(lines: list[_Line], n: int) -> list[_Line]:
    """Give each line the number that the next one proves, else that it says, else that comes next."""
    numbered, number = [], n - 1
    for line, following in zip_longest(lines, lines[1:]):
        if following is not None and following.says is not None and _follows(following, line.data[:8]):
            number = following.says - 1
        elif line.says is not None and abs(line.says - number) <= len(lines):
            number = line.says
        else:
            number += 1
        numbered.append(line._replace(number=number))
    return numbered


def _proven(lines: list[_Line], last: bytes, n: int) -> list[_Line]:
    """Check each line against the record before it, wherever that is."""
    digits: dict[int, set[bytes]] = {n - 1: {last}}
    for line in lines:  # digits as written, and as they should be where only they were changed
        computed = {
            line_format.digits(before, line.data[9:-1]) for before in digits.get(line.number - 1, ())
        }
        digits.setdefault(line.number, set()).update({line.data[:8], *computed})
    return [
        line._replace(whole=any(_follows(line, before) for before in digits.get(line.number - 1, ())))
        for line in lines
    ]


def _follows(line: _Line, digits: bytes) -> bool:
    data = line.data
    return data[8:9] == b" " and data[-1:] == b"\n" and data[:8] == line_format.digits(digits, data[9:-1])


def _breaks(lines: list[_Line], last: bytes, n: int) -> Iterator[tuple[str, _Line, str]]:
    there = {line.number for line in lines}
    seen = {last}
    expected = n
    for line in lines:
        number = line.number
        removed = number - expected > len(there) or not there.issuperset(range(expected, number))
        if not line.data.endswith(b"\n"):
            yield "damaged-line", line, "has no end"
        elif line.data in seen or number < n:
            yield "repeated-record", line, f"repeats record {number}"
        elif removed:
            what = f"is record {number} where {expected} should be, and that is nowhere"
            yield "missing-records", line, what
        elif not line.whole:
            yield "damaged-line", line, "does not fit its checksum: it was changed, or what it follows"
        elif number != expected:
            what = f"is record {number} where {expected} should be; lines were exchanged"
            yield "misplaced-record", line, what
        seen.add(line.data)
        expected = max(expected, number + 1)


def _break(name: str, kind: str, line: _Line, what: str) -> Finding:
    return Finding("error", kind, name, f"Line {line.place.line} {what}.", line.place)


def _merged(findings: Iterable[Finding]) -> list[Finding]:
    """Merge changed lines in a row into one finding."""
    merged: list[Finding] = []
    rows: list[int] = []  # lines of each
    for finding in findings:
        if merged and _goes_on(merged[-1], rows[-1], finding):
            rows[-1] += 1
        else:
            merged.append(finding)
            rows.append(1)
    return [_of_rows(finding, row) for finding, row in zip(merged, rows, strict=True)]


def _goes_on(first: Finding, rows: int, next_: Finding) -> bool:
    places = first.where, next_.where
    together = places[0] and places[1] and places[0].line + rows == places[1].line
    return bool(together) and first.kind == next_.kind == "damaged-line"


def _of_rows(first: Finding, rows: int) -> Finding:
    if rows == 1 or first.where is None:
        return first
    begin, end = first.where.line, first.where.line + rows - 1
    return replace(
        first,
        what=f"Lines {begin} to {end} do not fit their checksums: they were changed, or what they follow.",
    )
