"""Tests of a directory between processes, on one machine or several."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from hoptim._files import explained, flush, write_all
from hoptim._text import printable
from hoptim.errors import HoptimError, StoreError
from hoptim.store.check.barrier import Barrier
from hoptim.store.locking.lock import StudyLock

_ROUNDS = 100  # that each member counts
_LINE = 64  # bytes
_SEEN_WITHIN = 150.0  # seconds; attribute caches are 60 s old at most
_SECOND = "import sys; from hoptim.store.check.cross_process import second; second(*sys.argv[1:])"


class Verdict(NamedTuple):
    """Result of one test.

    Attributes:
        ok: False if the directory is not fit for a study.
        what: Sentence that says what was found.
    """

    ok: bool
    what: str

    def __str__(self) -> str:
        return f"{'ok ' if self.ok else 'BAD'} {printable(self.what)}"


def together(folder: Path, machines: int, seconds: float) -> Iterator[Verdict]:
    """Test between this process, a second one beside it, and those on the other machines.

    Args:
        folder: Folder where they meet.
        machines: Number of such pairs.
        seconds: Time to wait for them.

    Raises:
        StoreError: They did not come, or left early.
    """
    root = str(Path(__file__).resolve().parents[3])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    beside = subprocess.Popen(
        [sys.executable, "-c", _SECOND, str(folder), str(2 * machines), str(seconds)],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip

    def require_second() -> None:
        if beside.poll():
            _, said = beside.communicate()
            raise StoreError(errno.ECHILD, f"The second process ended early. {said.strip()}")

    with beside:
        try:
            with explained("meet in", folder):
                barrier = Barrier(folder, 2 * machines, require_second)
            try:
                barrier.join(seconds)
                yield from _take_part(barrier)
                beside.wait(60)
            finally:
                barrier.close()
        finally:
            beside.kill()


def second(folder: str, count: str, seconds: str) -> None:
    """Take part as the process beside, which reports nothing itself."""
    barrier = Barrier(Path(folder), int(count))
    try:
        barrier.join(float(seconds))
        for _ in _take_part(barrier):
            pass
    except (HoptimError, OSError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _take_part(barrier: Barrier) -> Iterator[Verdict]:
    """Run each test here and there; give the others' bad verdicts too."""
    bad: list[str] = []
    for test in (_hosts, _appends, _signs_of_life, _counts):
        with explained("test", barrier.folder):
            verdict = test(barrier)
        bad += [] if verdict.ok else [verdict.what]
        yield verdict
    for name, said in barrier.step(bad=bad).items():
        if name != barrier.me:
            yield from (Verdict(False, f"Seen by {name}: {what}") for what in said["bad"])
    barrier.leave()


def _hosts(barrier: Barrier) -> Verdict:
    hosts = [said["host"] for said in barrier.step(host=os.uname().nodename).values()]
    there = ", ".join(f"{hosts.count(host)} on {host}" for host in sorted(set(hosts)))
    return Verdict(True, f"{len(hosts)} processes have met: {there}.")


def _appends(barrier: Barrier) -> Verdict:
    """Append to a file of one's own, and read the others' anew."""
    own = _file(barrier, "said", barrier.me)
    missed: set[str] = set()
    for line in (b"one\n", b"two\n"):
        append(own, line)
        barrier.step()
        for name in barrier.members:
            if not _bytes_of(_file(barrier, "said", name)).endswith(line):
                missed.add(name)
        barrier.step()
    if missed:
        return Verdict(False, f"An append that was synced could not be read here: by {', '.join(missed)}.")
    return Verdict(True, "An append that was synced is read by the others at once.")


def _signs_of_life(barrier: Barrier) -> Verdict:
    """Move the time of a file of one's own, and wait to see the others' move."""
    files = {name: _file(barrier, "beat", name) for name in barrier.members}
    append(files[barrier.me], b".")
    barrier.step()
    before = {name: path.stat().st_mtime_ns for name, path in files.items()}
    barrier.step()
    begin = time.monotonic()
    waiting = set(barrier.members)
    while waiting and time.monotonic() - begin < _SEEN_WITHIN:
        if barrier.me in waiting:  # again, where times are coarse
            os.utime(files[barrier.me])
        waiting -= {name for name in waiting if files[name].stat().st_mtime_ns != before[name]}
        time.sleep(0.01)
    took = time.monotonic() - begin
    barrier.step()
    if waiting:
        return Verdict(False, f"The time of a file moved, unseen for {took:.0f} s: {', '.join(waiting)}.")
    return Verdict(True, f"Signs of life are seen by the others, after {took:.2f} s at most.")


def _counts(barrier: Barrier) -> Verdict:
    """Count together under one lock; the holder marks that by a file that is created once."""
    lock = StudyLock.of(
        barrier.folder, single_host=True
    )  # so that a mount without shared locks is found out
    counter, inside = _file(barrier, "counter"), _file(barrier, "inside")
    line = barrier.me.encode()[: _LINE - 1].ljust(_LINE - 1) + b"\n"
    barrier.step()
    overlaps = 0
    for _ in range(_ROUNDS):
        lock.acquire(_SEEN_WITHIN)
        try:
            overlaps += _inside(inside, counter, line)
        finally:
            lock.release()
    overlaps = sum(said["overlaps"] for said in barrier.step(overlaps=overlaps).values())
    found, expected = len(_bytes_of(counter)) / _LINE, len(barrier.members) * _ROUNDS
    mine = _bytes_of(counter).count(line)
    if overlaps or found != expected or mine != _ROUNDS:
        return Verdict(
            False,
            f"The lock does not keep processes apart: {overlaps} times two were inside, and they counted "
            f"to {found:.0f}, not to {expected}. Use another directory, or one machine alone.",
        )
    return Verdict(True, f"Under the lock they counted to {expected}, and never were two inside.")


def _inside(inside: Path, counter: Path, line: bytes) -> bool:
    """Count once; return whether somebody else held the lock, too."""
    try:
        os.close(os.open(inside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    except FileExistsError:
        append(counter, line)
        return True
    append(counter, line)
    with suppress(FileNotFoundError):
        inside.unlink()
    return False


def append(path: Path, data: bytes) -> None:
    """Append at the end that can be seen now, durably, as the journal does it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        write_all(fd, data, os.fstat(fd).st_size)
        flush(fd)
    finally:
        os.close(fd)


def _file(barrier: Barrier, *names: str) -> Path:
    """Return a file that only these members use, whatever earlier ones left."""
    party = crc32(",".join(barrier.members).encode())
    return barrier.folder / ".".join([f"{party:08x}", *names])


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
