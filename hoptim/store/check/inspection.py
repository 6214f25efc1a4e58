"""Inspection of a study's directory: everything that is not as hoptim wrote it."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from hoptim._arguments import LARGEST_SEED, MOST_MEMBERS
from hoptim._files import explained, read_front
from hoptim.errors import ArgumentError, LockTimeout, NewerFormat, StoreError
from hoptim.store.check import contents
from hoptim.store.check.reading import Reading, first_record
from hoptim.store.check.report import NONE, Finding, Report
from hoptim.store.format import known_format
from hoptim.store.layout import JOURNAL, LOCK, STUDY
from hoptim.store.line_format import Record
from hoptim.store.locking.lock import StudyLock
from hoptim.store.study_settings import LONGEST, StudyFile, wrong_fields, wrong_types

LOCK_TIMEOUT = 60.0  # seconds


def check(folder: Path, timeout: float | None = LOCK_TIMEOUT, single_host: bool = False) -> Report:
    """Look at everything; others may train meanwhile.

    A first look goes without the lock. What it doubts is looked at again under it, for moments: only
    what cannot be the work of a process that runs is an error.

    Args:
        folder: Directory of the study.
        timeout: Seconds to wait for the lock; None waits on. Default: 60.
        single_host: True if all processes run on this machine, see `StudyLock.of`. Default: False.

    Raises:
        ArgumentError: There is no study in the directory.
        StoreError: The directory cannot be read.
    """
    inspection = Inspection(folder)
    report = inspection.look()
    if report.ok and not inspection.reading.torn:
        return report
    lock = StudyLock.of(folder.absolute(), single_host)
    with ExitStack() as stack:
        try:
            stack.enter_context(lock.hold(timeout))
        except (LockTimeout, StoreError) as error:
            return _in_both(report, inspection.look(), error)
        return inspection.look()


class Inspection:
    """Looks at a directory, again and again; each look reads only the records that are new.

    Args:
        folder: The study's directory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self.reading = Reading(self._folder / JOURNAL)

    def look(self) -> Report:
        """Report everything that can be seen now; without the lock, some of it may be work in progress."""
        with explained("read", self._folder):
            if not self._folder.is_dir():
                raise ArgumentError(f"{str(self._folder)!r} is no directory.")
            names = contents.listing(self._folder)
            if not names[""] & {STUDY, JOURNAL}:
                raise ArgumentError(f"There is no study in {str(self._folder)!r}.")
            findings = self._findings(names)
        findings.sort(key=lambda finding: ("error", "leftover", "note").index(finding.level))
        return Report(str(self._folder), self.reading.records, tuple(findings))

    def _findings(self, names: contents.Listing) -> list[Finding]:
        odd = list(contents.odd(self._folder, names))
        wrong = {finding.path for finding in odd if finding.level == "error"}
        study, settings = judge_settings(self._folder, STUDY in wrong)
        journal = self._read_journal(settings, JOURNAL in wrong)
        if STUDY not in wrong and settings is None and self._is_unborn(wrong):
            what = "A process was killed while it created the study, or does so now. Nothing is lost."
            return [Finding("leftover", "unfinished-creation", JOURNAL, what), *odd]
        broken = any(f.level == "error" and f.repair == NONE for f in [*study, *journal])
        if settings is None or broken or JOURNAL in wrong:
            what = "Nothing was compared with the records, which cannot be relied on; no repair is safe."
            untouched = [replace(finding, repair=NONE) for finding in odd]
            return [*study, *journal, *untouched, Finding("note", "not-compared", ".", what)]
        missed = contents.absent(self._folder, settings.uuid, self.reading.state)
        self._read_on(settings)  # a checkpoint that was dropped meanwhile is recorded so by now
        files = list(contents.compare(self._folder, settings.uuid, names, self.reading.state, missed))
        leftover = {finding.path for finding in files if finding.repair != NONE}
        return [*study, *journal, *files, *(finding for finding in odd if finding.path not in leftover)]

    def _read_on(self, settings: StudyFile) -> None:
        """Read what was recorded meanwhile."""
        self.reading.more(settings)

    def _read_journal(self, settings: StudyFile | None, wrong: bool) -> list[Finding]:
        if wrong:
            return []
        try:
            self.reading.more(settings)
            return self.reading.findings()
        except FileNotFoundError:
            what = "The journal is gone. Restore it from a copy; hoptim does not start anew over a study."
            return [Finding("error", "journal-missing", JOURNAL, what)]
        except OSError as error:
            what = f"The journal cannot be read: {error.strerror or error}."
            return [Finding("error", "journal-unreadable", JOURNAL, what)]

    def _is_unborn(self, wrong: set[str]) -> bool:
        """Return whether nothing but record 0, or a part of it, is there: study.json comes after it."""
        gone = contents.kind_of(self._folder / STUDY) == "nothing"
        lines = self.reading.records + self.reading.tail.count(b"\n")
        return gone and JOURNAL not in wrong and lines <= 1


