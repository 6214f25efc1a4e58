"""Bytes behind the last good line of a journal: an append that was interrupted, or damage."""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from pathlib import Path

from hoptim._files import explained, flush, sync, write_new
from hoptim.errors import StudyDamaged, StudyMismatch
from hoptim.store import line_format
from hoptim.store.cursor import Cursor

log = logging.getLogger("hoptim")

LONGEST_TAIL = 8 * line_format.LONGEST  # bytes; what an append writes are few records


def fits_an_append(tail: bytes, n: int) -> bool:
    """Return whether an interrupted append explains a tail.

    Args:
        tail: Bytes from the first bad line on.
        n: Number that the first bad record should have had.
    """
    return len(tail) <= LONGEST_TAIL and line_format.is_torn(tail, n)


def refuse_damage(path: Path, at: Cursor, tail: bytes, size: int) -> None:
    """Raise `StudyDamaged` with line and byte unless an interrupted append explains a tail.

    Args:
        path: Journal, for the message.
        at: Place behind the last good line.
        tail: Bytes behind it, up to one more than the longest tail.
        size: Bytes of the journal.
    """
    if at.offset and fits_an_append(tail, at.n):
        return
    if not tail:
        what = "the file is empty"
    elif len(tail) > LONGEST_TAIL:
        what = f"{size - at.offset} bytes follow, more than one append writes"
    else:
        what = "records follow" if at.offset else "its first line is not what was written"
    raise damaged(path, at, what)


def damaged(path: Path, at: Cursor, what: str) -> StudyDamaged:
    """Return the error of a journal that is damaged behind a place.

    Args:
        path: Journal.
        at: Place behind the last good line.
        what: Fault that is found there, in words.
    """
    return StudyDamaged(
        f"{str(path)!r} is damaged at line {at.n + 1}, byte {at.offset}: {what}. Restore the file from a "
        "copy; hoptim never skips records."
    )


def put_back(path: Path, end: int) -> StudyDamaged:
    """Return the error of a journal that lost what this process had recorded.

    Args:
        path: Journal.
        end: Byte up to which it was recorded.
    """
    return StudyDamaged(
        f"{str(path)!r} was put back to an earlier moment, or replaced, while this process "
        f"worked on it: what it recorded up to byte {end} is no longer there. Numbers of trials "
        "and claims are given anew from there on, so nothing more is recorded by this process. "
        "Stop all workers of the study and start them again."
    )


def refuse_another_study(path: Path, uuid: str, front: bytes) -> None:
    """Raise `StudyMismatch` if a first line is that of another study.

    Args:
        path: Journal, for the message.
        uuid: Identifier of the study that was opened.
        front: First bytes of the journal.
    """
    line = front[: front.find(b"\n") + 1]
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        found = json.loads(line[9:])["uuid"]
        another = type(found) is str and found != uuid
        if another and line_format.scan(line, line_format.start(found), 0).records:
            raise StudyMismatch(
                f"{str(path)!r} belongs to another study than the one opened here as {uuid}: the directory "
                "was made anew. Open the study again."
            )


def cut_off(path: Path, fd: int, offset: int, tail: bytes) -> None:
    """Remove a tail from a journal that is locked; its bytes are kept in a file of their own.

    Args:
        path: Journal.
        fd: Descriptor of the journal.
        offset: Bytes that stay.
        tail: Bytes behind them.
    """
    aside = path.with_name(f"{path.name}.torn-{offset}-{os.urandom(4).hex()}")
    log.warning(
        "The last append to %s was interrupted at byte %d, before it was acknowledged; its "
        "%d bytes are kept in %s.", path, offset, len(tail), aside.name
    )  # fmt: skip
    with explained("repair", path):
        write_new(aside, tail)
        sync(aside.parent)
        os.ftruncate(fd, offset)
        flush(fd)
