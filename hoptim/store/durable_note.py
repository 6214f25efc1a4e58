"""A note in the file `lock`: how far the journal is known to be on the disk."""

from __future__ import annotations

import os
from contextlib import suppress

from hoptim.store.cursor import Cursor

_LENGTH = 64  # bytes, at most


def is_durable(fd: int, at: Cursor) -> bool:
    """Return whether the last holder of the lock noted that all up to a place is on the disk.

    Args:
        fd: Descriptor of the file, whose lock is held.
        at: Place in the journal.
    """
    with suppress(OSError):
        return os.pread(fd, _LENGTH, 0) == _note(at)
    return False


def note_durable(fd: int, at: Cursor) -> None:
    """Note for the next holder that all up to a place is on the disk; the note may get lost."""
    with suppress(OSError):
        os.pwrite(fd, _note(at), 0)


def _note(at: Cursor) -> bytes:
    return b"durable: %s %020d\n" % (at.last[:8], at.offset)
