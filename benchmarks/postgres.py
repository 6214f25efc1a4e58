"""What a tell and the next ask cost in PostgreSQL, beside the bare round there and beside a directory.

A server is started on this machine, with fsync and synchronous_commit, and processes commit for some
seconds, in several ways:

- bare round: psycopg alone, in as many messages as hoptim: the same lock and the last two records in one, a
  line as long as a tell and an ask, and the commit in another; the connection stays open;
- PostgreSQL: tell and the next ask of hoptim, with two hyperparameters and without checkpoints;
- directory: the same in a directory on the same disk;
- bare loop: that of `contention.py`, flock, append, fsync, beside the directory.

Ratios are to the bare round with the same think time, medians with minimum and maximum over the rounds; a
wait is the time that one whole operation takes. The last tables are the share of their time that operations
take of workers whose trials take a second, half a second up or down.

    python benchmarks/postgres.py [--processes 1 16 64 256] [--think 0 150] [--seconds 3]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent.parent)]

from contention import HEAD, contended, shares
from costs.fleet import BARE, Fleet, Way, alternate, fleets
from costs.machine import header
from costs.server import Task

from hoptim.benchmarks.tables import aligned
from tests.postgres_cluster import Cluster, cluster

ROUND, POSTGRES, DIRECTORY = "bare round", "PostgreSQL", "directory"
_MICRO, _MIB = 1e6, 2**20
_SPARE = 20  # connections besides those of the processes


def ways(server: Cluster, processes: int) -> tuple[list[Way], Way]:
    """Return the ways for a number of processes, and the one that they are compared with."""
    server_url = server.url("").partition("?")[0]
    size: dict[str, Any] = {"members": max(16, processes)}
    ours = Way(POSTGRES, "by_postgres.tell_and_ask", {"server": server_url, **size})
    beside = Way(DIRECTORY, "by_hoptim.tell_and_ask", size)
    return [ours, beside, BARE], Way(ROUND, "by_postgres.commit", {"server": server_url})


def settings(processes: int) -> dict[str, Any]:
    """Return the settings of a server that so many processes work on, with two connections each."""
    return {
        "synchronous_commit": "on", "max_connections": 2 * processes + _SPARE, "shared_buffers": "128MB",
        "autovacuum": "on",
    }  # fmt: skip


def compare(servers: Sequence[Fleet], asked: argparse.Namespace, processes: int) -> None:
    """Print the tables of a number of processes."""
    for think in asked.think:
        task = Task(processes, asked.seconds, think=think / _MICRO)
        runs = alternate(servers, task, asked.rounds, asked.folder)
        print(f"\n{processes} processes, {think:g} us of think time")
        print(aligned([["", *HEAD], *contended(runs)]), flush=True)
    if asked.trial:
        task = Task(processes, 2 * asked.seconds, trial=asked.trial)
        runs = alternate(servers, task, asked.rounds, asked.folder)
        print(f"\n{processes} workers, trials of {asked.trial:g} s")
        print(aligned([["", "% of the workers' time", "p99 ms"], *shares(runs)]), flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 16, 64, 256])
    parser.add_argument("--think", type=float, nargs="+", default=[0, 150], help="microseconds")
    parser.add_argument("--trial", type=float, default=1.0, help="mean seconds, 0 for no such table")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each run; of trials, twice")
    parser.add_argument("--rounds", type=int, default=3, help="repeats; medians are printed")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()), metavar="DIR",
        help="where directories are made (default: %(default)s); the server is in the default one",
    )  # fmt: skip
    asked = parser.parse_args(arguments)
    with cluster(fsync=True, **settings(max(asked.processes))) as server:
        version = server.ask("SHOW server_version")[0][0].split()[0]
        print(" ".join(["python benchmarks/postgres.py", *(arguments or sys.argv[1:])]))
        print(header(asked.folder, f"PostgreSQL {version}"))
        shown = ("fsync", "synchronous_commit", "max_connections", "shared_buffers")
        print(", ".join(f"{name} {server.ask(f'SHOW {name}')[0][0]}" for name in shown))
        for processes in asked.processes:
            others, bare = ways(server, processes)
            with fleets(others, bare) as servers:
                compare(servers, asked, processes)


if __name__ == "__main__":
    main()
