"""The journal: one append-only file that is the truth about a study, or its like in memory."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from hoptim import chain
from hoptim.chain import Record
from hoptim.errors import StudyDamaged, StudyMismatch
from hoptim.files import explained, flush, sync, write_all, write_new
from hoptim.lock import StudyLock

log = logging.getLogger("hoptim")

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Journal(Protocol):
    """Records in one order that all processes agree on."""

    @property
    def mutex(self) -> threading.RLock:
        """What keeps the threads of this process apart."""

    @property
    def count(self) -> int:
        """How many records have been read or appended."""

    def read(self) -> tuple[bool, list[Record]]:
        """What is new since the last read; True with all records when the old ones are void."""

    def hold(self, timeout: float | None) -> AbstractContextManager[object]:
        """Nobody else reads and appends within; `read` in it repairs a torn tail."""

    def append(self, records: Sequence[Record]) -> None:
        """Add records, durable when this returns; only within `hold`, after `read`."""

    def forget(self) -> None:
        """Make the next read begin at the first record."""


class MemoryJournal:
    """The counterpart for a study without a directory."""

    def __init__(self) -> None:
        self._mutex = threading.RLock()
        self._records: list[Record] = []
        self._known = 0
        self._void = False

    @property
    def mutex(self) -> threading.RLock:
        """As `Journal.mutex`."""
        return self._mutex

    @property
    def count(self) -> int:
        """As `Journal.count`."""
        return self._known

    def read(self) -> tuple[bool, list[Record]]:
        """As `Journal.read`."""
        void, self._void = self._void, False
        new = self._records[self._known :]
        self._known = len(self._records)
        return void, new

    def hold(self, timeout: float | None) -> threading.RLock:
        """As `Journal.hold`."""
        return self._mutex

    def append(self, records: Sequence[Record]) -> None:
        """As `Journal.append`."""
        self._records.extend(records)
        self._known = len(self._records)

    def forget(self) -> None:
        """As `Journal.forget`."""
        self._known, self._void = 0, True


class FileJournal:
    """The journal of a study's directory.

    Args:
        folder: The directory.
        uuid: The study's identifier; its digest seeds the chain of lines.
    """

    def __init__(self, folder: Path, uuid: str) -> None:
        self.path = folder / "journal.jsonl"
        self._uuid = uuid
        self._pid = os.getpid()
        self._lock = StudyLock.of(folder)
        self._fd: int | None = None  # open for the length of a hold
        self.forget()

    def forget(self) -> None:
        """As `Journal.forget`."""
        self._offset = 0  # the bytes [0, offset) are good and folded
        self._n = 0
        self._last = chain.start(self._uuid)  # the last line; its digits are the first 8 bytes
        self._void = True
        self._foreign = True  # whether somebody else's bytes may not be on the disk yet

    @property
    def mutex(self) -> threading.RLock:
        """As `Journal.mutex`."""
        return self._own_lock().mutex

    @property
    def count(self) -> int:
        """As `Journal.count`."""
        return self._n

    def read(self) -> tuple[bool, list[Record]]:
        """As `Journal.read`."""
        self._own_lock()
        if self._fd is not None:
            return self._read(self._fd)
        fd = self._open(os.O_RDONLY)
        try:
            return self._read(fd)
        finally:
            os.close(fd)

    @contextmanager
    def hold(self, timeout: float | None) -> Iterator[None]:
        """As `Journal.hold`."""
        lock = self._own_lock()
        lock.acquire(timeout)
        try:
            # Opened anew in each hold: over NFS an older descriptor may show an older size.
            self._fd = self._open(os.O_RDWR)
            try:
                yield
            finally:
                fd, self._fd = self._fd, None
                with explained("close", self.path):
                    os.close(fd)
        finally:
            lock.release()

    def append(self, records: Sequence[Record]) -> None:
        """As `Journal.append`."""
        lines = []
        previous = self._last[:8]
        for i, record in enumerate(records):
            batch = {"batch": i} if i else {}  # tells a torn batch from damage, see chain.is_torn
            lines.append(chain.encode({"n": self._n + i, **record, **batch}, previous))
            previous = lines[-1][:8]
        data = b"".join(lines)
        assert self._fd is not None
        try:
            with explained("append to", self.path):
                write_all(self._fd, data, self._offset)
                flush(self._fd)
        except BaseException:
            with suppress(OSError):  # failing that, the next opener repairs the tail
                os.ftruncate(self._fd, self._offset)
                flush(self._fd)
            self.forget()
            raise
        self._offset += len(data)
        self._n += len(lines)
        self._last = lines[-1]

    def _own_lock(self) -> StudyLock:
        """This process's lock; a forked child gets one of its own and starts from the front."""
        if self._pid != os.getpid():
            self._pid, self._lock, self._fd = os.getpid(), StudyLock.of(self.path.parent), None
            self.forget()
        return self._lock

    def _open(self, mode: int) -> int:
        with explained("open", self.path):
            try:
                fd = os.open(self.path, mode | _FLAGS)
            except FileNotFoundError:
                raise StudyDamaged(
                    f"The journal {str(self.path)!r} is gone though its study.json is there. Restore "
                    "it from a copy, or use another directory; hoptim does not start anew over it."
                ) from None
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise StudyDamaged(f"{str(self.path)!r} is not a regular file.")
        return fd

    def _read(self, fd: int) -> tuple[bool, list[Record]]:
        held = fd == self._fd
        found = self._scan_new(fd)
        if found is None or (found.bad and held and self._offset):
            # Shorter, or other bytes where ours were: only what is wrong from the front is damage.
            self.forget()
            found = self._scan_new(fd)
            assert found is not None
        void, self._void = self._void, False
        self._offset += found.length
        self._n += len(found.records)
        self._last = found.last
        self._foreign = self._foreign or bool(found.records)
        if found.bad or not self._n:
            self._judge(fd, held)
        if held and self._foreign:
            # Its writer may have died before it was durable; nothing may be built on it until it is.
            with explained("sync", self.path):
                flush(fd)
            self._foreign = False
        return void, found.records

    def _scan_new(self, fd: int) -> chain.Scan | None:
        """Lines behind the known ones, None when the known ones are no longer there."""
        with explained("read", self.path):
            size = os.fstat(fd).st_size
            begin = self._offset - len(self._last) if self._offset else 0
            data = _pread(fd, begin, size) if size >= self._offset else b""
        if self._offset and (size < self._offset or not data.startswith(self._last)):
            return None
        return chain.scan(data[self._offset - begin :], self._last[:8], self._n, self._last)

    def _judge(self, fd: int, held: bool) -> None:
        """Bytes behind the last good line: a torn tail is repaired by the holder, else damage."""
        tail = _pread(fd, self._offset, os.fstat(fd).st_size)
        if self._offset == 0:
            self._refuse_another_study(tail)
        if self._offset == 0 or not chain.is_torn(tail, self._last[:8], self._n):
            what = "and good records follow" if tail else "the file is empty"
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
        record = tail.split(b"\n", 1)[0][9:]
        if self._uuid.encode() not in record and b'"uuid":' in record:
            raise StudyMismatch(
                f"{str(self.path)!r} belongs to another study than the one opened here as "
                f"{self._uuid}: the directory was made anew. Open the study again."
            )


def _pread(fd: int, begin: int, end: int) -> bytes:
    parts = []
    while begin < end and (part := os.pread(fd, min(end - begin, 1 << 24), begin)):
        parts.append(part)
        begin += len(part)
    return b"".join(parts)
