"""The journal: one append-only file with all records of a study."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from hoptim._files import close_read, explained, flush, open_regular, sync, write_all
from hoptim.errors import StoreError, StudyDamaged
from hoptim.store import line_format, reading
from hoptim.store.cursor import PORTION, Cursor
from hoptim.store.durable_note import is_durable, note_durable
from hoptim.store.garbage import collection_paused
from hoptim.store.layout import JOURNAL
from hoptim.store.line_format import Record
from hoptim.store.locking.kernel import unlock_and_close
from hoptim.store.locking.lock import StudyLock
from hoptim.store.locking.threads import alone
from hoptim.store.memory_journal import Take
from hoptim.store.reserve import Reserve
from hoptim.store.tail import LONGEST_TAIL, cut_off, damaged, refuse_another_study, refuse_damage


class FileJournal:
    """The journal of a study's directory.

    Args:
        folder: Directory of the study.
        uuid: Identifier of the study; its digits seed the chain of lines.
        single_host: True if all processes run on this machine, see `StudyLock.of`. Default: False.
    """

    def __init__(self, folder: Path, uuid: str, single_host: bool = False) -> None:
        self.path = folder / JOURNAL
        self._uuid = uuid
        self._pid = os.getpid()
        self._single_host = single_host
        self._lock = StudyLock.of(folder, single_host)
        self._reserve = Reserve(folder)
        self._settled = False
        self._mine: tuple[int, bytes] | None = None  # end and text of the last own line
        self._fd: int | None = None  # open for the length of a hold
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
        return str(self.path)

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
        with self._opened() as fd:
            self._read(fd, take)

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
        with self._opened() as fd:
            while at.offset < end.offset:
                records = at.advance(self._bytes(fd, at.offset, min(end.offset, at.offset + PORTION)))
                if not records:
                    raise damaged(self.path, at, "records follow")
                yield records
                reading.note(at.offset, end.offset)
        if (at.n, at.last) != (end.n, end.last):
            raise damaged(self.path, at, f"record {end.n - 1} should end there")

    def alone(self, timeout: float | None) -> AbstractContextManager[object]:
        """Implement `Journal.alone`."""
        return alone(self._own_lock().mutex, timeout, str(self.path.parent))

    @contextmanager
    def hold(self, timeout: float | None) -> Iterator[None]:
        """Implement `Journal.hold`."""
        lock = self._own_lock()
        with lock.hold(timeout):
            # Opened anew in each hold: over NFS an older descriptor may show an older size.
            self._fd = self._open(os.O_RDWR)
            try:
                # Over NFS the bytes of a killed writer may arrive after its other locks are gone, but not
                # after that of the file itself; and this lock, unlike another file's, shows its last bytes.
                lock.lock_file(self._fd, str(self.path))
                self._settle()
                yield
            finally:
                fd, self._fd = self._fd, None
                with explained("close", self.path):
                    unlock_and_close(fd)

    def _settle(self) -> None:
        """Sync the folders once: whoever made the study may have died before its names were durable."""
        if not self._settled:
            with explained("sync", self.path.parent):
                sync(self.path.parent)
                with suppress(PermissionError):  # a parent that may be entered but not read
                    sync(self.path.parent.parent)
            self._settled = True
        self._reserve.restock()

    def append(self, records: Sequence[Record]) -> None:
        """Implement `Journal.append`."""
        lines = []
        previous = self._at.last[:8]
        for i, record in enumerate(records):
            batch = {"batch": i} if i else {}  # tells a torn batch from damage, see line_format.is_torn
            lines.append(line_format.encode({"n": self._at.n + i, **record, **batch}, previous))
            previous = lines[-1][:8]
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
        try:
            self._write_once(data)
        except StoreError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not self._reserve.give_up():
                raise
            self._write_once(data)

    def _write_once(self, data: bytes) -> None:
        assert self._fd is not None
        try:
            with explained("append to", self.path):
                write_all(self._fd, data, self._at.offset)
                flush(self._fd)
        except BaseException:
            with suppress(OSError):  # failing that, the next opener repairs the tail
                os.ftruncate(self._fd, self._at.offset)
                flush(self._fd)
            raise

    def copy(self, target: int) -> None:
        """Write all records that have been read to an open file; what is appended later is left out."""
        with self._opened() as fd:
            for begin in range(0, self._at.offset, PORTION):
                data = self._bytes(fd, begin, min(begin + PORTION, self._at.offset))
                write_all(target, data, begin)

    def _own_lock(self) -> StudyLock:
        """Return this process's lock; a forked child gets its own and starts from the front."""
        if self._pid != os.getpid():
            self._pid, self._fd = os.getpid(), None
            self._lock = StudyLock.of(self.path.parent, self._single_host)
            self.forget()
        return self._lock

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Give a descriptor to read by: that of the hold within one."""
        if self._fd is not None:
            yield self._fd
            return
        fd = self._open(os.O_RDONLY)
        try:
            yield fd
        finally:
            close_read(fd)

    def _open(self, mode: int) -> int:
        with explained("open", self.path):
            try:
                return open_regular(self.path, mode)
            except FileNotFoundError:
                raise StudyDamaged(
                    f"The journal {str(self.path)!r} is gone though its study.json is there. Restore "
                    "it from a copy, or use another directory; hoptim does not start anew over it."
                ) from None

    def _read(self, fd: int, take: Take) -> None:
        held = fd == self._fd
        with explained("read", self.path):
            size = os.fstat(fd).st_size
        if self._at.offset and not self._is_there(fd, self._at):
            self.forget()
        from_front = self._at.offset == 0
        with collection_paused(size - self._at.offset):
            self._portions(fd, size, take)
            if self._at.offset < size and held and not from_front:
                self.forget()  # only what is wrong from the front is damage
                self._portions(fd, size, take)
        if self._at.offset < size or not self._at.n:
            self._judge(fd, size, held)
        if self._anew and self._mine is not None:
            self._require_mine(fd, *self._mine)
        self._anew = False
        if held and self._foreign:
            if not is_durable(self._lock.fd, self._at):
                self._secure(fd)
            self._foreign = False

    def _secure(self, fd: int) -> None:
        """Make the last append durable: its writer may have died before it was.

        Nothing may be built on it until it is, and a mere fsync is not enough: where its writer's
        fsync failed, the system takes the bytes for written. So they are written again. What was
        appended before is durable, since the writer of the last append made sure of that.
        """
        at = self._at
        data = self._bytes(fd, max(0, at.offset - LONGEST_TAIL), at.offset)
        lines = data.split(b"\n")[-2 - line_format.batch_of(at.last) :]
        with explained("sync", self.path):
            write_all(fd, last := b"\n".join(lines), at.offset - len(last))
            flush(fd)
        note_durable(self._lock.fd, at)

    def _is_there(self, fd: int, at: Cursor) -> bool:
        """Return whether the line before a place is there, as it is known."""
        begin = at.offset - len(at.last)
        return begin >= 0 and self._bytes(fd, begin, at.offset) == at.last

    def _require_mine(self, fd: int, end: int, line: bytes) -> None:
        """Raise `StudyDamaged` unless what this process wrote and acknowledged is still there."""
        if self._bytes(fd, end - len(line), end) != line:
            self.forget()  # so that every later call says so, too
            raise StudyDamaged(
                f"{str(self.path)!r} was put back to an earlier moment, or replaced, while this process "
                f"worked on it: what it recorded up to byte {end} is no longer there. Numbers of trials "
                "and claims are given anew from there on, so nothing more is recorded by this process. "
                "Stop all workers of the study and start them again."
            )

    def _portions(self, fd: int, size: int, take: Take) -> None:
        """Hand over good lines behind the known ones, some at a time, since a journal may be long."""
        while (begin := self._at.offset) < size:
            records = self._at.advance(self._bytes(fd, begin, min(size, begin + PORTION)))
            if not records:
                return
            self._foreign = True
            void, self._void = self._void, False
            take(void, records)
            reading.note(self._at.offset, size)

    def _bytes(self, fd: int, begin: int, end: int) -> bytes:
        with explained("read", self.path):
            parts = []
            while begin < end and (part := os.pread(fd, end - begin, begin)):
                parts.append(part)
                begin += len(part)
        return b"".join(parts)

    def _judge(self, fd: int, size: int, held: bool) -> None:
        """Judge the bytes behind the last good line; a torn tail is repaired by the holder."""
        at = self._at
        tail = self._bytes(fd, at.offset, min(size, at.offset + LONGEST_TAIL + 1))
        if at.offset == 0:
            refuse_another_study(self.path, self._uuid, tail)
        try:
            refuse_damage(self.path, at, tail, size)
        except StudyDamaged:
            if not held and self._bytes(fd, at.offset, at.offset + len(tail)) != tail:
                return  # a writer is at work there at this moment
            raise
        if held:
            cut_off(self.path, fd, at.offset, tail)
