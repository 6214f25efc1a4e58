"""How many workers can share a directory, by a simulation and by a model that is fitted to it.

Simulated: hoptim's own store, with up to 1,000 workers in virtual time. Each file call takes a time drawn
around that of a local disk or of NFS; the code between two calls takes the CPU time that it takes here,
as if each worker had a core of its own. A trial ends with a checkpoint of a few bytes.

Modelled: workers that queue for one lock, for sizes that no simulation here reaches. The costs of a
decision are fitted to the simulated fleets (`tests/simulated/lock_queue.py`).

A decision is what lies between a tell and the next trial. Members may be any number of steps ahead, so that
workers wait for the lock alone.

    python benchmarks/size.py [--largest 1000]
"""

from __future__ import annotations

import argparse
import logging
import math
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent.parent)]

import hoptim
from tests.simulated.fleet import Fleet, Measured
from tests.simulated.lock_queue import Costs, Figures, calibrated, mean_wait, modelled, most_workers
from tests.simulated.timed import LOCAL, NFS, Storage

_TRIALS = (1.0, 10.0, 60.0, 600.0)  # seconds
_SIZES = (1, 10, 100, 1_000, 10_000)  # workers of a queue that is played through
_LIMIT = 100_000  # of the equation
_SHARES = (0.01, 0.1)
_IDLE = 8  # workers more than members
_COLUMNS = "decisions/s  median ms      p99 ms   share of time"


def fleets(storage: Storage, largest: int) -> Iterator[tuple[int, float, float, float]]:
    """Give the workers of each fleet, its trials, and seconds before and in the watched window."""
    slow = 5.0 if storage.remote else 1.0  # the start of a fleet is over later
    yield 1, 1.0, 2.0, 60.0
    yield 16, 0.01, slow, slow
    yield 64, 0.2, 3.0 * slow, slow
    yield 64, 10.0, 15.0, 30.0
    yield 256, 60.0, 75.0, 45.0
    yield largest, 60.0, 68.0, 15.0


def row(name: str, workers: int, trial: float, figures: Figures) -> str:
    """Return a line of a table."""
    rate = f"{workers / figures.cycle:11.1f}{1e3 * figures.median:11.4g}{1e3 * figures.p99:12.4g}"
    return f"{name:11}{workers:7}{trial:9g}  {rate}{100 * figures.share:14.3f} %"


def row_of_mean(name: str, trial: float, mean: float) -> str:
    """Return a line of a table for the largest size, of which only the mean is known."""
    cycle = trial + mean
    waits = f"{'mean':>11}{1e3 * mean:12.4g}"
    return f"{name:11}{_LIMIT:7}{trial:9g}  {_LIMIT / cycle:11.1f}{waits}{100 * mean / cycle:14.3f} %"


class Job(NamedTuple):
    """A fleet to run.

    Attributes:
        storage: File system.
        workers: Number of workers.
        trial: Seconds of a trial.
        warm: Seconds before the watched window.
        window: Seconds of it.
    """

    storage: Storage
    workers: int
    trial: float
    warm: float
    window: float

    def run(self) -> Measured:
        """Return what the fleet did."""
        return Fleet(
            self.workers, self.trial, self.storage, time.process_time, self.warm, self.window
        ).run()

    def line(self, measured: Measured) -> str:
        """Return a line of the table of fleets."""
        figures = row(self.storage.name, self.workers, self.trial, Figures.of(measured.waits, self.trial))
        held = fmean(hold.released - hold.got for hold in measured.holds)
        foreign = fmean(hold.foreign for hold in measured.holds)
        calls = sum(measured.calls.values()) / measured.seconds
        return f"{figures}{1e3 * held:9.2f}{foreign:10.1f}{calls:11.0f}"


