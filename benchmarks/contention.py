"""How much processes that share a study get done together, and how long the unluckiest waits.

Processes without think time commit as fast as they can for some seconds, in three ways:

- bare loop: a blocking flock, an append of 200 bytes, fsync; files stay open;
- journal: what is behind every operation: hold, read what is new, append one record of 200 bytes;
- study: tell and the next ask, one commit, with two hyperparameters and without checkpoints.

Each round runs the ways one after the other and the bare loop again, so that a busy machine hurts
all of them; ratios are to the mean of the two bare loops around, medians over the rounds. A wait is
the time that one whole operation takes. Members may be any number of steps ahead, since this
measures the wait for the lock and not for the slowest member; `--lead 1` is what a study does.

    python benchmarks/contention.py [--processes 1 4 16 64] [--seconds 3] [--rounds 3] [--lead N]
"""

from __future__ import annotations

import argparse
import fcntl
import os
import platform
import statistics
import sys
import tempfile
import time
import traceback
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import filelock  # noqa: F401 - before the fork, so that no process pays for it within the time

import hoptim
from hoptim.store import study_file
from hoptim.store.journal import FileJournal

_LINE = b"x" * 199 + b"\n"
_ENDLESS = 10**6  # steps, more than any run gets done

Operations = Iterator[None]  # each `next` is one commit; the first only prepares
Way = Callable[[Path], Operations]


def bare(folder: Path) -> Operations:
    """Commit durably without a journal, the lower bound of what a commit by one of many can cost."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    fd = os.open(folder / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while True:
        yield
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.write(fd, _LINE)
        os.fsync(fd)
        fcntl.flock(lock, fcntl.LOCK_UN)


def journal(folder: Path) -> Operations:
    """Commit to the journal, without a study."""
    found = study_file.create(folder, {}, 1)
    opened = FileJournal(folder, found.uuid)
    while True:
        yield
        with opened.hold(None):
            opened.read(lambda void, records: None)
            opened.append([{"id": os.urandom(6).hex(), "op": "tell", "pad": "x" * 140}])


def study(folder: Path, members: int, lead: int) -> Operations:
    """Tell a trial of a study and get the next one in the same commit."""
    space = {"x": hoptim.Float(0.0, 2.0, init=0.8), "y": hoptim.Float(0.0, 2.0, init=0.4)}
    made = hoptim.Study(folder, space=space, size=members, steps=_ENDLESS, mode="min", lead=lead)
    for trial in made:
        yield
        trial.tell(trial.params["x"])


class Run(NamedTuple):
    """The operations that several processes completed.

    Attributes:
        rate: Commits a second, all processes together.
        waits: Seconds that each operation took, sorted.
        longest: The longest of them; of two runs the mean.
    """

    rate: float
    waits: list[float]
    longest: float

    def wait(self, share: float) -> float:
        """Return the wait that a share of all operations does not exceed, in milliseconds."""
        return 1e3 * self.waits[min(int(share * len(self.waits)), len(self.waits) - 1)]


def measure(way: Way, processes: int, seconds: float) -> Run:
    """Fork processes, start them all at once, and return the duration of each operation."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "shared"
        folder.mkdir()
        ready, go = os.pipe(), os.pipe()
        children = []
        for i in range(processes):
            children.append(os.fork())
            if children[-1] == 0:
                _child(way(folder), ready, go, seconds, Path(temporary) / str(i))
        os.close(go[0])
        os.close(ready[1])
        prepared = sum(iter(lambda: len(os.read(ready[0], processes)), 0))
        os.close(go[1])
        failed = [pid for pid in children if os.waitpid(pid, 0)[1]]
        os.close(ready[0])
        if failed or prepared != processes:
            raise SystemExit(f"{len(failed)} of {processes} processes failed.")
        return _collect([Path(temporary) / str(i) for i in range(processes)], seconds)


def _child(
    operations: Operations, ready: tuple[int, int], go: tuple[int, int], seconds: float, out: Path
) -> None:
    status = 1
    try:
        os.close(go[1])
        next(operations)
        os.write(ready[1], b"x")
        os.close(ready[1])
        os.read(go[0], 1)  # ends when the parent closes its side: for all at once
        waits = array("d")
        now = time.perf_counter()
        end = now + seconds
        while now < end:
            next(operations)
            waits.append(time.perf_counter() - now)
            now += waits[-1]
        with out.open("wb") as file:
            waits.tofile(file)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)  # what the parent has open is not this process's to close


def _collect(files: list[Path], seconds: float) -> Run:
    waits: list[float] = []
    for file in files:
        waits += array("d", file.read_bytes())
    return Run((len(waits) - len(files)) / seconds, sorted(waits), max(waits))  # all end a bit late


def row(name: str, runs: list[Run], bares: list[Run]) -> str:
    """Return a line of the table, with medians over the rounds."""
    middle = statistics.median
    rate = middle(run.rate for run in runs)
    waits = "".join(f"{middle(run.wait(share) for run in runs):10.2f}" for share in (0.5, 0.99, 1.0))
    rates = [run.rate / base.rate for run, base in zip(runs, bares, strict=True)]
    longest = [run.longest / base.longest for run, base in zip(runs, bares, strict=True)]
    spread = f"({min(rates):.2f} .. {max(rates):.2f})"
    return f"{name:12}{rate:10.0f}{waits}{middle(rates):12.2f} {spread:16}{middle(longest):10.2f}"


def mean(one: Run, other: Run) -> Run:
    """Return two bare loops as one, with which the runs between them are compared."""
    waits = sorted(one.waits + other.waits)
    return Run((one.rate + other.rate) / 2, waits, (one.longest + other.longest) / 2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each run takes")
    parser.add_argument("--rounds", type=int, default=3, help="repeats; medians are printed")
    parser.add_argument("--lead", type=int, default=_ENDLESS, help="steps that a member may be ahead")
    asked = parser.parse_args()
    print(f"hoptim {hoptim.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores")
    print("processes   commits/s  p50 ms    p99 ms    max ms   rate / bare (spread)     max / bare")
    for processes in asked.processes:
        members = max(16, processes)
        whole = partial(study, members=members, lead=asked.lead)
        ways: dict[str, Way] = {"journal": journal, "study": whole}
        runs: dict[str, list[Run]] = {name: [] for name in ["bare loop", *ways]}
        before = measure(bare, processes, asked.seconds)
        for _ in range(asked.rounds):
            for name, way in ways.items():
                runs[name].append(measure(way, processes, asked.seconds))
            after = measure(bare, processes, asked.seconds)
            runs["bare loop"].append(mean(before, after))
            before = after
        for name, found in runs.items():
            print(row(f"{processes:3} {name}", found, runs["bare loop"]), flush=True)


if __name__ == "__main__":
    main()
