"""Tests of the records of a journal."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import Any

from hoptim.errors import ArgumentError
from hoptim.testing._journal_study import JournalStudy
from hoptim.testing._peer import Peer, error_of, note

_ODD: Any = {
    "text": "Grüße, 数据 \U0001f600 \x00 \ud800 \u2028 \\ \" '",
    "numbers": [0, -1, 2**53 + 1, 1.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1],
    "none": [None, True, False, {}, [], ""],
    "z before a": {"z": 1, "a": 2},
}
for _ in range(50):
    _ODD = {"in": [_ODD]}


class RecordTests(JournalStudy):
    """Tests of what is read: everything, once, in one order, as it was given."""

    def test_all_agree_on_one_order(self) -> None:
        """Require that all see the same records in the same order, numbered from 0."""
        peers = self._peers(3)
        for i in range(9):
            peers[i % 3].append(*note(*range(10 * i, 10 * i + 1 + i % 4)))
        late = Peer(self.make())
        found = [peer.read() for peer in (late, *peers)]
        numbers = [record["n"] for record in found[0]]
        assert numbers == list(range(len(numbers))), f"Numbers must count up from 0, found {numbers}."
        wanted = [10 * i + j for i in range(9) for j in range(1 + i % 4)]
        assert late.values() == wanted, f"Records must be {wanted} in this order, found {late.values()}."
        for other in found[1:]:
            assert other == found[0], f"All must see the same records, found {found[0]} and {other}."

    def test_read_hands_over_what_is_new(self) -> None:
        """Require that each read gives the records since the last one, once and in order."""
        one, other = self._peers(2)
        first = len(one.read())
        assert first == 1, f"A new study must have one record, found {one.records}."
        for i in range(5):
            other.append(*note(2 * i, 2 * i + 1))
            portions = len(one.voids)
            one.read()
            assert one.values() == other.values(), f"{other.values()} must be read, found {one.values()}."
            assert not any(one.voids[portions:]), "What was read before must not become void by a read."
        portions = len(one.voids)
        one.read()
        other.read()
        assert len(one.records) == len(other.records) == 11, "A read must give each record once."
        assert len(one.voids) == portions, "A read must hand over nothing when nothing is new."

    def test_count_follows(self) -> None:
        """Require that `count` is the number of records that have been read or appended."""
        one, other = self._peers(2)
        assert one.journal.count == 0, f"count must begin at 0, found {one.journal.count}."
        one.append(*note(1, 2))
        assert one.journal.count == 3, f"count must be 3 after an append, found {one.journal.count}."
        other.read()
        one.append(*note(3))
        assert other.journal.count == 3, f"count must change by a read alone, found {other.journal.count}."
        other.read()
        assert other.journal.count == 4, f"count must be 4 after a read, found {other.journal.count}."

    def test_forget_begins_anew(self) -> None:
        """Require that after `forget` the next read makes all void and gives every record."""
        one, other = self._peers(2)
        other.append(*note(1, 2))
        before = list(one.read())
        one.journal.forget()
        assert one.journal.count == 0, f"count must be 0 after forget, found {one.journal.count}."
        portions = len(one.voids)
        one.read()
        assert one.voids[portions:][:1] == [True], "The first portion after forget must make all void."
        assert not any(one.voids[portions + 1 :]), "Only the first portion after forget makes all void."
        assert one.records == before, f"{before} must be read again, found {one.records}."
        one.append(*note(3))
        assert other.read() == one.records, "A journal must go on after forget."

    def test_values_come_back_equal(self) -> None:
        """Require that texts, numbers, nesting and the order of keys come back as they were given."""
        one, other = self._peers(2)
        one.append(*note(_ODD))
        other.read()
        found, wanted = json.dumps(other.values()[-1]), json.dumps(_ODD)
        assert found == wanted, f"A record must come back equal: {wanted} was given, found {found}."

    def test_large_records_come_back_equal(self) -> None:
        """Require that an append of some records of 100 kB each arrives whole."""
        one, other = self._peers(2)
        large = [f"{i} " * 50_000 for i in range(10)]
        one.append(*note(*large))
        one.append(*note("next"))
        other.read()
        assert other.values() == [*large, "next"], "Large records must come back equal and in order."

    def test_a_record_that_is_refused_adds_nothing(self) -> None:
        """Require `ArgumentError` for what is no JSON or too long, and nothing of its append."""
        one, other = self._peers(2)
        for wrong in (math.nan, math.inf, object(), {1, 2}, "x" * (1 << 20)):
            error = error_of(partial(one.append, *note("before", wrong, "behind")))
            assert isinstance(error, ArgumentError), (
                f"A record that is no JSON, or 1 MiB long, must raise ArgumentError, found {error!r}."
            )
            other.read()
            assert other.values() == [], (
                f"Nothing of a refused append may be there, found {other.values()}."
            )
        one.append(*note("next"))
        assert other.read() == one.read(), "A journal must go on after an append that was refused."
        assert other.values() == ["next"], f"'next' must be there alone, found {other.values()}."

    def test_a_lost_reply_is_found_by_id(self) -> None:
        """Require that what a vanished process appended is read once by the next one."""
        self._peers(1)[0].append({"op": "note", "id": "a1"}, {"op": "note", "id": "a2"})
        late = Peer(self.make())
        late.append({"op": "note", "id": "b1"})
        late.read()
        assert late.values("id") == ["a1", "a2", "b1"], f"Each id must be once, found {late.values('id')}."
