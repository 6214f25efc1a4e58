"""The CPU time of PB2's asks, in which it fits its model and chooses, after as many trials as there are.

16 members, 100 steps each, in one process and in memory. Members in step share a model, which one of them
fits; out of step each tell changes what is known. A study asks the same whenever it is run again, so an ask
counts with the shortest of its times. The first ask that needs scipy imports it, once in a process, and is
given apart.

    python benchmarks/pb2.py [--members 16] [--steps 100] [--repeats 3]
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import time

import hoptim

_HYPERPARAMETERS = (1, 2, 8)
_HAND = 8  # trials at once of members out of step


def asks(hyperparameters: int, members: int, steps: int, synchronous: bool) -> list[float]:
    """Return the milliseconds of each ask."""
    space = {f"x{i}": hoptim.Float(0.0, 1.0) for i in range(hyperparameters)}
    study = hoptim.Study(
        None, space=space, optimizer=hoptim.PB2(), size=members, steps=steps, mode="min", seed=0,
        synchronous=synchronous,
    )  # fmt: skip
    found: list[float] = []
    hand: list[hoptim.Trial] = []
    draws = random.Random(0)
    while not study.done:
        while len(hand) < (1 if synchronous else _HAND) and len(found) < members * steps:
            began = time.process_time()
            trial = _next(study)
            found.append(1e3 * (time.process_time() - began))
            if trial is None:
                found.pop()
                break
            hand.append(trial)
        trial = hand.pop(draws.randrange(len(hand)))
        trial.tell(sum((x - 0.3) ** 2 for x in trial.params.values()) + 0.1 * draws.random())
    return found


def _next(study: hoptim.Study) -> hoptim.Trial | None:
    """Return a trial; None if nothing is due before another one is told."""
    try:
        return study.ask(timeout=0)
    except hoptim.NothingDue:
        return None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=16, help="members of the study")
    parser.add_argument("--steps", type=int, default=100, help="trials of each member")
    parser.add_argument("--repeats", type=int, default=3, help="times that each study is run")
    arguments = parser.parse_args()
    began = time.process_time()
    import scipy.linalg
    import scipy.optimize  # noqa: F401 - to time it

    imported = 1e3 * (time.process_time() - began)
    print(f"hoptim {hoptim.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores")
    print(
        f"load {os.getloadavg()[0]:.0f}; {arguments.members} members, {arguments.steps} steps, "
        f"the shortest of {arguments.repeats} times"
    )
    print(f"scipy is imported in {imported:.0f} ms; asks in milliseconds of CPU\n")
    print(f"{'hyperparameters':34}{'mean':>8}{'median':>8}{'99 %':>8}{'largest':>8}")
    for synchronous in (True, False):
        for n in _HYPERPARAMETERS:
            study = (n, arguments.members, arguments.steps, synchronous)
            found = [*map(min, zip(*(asks(*study) for _ in range(arguments.repeats)), strict=True))]
            cuts = statistics.quantiles(found, n=100)
            label = f"{n}, {'in step' if synchronous else 'out of step'}"
            numbers = (statistics.mean(found), cuts[49], cuts[98], max(found))
            print(f"{label:34}" + "".join(f"{ms:8.1f}" for ms in numbers))


if __name__ == "__main__":
    main()
