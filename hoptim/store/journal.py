"""The journal: one append-only file with all records of a study."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from hoptim._files import explained, sync
from hoptim.errors import HoldLost, StoreError, StudyDamaged
from hoptim.store import line_format, reading
from hoptim.store.cursor import PORTION, Cursor
from hoptim.store.durable_note import is_durable, note_durable
from hoptim.store.garbage import collection_paused
from hoptim.store.layout import JOURNAL
from hoptim.store.line_format import Record
from hoptim.store.locking.kernel import unlock_and_close
from hoptim.store.locking.lock import StudyLock
from hoptim.store.locking.patience import Patience
from hoptim.store.locking.threads import alone
from hoptim.store.memory_journal import Take
from hoptim.store.open_journal import OpenJournal
from hoptim.store.reserve import Reserve
from hoptim.store.tail import LONGEST_TAIL, cut_off, damaged, put_back, refuse_another_study, refuse_damage


class FileJournal:
    """The journal of a study's directory.

    Args:
        folder: Directory of the study.
        uuid: Identifier of the study; its digits seed the chain of lines.
        single_host: True if all processes run on this machine, see `StudyLock.of`. Default: False.
    """

    def __init__(self, folder: Path, uuid: str, single_host: bool = False) -> None:
        self.path = folder / JOURNAL
        self._name, self._folder = str(self.path), str(folder)
        self._uuid, self._pid = uuid, os.getpid()
        self._single_host = single_host
        self._lock = StudyLock.of(folder, single_host)
        self._reserve = Reserve(folder)
        self._settled = False
        self._mine: tuple[int, bytes] | None = None  # end and text of the last own line
        self._held: OpenJournal | None = None  # for the length of a hold
        self.forget()

    def forget(self) -> None:
        """Implement `Journal.forget`."""
        self._at = Cursor(line_format.start(self._uuid))  # what is before it has been handed over
        self._void = self._anew = True
        self._foreign = True  # whether bytes of other writers may not be on the disk yet

    @property
    def mutex(self) -> threading.RLock:
        """Implement `Journal.mutex`."""
        return self._own_lock().mutex

    @property
    def name(self) -> str:
        """Implement `Journal.name`."""
        return self._name

    @property
    def count(self) -> int:
        """Implement `Journal.count`."""
        return self._at.n

    @property
    def own_end(self) -> Cursor | None:
        """Return the place behind the last own append, all durable; None if more was read since."""
        return self._at if self._mine == (self._at.offset, self._at.last) else None

    def read(self, take: Take) -> None:
        """Implement `Journal.read`."""
        self._own_lock()
        with self._opened() as file:
            self._read(file, take)

    def start_behind(self, place: Cursor) -> None:
        """Make the next read begin at a place and not at the first record, if the line before it is there.

        Args:
            place: Place behind a line.
        """
        self._at, self._void = place, False

    def records_before(self, end: Cursor) -> Iterator[list[Record]]:
        """Yield all records before a place, a portion at a time.

        Args:
            end: Place behind a line that is known to be there.

        Raises:
            StudyDamaged: The records do not lead to it.
        """
        at = Cursor(line_format.start(self._uuid))
        with self._opened() as file:
            while at.offset < end.offset:
                records = at.advance(file.part(at.offset, min(end.offset, at.offset + PORTION)))
                if not records:
                    raise damaged(self.path, at, "records follow")
                yield records
                reading.note(at.offset, end.offset)
        if (at.n, at.last) != (end.n, end.last):
            raise damaged(self.path, at, f"record {end.n - 1} should end there")

    def alone(self, timeout: float | None) -> AbstractContextManager[object]:
        """Implement `Journal.alone`."""
        return alone(self._own_lock().mutex, timeout, self._folder)

    @contextmanager
    def hold(self, timeout: float | None, ahead: Callable[[], None] | None = None) -> Iterator[None]:
        """Implement `Journal.hold`; a read ahead costs little."""
        lock, patience = self._own_lock(), Patience(timeout)
        if ahead is not None:
            with self.alone(timeout):
                ahead()
        with collection_paused() as pause, lock.hold(patience.left):
            pause.begin()
            # Opened anew in each hold: over NFS an older descriptor may show an older size.
            self._held = file = OpenJournal(self._name, os.O_RDWR)
            try:
                # Over NFS the bytes of a killed writer may arrive after its other locks are gone, but not
                # after that of the file itself; and this lock, unlike another file's, shows its last bytes.
                lock.lock_file(file.fd, self._name)
                self._settle()
                yield
            finally:
                self._held = None
                with explained("close", self.path):
                    unlock_and_close(file.fd)

    def _settle(self) -> None:
        """Sync the folders once: whoever made the study may have died before its names were durable."""
        if not self._settled:
            with explained("sync", self.path.parent):
                sync(self.path.parent)
                with suppress(PermissionError):  # a parent that may be entered but not read
                    sync(self.path.parent.parent)
            self._settled = True
        self._reserve.restock()

    def append(self, records: Sequence[Record], wakes: bool = True) -> None:
        """Implement `Journal.append`."""
        lines = self._at.encode(records)
        try:
            self._write(b"".join(lines))
        except BaseException:
            self.forget()
            raise
        self._at.appended(lines)
        self._mine = self._at.offset, self._at.last
        note_durable(self._lock.fd, self._at)

    def _write(self, data: bytes) -> None:
        """Append bytes, all of them or none; on a full disk, into the room of the reserve."""
        assert self._held is not None
        if self._held.size() != self._at.offset:  # over NFS a lock may be lost
            raise HoldLost(
                errno.ESTALE,
                f"Another process appended to {self._name!r} though this one held the lock: it "
                "was lost, as over NFS when a server or a network is away for long. Nothing was recorded; "
                "the same call may be made again.",
            )
        try:
            self._held.append(data, self._at.offset)
        except StoreError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not self._reserve.give_up():
                raise
            self._held.append(data, self._at.offset)

    def wait(self, seconds: float) -> None:
        """Implement `Journal.wait`; whether a file has grown can only be asked again and again."""
        time.sleep(seconds)

    def _own_lock(self) -> StudyLock:
        """Return this process's lock; a forked child gets its own and starts from the front."""
        if self._pid != os.getpid():
            self._pid, self._held = os.getpid(), None
            self._lock = StudyLock.of(self.path.parent, self._single_host)
            self.forget()
        return self._lock

    def _opened(self) -> AbstractContextManager[OpenJournal]:
        """Return the file to read from: that of the hold within one."""
        return OpenJournal(self._name, os.O_RDONLY) if self._held is None else nullcontext(self._held)

    def _read(self, file: OpenJournal, take: Take) -> None:
        held, size = file is self._held, file.size()
        data = file.behind(self._at, size)
        if data is None:
            self.forget()
        if self._at.offset < size:
            from_front = self._at.offset == 0
            with collection_paused(size - self._at.offset):
                self._portions(file, size, take, data)
                if self._at.offset < size and held and not from_front:
                    self.forget()  # only what is wrong from the front is damage
                    self._portions(file, size, take)
        if self._at.offset < size or not self._at.n:
            self._judge(file, size, held)
        if self._anew and self._mine is not None:
            self._require_mine(file, *self._mine)
        self._anew = False
        if held and self._foreign:
            if not is_durable(self._lock.fd, self._at):
                file.write_again(self._at)
                note_durable(self._lock.fd, self._at)
            self._foreign = False

    def _require_mine(self, file: OpenJournal, end: int, line: bytes) -> None:
        """Raise `StudyDamaged` unless what this process wrote and acknowledged is still there."""
        if file.part(end - len(line), end) != line:
            self.forget()  # so that every later call says so, too
            raise put_back(self.path, end)

    def _portions(self, file: OpenJournal, size: int, take: Take, first: bytes | None = None) -> None:
        """Hand over good lines behind the known ones, some at a time, since a journal may be long.

        Args:
            file: The journal.
            size: Length to read up to, bytes.
            take: Function as for `read`.
            first: First bytes to read, if they are known. Default: None.
        """
        while (begin := self._at.offset) < size:
            records = self._at.advance(first or file.part(begin, min(size, begin + PORTION)))
            if not records:
                return
            first, self._foreign = None, True
            void, self._void = self._void, False
            take(void, records)
            reading.note(self._at.offset, size)

    def _judge(self, file: OpenJournal, size: int, held: bool) -> None:
        """Judge the bytes behind the last good line; a torn tail is repaired by the holder."""
        at = self._at
        tail = file.part(at.offset, min(size, at.offset + LONGEST_TAIL + 1))
        if at.offset == 0:
            refuse_another_study(self.path, self._uuid, tail)
        try:
            refuse_damage(self.path, at, tail, size)
        except StudyDamaged:
            if not held and file.part(at.offset, at.offset + len(tail)) != tail:
                return  # a writer is at work there at this moment
            raise
        if held:
            cut_off(self.path, file.fd, at.offset, tail)
