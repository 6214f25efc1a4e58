"""The contract of a journal, kept by each one that comes with hoptim and missed by broken ones."""

from __future__ import annotations

import pytest

from hoptim.store import line_format
from hoptim.store.journal import FileJournal
from hoptim.store.memory_journal import MemoryJournal
from hoptim.testing import JournalConformance

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
        pytest.skip("The journal in memory is held for moments, and never for a wait.")

    def test_a_record_that_is_refused_adds_nothing(self):
        pytest.skip("The journal in memory is for one study of one process, and takes what it is given.")
