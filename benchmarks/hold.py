"""What a process does while it holds the lock of a study, phase by phase, in microseconds.

One process tells and asks; another one, in the same run, records a trial after each of its rounds, so that
there is something to catch up with. Each phase is given without the phases within it: what is left of a
hold after all of them is its frame. Medians over the rounds, with the 90th percentile.

    python benchmarks/hold.py [--rounds 300] [--members 16] [--dir DIR]
"""

from __future__ import annotations

import argparse
import functools
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from costs.machine import header

import hoptim
from hoptim.benchmarks.tables import aligned
from hoptim.store import claims, journal, line_format, open_journal, store, transactions
from hoptim.store.locking import lock

_MICRO = 1e6
_PHASES: list[tuple[Any, str, str]] = [
    (lock.StudyLock, "_enter_queue", "open and lock `queue`"),
    (lock.StudyLock, "_lock_head", "open and lock `lock`"),
    (lock.StudyLock, "_is_current", "look whether both are the current files"),
    (lock.StudyLock, "_note_holder", "note the holder"),
    (open_journal.OpenJournal, "__init__", "open the journal"),
    (lock.StudyLock, "lock_file", "lock the journal"),
    (journal.FileJournal, "_settle", "look at the reserve"),
    (transactions.Transactions, "_catch_up", "read and fold what is new"),
    (store, "record_tell", "check the tell"),
    (store, "drop_unreferenced", "choose checkpoints to drop"),
    (claims.Claims, "next", "choose the next trial"),
    (claims.Claims, "_proposed", "propose it"),
    (transactions.Transaction, "add", "fold the records"),
    (line_format, "encode", "encode them"),
    (journal.FileJournal, "append", "append, but for"),
    (open_journal, "write_all", "  the write"),
    (open_journal, "flush", "  the fsync"),
    (journal, "note_durable", "  the note that it is durable"),
    (journal, "unlock_and_close", "unlock and close the journal"),
    (lock.StudyLock, "_leave_queue", "unlock and close `lock` and `queue`"),
]


class Hold:
    """Times of the phases within holds, each without the phases within it."""

    def __init__(self) -> None:
        self.rounds: list[dict[str, float]] = []
        self.counting = False
        self._within: list[float] = []  # time of the phases inside, for each phase that has begun
        self._round: defaultdict[str, float] = defaultdict(float)
        self._began = 0.0

    def install(self) -> None:
        """Measure the phases from now on."""
        for owner, name, label in _PHASES:
            setattr(owner, name, self._timed(getattr(owner, name), label))

    def _timed(self, call: Callable[..., Any], label: str) -> Callable[..., Any]:
        @functools.wraps(call)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if label == _PHASES[0][2]:
                self._round, self._began = defaultdict(float), time.perf_counter()
            began = time.perf_counter()
            self._within.append(0.0)
            try:
                return call(*args, **kwargs)
            finally:
                took = time.perf_counter() - began
                if self._began:
                    self._round[label] += took - self._within.pop()
                    if self._within:
                        self._within[-1] += took
                else:  # before the lock is taken
                    self._within.pop()
                if label == _PHASES[-1][2]:
                    self._end()

        return timed

    def _end(self) -> None:
        if self._began and self.counting:
            whole = time.perf_counter() - self._began
            self._round["the frame of all that"] = whole - sum(self._round.values())
            self._round["all"] = whole
            self.rounds.append(dict(self._round))
        self._began = 0.0


def measure(folder: Path, rounds: int, members: int) -> list[list[str]]:
    """Return a row for each phase of the holds in which one process tells and asks."""
    hold = Hold()
    hold.install()
    space = {f"h{i}": hoptim.Float(0.0, 1.0) for i in range(2)}
    options: dict[str, Any] = {"lead": 9, "lease": 900.0, "single_host": True}
    mine = hoptim.Study(folder / "study", space=space, size=members, steps=10**6, mode="min", **options)
    other = hoptim.load(folder / "study", **options)
    trials = iter(mine)
    trial = next(trials)
    for i in range(rounds + 20):
        their = other.ask()
        assert their is not None
        their.tell(their.params["h0"])
        hold.counting = i >= 20
        trial.tell(trial.params["h0"])
        hold.counting = False
        trial = next(trials)
    labels = [*(label for _, _, label in _PHASES), "the frame of all that", "all"]
    return [["phase", "median", "p90"], *(_row(label, hold.rounds) for label in labels)]


def _row(label: str, rounds: list[dict[str, float]]) -> list[str]:
    times = sorted(found.get(label, 0.0) * _MICRO for found in rounds)
    return [label, f"{statistics.median(times):.1f}", f"{times[len(times) * 9 // 10]:.1f}"]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--dir", type=Path, help="folder for the study. Default: a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.dir) as temporary:
        table = measure(Path(temporary), arguments.rounds, arguments.members)
        print(header(Path(temporary)), "microseconds", aligned(table), sep="\n")


if __name__ == "__main__":
    main()
