"""The effect of each part of `hoptim.Patient`, and of other settings, on the horizon problems.

    python benchmarks/patience.py > benchmarks/results/patience.txt
    python benchmarks/patience.py --short > benchmarks/results/patience_short.txt

Every variant decides after every step of the noisy quadratic and every epoch of the digits, and every ten
steps of the deceptive toy, whose single steps would take long. With `--short` runs have 15 to 25 trials,
where a period has two and its early loss comes after half of it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

import hoptim
from hoptim.benchmarks.problem import TrainingProblem, train
from hoptim.benchmarks.runner import run_tasks
from hoptim.benchmarks.tables import aligned, versions
from hoptim.benchmarks.toys.deceptive import Deceptive
from hoptim.benchmarks.toys.jaderberg import Jaderberg
from hoptim.benchmarks.toys.moving import Wave
from hoptim.benchmarks.toys.quadratic import NoisyQuadratic
from hoptim.benchmarks.toys.regularisation import Regularisation

PROBLEMS: tuple[tuple[TrainingProblem, int], ...] = (
    (NoisyQuadratic(), 1),
    (Deceptive(), 10),
    (Regularisation(), 1),
)
SHORT: tuple[tuple[TrainingProblem, int], ...] = (
    *((NoisyQuadratic(), interval) for interval in (12, 15, 20)),
    *((Deceptive(), interval) for interval in (40, 50)),
    *((Regularisation(), interval) for interval in (3, 4)),
    (Jaderberg(), 5),
    (Wave(), 5),
)
SHORT_VARIANTS = ("Patient(ROMUL)", "without what lasts", "ROMUL")


@dataclass(frozen=True)
class Blind(hoptim.Patient):
    """`Patient` that compares losses without adjusting them."""

    def _adjusted(self, view: hoptim.View, row: int, left: int) -> hoptim.Population:
        return view.population


@dataclass(frozen=True)
class Even(hoptim.Patient):
    """`Patient` whose periods are never shorter towards the end."""

    def _decides(self, done: int, steps: int) -> bool:
        return done % self._period(steps) == 0


VARIANTS: Mapping[str, hoptim.Optimizer] = {
    "Patient(ROMUL)": hoptim.Patient(),
    "without what lasts": Blind(),
    "without closer decisions at the end": Even(),
    **{f"{n} decisions": hoptim.Patient(decisions=n) for n in (6, 8, 12, 14, 20)},
    "Patient(TruncationSelection)": hoptim.Patient(hoptim.TruncationSelection()),
    "Patient(Initiator)": hoptim.Patient(hoptim.Initiator()),
    "MultiFrequency": hoptim.MultiFrequency(),
    "MultiFrequency of 1, 5, 25, 100": hoptim.MultiFrequency((1, 5, 25, 100)),
    "ROMUL": hoptim.ROMUL(),
}


def final(task: tuple[int, str, int]) -> float:
    """Return the final loss of a problem, variant and seed."""
    number, name, seed = task
    problem, interval = (*PROBLEMS, *SHORT)[number]
    return train(problem, VARIANTS[name], interval=interval, seed=seed).final


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20, help="seeds 0, 1, ... (default: 20)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--short", action="store_true", help="runs of 15 to 25 trials")
    options = parser.parse_args()
    variants = SHORT_VARIANTS if options.short else tuple(VARIANTS)
    count = len(PROBLEMS)
    numbers = range(count, count + len(SHORT)) if options.short else range(count)
    seeds = range(options.runs)
    tasks = [(i, name, seed) for name in variants for i in numbers for seed in seeds]
    done = run_tasks({task: partial(final, task) for task in tasks}, options.workers)
    finals = np.array([*done.values()]).reshape(len(variants), len(numbers), -1)
    cell = partial("{:.4f} ({:.4f})".format)
    problems = SHORT if options.short else PROBLEMS
    head = ["", *(f"{problem.name}, every {interval}" for problem, interval in problems)]
    rows = [
        [name, *(cell(runs.mean(), runs.std()) for runs in found)]
        for name, found in zip(variants, finals, strict=True)
    ]
    cells = [*zip(head, *rows, strict=True)] if options.short else [head, *rows]
    print(f"Final losses, means and standard deviations of {options.runs} runs (seeds from 0)")
    print(", ".join(f"{name} {version}" for name, version in versions().items()), end="\n\n")
    print(aligned(cells))


if __name__ == "__main__":
    main()
