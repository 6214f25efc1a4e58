"""The effect of each part of `hoptim.Patient`, and of other settings, on the horizon problems.

    python benchmarks/patience.py > benchmarks/results/patience.txt

Every variant decides after every step of the noisy quadratic and every epoch of the digits, and every ten
steps of the deceptive toy, whose single steps would take long.
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
from hoptim.benchmarks.toys.quadratic import NoisyQuadratic
from hoptim.benchmarks.toys.regularisation import Regularisation

PROBLEMS: tuple[tuple[TrainingProblem, int], ...] = (
    (NoisyQuadratic(), 1),
    (Deceptive(), 10),
    (Regularisation(), 1),
)


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
    problem, interval = PROBLEMS[number]
    return train(problem, VARIANTS[name], interval=interval, seed=seed).final


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20, help="seeds 0, 1, ... (default: 20)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args()
    seeds = range(options.runs)
    tasks = [(i, name, seed) for name in VARIANTS for i in range(len(PROBLEMS)) for seed in seeds]
    done = run_tasks({task: partial(final, task) for task in tasks}, options.workers)
    finals = np.array([*done.values()]).reshape(len(VARIANTS), len(PROBLEMS), -1)
    cell = partial("{:.4f} ({:.4f})".format)
    head = ["", *(f"{problem.name}, every {interval}" for problem, interval in PROBLEMS)]
    rows = [
        [name, *(cell(runs.mean(), runs.std()) for runs in found)]
        for name, found in zip(VARIANTS, finals, strict=True)
    ]
    print(f"Final losses, means and standard deviations of {options.runs} runs (seeds from 0)")
    print(", ".join(f"{name} {version}" for name, version in versions().items()), end="\n\n")
    print(aligned([head, *rows]))


if __name__ == "__main__":
    main()
