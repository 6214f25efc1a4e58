"""The note in the file `queue` that names who holds a study's lock."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from hoptim._files import read_front
from hoptim._text import printable

_LENGTH = 120  # bytes


def own_name() -> str:
    """Return the name of this process, for display."""
    return f"process {os.getpid()} on {os.uname().nodename}"[: _LENGTH - 40]


def note_holder(fd: int, name: str) -> None:
    """Note who holds the lock since now, for those who wait; an error is ignored.

    Args:
        fd: Descriptor of the file.
        name: Name of the holder.
    """
    line = f"{int(time.time())} {name}".encode()[:_LENGTH].ljust(_LENGTH)
    with suppress(OSError):
        os.pwrite(fd, line + b"\n", 0)


def holder(path: str) -> str:
    """Return who took the lock last, for display.

    Args:
        path: Path of the file.
    """
    try:
        text = read_front(Path(path), _LENGTH).decode(errors="replace")
        since, _, name = text.strip().partition(" ")
        return f"{printable(name)} since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(int(since)))}"
    except (OSError, ValueError, OverflowError):
        return "an unknown process"
