"""The time of Table 3 of the ROMUL paper through the public API: 100 studies in memory, 160,000 trials.

`python -m hoptim.benchmarks rosenbrock` is run from its start to its end, on all cores. With `--against`,
another checkout is measured in turns with this one, and ratios are this one's to its, medians over the
rounds with minimum and maximum.

    python benchmarks/table_3.py [--against CHECKOUT] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from costs.fleet import HOPTIM
from costs.machine import ROOT, commit, header, spread

from hoptim.benchmarks.tables import aligned

_COMMAND = ("-m", "hoptim.benchmarks", "rosenbrock")


class Seconds(NamedTuple):
    """What the command took: on the clock, and of the processor."""

    wall: float
    cpu: float


def measure(checkout: Path) -> Seconds:
    """Return what the command took, with all its processes."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *_COMMAND], env=environment, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Seconds(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def row(name: str, times: Sequence[Seconds], ours: Sequence[Seconds]) -> list[str]:
    """Return the row of a checkout: medians, and ratios of this checkout's times to its."""
    pairs = [*zip(ours, times, strict=True)]
    return [
        name,
        f"{statistics.median(each.wall for each in times):.1f}",
        f"{statistics.median(each.cpu for each in times):.1f}",
        spread([one.wall / other.wall for one, other in pairs]),
        spread([one.cpu / other.cpu for one, other in pairs]),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="repeats; medians are printed")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="measure another checkout besides")
    asked = parser.parse_args(arguments)
    checkouts = [ROOT, *([asked.against] if asked.against else [])]
    found: dict[Path, list[Seconds]] = {checkout: [] for checkout in checkouts}
    print(header(Path(tempfile.gettempdir())))
    for _ in range(asked.rounds):
        for checkout in checkouts:
            found[checkout].append(measure(checkout))
    rows = [row(f"{HOPTIM} at {commit(checkout)}", times, found[ROOT]) for checkout, times in found.items()]
    print(aligned([["Table 3", "s", "CPU s", "s, ours / its", "CPU s, ours / its"], *rows]))


if __name__ == "__main__":
    main()
