"""Contents of a study's directory, compared with its records."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from hoptim._files import read_front
from hoptim.store.check.report import MARK, MOVE, NONE, Finding
from hoptim.store.directory import Directory
from hoptim.store.file_signs import FileSigns
from hoptim.store.layout import (
    CHECKPOINTS,
    FILES,
    JOURNAL,
    LOGS,
    ORIGIN,
    PINS,
    SCRATCH,
    SNAPSHOT,
    STUDY,
    TRASH,
    WORKERS,
    is_hidden_name,
)  # fmt: skip
from hoptim.store.liveness import Watch
from hoptim.store.orphans import Orphans
from hoptim.store.pins import checkpoint_of
from hoptim.store.published import Published
from hoptim.store.state import State
from hoptim.store.storage import storage_of

_MAY_HOLD = {
    WORKERS: {"file"},
    PINS: {"file"},
    CHECKPOINTS: {"file", "folder"},
    SCRATCH: {"folder"},
    LOGS: {"file"},
}
_FOLDERS = {ORIGIN}  # nothing that training writes
_NOTED = {
    f"{JOURNAL}.torn-": ("kept-aside", "Bytes of an append that was interrupted, kept by the repair."),
    "before-repair-": ("kept-aside", "Copies from before a repair; remove them once they are not needed."),
    ".hoptim-check-": ("directory-test", "A test of the directory runs, or was killed; else remove it."),
}  # fmt: skip

Listing = Mapping[str, set[str]]


def listing(folder: Path) -> Listing:
    """List the names in the directory, under "", and in each of its folders; links are not followed."""
    names = {"": set(os.listdir(folder))}
    for name in _MAY_HOLD:
        inner = folder / name
        names[name] = set(os.listdir(inner)) if kind_of(inner) == "folder" else set()
    return names


def kind_of(path: Path) -> str:
    """Return "file", "folder", "link", "special file" or "nothing"."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return "nothing"
    if stat.S_ISLNK(mode):
        return "link"
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "special file"


def odd(folder: Path, names: Listing) -> Iterator[Finding]:
    """Find links and special files where hoptim has files and folders, and names that it does not use."""
    for name in sorted(names[""]):
        if name in FILES or name in _MAY_HOLD or name in _FOLDERS:
            yield from _wrong_kind(folder, name, {"file"} if name in FILES else {"folder"})
        elif name.startswith(f".{STUDY}-"):
            what = "A draft of study.json, left by a process that was killed while it created the study."
            yield Finding("leftover", "draft", name, what, repair=MOVE)
        elif is_hidden_name(name, SNAPSHOT):
            what = "A draft of a snapshot, left by a process that was killed while it wrote it."
            yield Finding("leftover", "draft", name, what, repair=MOVE)
        else:
            noted = [said for prefix, said in _NOTED.items() if name.startswith(prefix)]
            kind, what = noted[0] if noted else ("unknown-name", "Not a name that hoptim uses.")
            yield Finding("note", kind, name, what)
    for inner, kinds in _MAY_HOLD.items():
        for name in sorted(names[inner]):
            yield from _wrong_kind(folder, f"{inner}/{name}", kinds)
    for name in sorted(names[PINS]):
        if checkpoint_of(name) is None:
            yield Finding("note", "unknown-name", f"{PINS}/{name}", "Not the name of a pin.")


def _wrong_kind(folder: Path, name: str, kinds: set[str]) -> Iterator[Finding]:
    found = kind_of(folder / name)
    if found not in {*kinds, "nothing"}:
        kind = "link" if found == "link" else "wrong-kind"
        what = f"This should be a {' or '.join(sorted(kinds))} and is a {found}; hoptim made none."
        yield Finding("error", kind, name, what)


class Absent(NamedTuple):
    """What a state names and is not there, or not as it was published.

    Attributes:
        missing: Recorded checkpoints that are missing.
        changed: Recorded checkpoints that are not what was published.
        workers: Holders of trials whose heartbeat file is missing.
    """

    missing: set[Published]
    changed: set[Published]
    workers: set[str]


