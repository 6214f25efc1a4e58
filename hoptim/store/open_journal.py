"""The file of a journal while it is open, for one reading or one hold."""

from __future__ import annotations

import os
from contextlib import suppress

from hoptim._files import close_read, explained, flush, open_regular, write_all
from hoptim.errors import StudyDamaged
from hoptim.store import line_format
from hoptim.store.cursor import PORTION, Cursor
from hoptim.store.tail import LONGEST_TAIL


class OpenJournal:
    """A journal's file; a `with` block of it closes what was only read.

    Args:
        path: File.
        flags: Flags of `os.open`.

    Raises:
        StudyDamaged: It is gone.
        StoreError: It cannot be opened, or is no regular file.

    Attributes:
        path: File.
        fd: Descriptor.
    """

    __slots__ = ("fd", "path")

    def __init__(self, path: str, flags: int) -> None:
        self.path = path
        with explained("open", path):
            try:
                self.fd = open_regular(path, flags)
            except FileNotFoundError:
                folder = os.path.dirname(path)
                if not os.path.isdir(folder):
                    raise StudyDamaged(f"The directory {folder!r} is gone with its study.") from None
                raise StudyDamaged(
                    f"The journal {path!r} is gone though its study.json is there. Restore "
                    "it from a copy, or use another directory; hoptim does not start anew over it."
                ) from None

    def __enter__(self) -> OpenJournal:
        return self

    def __exit__(self, *_: object) -> None:
        close_read(self.fd)

    def size(self) -> int:
        """Return its length now, bytes."""
        with explained("read", self.path):
            return os.fstat(self.fd).st_size

    def part(self, begin: int, end: int) -> bytes:
        """Return the bytes between two offsets, fewer where the file ends."""
        with explained("read", self.path):
            data = os.pread(self.fd, end - begin, begin)
            if len(data) == end - begin:
                return data
            parts = [data]
            while part := os.pread(self.fd, end - (begin := begin + len(parts[-1])), begin):
                parts.append(part)
        return b"".join(parts)

    def behind(self, at: Cursor, size: int) -> bytes | None:
        """Return a portion of what is behind a place, None if the line before it is not there.

        Args:
            at: Place, and the line before it as it is known.
            size: Length of the file, bytes.
        """
        known = at.last if at.offset else b""
        begin = at.offset - len(known)
        data = self.part(begin, max(at.offset, min(size, at.offset + PORTION))) if begin >= 0 else b""
        return data[len(known) :] if data.startswith(known) and begin >= 0 else None

    def append(self, data: bytes, offset: int) -> None:
        """Write bytes at an offset, durable when this returns; after an error none of them stay."""
        try:
            with explained("append to", self.path):
                write_all(self.fd, data, offset)
                flush(self.fd)
        except BaseException:
            with suppress(OSError):  # failing that, the next opener repairs the tail
                os.ftruncate(self.fd, offset)
                flush(self.fd)
            raise

    def write_again(self, at: Cursor) -> None:
        """Make the append before a place durable: its writer may have died before it was.

        Nothing may be built on it until it is, and a mere fsync is not enough: where its writer's
        fsync failed, the system takes the bytes for written. So they are written again. What was
        appended before is durable, since the writer of the last append made sure of that.
        """
        data = self.part(max(0, at.offset - LONGEST_TAIL), at.offset)
        lines = data.split(b"\n")[-2 - line_format.batch_of(at.last) :]
        with explained("sync", self.path):
            write_all(self.fd, last := b"\n".join(lines), at.offset - len(last))
            flush(self.fd)
