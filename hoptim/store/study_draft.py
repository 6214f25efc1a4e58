"""A study's directory in the making, under a hidden name beside its own."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from hoptim._files import (
    close_read,
    create,
    explained,
    is_there,
    make_folder,
    open_regular,
    sync,
    write_all,
    write_new,
)
from hoptim.errors import ArgumentError
from hoptim.store.backend import Backend
from hoptim.store.layout import JOURNAL, ORIGIN, STUDY, hidden_name, is_hidden_name
from hoptim.store.settling import settle
from hoptim.store.tree import opened, remove

_SUFFIX = "fork"  # of hidden folders


class StudyDraft:
    """A hidden folder that becomes a study's directory by one rename, or is removed.

    While it is worked on, a kernel lock is held on the first file in it: a journal, its own or that of the
    study that it is a fork of. A draft whose lock is free was left by a process that was killed; the next
    one for the same directory removes it.

    Args:
        target: Directory that the study will have; it must not exist, or be empty.
        forks: True for a fork, whose folder "origin" has the records of another study. Default: False.

    Attributes:
        folder: Hidden folder to work in until `commit`.

    Raises:
        ArgumentError: `target` is not empty.
        StoreError: The folder cannot be made.
    """

    def __init__(self, target: Path, forks: bool = False) -> None:
        self._target = target
        with explained("look at", target):
            if target.exists() and any(target.iterdir()):
                raise ArgumentError(f"{str(target)!r} is not empty; a study needs a directory of its own.")
        self.folder = target.with_name(hidden_name(f"{target.name}.{_SUFFIX}"))
        self._records = self.folder / ORIGIN if forks else self.folder
        self._fd: int | None = None
        try:
            with explained("make", self.folder):
                make_folder(Path(os.path.realpath(self.folder)), parents=True)
                make_folder(self._records)
                self._fd = create(self._records / JOURNAL)
                fcntl.flock(self._fd, fcntl.LOCK_EX)
            self._remove_abandoned()
        except BaseException:
            self.close()
            raise

    def transcribe(self, source: Backend, count: int) -> None:
        """Write the records of another study: its own as they are, or those that a fork begins with.

        Args:
            source: Backend of the other study.
            count: Number of its records, from the first on.
        """
        with explained("copy the records of", source.path):
            transcribe(source, self._records, count, self._fd)
            with opened(self.folder) as fd:
                for name in {JOURNAL, STUDY, ORIGIN}.intersection(os.listdir(fd)):
                    settle(name, fd, "The copy")

    def commit(self) -> None:
        """Give the folder its name, durable when this returns."""
        with explained("make", self._target):
            sync(self.folder)
            os.rename(self.folder, self._target)
            with suppress(PermissionError):  # a parent that may be entered but not read
                sync(self._target.parent)

    def close(self) -> None:
        """Remove what has not got its name."""
        _remove(self.folder)
        fd, self._fd = self._fd, None
        if fd is not None:
            close_read(fd)

    def __enter__(self) -> StudyDraft:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _remove_abandoned(self) -> None:
        """Remove drafts for the same directory whose process was killed."""
        with explained("read", self._target.parent):
            names = os.listdir(self._target.parent)
        for folder in map(self._target.with_name, names):
            alike = is_hidden_name(folder.name, f"{self._target.name}.{_SUFFIX}")
            if alike and folder != self.folder and _is_abandoned(folder):
                _remove(folder)


def transcribe(source: Backend, folder: Path, count: int | None = None, fd: int | None = None) -> None:
    """Write the settings and records of a study, and of the one that it was forked from, as files.

    Args:
        source: Backend of the study.
        folder: Folder to write to.
        count: Number of records, from the first on. Default: None, for all.
        fd: Descriptor of the journal there. Default: None, to make one.
    """
    journal, end = create(folder / JOURNAL) if fd is None else fd, 0
    try:
        for line in source.lines(count):
            write_all(journal, line, end)
            end += len(line)
    finally:
        if fd is None:
            close_read(journal)
    write_new(folder / STUDY, source.settings())
    if (origin := source.origin) is not None:
        make_folder(folder / ORIGIN)
        transcribe(origin, folder / ORIGIN)


def _is_abandoned(folder: Path) -> bool:
    """Return whether a draft's lock is free, or it has none and is empty."""
    first = folder / ORIGIN / JOURNAL
    try:
        fd = open_regular(first if is_there(first) else folder / JOURNAL, os.O_RDWR)
    except FileNotFoundError:  # one that was just begun fails, as one of two for a directory must
        with suppress(OSError):
            os.rmdir(folder / ORIGIN)
        with suppress(OSError):
            os.rmdir(folder)
        return False
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        close_read(fd)
    return True


def _remove(folder: Path) -> None:
    """Remove a draft as far as possible; the lock goes last, so that what stays is found again."""
    with suppress(OSError):
        locked = ORIGIN if is_there(folder / ORIGIN / JOURNAL) else JOURNAL
        for name in os.listdir(folder):
            if name != locked:
                remove(folder / name)
        if os.listdir(folder) in ([], [locked]):
            remove(folder)
