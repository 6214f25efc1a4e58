"""A journal as a database would keep it: committed at the end of a hold, which can be lost."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager

from hoptim.errors import HoldLost, LockTimeout
from hoptim.store import line_format


class Table:
    """The records of one study, as texts, and the journal that holds it."""

    def __init__(self, first):
        self.texts = [json.dumps(first)]
        self.changed = threading.Condition()
        self.holder = None
        self.reads = 0

    def end_hold(self, journal):
        """Let others hold, if a journal still does."""
        with self.changed:
            if self.holder is journal:
                self.holder = None
                self.changed.notify_all()


class TableJournal:
    """A journal of a table."""

    name = "the table"

    def __init__(self, table):
        self.table, self.mutex = table, threading.RLock()
        self._pending = []
        self._void, self._known = False, 0

    @property
    def count(self):
        """Implement `Journal.count`."""
        return self._known

    def read(self, take):
        """Implement `Journal.read`."""
        new = [json.loads(text) for text in self.table.texts[self._known :]]
        self.table.reads += 1
        if new or self._void:
            void, self._void = self._void, False
            self._known += len(new)
            take(void, new)

    def alone(self, timeout):
        """Implement `Journal.alone`."""
        return self.mutex

    @contextmanager
    def hold(self, timeout, ahead=None):
        """Implement `Journal.hold`."""
        if ahead is not None:
            ahead()
        self.take_hold(timeout)
        self._pending = []
        try:
            yield
            self.commit()
        except BaseException:
            self.forget()
            raise
        finally:
            self.table.end_hold(self)

    def take_hold(self, timeout):
        """Begin a hold once no other one is left."""
        with self.table.changed:
            if not self.table.changed.wait_for(lambda: self.table.holder is None, timeout):
                raise LockTimeout("The table is held.")
            self.table.holder = self

    def append(self, records, wakes=True):
        """Implement `Journal.append`."""
        self.require_hold(self._known)
        for record in records:
            line_format.encode(record, b"")
        self._pending += [json.dumps(record) for record in records]
        self._known += len(records)

    def commit(self):
        """Make what was appended visible to all."""
        if self._pending:
            self.require_hold(self._known - len(self._pending))
            self.table.texts.extend(self._pending)

    def require_hold(self, n):
        """Raise unless this one holds, and n records are there."""
        if self.table.holder is not self or len(self.table.texts) != n:
            raise HoldLost("Others appended.")

    def forget(self):
        """Implement `Journal.forget`."""
        self._known, self._void = 0, True

    def wait(self, seconds):
        """Implement `Journal.wait`."""
        time.sleep(seconds)
