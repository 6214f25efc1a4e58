"""The journal of a study in PostgreSQL: one row for each line that a directory's journal would have."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from hoptim import _signals
from hoptim._signals import signals_deferred
from hoptim.store import line_format
from hoptim.store.cursor import Cursor
from hoptim.store.garbage import collection_paused
from hoptim.store.line_format import Record
from hoptim.store.locking.patience import Patience
from hoptim.store.locking.threads import alone
from hoptim.store.memory_journal import Take
from hoptim.store.postgres.address import Address
from hoptim.store.postgres.database import Database, Rows
from hoptim.store.postgres.driver import psycopg
from hoptim.store.postgres.hold import Hold
from hoptim.store.postgres.pending import Pending
from hoptim.store.postgres.rows import PORTION, is_cut_short, put_back, refuse_damage, refuse_nothing
from hoptim.store.postgres.schema import STUDY, channel_of
from hoptim.store.postgres.turn import Turn

_COUNT = f"SELECT coalesce(max(n) + 1, 0) FROM hoptim_record WHERE study = {STUDY}"
_FEW = 16  # records that are read within a hold as fast as a round trip before it takes
_SLICE = 1.0  # seconds between two looks at a connection that another thread may have replaced


class PostgresJournal:
    """The records of a study in a database.

    Readers need no lock. A hold is one transaction: an advisory lock keeps others out, and the primary key
    refuses a record whose number is given, should that lock have gone to another one.

    Args:
        address: Address of the study.
        uuid: Identifier of the study; its digits seed the chain of lines.
        pending: Additions of the holds of the same backend. Default: None, this journal's own.
    """

    def __init__(self, address: Address, uuid: str, pending: Pending | None = None) -> None:
        self._address, self._uuid = address, uuid
        self._study = address.study, uuid
        self._pending = pending or Pending()
        self._mine: tuple[int, str] | None = None  # number and text of the last own line
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._turn = Turn.of(self._address, f"study {self._address.study} {self._uuid}")
        self._database = Database.of(self._address, self._uuid)
        self._hold: Hold | None = None
        self.forget()

    def forget(self) -> None:
        """Implement `Journal.forget`."""
        self._at = Cursor(line_format.start(self._uuid))  # what is before it has been handed over
        self._void = self._anew = True
        self._pace: tuple[int, float, float] | None = None  # records, moment; records of others a second

    @property
    def mutex(self) -> threading.RLock:
        """Implement `Journal.mutex`."""
        return self._own().mutex

    @property
    def name(self) -> str:
        """Implement `Journal.name`."""
        return self._address.url

    @property
    def count(self) -> int:
        """Implement `Journal.count`."""
        return self._at.n

    @property
    def is_behind(self) -> bool:
        """Implement `Journal.is_behind`: a read is a round trip, and a hold reads a few by the way."""
        with self._own().mutex:
            if self._pace is None:
                return True
            _, ended, rate = self._pace
            return rate * (time.monotonic() - ended) > _FEW

    def read(self, take: Take) -> None:
        """Implement `Journal.read`."""
        with self._own().mutex:
            if self._hold is None or not self._hold.lines:  # else nobody can have appended
                self._read(take)

    def alone(self, timeout: float | None) -> AbstractContextManager[object]:
        """Implement `Journal.alone`."""
        return alone(self._own().mutex, timeout, self.name)

    @contextmanager
    def hold(self, timeout: float | None) -> Iterator[None]:
        """Implement `Journal.hold`; what was appended is sent at the end of the block."""
        _signals.defer(signal.SIGINT)
        patience, turn = Patience(timeout), self._own()
        with signals_deferred(), turn.taken(patience):
            self._database.unlisten()
            hold = Hold(self._database, turn, self._study, self._pending)
            try:
                hold.begin(patience, PORTION, *self._study, max(0, self._at.n - 1))
                self._hold = hold
                yield
                hold.end()
                self._note_pace(len(hold.lines))
            except BaseException:
                hold.give_up()
                if hold.lines:
                    self.forget()
                raise
            finally:
                self._hold = None
            if hold.lines:
                self._mine = self._at.n - 1, hold.lines[-1]

    def _note_pace(self, own: int) -> None:
        """Note how many records others appended between the last hold and the end of this one."""
        now, rate = time.monotonic(), 0.0
        if self._pace is not None:
            n, ended, _ = self._pace
            rate = (self._at.n - own - n) / max(now - ended, 1e-6)
        self._pace = self._at.n, now, rate

    def append(self, records: Sequence[Record]) -> None:
        """Implement `Journal.append`."""
        assert self._hold is not None
        lines = self._at.encode(records)
        self._hold.append(lines, self._at)
        self._at.appended(lines)

    def wait(self, seconds: float) -> None:
        """Implement `Journal.wait`; each append says up to where the records go."""
        mutex, patience = self._own().mutex, Patience(seconds)
        while left := patience.left:
            if not mutex.acquire(timeout=left):
                return
            try:
                self._database.listen(channel_of(self._study), _COUNT, *self._study)
                if self._database.told > self._at.n:
                    return
                fd = self._database.fileno()
            except psycopg.Error:  # said by the next read
                time.sleep(patience.within(_SLICE) or 0.0)
                return
            finally:
                mutex.release()
            if fd is not None:
                poll = select.poll()
                poll.register(fd, select.POLLIN)
                poll.poll(1000 * min(left, _SLICE))

    def _own(self) -> Turn:
        """Return this process's turn; a forked child gets its own and starts from the front."""
        if self._pid != os.getpid():
            self._start()
        return self._turn

    def _next(self) -> Rows:
        """Return the next portion; the first one if a server that took over lacks what was read."""
        rows = self._portion()
        if self._at.n and rows[:1] != [self._known]:
            self.forget()
            rows = self._portion()
        return rows

    def _portion(self) -> Rows:
        """Return the line before the known place and some of those behind it."""
        where = *self._study, max(0, self._at.n - 1)
        return self._rows(PORTION, *where)

    def _rows(self, *query: Any) -> Rows:
        if self._hold is not None:
            return self._hold.rows(*query)
        return self._database.retried("read", lambda: self._database.run_afresh(*query)[0])

    def _read(self, take: Take) -> None:
        rows = self._next()
        size = sum(len(line) for _, line in rows)
        with collection_paused(size):
            self._hand_over(rows, take)
            while is_cut_short(rows):
                rows = self._next()
                self._hand_over(rows, take)
        if not self._at.n:
            refuse_nothing(self._database, self._uuid)
        if self._anew and self._mine is not None:
            self._require_mine(*self._mine)
        self._anew = False

    @property
    def _known(self) -> tuple[int, str]:
        """Return the last line that was read or appended, as a row."""
        return self._at.n - 1, self._at.last[:-1].decode()

    def _hand_over(self, rows: Rows, take: Take) -> None:
        """Hand over the good lines of some rows; raise `StudyDamaged` if there are others."""
        new = rows[1:] if self._at.n else rows
        if not new:
            return
        begin = self._at.n
        good = [line for n, (number, line) in enumerate(new, begin) if number == n]
        data = "".join(line + "\n" for line in good)
        if records := self._at.advance(data.encode()):
            void, self._void = self._void, False
            take(void, records)
        if self._at.n != begin + len(new):
            refuse_damage(self.name, self._at.n, [number for number, _ in new])

    def _require_mine(self, n: int, line: str) -> None:
        """Raise `StudyDamaged` unless what this process wrote and acknowledged is still there."""
        statement = f"SELECT line FROM hoptim_record WHERE study = {STUDY} AND n = %s"
        if self._rows(statement, *self._study, n) != [(line,)]:
            self.forget()  # so that every later call says so, too
            raise put_back(self.name, n)
