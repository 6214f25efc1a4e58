"""What a check finds in a journal: each damage, where it is, and what contradicts what."""

from __future__ import annotations

import os
import random
import tracemalloc
from collections.abc import Callable

import pytest

import hoptim
from hoptim.store import line_format, study_file
from hoptim.store.check import damage, runs
from hoptim.store.check.inspection import check
from hoptim.store.check.reading import Reading
from hoptim.store.check.repair import repair
from hoptim.store.check.report import NONE
from hoptim.store.cursor import Cursor
from hoptim.store.journal import FileJournal
from tests import builders
from tests.builders import append
from tests.damaged import Lines, flipped, lines_of, tree, write

JOURNALS: dict[str, tuple[Callable[[Lines], Lines], list[tuple[str, int]]]] = {
    "payload changed": (lambda x: flipped(x, 5, 20), [("damaged-line", 6)]),
    "number changed": (lambda x: flipped(x, 5, 14), [("damaged-line", 6)]),
    "checksum changed": (lambda x: flipped(x, 5, 2), [("damaged-line", 6)]),
    "separator changed": (lambda x: flipped(x, 5, 8), [("damaged-line", 6)]),
    "first line changed": (lambda x: flipped(x, 0, 20), [("damaged-line", 1)]),
    "two changed": (
        lambda x: flipped(flipped(x, 3, 20), 9, 30), [("damaged-line", 4), ("damaged-line", 10)],
    ),
    "three in a row": (lambda x: [*x[:3], b"x\n", b"y\n", b"z\n", *x[6:]], [("damaged-line", 4)]),
    "newline lost": (lambda x: [*x[:5], x[5][:-1], *x[6:]], [("damaged-line", 6), ("missing-records", 7)]),
    "one removed": (lambda x: [*x[:5], *x[6:]], [("missing-records", 6)]),
    "three removed": (lambda x: [*x[:5], *x[8:]], [("missing-records", 6)]),
    "first removed": (lambda x: x[1:], [("missing-records", 1)]),
    "one doubled": (lambda x: [*x[:6], x[5], *x[6:]], [("repeated-record", 7)]),
    "an old one again": (lambda x: [*x[:9], x[3], *x[9:]], [("repeated-record", 10)]),
    "two exchanged": (
        lambda x: [*x[:5], x[6], x[5], *x[7:]], [("misplaced-record", 6), ("misplaced-record", 7)],
    ),
    "empty": (lambda _: [], [("empty-journal", 1)]),
    "a page of zeros": (
        lambda x: [*x[:5], b"\0" * 4096, *x[6:]], [("damaged-line", 6), ("missing-records", 7)],
    ),
    "changed and cut": (
        lambda x: [*flipped(x, 3, 20)[:-1], x[-1][:-9]], [("damaged-line", 4), ("damaged-line", -1)],
    ),
    "changed at the end": (lambda x: flipped(x, len(x) - 1, 20), [("damaged-tail", -1)]),
}  # fmt: skip


@pytest.mark.parametrize("name", JOURNALS)
def test_each_damage_of_a_journal_is_found_where_it_is(folder, name):
    """Kind, line and byte of every damage, not only the first; a repair leaves every byte alone."""
    damage, expected = JOURNALS[name]
    lines = lines_of(folder)
    write(folder, damage(lines))
    damaged = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    report = check(folder)
    assert [(f.kind, f.where.line) for f in report.of("error")] == [
        (kind, line if line > 0 else len(damaged)) for kind, line in expected
    ]
    for finding in report.of("error"):
        assert finding.where.byte == sum(map(len, damaged[: finding.where.line - 1]))
    if name != "changed at the end":
        before = tree(folder)
        assert repair(folder).findings == report.findings
        assert tree(folder) == before


@pytest.mark.parametrize("byte", [2, 20])
def test_damage_tells_how_much_is_good_on_either_side(folder, byte):
    """Who must restore a journal learns how far it is good and how many whole records are behind."""
    lines = lines_of(folder)
    write(folder, flipped(lines, 5, byte))
    what = check(folder).of("error")[0].what
    good = sum(map(len, lines[:5]))
    assert f"The 5 records before it, bytes 0 to {good}, are good; {len(lines) - 6} behind" in what


def test_a_damaged_journal_that_was_cut_off_says_so(folder):
    """Behind damage a line without an end is told apart from one that was changed."""
    lines = lines_of(folder)
    write(folder, [*flipped(lines, 3, 20)[:-1], lines[-1][:-9]])
    assert check(folder).of("error")[-1].what == f"Line {len(lines)} has no end."


