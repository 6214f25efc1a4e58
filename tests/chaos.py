"""Many workers on one study, killed and stopped at random, and a judge of what they leave behind.

    python tests/chaos.py [--workers 64] [--members 64] [--steps 1000] [--rate 1 | --faults N]
                          [--seed 0] [--lease 2] [--limit 900] [--beside 0]
                          [--database [URL] [--fsync] [--crashes N]]
    python tests/chaos.py --deaths N

Faults come at a rate of so many a second, or so many in all, spread evenly over the study. Six of
ten are SIGKILL, each with a new worker in place of the dead; the others are SIGSTOP, a third of
them for longer than the lease. One worker in three is as one of another host to the rest. With
--beside: so many processes that look at the study meanwhile, as many that fork it, and as many that
have each of their trials told by two copies at once. With --database: the study is in PostgreSQL, on
a server that is made for it or has a URL, and its checkpoints in a bucket; the rows are read without
hoptim, and judged as a journal. With --crashes: all processes of the server made for it are killed at
once, so many times, and it is started again. With --deaths: how long a waiting worker takes to be
given the trial of a killed one on its host. Prints JSON; the exit status is 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests import builders, postgres_cluster, reader
from tests.beside import Beside
from tests.crashes import Crashes, is_due
from tests.herd import Herd
from tests.place import place_in
from tests.verdict import Sampler, judge

_SHORT = (0.05, 0.5)  # seconds of a stop that no lease minds
_LONG = (1.2, 2.0)  # leases of one that a lease minds
_TICK = 0.002
_PATIENCE = 60.0  # seconds in which those beside end
_USUAL_LEASE = 120.0  # what a study has that does not say
_IDLE = 2.0  # seconds after which a worker that waits looks as seldom as it ever does
_OWN = "own"  # server that is made and removed
_PAIRS = 8  # of a worker and one that waits, measured side by side


class Faults:
    """What happens to which worker when, drawn from a seed."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options, self._rng = options, random.Random(options.seed)
        self._next, self._done = time.monotonic(), 0

    def are_due(self, told: int) -> bool:
        """Whether the next one is due; none is before the first tell or after the last."""
        options = self._options
        total: int = options.members * options.steps
        if options.faults is None:
            return time.monotonic() >= self._next and 0 < told < total
        return is_due(self._done, options.faults, told, total)

    def strike(self, herd: Herd) -> None:
        """Kill or stop one of those that run."""
        options, rng = self._options, self._rng
        running = sorted(herd.live.keys() - herd.stopped)
        if not running:
            return
        self._done += 1
        if options.faults is None:
            self._next += rng.expovariate(options.rate)
        pid, kind = rng.choice(running), rng.random()
        if kind < 0.6:
            herd.kill(pid)
            herd.start()
        elif kind < 0.87:
            herd.stop(pid, rng.uniform(*_SHORT))
        else:
            herd.stop(pid, options.lease * rng.uniform(*_LONG))


def tend(herd: Herd, sampler: Sampler, faults: Faults | None, crashes: Crashes) -> bool:
    """Look after workers until all have ended, and do to them what is due; False when late."""
    end = time.monotonic() + herd.options.limit
    while herd.live and time.monotonic() < end:
        herd.resume()
        herd.reap()
        sampler.look()
        crashes.look(sampler.told)
        if faults is not None and faults.are_due(sampler.told):
            faults.strike(herd)
        time.sleep(_TICK)
    return not herd.live