def absent(folder: Path, uuid: str, state: State) -> Absent:
    """Look for what a state names; what has gone from the state in the next look was no error."""
    bucket, saved = Directory(folder).bucket, set(state.saved.values())
    checkpoints = storage_of(folder, uuid, bucket).checkpoints
    missing, changed = set(), set()
    if bucket is not None:
        missing = {each for each in saved if not checkpoints.is_there(each.name)}
        changed = {each for each in saved - missing if not checkpoints.is_whole(each)}
    elif kind_of(folder / CHECKPOINTS) == "folder":
        missing = {each for each in saved if not checkpoints.is_there(each.name)}
        plain = {each for each in saved if kind_of(folder / CHECKPOINTS / each.name) in ("file", "folder")}
        changed = {each for each in plain if not checkpoints.is_unchanged(each)}
    elif kind_of(folder / CHECKPOINTS) == "nothing":
        missing = saved
    there = set(os.listdir(folder / WORKERS)) if kind_of(folder / WORKERS) == "folder" else set()
    workers = {trial.worker for trial in state.open.values() if trial.worker is not None}
    return Absent(missing, changed, workers - there)


def compare(folder: Path, uuid: str, names: Listing, state: State, missed: Absent) -> Iterator[Finding]:
    """Find differences between the files and a state that was read after `names` and `missed`."""
    yield from _lost(state, missed)
    for trial in state.open.values():
        if trial.worker in missed.workers:
            what = (
                f"This worker holds trial {trial.number} and has no heartbeat. After the lease the "
                "next worker that asks takes the trial back."
            )
            yield Finding("leftover", "claim-without-worker", f"{WORKERS}/{trial.worker}", what)
    yield from _orphans(folder, uuid, names, state)
    busy = {trial.worker for trial in state.open.values()}
    for name in sorted(names[WORKERS]):
        yield from _worker(folder, name, name in busy)
    for name in sorted(names[PINS]):
        if checkpoint_of(name) is not None and Watch(FileSigns(folder / PINS), 1.0).is_dead(name):
            what = (
                "The process that read this checkpoint is dead. The next one that starts removes the file."
            )
            yield Finding("leftover", "dead-pin", f"{PINS}/{name}", what, repair=MOVE)


def _lost(state: State, missed: Absent) -> Iterator[Finding]:
    repair = NONE if state.format == 1 else MARK  # it has no record that says so
    for number, saved in sorted(state.saved.items()):
        path = f"{CHECKPOINTS}/{saved.name}"
        if saved in missed.missing:
            what = (
                f"The checkpoint of trial {number} is recorded, not dropped, and not there. Restore it "
                "from a copy; nothing can continue from it."
            )
            yield Finding("error", "missing-checkpoint", path, what, repair=repair)
        elif saved in missed.changed:
            what = (
                f"The checkpoint of trial {number} is not what was published, {saved.size} bytes in "
                f"{saved.files} files. Restore it from a copy; a save that returned before all was written "
                "leaves such a one, too."
            )
            yield Finding("error", "changed-checkpoint", path, what, repair=repair)


def _orphans(folder: Path, uuid: str, names: Listing, state: State) -> Iterator[Finding]:
    if any(kind_of(folder / inner) not in ("folder", "nothing") for inner in (CHECKPOINTS, SCRATCH)):
        return  # what a link leads to is not part of the study
    for path in sorted(Orphans(folder, uuid).find(state)):
        inner = path.parent.name
        if path.parent == folder:
            continue  # see `odd`, which needs no records for it
        if path.name in names[inner]:  # else it came later, and so did the claim behind it
            what = "It is no longer referenced. The next worker that starts removes it"
            what += ", unless it belongs to another user." if path.name.startswith(f".{TRASH}") else "."
            yield Finding("leftover", "orphan", f"{inner}/{path.name}", what, repair=MOVE)


def _worker(folder: Path, name: str, busy: bool) -> Iterator[Finding]:
    path = folder / WORKERS / name
    if Watch(FileSigns(folder / WORKERS), 1.0).is_dead(name):
        what = "This worker is dead. The next one that " + (
            "asks takes its trial back." if busy else "starts removes the file."
        )
        yield Finding("leftover", "dead-worker", f"{WORKERS}/{name}", what, repair=NONE if busy else MOVE)
        return
    try:
        sound = isinstance(json.loads(read_front(path, 4096)), dict)
    except FileNotFoundError:
        return
    except (OSError, ValueError, RecursionError):
        sound = False
    if not sound:
        what = "This heartbeat cannot be read; its worker starts just now, or was killed then."
        yield Finding("leftover", "unreadable-worker", f"{WORKERS}/{name}", what)
