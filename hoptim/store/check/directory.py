"""Tests of whether a directory is fit for a study: locks, links, syncs, and what others see of them."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

from hoptim._files import explained, make_folder, sync, write_new
from hoptim.errors import ArgumentError
from hoptim.store.check.cross_process import Verdict, append, together
from hoptim.store.locking import mounts
from hoptim.store.locking.lock import StudyLock
from hoptim.store.tree import remove

_ROUNDS = 200  # that are timed
_HOLD = (
    "import fcntl, os, signal, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX); "
    "print('held', flush=True); signal.pause()"
)


def examine(folder: Path, machines: int = 1, seconds: float = 300.0) -> Generator[Verdict, None, None]:
    """Test a directory, in a hidden folder that is removed when the iterator ends or is closed.

    Args:
        folder: Directory to test.
        machines: Number of machines that examine the directory at once, to test between them. Default: 1.
        seconds: Time to wait for them. Default: 300.

    Raises:
        ArgumentError: There is no such directory.
        StoreError: It cannot be written, or the others did not come.
    """
    if machines < 1:
        raise ArgumentError(f"machines must be 1 or more, found {machines}.")
    if not folder.is_dir():
        raise ArgumentError(f"{str(folder)!r} is no directory.")
    folder = folder.absolute()
    alone = folder / f".hoptim-check-{os.urandom(4).hex()}"
    shared = folder / f".hoptim-check-{machines}-machines" if machines > 1 else alone / "together"
    yield from (_tried(test, folder) for test in _OF_FOLDER)
    try:
        with explained("write in", folder):
            make_folder(alone)
        yield from (_tried(test, alone) for test in _ALONE)
        with explained("meet in", shared):
            make_folder(shared)
        yield from together(shared, machines, seconds)
    finally:
        for each in (alone, shared):
            with suppress(OSError):  # another machine is still at work in it
                remove(each)


# -- alone -------------------------------------------------------------------------------------------


def _tried(test: Callable[[Path], Verdict], folder: Path) -> Verdict:
    try:
        return test(folder)
    except OSError as error:
        return Verdict(False, f"{test.__name__.strip('_').replace('_', ' ').capitalize()} failed: {error}.")


def _leads(folder: Path) -> Verdict:
    real = os.path.realpath(folder)
    return Verdict(True, f"{folder} is a folder." if real == str(folder) else f"{folder} leads to {real}.")


def _open_to_all(folder: Path) -> Verdict:
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return Verdict(False, "Everybody may replace files here, by links too. Take that right away.")
    return Verdict(True, "Not everybody may replace files here.")


def _mount(folder: Path) -> Verdict:
    if why := mounts.why_unshared(folder):
        return Verdict(False, f"{why}.")
    found = mounts.of(folder)
    if found is None:
        return Verdict(True, "What is mounted here cannot be told.")
    if why := mounts.why_doubtful(folder):
        return Verdict(True, f"Locks may not reach other machines, so test with --machines 2: {why}.")
    options = ",".join(sorted(found.options))
    return Verdict(True, f"It is on {found.kind}, mounted on {found.point} with {options}.")


def _space(folder: Path) -> Verdict:
    free = os.statvfs(folder)
    size = free.f_bavail * free.f_frsize / 1e6
    return Verdict(size >= 1, f"{size:.0f} MB are free.")


def _locks_of_two_descriptors(folder: Path) -> Verdict:
    path = folder / "flock"
    with open(path, "wb") as one, open(path, "wb") as two:
        fcntl.flock(one, fcntl.LOCK_EX)
        if _takes(two.fileno()):
            return Verdict(False, "Two descriptors hold the same flock at once.")
        fcntl.flock(one, fcntl.LOCK_UN)
        if not _takes(two.fileno()):
            return Verdict(False, "A flock that was given back cannot be taken.")
    return Verdict(True, "flock keeps two descriptors apart.")


def _locks_of_two_processes(folder: Path) -> Verdict:
    path = folder / "flock"
    path.touch()
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    with holder, open(path, "wb") as mine:
        try:
            if holder.stdout is None or holder.stdout.readline() != "held\n":
                return Verdict(False, "A second process could not take a flock.")
            if _takes(mine.fileno()):
                return Verdict(False, "Two processes hold the same flock at once.")
        finally:
            holder.kill()
        holder.wait()
        end = time.monotonic() + 10
        while not _takes(mine.fileno()):
            if time.monotonic() > end:
                return Verdict(False, "10 s after its holder was killed a flock is not free.")
            time.sleep(0.01)
    return Verdict(True, "flock keeps two processes apart, and a kill gives it back.")


def _takes(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _creating_once(folder: Path) -> Verdict:
    write_new(folder / "once", b"first")
    with suppress(FileExistsError):
        write_new(folder / "once", b"second")
        return Verdict(False, "O_EXCL creates a file that is there already.")
    return Verdict(True, "A file is created only once (O_EXCL).")


def _links(folder: Path) -> Verdict:
    write_new(folder / "linked", b"")
    try:
        os.link(folder / "linked", folder / "link")
    except OSError as error:
        return Verdict(True, f"There are no hard links ({error.strerror}); hoptim can do without.")
    with suppress(FileExistsError):
        os.link(folder / "linked", folder / "link")
        return Verdict(False, "A hard link replaces a file that is there already.")
    return Verdict(True, "Hard links work.")


def _replacing(folder: Path) -> Verdict:
    write_new(folder / "old", b"old")
    write_new(folder / "new", b"new")
    os.replace(folder / "new", folder / "old")
    good = (folder / "old").read_bytes() == b"new" and not (folder / "new").exists()
    return Verdict(good, "A file can be replaced." if good else "A file that was replaced is still there.")


def _syncing(folder: Path) -> Verdict:
    write_new(folder / "synced", b"bytes")
    sync(folder)
    return Verdict(True, "Files and folders can be synced.")


def _appending(folder: Path) -> Verdict:
    lock, times = StudyLock.of(folder, single_host=True), []
    for _ in range(_ROUNDS):
        begin = time.perf_counter()
        lock.acquire(60)
        try:
            append(folder / "appended", b"." * 199 + b"\n")
        finally:
            lock.release()
        times.append(1000 * (time.perf_counter() - begin))
    times.sort()
    half, most = times[_ROUNDS // 2], times[_ROUNDS * 99 // 100]
    return Verdict(True, f"Lock, append, sync: half take {half:.2f} ms at most, 99 of 100 {most:.2f} ms.")


_OF_FOLDER = (_leads, _open_to_all, _mount, _space)
_ALONE = (
    _creating_once, _links, _replacing, _syncing, _locks_of_two_descriptors, _locks_of_two_processes,
    _appending,
)  # fmt: skip
