"""The contract of a journal, kept by each one that comes with hoptim and missed by broken ones."""

from __future__ import annotations

import pytest

from hoptim.errors import LockTimeout
from hoptim.store import line_format
from hoptim.store.journal import FileJournal
from hoptim.store.memory_journal import MemoryJournal
from hoptim.testing import JournalConformance, _journal_holds, _peer, journal
from tests import broken_journals as broken
from tests.model_database import Table, TableJournal

UUID = "0123456789abcdef"
FIRST = {"n": 0, "op": "create", "uuid": UUID}


class TestFileJournal(JournalConformance):
    """The journal of a directory."""

    in_processes = True

    @pytest.fixture(autouse=True)
    def study(self, tmp_path):
        """A directory with record 0."""
        self.folder = tmp_path
        line = line_format.encode(FIRST, line_format.start(UUID))
        (tmp_path / "journal.jsonl").write_bytes(line)

    def make(self):
        return FileJournal(self.folder, UUID)


class TestMemoryJournal(JournalConformance):
    """The journal in memory, each object with the records of all."""

    @pytest.fixture(autouse=True)
    def study(self):
        """A journal with record 0."""
        self.first = MemoryJournal()
        self.first.append([FIRST])

    def make(self):
        journal = MemoryJournal()
        journal._records, journal._mutex = self.first._records, self.first._mutex
        return journal

    def test_hold_gives_up_in_time(self):
        """Skip what cannot happen: no thread waits for anything while it holds."""
        pytest.skip("The journal in memory is held for moments, and never for a wait.")

    def test_a_record_that_is_refused_adds_nothing(self):
        """Skip what nobody needs: nothing is turned into text here."""
        pytest.skip("The journal in memory is for one study of one process, and takes what it is given.")


class TestTableJournal(JournalConformance):
    """A journal as a database would keep it, and whose holds can be lost."""

    kind = TableJournal

    @pytest.fixture(autouse=True)
    def study(self):
        """A table with record 0."""
        self.table = Table(FIRST)

    def make(self):
        return self.kind(self.table)

    def cut_off(self, journal):
        journal.table.end_hold(journal)


BROKEN = [
    ("all_agree_on_one_order", broken.Backwards, "Numbers must count up from 0"),
    ("all_agree_on_one_order", broken.Misnumbered, "Numbers must count up from 0"),
    ("read_hands_over_what_is_new", broken.Repeating, "A read must give each record once"),
    ("read_hands_over_what_is_new", broken.Voiding, "must not become void by a read"),
    ("count_follows", broken.Behind, "count must be 3 after an append"),
    ("forget_begins_anew", broken.Stubborn, "count must be 0 after forget"),
    ("forget_begins_anew", broken.Doubling, "The first portion after forget must make all void"),
    ("values_come_back_equal", broken.Plain, "A record must come back equal"),
    ("values_come_back_equal", broken.Sorting, "A record must come back equal"),
    ("large_records_come_back_equal", broken.Short, "Large records must come back equal"),
    ("a_record_that_is_refused_adds_nothing", broken.Lenient, "must raise ArgumentError, found None"),
    ("a_record_that_is_refused_adds_nothing", broken.Partial, "Nothing of a refused append"),
    ("a_lost_reply_is_found_by_id", broken.Lazy, "Each id must be once"),
    ("an_append_is_seen_whole", broken.Piecewise, "An append of 3 records must be seen whole, but 1 were"),
    ("readers_need_no_hold", broken.Jealous, "A call must end"),
    ("hold_gives_up_in_time", broken.Unlocked, "must raise LockTimeout"),
    ("holders_come_one_at_a_time", broken.Racing, "Numbers must be given once each"),
    ("what_is_read_ahead_of_a_hold_is_read_once", broken.Rewinding, "Each record must be read once"),
    ("what_is_read_ahead_of_a_hold_is_read_once", broken.Racing, "Numbers must be given once each"),
    ("a_read_ahead_lets_the_next_one_in", broken.Hasty, "The table is held"),
    ("an_error_in_a_hold_adds_nothing", broken.Poisoned, "The table is held"),
    (
        "a_holder_that_was_cut_off_before_its_append_is_told",
        broken.Silent,
        "must raise HoldLost, found None",
    ),
    ("a_holder_that_was_cut_off_before_its_append_is_told", broken.Unfenced, "must raise HoldLost"),
    ("a_holder_that_was_cut_off_after_its_append_is_told", broken.Silent, "'stale' was recorded, found"),
    ("what_a_holder_that_was_cut_off_says_is_true", broken.Silent, "'stale' was recorded, as no error"),
    ("what_a_holder_that_was_cut_off_says_is_true", broken.Late, "Nothing was recorded, as HoldLost"),
    ("wait_ends_in_time", broken.Sleepy, "A call must end"),
    ("what_wakes_nobody_is_read", broken.Whispering, "'quiet' must be read"),
    ("what_comes_while_one_waits_is_read", broken.Inattentive, "'meanwhile' must be read"),
]
HANGING = {broken.Jealous, broken.Poisoned, broken.Hasty, broken.Sleepy, broken.Inattentive}


@pytest.mark.parametrize(("check", "kind", "message"), BROKEN)
def test_a_broken_journal_is_found(check, kind, message, monkeypatch):
    """Each way to break the contract fails the test of its clause, and the message says which."""
    if kind in HANGING:
        for module in (_peer, _journal_holds, journal):
            monkeypatch.setattr(module, "LIMIT", 0.5)
    suite = TestTableJournal()
    suite.kind, suite.table = kind, Table(FIRST)
    with pytest.raises((AssertionError, LockTimeout), match=message):
        getattr(suite, f"test_{check}")()


def test_each_check_finds_something():
    """No test of the suite that runs in one process is without a journal that fails it."""
    checks = {name for name in dir(JournalConformance) if name.startswith("test_")}
    assert checks - {f"test_{check}" for check, _, _ in BROKEN} == {
        "test_holders_in_processes_come_one_at_a_time",
        "test_the_hold_of_a_process_ends_when_it_is_killed",
        "test_a_forked_child_reads_and_appends",
    }
