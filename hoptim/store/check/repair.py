"""Repair of what is safe to repair in a study's directory, after copies of all that it could touch."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from hoptim._files import create, explained, flush, make_folder, sync, write_all
from hoptim.store.check.inspection import LOCK_TIMEOUT, Inspection, check, judge_settings
from hoptim.store.check.reading import read_from
from hoptim.store.check.report import CUT, MARK, MOVE, NONE, Finding, Report
from hoptim.store.cursor import PORTION
from hoptim.store.journal import FileJournal
from hoptim.store.layout import JOURNAL, STUDY
from hoptim.store.line_format import Record
from hoptim.store.state import State
from hoptim.store.tree import opened


def repair(folder: Path, timeout: float | None = LOCK_TIMEOUT, single_host: bool = False) -> Report:
    """Do what the findings of a check offer; leave every other byte alone.

    Args:
        folder: Directory of the study.
        timeout: Seconds to wait for the lock; None waits on. Default: 60.
        single_host: True if all processes run on this machine, see `StudyLock.of`. Default: False.

    Returns:
        Report of a check afterwards, with what was repaired.

    Raises:
        ArgumentError: There is no study in the directory.
        LockTimeout: The lock stayed taken.
        StoreError: The directory cannot be read or written.
    """
    folder = folder.absolute()
    before = check(folder, timeout, single_host)
    _, settings = judge_settings(folder)
    if settings is None or not _repairable(before):
        return before
    inspection, journal = Inspection(folder), FileJournal(folder, settings.uuid, single_host)
    inspection.look()  # so that the lock is not held while a long journal is read
    journal.read(_ignore)
    with journal.hold(timeout):
        found = _repairable(inspection.look())
        copies = _copy(folder) if found else None
        if any(finding.repair in (CUT, MARK) for finding in found):
            journal.read(_ignore)
        if lost := _lost(inspection.reading.state, found):
            journal.append([{"op": "drop", "time": round(time.time(), 3), "drops": lost}])
        if copies is not None:
            _move(folder, copies, [finding.path for finding in found if finding.repair == MOVE])
    after = check(folder, timeout, single_host)
    return replace(after, repaired=tuple(found), copies=copies.name if copies else "")


def _ignore(void: bool, records: list[Record]) -> None:
    """Take records and do nothing: the journal repairs itself as it is read."""


def _repairable(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.repair != NONE]


def _lost(state: State, found: Iterable[Finding]) -> list[int]:
    """Return the trials whose checkpoints are to be marked as lost."""
    names = {os.path.basename(finding.path) for finding in found if finding.repair == MARK}
    return sorted(number for number, saved in state.saved.items() if saved.name in names)


def _copy(folder: Path) -> Path:
    """Copy study.json and the journal to a new folder, and return it."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    copies = folder / f"before-repair-{now}-{os.urandom(4).hex()}"
    with explained("copy the study to", copies):
        make_folder(copies)
        for name in (STUDY, JOURNAL):
            _copy_file(folder / name, copies / name)
        sync(copies)
    return copies


def _copy_file(source: Path, target: Path) -> None:
    """Copy a file a portion at a time, since a journal may be long."""
    fd, size = create(target), 0
    try:
        while data := read_from(source, size, PORTION):
            write_all(fd, data, size)
            size += len(data)
        flush(fd)
    finally:
        os.close(fd)


def _move(folder: Path, copies: Path, names: Iterable[str]) -> None:
    """Rename, so that a kill leaves each thing in one place or the other; nothing is overwritten."""
    touched = {copies, folder}
    for source, target in ((folder / name, copies / name) for name in names):
        with explained("move aside", source):
            make_folder(target.parent)
            with opened(source.parent) as old, opened(target.parent) as new, suppress(FileNotFoundError):
                # its worker may have removed it
                os.rename(source.name, target.name, src_dir_fd=old, dst_dir_fd=new)
        touched |= {target.parent, source.parent}
    for path in touched:
        with explained("sync", path):
            sync(path)
