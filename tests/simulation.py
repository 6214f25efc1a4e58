"""Runs the real store on simulated machines: any number of schedules, each replayed by its seed.

    python tests/simulation.py --runs 100000 --seed 0 --jobs 2
    python tests/simulation.py --runs 1 --seed 4711 --trace
    python tests/simulation.py --runs 500 --mutant nosync
    python tests/simulation.py --database --runs 10000

The store is on a file system, or with `--database` on a server of PostgreSQL; psycopg must be installed.

Exit status 1 means that something bad was found, as it must be with a mutant.
"""

from __future__ import annotations

import argparse
import gc
import logging
import multiprocessing
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent.parent)]

from tests.simulated.study import Simulation

MUTANTS = {  # of a file system
    "nosync": "an fsync of a file does nothing",
    "nodirsync": "an fsync of a folder does nothing",
    "noforeign": "to sync, or to write again, what others wrote does nothing",
    "nolock": "flock lets everybody in",
    "stale": "over NFS, a journal opened to write shows what was there when it was last opened to read",
    "nobeat": "the time of a file does not change",
    "onespace": "all pid namespaces look the same",
}
OF_SERVERS = {
    "nolock": "the advisory lock lets everybody in, and there is no key",
    "lateread": "a transaction sees no rows but those from before it had the lock, and there is no key",
    "forgets": "a restart undoes the last commit",
    "keeps": "a session that ends keeps its lock",
    "nobeat": "a beat changes nothing",
}


class Schedule(NamedTuple):
    """What came of a seed."""

    seed: int
    wrong: list[str]
    calls: int
    happened: Counter[str]
    trace: list[str]
    digest: str


def simulate(seed: int, mutant: str | None = None, trace: bool = False, database: bool = False) -> Schedule:
    """One schedule."""
    simulation = kind_of(database)(seed, mutant, trace)
    wrong = simulation.run()
    world = simulation.world
    if seed % 50 == 0:
        gc.collect()
    return Schedule(seed, wrong, world.calls, world.faults.happened, world.trace or [], simulation.digest())


def kind_of(database: bool) -> type[Simulation]:
    """What to simulate."""
    if not database:
        return Simulation
    from tests.simulated.postgres.study import DatabaseSimulation  # needs psycopg

    return DatabaseSimulation


def prepare(database: bool = False) -> None:
    """What each process that runs schedules does first."""
    logging.disable()
    gc.disable()  # its moments are no part of a seed
    kind_of(database)(0).run()  # what a dependency does once in a process, it does here
    gc.freeze()


def main() -> int:
    """The command line; returns the exit status."""
    options = parsed()
    began, calls, runs, bad = time.perf_counter(), 0, 0, 0
    happened: Counter[str] = Counter()
    job = partial(simulate, mutant=options.mutant, trace=options.trace, database=options.database)
    seeds = range(options.seed, options.seed + options.runs)
    processes, context = min(options.jobs, options.runs), multiprocessing.get_context("fork")
    with context.Pool(processes, prepare, [options.database]) as pool:
        for done in pool.imap(job, seeds, chunksize=1 if options.stop else 10):
            runs += 1
            calls += done.calls
            happened += done.happened
            bad += bool(done.wrong)
            show(done, options)
            if bad and bad == options.stop:
                break
    seconds = time.perf_counter() - began
    faults = ", ".join(f"{count} {kind}" for kind, count in sorted(happened.items()))
    say(
        f"{runs} schedules, {calls} calls, faults: {faults or 'none'}; "
        f"{seconds:.1f} s, {1e3 * seconds / runs:.1f} ms each; {bad} bad"
    )
    return int(bad > 0)


def show(done: Schedule, options: argparse.Namespace) -> None:
    """Print a trace, and what is bad with how to see it again."""
    for line in done.trace:
        say(line)
    if done.trace:
        say(f"seed {done.seed} ends with the journal {done.digest}")
    if done.wrong:
        more = " --database" if options.database else ""
        more += f" --mutant {options.mutant}" if options.mutant else ""
        say(f"seed {done.seed}: {done.wrong[0]}")
        say(f"  python tests/simulation.py --seed {done.seed} --runs 1 --trace{more}")


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")


def parsed() -> argparse.Namespace:
    """The options."""
    about = "\n".join(f"  {name}: {what}" for name, what in [*MUTANTS.items(), *OF_SERVERS.items()])
    parser = argparse.ArgumentParser(
        description="Run the store on simulated machines.",
        epilog=f"mutants of the simulated system, each of which must be caught:\n{about}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--database", action="store_true", help="a study on a server, not in files")
    parser.add_argument("--runs", type=int, default=1000, help="schedules")
    parser.add_argument("--seed", type=int, default=0, help="of the first one")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--mutant", choices=sorted(MUTANTS | OF_SERVERS), help="break the simulated system")
    parser.add_argument("--stop", type=int, default=0, help="end after so many bad schedules")
    parser.add_argument("--trace", action="store_true", help="print each call")
    options = parser.parse_args()
    if options.mutant not in (None, *(OF_SERVERS if options.database else MUTANTS)):
        parser.error(f"{options.mutant} is a mutant of the other system")
    return options


if __name__ == "__main__":
    sys.exit(main())
