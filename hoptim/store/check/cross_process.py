"""What processes that share a directory, on one machine or several, see of each other's work."""

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
from hoptim.errors import HoptimError, StoreError
from hoptim.store.check.barrier import Meeting
from hoptim.store.locking.lock import StudyLock

_ROUNDS = 100  # that each member counts
_LINE = 64  # bytes
_SEEN_WITHIN = 150.0  # seconds; attribute caches are 60 s old at most
_SECOND = "import sys; from hoptim.store.check.cross_process import second; second(*sys.argv[1:])"


class Verdict(NamedTuple):
    """What one test says.

    Attributes:
        ok: Whether it speaks for the directory.
        what: A sentence.
    """

    ok: bool
    what: str

    def __str__(self) -> str:
        return f"{'ok ' if self.ok else 'BAD'} {self.what}"


def together(folder: Path, machines: int, seconds: float) -> Iterator[Verdict]:
    """Test between this process, a second one beside it, and those on the other machines.

    Args:
        folder: Where they meet.
        machines: How many such pairs.
        seconds: Wait so long for them.

    Raises:
        StoreError: They did not come, or left early.
    """
    package = str(Path(__file__).resolve().parent.parent)
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    with explained("meet in", folder):
        meeting = Meeting(folder, 2 * machines)
    beside = subprocess.Popen(
        [sys.executable, "-c", _SECOND, str(folder), str(2 * machines), str(seconds)],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip

    def watch() -> None:
        if beside.poll():
            _, said = beside.communicate()
            raise StoreError(errno.ECHILD, f"The second process ended early. {said.strip()}")

    meeting.watch = watch
    with beside:
        try:
            meeting.join(seconds)
            yield from _take_part(meeting)
            beside.wait(60)
        finally:
            beside.kill()
            meeting.close()


def second(folder: str, count: str, seconds: str) -> None:
    """The process beside: takes part, and leaves the talking to the first."""
    meeting = Meeting(Path(folder), int(count))
    try:
        meeting.join(float(seconds))
        for _ in _take_part(meeting):
            pass
    except (HoptimError, OSError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _take_part(meeting: Meeting) -> Iterator[Verdict]:
    """Each test here and there; the others' bad verdicts are told too."""
    bad: list[str] = []
    for test in (_hosts, _appends, _signs_of_life, _counts):
        with explained("test", meeting.folder):
            verdict = test(meeting)
        bad += [] if verdict.ok else [verdict.what]
        yield verdict
    for name, said in meeting.step(bad=bad).items():
        if name != meeting.me:
            yield from (Verdict(False, f"Seen by {name}: {what}") for what in said["bad"])
    meeting.leave()


def _hosts(meeting: Meeting) -> Verdict:
    hosts = [said["host"] for said in meeting.step(host=os.uname().nodename).values()]
    there = ", ".join(f"{hosts.count(host)} on {host}" for host in sorted(set(hosts)))
    return Verdict(True, f"{len(hosts)} processes have met: {there}.")


def _appends(meeting: Meeting) -> Verdict:
    """Each appends to a file of its own; each opens the others' anew."""
    own = _file(meeting, "said", meeting.me)
    missed: set[str] = set()
    for line in (b"one\n", b"two\n"):
        append(own, line)
        meeting.step()
        for name in meeting.party:
            if not _bytes_of(_file(meeting, "said", name)).endswith(line):
                missed.add(name)
        meeting.step()
    if missed:
        return Verdict(False, f"An append that was synced could not be read here: by {', '.join(missed)}.")
    return Verdict(True, "An append that was synced is read by the others at once.")


def _signs_of_life(meeting: Meeting) -> Verdict:
    """Each moves the time of a file of its own; each waits to see the others' move."""
    files = {name: _file(meeting, "beat", name) for name in meeting.party}
    append(files[meeting.me], b".")
    meeting.step()
    before = {name: path.stat().st_mtime_ns for name, path in files.items()}
    meeting.step()
    begin = time.monotonic()
    waiting = set(meeting.party)
    while waiting and time.monotonic() - begin < _SEEN_WITHIN:
        if meeting.me in waiting:  # again, where times are coarse
            os.utime(files[meeting.me])
        waiting -= {name for name in waiting if files[name].stat().st_mtime_ns != before[name]}
        time.sleep(0.01)
    took = time.monotonic() - begin
    meeting.step()
    if waiting:
        return Verdict(False, f"The time of a file moved, unseen for {took:.0f} s: {', '.join(waiting)}.")
    return Verdict(True, f"Signs of life are seen by the others, after {took:.2f} s at most.")


def _counts(meeting: Meeting) -> Verdict:
    """All count at once under one lock; who is inside marks it by a file that is created once."""
    lock = StudyLock.of(meeting.folder, single_host=True)  # a mount that lies is to be caught lying
    counter, inside = _file(meeting, "counter"), _file(meeting, "inside")
    line = meeting.me.encode()[: _LINE - 1].ljust(_LINE - 1) + b"\n"
    meeting.step()
    overlaps = 0
    for _ in range(_ROUNDS):
        lock.acquire(_SEEN_WITHIN)
        try:
            overlaps += _inside(inside, counter, line)
        finally:
            lock.release()
    overlaps = sum(said["overlaps"] for said in meeting.step(overlaps=overlaps).values())
    found, expected = len(_bytes_of(counter)) / _LINE, len(meeting.party) * _ROUNDS
    mine = _bytes_of(counter).count(line)
    if overlaps or found != expected or mine != _ROUNDS:
        return Verdict(
            False,
            f"The lock does not keep processes apart: {overlaps} times two were inside, and they counted "
            f"to {found:.0f}, not to {expected}. Use another directory, or one machine alone.",
        )
    return Verdict(True, f"Under the lock they counted to {expected}, and never were two inside.")


def _inside(inside: Path, counter: Path, line: bytes) -> bool:
    """One round; whether somebody else was inside."""
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
    """At the end that can be seen now, and durable, as the journal does it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        write_all(fd, data, os.fstat(fd).st_size)
        flush(fd)
    finally:
        os.close(fd)


def _file(meeting: Meeting, *names: str) -> Path:
    """A file that only this party uses, whatever an earlier one left."""
    party = crc32(",".join(meeting.party).encode())
    return meeting.folder / ".".join([f"{party:08x}", *names])


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
