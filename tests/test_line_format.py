"""Lines that prove themselves and their place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoptim.errors import ArgumentError
from hoptim.store import line_format

UUID = "0123456789abcdef"
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text()
RECORDS = st.lists(st.dictionaries(st.text(), SCALARS | st.lists(SCALARS)), max_size=6)


def lines(records, batches=()):
    """A journal of records; `batches` says which lie how far behind the first of their append."""
    previous, out = line_format.start(UUID), []
    for n, record in enumerate(records):
        batch = {"batch": batches[n]} if n < len(batches) and batches[n] else {}
        out.append(line_format.encode({"n": n, **record, **batch}, previous))
        previous = out[-1][:8]
    return out


def scan(data):
    """All good lines from the front."""
    return line_format.scan(data, line_format.start(UUID), 0)


def stops(data):
    """Whether a scan ends before the bytes do."""
    return scan(data).length < len(data)


@given(RECORDS)
def test_what_is_encoded_comes_back(records):
    """Records of plain JSON come back equal, in order, whatever text and floats they hold."""
    records = [{**record, "n": n} for n, record in enumerate(records)]
    data = b"".join(lines(records))
    assert scan(data).records == records
    assert not stops(data)


def test_a_line_is_what_the_format_says():
    """A line is 8 digits over the digits before and the JSON, a space, the JSON and a newline."""
    (line,) = lines([{"op": "x"}])
    payload = line[9:-1]
    assert json.loads(payload) == {"n": 0, "op": "x"}
    assert b" " not in payload
    digits = b"%08x" % line_format.crc32(b"%08x" % line_format.crc32(UUID.encode()) + payload)
    assert line == digits + b" " + payload + b"\n"


def test_no_flipped_byte_goes_unseen():
    """Flipping any byte of a journal stops the scan at the line that holds it, or at its end."""
    whole = lines([{"op": "a", "v": 1.5}, {"op": "b"}, {"op": "c", "s": "é"}])
    data = b"".join(whole)
    ends = [sum(map(len, whole[: i + 1])) for i in range(3)]
    for i in range(len(data)):
        damaged = bytearray(data)
        damaged[i] ^= 1
        assert stops(damaged)
        assert len(scan(damaged).records) == sum(end <= i for end in ends)


def test_removed_doubled_and_swapped_lines_break_the_chain():
    """A line is good only behind the very line that it was written behind."""
    a, b, c = lines([{"op": "a"}, {"op": "b"}, {"op": "c"}])
    assert len(scan(a + c).records) == 1
    assert len(scan(a + b + b + c).records) == 2
    assert len(scan(b + a + c).records) == 0


def test_another_study_starts_another_chain():
    """The first line of a journal does not follow the digits of another uuid."""
    (line,) = lines([{"op": "a"}])
    assert line_format.scan(line, line_format.start("other"), 0).records == []


def test_every_cut_of_the_last_append_is_torn():
    """Whatever length is left of the last batch, what is behind the last good line counts as torn."""
    whole = lines([{"op": "a"}, {"op": "tell"}, {"op": "drop"}, {"op": "ask"}], batches=[0, 0, 1, 2])
    data, kept = b"".join(whole), len(whole[0])
    for length in range(kept, len(data)):
        found = scan(data[:length])
        assert found.length <= length
        if stops(data[:length]):
            n = len(found.records)
            assert line_format.is_torn(data[found.length : length], n)


@pytest.mark.parametrize("tail", [b"\0" * 300, b"garbage\n" * 40, b"\n\n\n", bytes(range(256))])
def test_zeros_and_garbage_are_torn(tail):
    """Bytes that never were a line can only be an append that did not end."""
    (line,) = lines([{"op": "a"}])
    assert stops(line + tail)
    assert line_format.is_torn(tail, 1)


def test_a_lost_page_within_one_batch_is_torn():
    """Good lines behind a hole belong to the interrupted append when their batch says so."""
    batch = [{"op": "b", "x": "y" * 50} for _ in range(5)]
    whole = lines([{"op": "a"}, *batch], batches=[0, 0, 1, 2, 3, 4])
    hole = b"".join([whole[0], b"\0" * len(whole[1]), *whole[2:]])
    found = scan(hole)
    assert len(found.records) == 1
    assert line_format.is_torn(hole[found.length :], 1)


@pytest.mark.parametrize("where", [2, 20, -2])
def test_damage_before_a_later_batch_is_no_torn_tail(where):
    """A bad line with a record of a later append behind it is damage, whichever byte it is in."""
    whole = lines([{"op": "a"}, {"op": "b", "value": 12345}, {"op": "c"}, {"op": "d"}])
    damaged = bytearray(whole[1])
    damaged[where] ^= 1
    tail = bytes(damaged) + whole[2] + whole[3]
    assert not line_format.is_torn(tail, 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"bytes", object()])
def test_what_is_no_json_is_refused(value):
    """A value that JSON cannot hold is refused before anything is written."""
    with pytest.raises(ArgumentError, match="plain JSON"):
        line_format.encode({"op": "a", "v": value}, b"00000000")


def test_a_line_longer_than_a_mebibyte_is_refused():
    """An oversized record is refused with its size and what to do instead."""
    with pytest.raises(ArgumentError, match="put what is large into the checkpoint"):
        line_format.encode({"op": "a", "v": "x" * (1 << 20)}, b"00000000")
    fits = line_format.encode({"v": "x" * ((1 << 20) - 20)}, b"00000000")
    assert len(fits) <= line_format.LONGEST
