"""The journal: one append-only file that is the truth about a study."""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from hoptim._files import close_read, explained, flush, open_regular, sync, write_all, write_new
from hoptim.errors import StoreError, StudyDamaged, StudyMismatch
from hoptim.store import line_format
from hoptim.store.layout import JOURNAL
from hoptim.store.line_format import Record
from hoptim.store.locking.lock import StudyLock
from hoptim.store.memory_journal import Take
from hoptim.store.reserve import Reserve

log = logging.getLogger("hoptim")

_PORTION = 4 * line_format.LONGEST  # bytes read at a time
LONGEST_TAIL = 8 * line_format.LONGEST  # bytes; what an append writes are few records


class FileJournal:
    """The journal of a study's directory.

    Args:
        folder: The directory.
        uuid: The study's identifier; its digest seeds the chain of lines.
        single_host: As for `StudyLock.of`.
    """

    def __init__(self, folder: Path, uuid: str, single_host: bool = False) -> None:
        self.path = folder / JOURNAL
        self._uuid = uuid
        self._pid = os.getpid()
        self._single_host = single_host
        self._lock = StudyLock.of(folder, single_host)
        self._reserve = Reserve(folder)
        self._settled = False
        self._fd: int | None = None  # open for the length of a hold
        self.forget()

    def forget(self) -> None:
        """As `Journal.forget`."""
        self._offset = 0  # the bytes [0, offset) are good and folded
        self._n = 0
        self._last = line_format.start(self._uuid)  # the last line; its digits are the first 8 bytes
        self._void = True
        self._foreign = True  # whether somebody else's bytes may not be on the disk yet

    @property
    def mutex(self) -> threading.RLock:
        """As `Journal.mutex`."""
        return self._own_lock().mutex

    @property
    def name(self) -> str:
        """As `Journal.name`."""
        return str(self.path)

    @property
    def count(self) -> int:
        """As `Journal.count`."""
        return self._n

    def read(self, take: Take) -> None:
        """As `Journal.read`."""
        self._own_lock()
        if self._fd is not None:
            self._read(self._fd, take)
            return
        fd = self._open(os.O_RDONLY)
        try:
            self._read(fd, take)
        finally:
            close_read(fd)

    @contextmanager
    def hold(self, timeout: float | None) -> Iterator[None]:
        """As `Journal.hold`."""
        lock = self._own_lock()
        with lock.hold(timeout):
            # Opened anew in each hold: over NFS an older descriptor may show an older size.
            self._fd = self._open(os.O_RDWR)
            try:
                lock.lock_written(self._fd, str(self.path), timeout)
                self._settle()
                yield
            finally:
                self._fd = None
                with explained("close", self.path):
                    lock.close_written()

    def _settle(self) -> None:
        """Once: whoever made the study may have died before its names were durable."""
        if not self._settled:
            with explained("sync", self.path.parent):
                sync(self.path.parent)
                with suppress(PermissionError):  # a parent that may be entered but not read
                    sync(self.path.parent.parent)
            self._settled = True
        self._reserve.restock()

    def append(self, records: Sequence[Record]) -> None:
        """As `Journal.append`."""
        lines = []
        previous = self._last[:8]
        for i, record in enumerate(records):
            batch = {"batch": i} if i else {}  # tells a torn batch from damage, see line_format.is_torn
            lines.append(line_format.encode({"n": self._n + i, **record, **batch}, previous))
            previous = lines[-1][:8]
        data = b"".join(lines)
        try:
            self._write(data)
        except BaseException:
            self.forget()
            raise
        self._offset += len(data)
        self._n += len(lines)
        self._last = lines[-1]
        self._lock.leave_word(self._durable_so_far())

    def _write(self, data: bytes) -> None:
        """Put bytes at the end, all of them or none; a full disk has a reserve for that."""
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
                write_all(self._fd, data, self._offset)
                flush(self._fd)
        except BaseException:
            with suppress(OSError):  # failing that, the next opener repairs the tail
                os.ftruncate(self._fd, self._offset)
                flush(self._fd)
            raise

    def copy(self, target: int) -> None:
        """Write all records that have been read to an open file; what is appended later is left out."""
        fd = self._open(os.O_RDONLY)
        try:
            for begin in range(0, self._offset, _PORTION):
                data = self._bytes(fd, begin, min(begin + _PORTION, self._offset))
                write_all(target, data, begin)
        finally:
            close_read(fd)

    def _own_lock(self) -> StudyLock:
        """This process's lock; a forked child gets one of its own and starts from the front."""
        if self._pid != os.getpid():
            self._pid, self._fd = os.getpid(), None
            self._lock = StudyLock.of(self.path.parent, self._single_host)
            self.forget()
        return self._lock

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
        if self._offset and not self._is_there(fd, size):
            self.forget()
        continued = self._offset > 0
        self._portions(fd, size, take)
        if self._offset < size and held and continued:
            self.forget()  # only what is wrong from the front is damage
            self._portions(fd, size, take)
        if self._offset < size or not self._n:
            self._judge(fd, size, held)
        if held and self._foreign:
            if self._lock.last_word() != self._durable_so_far():
                self._secure(fd)
            self._foreign = False

    def _secure(self, fd: int) -> None:
        """Make the last append durable: its writer may have died before it was.

        Nothing may be built on it until it is, and a mere fsync is not enough: where its writer's
        fsync failed, the system takes the bytes for written. So they are written again. What was
        appended before is durable, since the writer of the last append made sure of that.
        """
        data = self._bytes(fd, max(0, self._offset - LONGEST_TAIL), self._offset)
        lines = data.split(b"\n")[-2 - line_format.batch_of(self._last) :]
        with explained("sync", self.path):
            write_all(fd, last := b"\n".join(lines), self._offset - len(last))
            flush(fd)
        self._lock.leave_word(self._durable_so_far())

    def _durable_so_far(self) -> bytes:
        """The word for the next holder: what has been read or appended here is on the disk."""
        return b"durable: %s %020d\n" % (self._last[:8], self._offset)

    def _is_there(self, fd: int, size: int) -> bool:
        """Whether the last known line is still where it was."""
        if size < self._offset:
            return False
        return self._bytes(fd, self._offset - len(self._last), self._offset) == self._last

    def _portions(self, fd: int, size: int, take: Take) -> None:
        """Good lines behind the known ones; few at a time, since a journal may be long."""
        while self._offset < size:
            data = self._bytes(fd, self._offset, min(size, self._offset + _PORTION))
            found = line_format.scan(data, self._last[:8], self._n, self._last)
            if not found.records:
                return
            self._offset += found.length
            self._n += len(found.records)
            self._last = found.last
            self._foreign = True
            void, self._void = self._void, False
            take(void, found.records)

    def _bytes(self, fd: int, begin: int, end: int) -> bytes:
        with explained("read", self.path):
            parts = []
            while begin < end and (part := os.pread(fd, end - begin, begin)):
                parts.append(part)
                begin += len(part)
        return b"".join(parts)

    def _judge(self, fd: int, size: int, held: bool) -> None:
        """Bytes behind the last good line: a torn tail is repaired by the holder, else damage."""
        tail = self._bytes(fd, self._offset, min(size, self._offset + LONGEST_TAIL + 1))
        if self._offset == 0:
            self._refuse_another_study(tail)
        too_long = len(tail) > LONGEST_TAIL
        if self._offset == 0 or too_long or not line_format.is_torn(tail, self._n):
            if not held and self._bytes(fd, self._offset, self._offset + len(tail)) != tail:
                return  # somebody is writing there at this moment
            if not tail:
                what = "the file is empty"
            elif too_long:
                what = f"{size - self._offset} bytes follow, more than one append writes"
            else:
                what = "records follow" if self._offset else "its first line is not what was written"
            raise StudyDamaged(
                f"{str(self.path)!r} is damaged at line {self._n + 1}, byte {self._offset}: {what}. "
                "Restore the file from a copy; hoptim never skips records."
            )
        if held:
            aside = self.path.with_name(f"{self.path.name}.torn-{self._offset}-{os.urandom(4).hex()}")
            log.warning(
                "The last append to %s was interrupted at byte %d, before it was acknowledged; its "
                "%d bytes are kept in %s.", self.path, self._offset, len(tail), aside.name
            )  # fmt: skip
            with explained("repair", self.path):
                write_new(aside, tail)
                sync(aside.parent)
                os.ftruncate(fd, self._offset)
                flush(fd)

    def _refuse_another_study(self, tail: bytes) -> None:
        front = tail[: tail.find(b"\n") + 1]
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            uuid = json.loads(front[9:])["uuid"]
            if (
                type(uuid) is str
                and uuid != self._uuid
                and line_format.scan(front, line_format.start(uuid), 0).records
            ):
                raise StudyMismatch(
                    f"{str(self.path)!r} belongs to another study than the one opened here as "
                    f"{self._uuid}: the directory was made anew. Open the study again."
                )
