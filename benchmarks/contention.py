"""How much processes that share a study get done together, and how long the unluckiest waits.

Processes commit for some seconds, in several ways:

- bare loop: a blocking flock, an append of 200 bytes, fsync; files stay open;
- journal: what is behind every operation of hoptim: hold, read what is new, append a record of 200 bytes;
- hoptim: tell and the next ask, one commit, with two hyperparameters and without checkpoints;
- with `--against`, the same with another checkout of hoptim;
- with `--compare`, tell and ask of Optuna's `JournalStorage` on its file backend with its default lock.

Without think time the bare loop is unfair: whoever has the lock mostly gets it again. So all ways are
measured with think time too, which is computation outside the lock. Ratios are to the bare loop with the
same think time, medians with minimum and maximum over the rounds; a wait is the time that one whole
operation takes. The last tables are what users feel: the share of their time that operations take of
workers whose trials take a second, half a second up or down.

Members may be any number of steps ahead, since this measures the wait for the lock and not for the slowest
member; `--lead 1` is what a study does.

    python benchmarks/contention.py [--compare DIR] [--against CHECKOUT] [--processes 1 4 16 64]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence

from costs.fleet import BARE, HOPTIM, Way, add_options, alternate, fleets, studies
from costs.machine import header, spread
from costs.server import Run, Task
from peers.environments import ENVIRONMENTS

from hoptim.benchmarks.tables import aligned

HEAD = ("commits/s", "CPU ms", "p50 ms", "p99 ms", "max ms", "rate / bare", "p99 / bare", "max / bare")
JOURNAL = "journal"
_ENDLESS = 10**6  # steps, more than any run gets done
_MILLI = 1e3


def contended(runs: Mapping[str, Sequence[Run]]) -> list[list[str]]:
    """Return a row for each way: medians, and ratios to the first, which is the bare loop."""
    rows, bare_runs = [], next(iter(runs.values()))
    for name, found in runs.items():
        figures = [(run.rate, run.cpu, run.p50, run.p99, run.longest) for run in found]
        rate, cpu, *waits = map(statistics.median, zip(*figures, strict=True))
        medians = [f"{rate:.0f}", f"{_MILLI * cpu:.3f}", *(f"{_MILLI * wait:.2f}" for wait in waits)]
        pairs = [*zip(found, bare_runs, strict=True)]
        ratios = [
            spread([run.rate / bare.rate for run, bare in pairs]),
            spread([run.p99 / bare.p99 for run, bare in pairs]),
            spread([run.longest / bare.longest for run, bare in pairs]),
        ]
        rows.append([name, *medians, *ratios])
    return rows


def shares(runs: Mapping[str, Sequence[Run]]) -> list[list[str]]:
    """Return a row for each way: the percentage of the workers' time, and p99 of its operations."""
    return [
        [name, spread([100 * run.share for run in found]), spread([run.p99 * _MILLI for run in found])]
        for name, found in runs.items()
    ]


def compared(runs: Mapping[str, Sequence[Run]]) -> str:
    """Return the rate of hoptim as a multiple of each other way's that tells and asks."""
    others = [name for name in runs if name not in (BARE.name, HOPTIM, JOURNAL)]
    lines = []
    for other in others:
        pairs = zip(runs[HOPTIM], runs[other], strict=True)
        lines.append(f"{HOPTIM} / {other}: {spread([one.rate / two.rate for one, two in pairs])}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--think", type=float, nargs="+", default=[0, 150], help="microseconds")
    parser.add_argument("--trial", type=float, default=1.0, help="mean seconds, 0 for no such table")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each run; of trials, 5 times")
    parser.add_argument("--lead", type=int, default=_ENDLESS, help="steps that a member may be ahead")
    add_options(parser, rounds=3)
    asked = parser.parse_args(arguments)
    print(header(asked.folder, *(ENVIRONMENTS["optuna"][:1] if asked.compare else ())))
    for processes in asked.processes:
        ways = studies(asked, members=max(16, processes), lead=asked.lead)
        with fleets([Way(JOURNAL, "by_hoptim.append"), *ways]) as servers:
            for think in asked.think:
                task = Task(processes, asked.seconds, think=think * 1e-6)
                runs = alternate(servers, task, asked.rounds, asked.folder)
                print(f"\n{processes} processes, {think:g} us of think time")
                print(aligned([["", *HEAD], *contended(runs)]), compared(runs), sep="\n", flush=True)
            if asked.trial:
                task = Task(processes, 5 * asked.seconds, trial=asked.trial)
                runs = alternate(servers, task, asked.rounds, asked.folder)
                print(f"\n{processes} workers, trials of {asked.trial:g} s")
                print(aligned([["", "% of the workers' time", "p99 ms"], *shares(runs)]), flush=True)


if __name__ == "__main__":
    main()