def show_fit(costs: Costs, done: dict[Job, Measured]) -> None:
    """Print the costs of a decision, and the model beside the simulation."""
    print(
        f"a hold {1e3 * costs.hold:.2f} ms, {1e6 * costs.by_worker:.3f} us more for each worker;\n"
        f"a record of another {1e6 * costs.fold:.1f} us within the hold, "
        f"{1e6 * costs.early:.1f} us before it, {100 * costs.late:.0f} % of them within;\n"
        f"without the lock {1e3 * costs.outside:.2f} ms; a handover {1e3 * costs.handover:.2f} ms"
    )
    print("   workers    trial s   simulated ms    modelled ms    equation ms")
    for job, measured in done.items():
        found = (
            fmean(measured.waits),
            modelled(costs, job.workers, job.trial).mean,
            mean_wait(costs, job.workers, job.trial),
        )
        print(f"{job.workers:10}{job.trial:11g}" + "".join(f"{1e3 * seconds:15.1f}" for seconds in found))


def show_most(name: str, costs: Costs) -> None:
    """Print how many workers may share a study: usually, after a stall, and if nothing were read before."""
    for trial in _TRIALS:
        late = costs._replace(late=1.0, line=math.inf)
        cases = ((costs, False), (costs, True), (late, False))
        found = [most_workers(of, trial, share, _LIMIT, now) for of, now in cases for share in _SHARES]
        print(f"{name:11}{trial:9g}" + "".join(f"{n:11}{'+' if n == _LIMIT else ' '}" for n in found))


def idle_calls(members: int) -> float:
    """Return the file calls per second of a worker that waits, beside one that trains for each member."""
    counts = []
    for workers in (members, members + _IDLE):
        fleet = Fleet(workers, 10.0, NFS, time.process_time, 15.0, 10.0, members=members, lead=1)
        measured = fleet.run()
        counts.append(sum(measured.calls.values()) / measured.seconds)
    return (counts[1] - counts[0]) / _IDLE


def main() -> None:
    """Simulate, fit, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=1000, help="workers of the largest fleet")
    largest = parser.parse_args().largest
    logging.disable()
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}"
    print(f"hoptim {hoptim.__version__}, {machine}")
    for each in (LOCAL, NFS):
        call, commit, handover = (1e3 * seconds for seconds in (each.call, each.commit, each.handover))
        print(f"{each.name}: a call {call:g} ms, to the disk {commit:g} ms, a handover {handover:g} ms")
    print(f"\nsimulated  workers  trial s  {_COLUMNS}   hold ms   foreign    calls/s")
    with multiprocessing.get_context("fork").Pool(4) as pool:
        jobs = [Job(each, *fleet) for each in (LOCAL, NFS) for fleet in fleets(each, largest)]
        long_first = sorted(jobs, key=lambda job: -job.workers)
        done = dict(zip(long_first, pool.map(Job.run, long_first, 1), strict=True))
    costs = {}
    for job in jobs:
        print(job.line(done[job]))
    for each in (LOCAL, NFS):
        mine = {job: done[job] for job in jobs if job.storage is each}
        runs = [(job.workers, measured) for job, measured in mine.items()]
        costs[each] = calibrated(runs, each.handover + each.call)
        print(f"\nfitted to {each.name}:")
        show_fit(costs[each], mine)
    print(f"\nmodelled   workers  trial s  {_COLUMNS}")
    for each, fitted in costs.items():
        for trial in _TRIALS:
            for workers in _SIZES:
                print(row(each.name, workers, trial, modelled(fitted, workers, trial)), flush=True)
            print(row_of_mean(each.name, trial, mean_wait(fitted, _LIMIT, trial)))
    print("\nmost workers whose decisions take at most 1 % and 10 % of their time (+: or more)")
    print("              trial s  usually                 after a stall           all read within the hold")
    for each, fitted in costs.items():
        show_most(each.name, fitted)
    print("\nfile calls per second of a worker that waits for a trial")
    for members in (8, 32, 128):
        print(f"{members:5} members: {idle_calls(members):6.0f}", flush=True)


if __name__ == "__main__":
    main()
