"""The CPU time of a tell and an ask in memory against members, trials and hyperparameters, with exponents.

Four trials are in hand: the first of them is told, and another one asked for. `first step` asks for
members' first trials, `later` once all have finished one. The exponent is the slope of a line through
the logarithms: 0 costs the same at any size, 1 grows with it.

    python benchmarks/decision.py [--against CHECKOUT] [--budget 60]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable

import hoptim

_MEMBERS = (10, 100, 1_000, 10_000, 100_000)
_TRIALS = (100, 1_000, 10_000, 100_000)
_HYPERPARAMETERS = (1, 2, 10, 100, 1_000)
_ROUNDS = 5

Costs = dict[int, float]  # microseconds by size


class Pool:
    """A study in memory with four trials in hand.

    Args:
        members: Number of members.
        hyperparameters: Number of hyperparameters. Default: 2.
        optimizer: Search algorithm. Default: ROMUL().
    """

    def __init__(
        self, members: int, hyperparameters: int = 2, optimizer: hoptim.Optimizer | None = None
    ) -> None:
        space = {f"x{i}": hoptim.Float(0.0, 2.0) for i in range(hyperparameters)}
        self._study = hoptim.Study(
            None, space=space, optimizer=optimizer, size=members, steps=10**6, mode="min", seed=0
        )
        self._hand = deque(self._ask() for _ in range(4))

    def _ask(self) -> hoptim.Trial:
        trial = self._study.ask()
        assert trial is not None
        return trial

    def train(self, trials: int, until: float) -> bool:
        """Tell and ask so many times; return False if that took longer than until a CPU time."""
        for _ in range(trials):
            trial = self._hand.popleft()
            trial.tell(sum(trial.params.values()) + trial.number % 7)
            self._hand.append(self._ask())
            if time.process_time() > until:
                return False
        return True

    def cost(self, trials: int) -> float:
        """Return the microseconds of a tell and an ask, the median of some rounds."""
        found = []
        for _ in range(_ROUNDS):
            began = time.process_time()
            self.train(trials, math.inf)
            found.append(time.process_time() - began)
        return 1e6 * statistics.median(found) / trials


def first(members: int, until: float) -> float | None:
    """Return the cost of members' first trials."""
    return Pool(members).cost(max(1, min(members // _ROUNDS - 1, 10)))


def later(members: int, until: float) -> float | None:
    """Return the cost once all members have finished a step."""
    pool = Pool(members)
    return pool.cost(20) if pool.train(members + 8, until) else None


def asha(trials: int, until: float) -> float | None:
    """Return the cost of ASHA with 16 members after a number of trials."""
    pool = Pool(16, optimizer=hoptim.ASHA(max_resource=64))
    return pool.cost(50) if pool.train(trials, until) else None


def romul(trials: int, until: float) -> float | None:
    """Return the cost of ROMUL with 16 members after a number of trials."""
    pool = Pool(16)
    return pool.cost(50) if pool.train(trials, until) else None


def wide(hyperparameters: int, until: float) -> float | None:
    """Return the cost with so many hyperparameters."""
    pool = Pool(16, hyperparameters)
    return pool.cost(20) if pool.train(40, until) else None


_TABLES: dict[str, tuple[tuple[int, ...], Callable[[int, float], float | None]]] = {
    "members, first step": (_MEMBERS, first),
    "members, later": (_MEMBERS, later),
    "trials, ROMUL": (_TRIALS, romul),
    "trials, ASHA": (_TRIALS, asha),
    "hyperparameters": (_HYPERPARAMETERS, wide),
}


def measure(budget: float) -> dict[str, Costs]:
    """Return all costs; a size for which a budget of CPU seconds is too small ends its row."""
    found: dict[str, Costs] = {name: {} for name in _TABLES}
    for name, (sizes, cost) in _TABLES.items():
        for size in sizes:
            value = cost(size, time.process_time() + budget)
            if value is None:
                break
            found[name][size] = value
    return found


def exponent(costs: Costs) -> float:
    """Return the slope of log cost against log size."""
    return statistics.linear_regression([*map(math.log, costs)], [*map(math.log, costs.values())]).slope


def elsewhere(checkout: str, budget: float) -> dict[str, Costs]:
    """Return all costs of another checkout of hoptim, measured by this script in another process."""
    command = [sys.executable, __file__, "--json", "--budget", str(budget)]
    there = {**os.environ, "PYTHONPATH": checkout}
    ran = subprocess.run(command, env=there, capture_output=True, text=True, check=True)
    return {name: {int(n): v for n, v in costs.items()} for name, costs in json.loads(ran.stdout).items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", metavar="CHECKOUT", help="folder of another hoptim, for a second row")
    parser.add_argument("--budget", type=float, default=60.0, help="CPU seconds for one size")
    parser.add_argument("--json", action="store_true", help="print the numbers alone")
    arguments = parser.parse_args()
    if arguments.json:
        print(json.dumps(measure(arguments.budget)))
        return
    before = elsewhere(arguments.against, arguments.budget) if arguments.against else {}
    now = measure(arguments.budget)
    print(f"hoptim {hoptim.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores")
    print(f"load {os.getloadavg()[0]:.0f}; microseconds of CPU for a tell and an ask in memory")
    for name, (sizes, _) in _TABLES.items():
        print(f"\n{name:22}" + "".join(f"{size:>10}" for size in sizes) + "  exponent")
        for label, costs in (("before", before.get(name)), ("now", now[name])):
            if costs:
                cells = "".join(f"{costs[n]:10.0f}" if n in costs else f"{'-':>10}" for n in sizes)
                print(f"  {label:20}{cells}{exponent(costs):10.2f}")


if __name__ == "__main__":
    main()
