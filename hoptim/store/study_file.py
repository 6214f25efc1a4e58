"""study.json: what makes a study this study, written once and never replaced."""

from __future__ import annotations

import errno
import json
import logging
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hoptim._arguments import MOST_MEMBERS
from hoptim._files import explained, is_there, make_folder, read_front, sync, write_new
from hoptim.errors import StudyDamaged
from hoptim.store import line_format
from hoptim.store.format import NEWEST, known_format
from hoptim.store.layout import JOURNAL, STUDY, WORKERS, hidden_name
from hoptim.store.line_format import Record
from hoptim.store.locking.lock import StudyLock
from hoptim.store.study_settings import (
    LONGEST,
    Begin,
    StudyFile,
    compare_digest,
    decoded,
    digest_of,
    encoded,
    first_lines,
)

log = logging.getLogger("hoptim")

_LOOKS = 100  # for a file that is listed but not found
_MOST_STEPS = 1_000_000  # to try, some seconds


def read(folder: Path) -> StudyFile | None:
    """Return the settings of the study in a folder, None when there is none.

    Raises:
        StudyDamaged: study.json is not what hoptim wrote there.
        NewerFormat: A later version of hoptim wrote it.
    """
    path = folder / STUDY
    with explained("read", path):
        try:
            data = read_front(path, LONGEST + 1)
        except FileNotFoundError:
            return None
    settings = decoded(data, str(path))
    with suppress(OSError):  # a missing journal is found later
        compare_digest(read_front(folder / JOURNAL, 4096).split(b"\n")[0], data, str(path))
    return settings


def is_bereft(folder: Path) -> bool:
    """Return whether there is a journal in a folder, and no study.json."""
    with explained("look at", folder):
        return is_there(folder / JOURNAL) and not is_there(folder / STUDY)


def create(
    folder: Path,
    identity: Mapping[str, Any],
    steps: int,
    single_host: bool = False,
    begin: Begin | None = None,
) -> StudyFile:
    """Make a study in a folder, or read the one that another process made first.

    A study.json that is gone is written again, if the settings are those that the journal names.

    Args:
        folder: The directory; made if it is not there.
        identity: Plain JSON.
        steps: Trials of each member.
        single_host: True if all processes run on this machine, see `StudyLock.of`. Default: False.
        begin: Function that is called under the lock if the study is made here, and returns the records
            behind record 0 that it is made with. Default: none.

    Raises:
        StudyDamaged: A journal with trials is there, and a study.json of these settings is not its.
        StoreError: The directory cannot be written.
    """
    with explained("create the study", folder):
        make_folder(
            Path(os.path.realpath(folder)), parents=True
        )  # the user's own link is as good as its target
    with StudyLock.of(folder, single_host).hold(None), explained("create the study", folder):
        there = _read_anew(folder)
        return there or _write(folder, StudyFile(os.urandom(16).hex(), dict(identity), steps), begin)


def _read_anew(folder: Path) -> StudyFile | None:
    """Read as `read`; over NFS a look-up may be answered from a cache for seconds, a listing is not."""
    for _ in range(_LOOKS):
        found = read(folder)
        if found is not None or STUDY not in os.listdir(folder):
            return found
        time.sleep(0.1)
    raise OSError(errno.ESTALE, "study.json is listed but not found")


def _write(folder: Path, settings: StudyFile, begin: Begin | None) -> StudyFile:
    """Write the journal first: study.json makes it a study, so a crash between the two leaves none."""
    journal, data = folder / JOURNAL, encoded(NEWEST, settings)
    make_folder(folder / WORKERS)
    if journal.exists():
        if _was_used(journal):
            return _write_again(folder, settings)
        journal.unlink()
    lines = first_lines(settings, data, begin)
    write_new(journal, b"".join(lines))
    sync(folder)
    _place(folder, data)
    return settings


def _was_used(journal: Path) -> bool:
    """Return whether a journal has more lines than its study was made with."""
    begun = None
    with suppress(ValueError, RecursionError, KeyError, TypeError):
        begun = json.loads(read_front(journal, line_format.LONGEST).split(b"\n")[0][9:])["begun"]
    if type(begun) is not int or not 0 < begun <= 2 * MOST_MEMBERS:
        begun = 0
    return read_front(journal, (begun + 2) * line_format.LONGEST).count(b"\n") > begun + 1


def _place(folder: Path, data: bytes) -> None:
    """Write study.json in one step, where there is none."""
    path, draft = folder / STUDY, folder / hidden_name(STUDY)
    write_new(draft, data)
    try:
        os.link(draft, path)
    except OSError:
        if path.exists():
            raise
        os.rename(draft, path)  # a file system without hard links
    finally:
        with suppress(OSError):
            draft.unlink()
    sync(folder)


def _write_again(folder: Path, settings: StudyFile) -> StudyFile:
    """Write a study.json that is gone again, if record 0 has the digest of these settings.

    It is the oldest file of a study, and the first that goes where old files are purged.
    """
    path, journal = folder / STUDY, folder / JOURNAL
    head, most = _beginning(journal, settings.steps)
    version, uuid, digest = (head.get(name) for name in ("format", "uuid", "study"))
    if type(version) is int and type(uuid) is str:
        data = encoded(known_format(version), settings._replace(uuid=uuid, steps=0))
        front, word, back = data.partition(b'"steps": ')
        for steps in range(most, max(most - _MOST_STEPS, 0), -1):
            if digest_of(data := b"%b%b%d%b" % (front, word, steps, back[1:])) == digest:
                _place(folder, data)
                log.warning("%r was gone, and was made again from the settings of this call.", str(path))
                return settings._replace(uuid=uuid, steps=steps)
    raise StudyDamaged(
        f"{str(path)!r} is gone though {journal.name} holds trials, and the settings of this call are not "
        "those that the study was made with. Restore it from a copy; or make the call that made the study, "
        "with the same space, optimizer, size, mode, seed and start, which writes it again."
    )


def _beginning(journal: Path, steps: int) -> tuple[Record, int]:
    """Return record 0 of a journal, and the most steps that its study may have been made with.

    Args:
        journal: The journal.
        steps: Steps asked for; the study may have been made with fewer, and was extended then.
    """
    head: Record = {}
    with journal.open("rb") as lines:
        for line in lines:
            with suppress(ValueError, RecursionError, KeyError):
                head = head or json.loads(line[9:])
                if b'"op":"extend"' in line:
                    return head, min(steps, json.loads(line[9:])["steps"] - 1)
    return head, steps