def _numbered(*numbers: int) -> bytes:
    """Lines that look like records with these numbers, none of which follows another."""
    return b"".join(b'%08x {"n":%d,"x":1}\n' % (i, number) for i, number in enumerate(numbers))


GARBAGE: dict[str, Callable[[int], bytes]] = {
    "no numbers": lambda count: b"".join(b"%060d\n" % i for i in range(count)),
    "one line again": lambda count: b"x\n" * count,
    "one number": lambda count: _numbered(*[7] * count),
    "two numbers": lambda count: _numbered(*[7, 8] * (count // 2)),
    "ascending": lambda count: _numbered(*range(7, count + 7)),
    "descending": lambda count: _numbered(*range(count + 7, 7, -1)),
    "jumping": lambda count: _numbered(*[7 + i * 7919 % count for i in range(count)]),
    "nested": lambda count: b"[[[[\n" * count,
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_costs_as_much_as_it_is_long(folder, kind, monkeypatch):
    """Whatever its lines claim, each is compared with a few others, not with all before it."""
    lines, digits = lines_of(folder), line_format.digits
    compared = []

    def counting(previous, payload):
        compared.append(len(payload))
        return digits(previous, payload)

    monkeypatch.setattr(line_format, "digits", counting)
    for count in (2_000, 8_000):
        write(folder, [*lines[:5], GARBAGE[kind](count), *lines[5:]])
        compared.clear()
        first = check(folder).of("error")[0]
        assert first.where == (6, sum(map(len, lines[:5])))
        assert len(compared) <= 20 * count


@pytest.mark.parametrize("line", [b"\n", b"x\n", b"[[[[[[[[[[[[\n", b"%08x \n" % 7, b"x" * (3 << 20)])
def test_garbage_takes_little_memory(folder, line):
    """32 MB of garbage are examined in a few, however short or long its lines are."""
    lines = lines_of(folder)
    write(folder, [*lines[:5], line * ((32 << 20) // len(line)), *lines[5:]])
    before = Cursor(lines[4])
    before.offset, before.n = sum(map(len, lines[:5])), 5
    tracemalloc.start()
    try:
        found = damage.explain(folder / "journal.jsonl", before)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    assert (found[0].kind, found[0].where) == ("damaged-line", (6, before.offset))


def test_a_journal_that_a_crash_made_gigabytes_long_is_examined(folder):
    """A sparse tail of 6 GiB takes neither its length in memory nor in time."""
    size = (folder / "journal.jsonl").stat().st_size
    try:
        os.truncate(folder / "journal.jsonl", 6 << 30)
    except OSError:
        pytest.skip("this file system has no sparse files")
    tracemalloc.start()
    try:
        report = check(folder)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert [(f.kind, f.where.byte) for f in report.of("error")] == [("damaged-line", size)]


def test_after_very_many_breaks_the_rest_is_not_examined(folder, monkeypatch):
    """A report that is cut short says from which line and byte on nothing was looked at."""
    lines = lines_of(folder)
    monkeypatch.setattr(runs, "MOST_RUNS", 50)
    write(folder, [*lines[:5], _numbered(*range(1005, 905, -1)), *lines[5:]])
    last = check(folder).of("error")[-1]
    assert (last.kind, last.where.line) == ("not-examined", 56)


@pytest.mark.parametrize("count", [1, 3])
def test_garbage_between_whole_records_is_one_finding(folder, count):
    """Lines that were put in, and are no records, make no record behind them a misplaced one."""
    lines = lines_of(folder)
    write(folder, [*lines[:5], *[b"garbage\n"] * count, *lines[5:]])
    (found,) = check(folder).of("error")
    assert (found.kind, found.where.line) == ("damaged-line", 6)
    assert f"{len(lines) - 5} behind it are whole" in found.what


def test_moved_and_repeated_blocks_are_told_as_such(folder):
    """Records that stand together somewhere else are one finding, with the numbers of all of them."""
    lines = lines_of(folder)
    write(folder, [*lines[:5], *lines[8:11], *lines[5:8], *lines[11:15], *lines[12:15], *lines[15:]])
    assert [(f.kind, f.where.line) for f in check(folder).of("error")] == [
        ("misplaced-record", 6), ("misplaced-record", 9), ("repeated-record", 16)
    ]  # fmt: skip
    assert "Lines 9 to 11 are records 5 to 7 where 11 should be" in check(folder).of("error")[1].what
    assert check(folder).of("error")[2].what == "Lines 16 to 18 repeat records 12 to 14."


def test_no_changed_byte_goes_unseen(folder):
    """Whichever byte of a journal is changed, the first finding is at its line or, for a newline, there."""
    whole = (folder / "journal.jsonl").read_bytes()
    for byte in range(0, len(whole), 13):
        data = bytearray(whole)
        data[byte] ^= 1
        (folder / "journal.jsonl").write_bytes(bytes(data))
        reading = Reading(folder / "journal.jsonl")
        reading.more(None)
        assert reading.findings()[0].where.line == whole[:byte].count(b"\n") + 1


def test_a_journal_of_anything_can_be_judged(folder):
    """Pieces cut out, put in, doubled and exchanged at random are found just where the store refuses."""
    settings = study_file.read(folder)
    whole, rng = (folder / "journal.jsonl").read_bytes(), random.Random(0)
    for _ in range(300):
        data = whole
        for _ in range(rng.randrange(1, 5)):
            a, b, c = (rng.randrange(len(data) + 1) for _ in range(3))
            piece = rng.choice([b"", b"\n", b"\r\0", data[min(a, b) : max(a, b)], rng.randbytes(9)])
            data = data[:c] + piece + data[max(c, b) :]
        (folder / "journal.jsonl").write_bytes(data)
        reading = Reading(folder / "journal.jsonl")
        reading.more(None)
        found = reading.findings()
        assert bool(found) == (not whole.startswith(data) or not data.endswith(b"\n"))
        refused = False
        try:
            FileJournal(folder, settings.uuid).read(lambda void, records: None)
        except hoptim.StudyDamaged:
            refused = True
        assert refused == any(f.level == "error" and f.repair == NONE for f in found)


def test_every_cut_is_a_torn_tail(folder):
    """Wherever the last line is cut, that is a leftover with its offset and size, and no error."""
    lines = lines_of(folder)
    for length in range(1, len(lines[-1]), 7):
        write(folder, [*lines[:-1], lines[-1][:length]])
        report = check(folder)
        (torn,) = [finding for finding in report.findings if finding.kind == "torn-tail"]
        assert (torn.level, report.ok) == ("leftover", True)
        assert torn.where == (len(lines), sum(map(len, lines[:-1])))
        assert f"left {length} bytes" in torn.what


CONTRADICTIONS = {
    "unknown op": {"op": "dance"},
    "no op": {"op": None},
    "tell without a claim": {"op": "tell", "trial": 3, "token": 1, "value": 1.0},
    "claim of what is held": {"op": "ask", "trial": 11, "worker": "me"},
    "not due": {"op": "ask", "trial": 99, "member": 0, "step": 0, "parent": None, "params": {}, "x": []},
    "other names": {
        "op": "ask", "trial": 12, "member": 0, "step": 3, "parent": None, "params": {"y": 1, "z": 2},
        "x": [0.5, 0.5], "worker": "me",
    },
    "fewer steps": {"op": "extend", "steps": 1},
    "dropped twice": {"op": "extend", "steps": 7, "drops": [99]},
    "a value that is none": {"op": "tell", "trial": 11, "token": -1, "value": {}},
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_each_record_that_contradicts_is_found(folder, name):
    """A record with a good checksum that cannot follow is an error with its line; those behind are read."""
    count = len(lines_of(folder))
    byte = (folder / "journal.jsonl").stat().st_size
    append(folder, CONTRADICTIONS[name])
    append(folder, {"op": "extend", "steps": 9})
    append(folder, {"op": "extend", "steps": 8})
    errors = check(folder).of("error")
    assert [(f.kind, f.where.line) for f in errors] == [
        ("contradiction", count + 1), ("contradiction", count + 3)
    ]  # fmt: skip
    assert errors[0].where.byte == byte


def test_behind_a_contradiction_claims_keep_their_tokens(folder):
    """A record that is left out still counts, so that those behind it are judged by their own numbers."""
    token = next(r["n"] for r in builders.records(folder) if r["op"] == "ask" and r["trial"] == 11)
    append(folder, CONTRADICTIONS["unknown op"])
    append(folder, {"op": "release", "trial": 11, "token": token})
    append(folder, {"op": "ask", "trial": 11, "worker": "me"})
    append(folder, {"op": "release", "trial": 11, "token": len(lines_of(folder)) - 1})
    assert [f.kind for f in check(folder).of("error")] == ["contradiction"]