def judge_settings(folder: Path, wrong: bool = False) -> tuple[list[Finding], StudyFile | None]:
    """Return what is wrong with study.json, and its settings where record 0 proves them.

    Args:
        folder: Directory of the study.
        wrong: True if it is known to be no regular file. Default: False.
    """
    if wrong:
        return [], None
    try:
        data = read_front(folder / STUDY, LONGEST + 1)
        if len(data) > LONGEST:
            raise OSError(f"it is longer than {LONGEST} bytes")
        found = json.loads(data)
    except FileNotFoundError:
        what = (
            "study.json is gone though there is a journal. Restore it from a copy, or make the Study(...) "
            "call that made the study: it writes study.json again."
        )
        return [_of_study("missing", what)], None
    except OSError as error:
        return [_of_study("unreadable", f"study.json cannot be read: {error.strerror or error}.")], None
    except (ValueError, RecursionError) as error:
        what = f"study.json is not JSON: {type(error).__name__}: {error}. Restore it from a copy."
        return [_of_study("unreadable", what)], None
    try:
        known_format(found["format"])
    except (NewerFormat, ValueError, TypeError, KeyError) as error:
        return [_of_study("format", f"study.json does not say a format that can be read: {error}")], None
    findings = [_of_study("field", what) for what in _wrong_fields(found)]
    with suppress(OSError):
        findings += _judge_origin(found, sha256(data).hexdigest(), first_record(folder / JOURNAL))
    return findings, None if findings else StudyFile(found["uuid"], found["identity"], found["steps"])


def _judge_origin(found: dict[str, Any], digest: str, head: Record) -> Iterator[Finding]:
    """Record 0 names the study and the digest of its study.json."""
    if head and head["uuid"] != found.get("uuid"):
        what = "study.json and the journal belong to two studies. Restore the one that is not yours."
        yield _of_study("other-journal", what)
    elif head and head.get("study") != digest:
        what = (
            "study.json is not the file that the journal was begun with: it was edited. Restore it from a "
            "copy; a study's settings cannot change."
        )
        yield _of_study("edited", what)


def _wrong_fields(found: dict[str, Any]) -> Iterator[str]:
    yield from wrong_fields(found)
    identity = found.get("identity")
    inner = identity if isinstance(identity, dict) else {}
    fields = [("mode", str), ("space", dict), ("optimizer", dict), ("start", list)]
    yield from wrong_types((f"identity.{name}", inner.get(name), kind) for name, kind in fields)
    yield from wrong_types([("identity.seed", inner.get("seed"), int)], least=0, most=LARGEST_SEED)
    yield from wrong_types([("identity.size", inner.get("size"), int)], most=MOST_MEMBERS)
    if type(inner.get("mode")) is str and inner["mode"] not in ("min", "max"):
        yield f"In study.json identity.mode should be 'min' or 'max', found {reprlib.repr(inner['mode'])}."


def _of_study(kind: str, what: str) -> Finding:
    return Finding("error", f"study-{kind}", STUDY, what)


def _in_both(first: Report, second: Report, error: OSError | LockTimeout) -> Report:
    """Return what two looks without the lock agree on, and why the lock could not be taken."""
    seen = {(finding.kind, finding.path, finding.where) for finding in first.findings}
    both = [f for f in second.findings if (f.kind, f.path, f.where) in seen]
    note = Finding("note", "not-locked", LOCK, f"The deciding look could not take the lock. {error}")
    return replace(second, findings=(*both, note))
