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
    is_folder,
    make_folder,
    open_regular,
    read_front,
    sync,
    write_new,
)
from hoptim.errors import ArgumentError
from hoptim.store.journal import FileJournal
from hoptim.store.layout import JOURNAL, ORIGIN, STUDY, hidden_name, is_hidden_name
from hoptim.store.linking import link_or_copy
from hoptim.store.memory_journal import Journal
from hoptim.store.settling import settle
from hoptim.store.study_settings import LONGEST
from hoptim.store.tree import opened, remove


class StudyDraft:
    """A hidden folder that becomes a study's directory by one rename, or is removed.

    While it is worked on, a kernel lock is held on the first file in it, the origin's journal. A draft
    whose lock is free was left by a process that was killed; the next one for the same directory
    removes it.

    Args:
        target: Directory that the study will have; it must not exist, or be empty.
        origin: Journal of the study that it begins with, read up to where it begins.

    Attributes:
        folder: Hidden folder to work in until `commit`.

    Raises:
        ArgumentError: `target` is not empty, or the origin is in memory.
        StoreError: The folder cannot be made.
    """

    def __init__(self, target: Path, origin: Journal) -> None:
        self._target = target
        if not isinstance(origin, FileJournal):
            raise ArgumentError("A study in memory cannot be forked; give it a directory.")
        with explained("look at", target):
            if target.exists() and any(target.iterdir()):
                raise ArgumentError(f"{str(target)!r} is not empty; a fork needs a directory of its own.")
        self.folder = target.with_name(hidden_name(f"{target.name}.fork"))
        self._fd: int | None = None
        try:
            with explained("make", self.folder):
                make_folder(Path(os.path.realpath(self.folder)), parents=True)
                make_folder(self.folder / ORIGIN)
            self._copy(origin)
            self._remove_abandoned()
        except BaseException:
            self.close()
            raise

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

    def _copy(self, origin: FileJournal) -> None:
        """Copy what is needed to read the origin, and what it was forked from itself."""
        source, target = origin.path.parent, self.folder / ORIGIN
        with explained("copy the history of", source):
            self._fd = create(target / JOURNAL)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            origin.copy(self._fd)
            write_new(target / STUDY, read_front(source / STUDY, LONGEST))
            if is_folder(source / ORIGIN):
                with opened(target) as fd:
                    link_or_copy(source / ORIGIN, ORIGIN, fd, link=False)
            with opened(self.folder) as fd:
                settle(ORIGIN, fd, "The fork")

    def _remove_abandoned(self) -> None:
        """Remove drafts for the same directory whose process was killed."""
        with explained("read", self._target.parent):
            names = os.listdir(self._target.parent)
        for folder in map(self._target.with_name, names):
            alike = is_hidden_name(folder.name, f"{self._target.name}.fork")
            if alike and folder != self.folder and _is_abandoned(folder):
                _remove(folder)


def _is_abandoned(folder: Path) -> bool:
    """Return whether a draft's lock is free, or it has none and is empty."""
    try:
        fd = open_regular(folder / ORIGIN / JOURNAL, os.O_RDWR)
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
        for name in os.listdir(folder):
            if name != ORIGIN:
                remove(folder / name)
        if os.listdir(folder) in ([], [ORIGIN]):
            remove(folder)