def chaos(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run a study under faults and judge it."""
    place = place_in(folder, options.database)
    herd, beside = Herd(place, options), Beside(place, options)
    sampler, crashes = Sampler(herd), Crashes(options)
    began = time.monotonic()
    try:
        beside.start()
        beside.await_refusals()
        for _ in range(options.workers):
            herd.start()
        done = tend(herd, sampler, Faults(options), crashes)
        beside.end(_PATIENCE)
        report = {"seed": options.seed, "seconds": round(time.monotonic() - began, 1)}
        report |= {"kills": len(herd.kills), "stops": len(herd.stops), "crashes": crashes.done}
        if done:
            options.steps += 1  # since only a worker that starts clears up what the dead left
            herd.start()
            done = tend(herd, sampler, None, crashes)
    finally:
        crashes.end()
        herd.end()
        beside.end()
    return {**report, **judge(herd, beside, sampler, done)}


def deaths(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Kill the holder of a study's only trial while another waits for it; seconds until that has it."""
    options.members, options.steps, options.pause, options.lease = 1, 2, 1e9, _USUAL_LEASE
    options.elsewhere = False
    rng = random.Random(options.seed)
    places = [place_in(folder / str(i), options.database) for i in range(min(_PAIRS, options.deaths))]
    herds = [Herd(place, options) for place in places]
    holders = [herd.start() for herd in herds]
    delays: list[float] = []
    try:
        for herd in herds:
            builders.wait_until(partial(has_asked, herd, 1))
        while len(delays) < options.deaths:
            waiters = [herd.start() for herd in herds]
            for herd in herds:
                builders.wait_until((herd.notes / str(herd.count)).exists)
            time.sleep(_IDLE)
            for herd, holder in zip(herds, holders, strict=True):
                time.sleep(rng.uniform(0.0, 0.5))  # spreads the moments
                herd.kill(holder)
            for herd in herds:
                builders.wait_until(partial(has_asked, herd, herd.count), options.limit)
                delays.append(asks(herd)[-1] - herd.kills[herd.count - 1])
            holders = waiters
    finally:
        for herd in herds:
            herd.end()
    delays.sort()
    p50, longest = delays[len(delays) // 2], delays[-1]
    return {"deaths": len(delays), "p50": round(p50, 3), "max": round(longest, 3), "wrong": []}


def has_asked(herd: Herd, times: int) -> bool:
    """Whether trials were asked for so many times."""
    return len(asks(herd)) == times


def asks(herd: Herd) -> list[float]:
    """When each ask was recorded."""
    try:
        records = reader.read(herd.place.journal())
    except (OSError, ValueError):  # somebody is writing at the moment
        return []
    times = [record.get("time", 0.0) for record in records]
    for i, record in enumerate(records):
        times[i] = times[i - record.get("batch", 0)]
    return [moment for moment, record in zip(times, records, strict=True) if record["op"] == "ask"]


@contextmanager
def served(options: argparse.Namespace) -> Iterator[None]:
    """Run a server for a block, where one is asked for."""
    options.server = None
    if options.database == _OWN:
        sessions = 4 * options.workers + 50  # two of each worker, and of those that were just killed
        with postgres_cluster.cluster(options.fsync, max_connections=sessions) as options.server:
            options.database = f"postgresql://postgres@127.0.0.1:{options.server.port}/postgres"
            yield
    else:
        yield


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--members", type=int, default=64)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=1.0, help="faults a second")
    parser.add_argument("--faults", type=int, help="faults in all, instead of a rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lease", type=float, default=2.0, help="seconds")
    parser.add_argument("--pause", type=float, default=0.002, help="mean seconds of training")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds")
    parser.add_argument("--beside", type=int, default=0, help="lookers, forkers and twice-tellers each")
    parser.add_argument("--deaths", type=int, help="measure this instead")
    parser.add_argument("--database", nargs="?", const=_OWN, help="URL of a server; one of its own without")
    parser.add_argument("--fsync", action="store_true", help="have the server of its own sync its files")
    parser.add_argument("--crashes", type=int, default=0, help="of the server of its own, in all")
    parser.add_argument("--folder", help="keep everything there instead of nowhere")
    options = parser.parse_args()
    if options.crashes and options.database != _OWN:
        parser.error("--crashes needs --database without a URL")
    options.elsewhere = True
    with tempfile.TemporaryDirectory() as temporary, served(options):
        folder = Path(options.folder or temporary)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        report = chaos(folder, options) if options.deaths is None else deaths(folder, options)
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    sys.exit(bool(report["wrong"]))


if __name__ == "__main__":
    main()
