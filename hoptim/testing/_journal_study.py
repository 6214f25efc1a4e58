"""The study whose journal is tested: one for each test."""

from __future__ import annotations

import multiprocessing
from typing import Any
from unittest import SkipTest

from hoptim.store.memory_journal import Journal
from hoptim.testing._peer import Peer


class JournalStudy:
    """A study of one test, and journals of it."""

    in_processes = False

    def make(self) -> Journal:
        """Return a new journal of the test's study, as another process would have; called often."""
        raise NotImplementedError

    def _peers(self, count: int) -> list[Peer]:
        """Return readers and writers with journals of their own."""
        return [Peer(self.make()) for _ in range(count)]

    def _processes(self, way: str) -> Any:
        if not self.in_processes:
            raise SkipTest("The journal is for one process.")
        return multiprocessing.get_context(way)
