"""The journal of a study in PostgreSQL: one row for each line that a directory's journal would have."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from hoptim import _signals
from hoptim._signals import signals_deferred
from hoptim.store import line_format
from hoptim.store.cursor import Cursor
from hoptim.store.garbage import collection_paused
from hoptim.store.line_format import Record
from hoptim.store.locking.patience import ENDLESS, Patience
from hoptim.store.locking.threads import alone
from hoptim.store.memory_journal import Take
from hoptim.store.postgres.address import Address
from hoptim.store.postgres.database import Database, Rows
from hoptim.store.postgres.driver import psycopg
from hoptim.store.postgres.hold import Hold
from hoptim.store.postgres.pending import Pending
from hoptim.store.postgres.rows import (
    NEWS,
    PORTION,
    is_cut_short,
    put_back,
    refuse_damage,
    refuse_nothing,
)
from hoptim.store.postgres.schema import FIND, channel_of
from hoptim.store.postgres.traffic import Traffic
from hoptim.store.postgres.turn import Turn

_COUNT = "SELECT coalesce(max(n) + 1, 0) FROM hoptim_record WHERE study = %s"
_LINE = "SELECT line FROM hoptim_record WHERE study = %s AND n = %s"
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
        self._channel = channel_of(self._study)
        self._pending = pending or Pending()
        self._mine: tuple[int, str] | None = None  # number and text of the last own line
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._turn = Turn.of(self._address, f"study {self._address.study} {self._uuid}")
        self._database = Database.of(self._address, self._uuid)
        self._hold: Hold | None = None
        self._came: tuple[tuple[Any, ...], Rows] | None = None  # rows that came with a lock, and the query
        self.forget()

    def forget(self) -> None:
        """Implement `Journal.forget`."""
        self._at = Cursor(line_format.start(self._uuid))  # what is before it has been handed over
        self._void = self._anew = True
        self._row: int | None = None  # number of the study's row, once it is looked up
        self._traffic = Traffic()

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

    def read(self, take: Take) -> None:
        """Implement `Journal.read`."""
        with self._own().mutex:
            if self._hold is None or not self._hold.lines:  # else nobody can have appended
                self._read(take)

    def alone(self, timeout: float | None) -> AbstractContextManager[object]:
        """Implement `Journal.alone`."""
        return alone(self._own().mutex, timeout, self.name)

    @contextmanager
    def hold(self, timeout: float | None, ahead: Callable[[], None] | None = None) -> Iterator[None]:
        """Implement `Journal.hold`; what was appended is sent at the end of the block.

        A hold reads a few records by the way. Where more came since the last one, they are read before; and
        where more come while this process waits, at the head of a line.
        """
        _signals.defer(signal.SIGINT)
        patience, turn = Patience(timeout), self._own()
        with signals_deferred(), turn.taken(patience), collection_paused() as pause:
            self._database.unlisten()
            self._row_of_study("take the lock of", patience)
            if ahead is not None and self._traffic.is_behind:
                ahead()
            began = time.monotonic()
            in_line = (
                ahead is not None and self._traffic.is_crowded and self._line_up(patience, pause, ahead)
            )
            query = _, row, _ = self._news()
            hold = Hold(self._database, turn, row, self._channel, self._pending)
            try:
                self._came = query, hold.begin(patience, in_line, *query)
                pause.begin()
                waited = time.monotonic() - began
                self._hold = hold
                yield
                hold.end()
                self._traffic.note(self._at.n - len(hold.lines), self._at.n, waited)
            except BaseException:
                hold.give_up()
                if hold.lines:
                    self.forget()
                raise
            finally:
                self._hold = self._came = None
            if hold.lines:
                self._mine = self._at.n - 1, hold.lines[-1]

    def _line_up(self, patience: Patience, pause: collection_paused, ahead: Callable[[], None]) -> bool:
        """Wait for the head of the line, and read; return False if the server is away."""
        query = self._news()
        try:
            self._came = query, self._turn.line_up(self._database, patience, *query)
            pause.begin()  # from here on others wait for this process
            ahead()
        except BaseException as error:
            self._database.drop()  # and the place in line
            if isinstance(error, psycopg.Error):  # said by the hold
                return False
            raise
        finally:
            self._came = None
        return True

    def append(self, records: Sequence[Record], wakes: bool = True) -> None:
        """Implement `Journal.append`."""
        assert self._hold is not None
        lines = self._at.encode(records)
        self._hold.append(lines, self._at, wakes)
        self._at.appended(lines)

    def wait(self, seconds: float) -> None:
        """Implement `Journal.wait`; each append says up to where the records go."""
        mutex, patience = self._own().mutex, Patience(seconds)
        while left := patience.left:
            if not mutex.acquire(timeout=left):
                return
            try:
                if self._row is None:  # the next read is the first one
                    return
                self._database.listen(self._channel, _COUNT, self._row)
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

    def _row_of_study(self, doing: str = "read", patience: Patience = ENDLESS) -> int:
        """Return the number of the study's row; a study that is made anew gets another one."""
        if self._row is None:
            found = self._rows(FIND, *self._study, doing=doing, patience=patience)
            if not found:
                refuse_nothing(self._database, self._uuid)
            ((self._row,),) = found
        return self._row

    def _news(self) -> tuple[Any, ...]:
        """Return the query for the line before the known place and some of those behind it."""
        return NEWS if self._at.n else PORTION, self._row_of_study(), max(0, self._at.n - 1)

    def _next(self, *query: Any) -> Rows:
        """Return the rows of a query; the first ones if a server that took over lacks what was read."""
        rows = self._rows(*query)
        if self._at.n and rows[:1] != [self._known]:
            self.forget()
            rows = self._rows(*self._news())
        return rows

    def _rows(self, *query: Any, doing: str = "read", patience: Patience = ENDLESS) -> Rows:
        came, self._came = self._came, None
        if came is not None and came[0] == query:
            return came[1]
        if self._hold is not None:
            return self._hold.rows(*query)
        return self._database.retried(doing, lambda: self._database.run_afresh(*query)[0], patience)

    def _read(self, take: Take) -> None:
        rows = self._next(*self._news())
        size = sum(len(line) for _, line in rows)
        with collection_paused(size):
            self._hand_over(rows, take)
            while is_cut_short(rows):
                rows = self._next(PORTION, self._row_of_study(), self._at.n - 1)
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
        if self._rows(_LINE, self._row_of_study(), n) != [(line,)]:
            self.forget()  # so that every later call says so, too
            raise put_back(self.name, n)
