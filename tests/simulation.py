"""Runs the real store on simulated machines: any number of schedules, each replayed by its seed.

    python tests/simulation.py --runs 100000 --seed 0 --jobs 2
    python tests/simulation.py --runs 1 --seed 4711 --trace
    python tests/simulation.py --runs 500 --mutant nosync

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

MUTANTS = {
    "nosync": "an fsync of a file does nothing",
    "nodirsync": "an fsync of a folder does nothing",
    "noforeign": "to sync, or to write again, what others wrote does nothing",
    "nolock": "flock lets everybody in",
    "stale": "over NFS, a journal opened to write shows what was there when it was last opened to read",
    "nobeat": "the time of a file does not change",
    "onespace": "all pid namespaces look the same",
}


class Schedule(NamedTuple):
    """What came of a seed."""

    seed: int
    wrong: list[str]
    calls: int
    happened: Counter[str]
    trace: list[str]
    digest: str


def simulate(seed: int, mutant: str | None = None, trace: bool = False) -> Schedule:
    """One schedule."""
    simulation = Simulation(seed, mutant, trace)
    wrong = simulation.run()
    world = simulation.world
    if seed % 50 == 0:
        gc.collect()
    return Schedule(seed, wrong, world.calls, world.faults.happened, world.trace or [], simulation.digest())


def prepare() -> None:
    """What each process that runs schedules does first."""
    logging.disable()
    gc.disable()  # its moments are no part of a seed
    Simulation(0).run()  # what a dependency does once in a process, it does here
    gc.freeze()


def main() -> int:
    """The command line; returns the exit status."""
    options = parsed()
    began, calls, runs, bad = time.perf_counter(), 0, 0, 0
    happened: Counter[str] = Counter()
    job = partial(simulate, mutant=options.mutant, trace=options.trace)
    seeds = range(options.seed, options.seed + options.runs)
    with multiprocessing.get_context("fork").Pool(min(options.jobs, options.runs), prepare) as pool:
        for done in pool.imap(job, seeds, chunksize=10):
            runs += 1
            calls += done.calls
            happened += done.happened
            bad += bool(done.wrong)
            show(done, options.mutant)
            if bad and bad == options.stop:
                break
    seconds = time.perf_counter() - began
    faults = ", ".join(f"{count} {kind}" for kind, count in sorted(happened.items()))
    say(
        f"{runs} schedules, {calls} file calls, faults: {faults or 'none'}; "
        f"{seconds:.1f} s, {1e3 * seconds / runs:.1f} ms each; {bad} bad"
    )
    return int(bad > 0)


def show(done: Schedule, mutant: str | None) -> None:
    """Print a trace, and what is bad with how to see it again."""
    for line in done.trace:
        say(line)
    if done.trace:
        say(f"seed {done.seed} ends with the journal {done.digest}")
    if done.wrong:
        more = f" --mutant {mutant}" if mutant else ""
        say(f"seed {done.seed}: {done.wrong[0]}")
        say(f"  python tests/simulation.py --seed {done.seed} --runs 1 --trace{more}")


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")


def parsed() -> argparse.Namespace:
    """The options."""
    about = "\n".join(f"  {name}: {what}" for name, what in MUTANTS.items())
    parser = argparse.ArgumentParser(
        description="Run the store on simulated machines.",
        epilog=f"mutants of the simulated system, each of which must be caught:\n{about}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=1000, help="schedules")
    parser.add_argument("--seed", type=int, default=0, help="of the first one")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--mutant", choices=MUTANTS, help="break the simulated system, to see it caught")
    parser.add_argument("--stop", type=int, default=0, help="end after so many bad schedules")
    parser.add_argument("--trace", action="store_true", help="print each call")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
