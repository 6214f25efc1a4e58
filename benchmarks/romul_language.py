"""ROMUL's settings, and keeping the best members' hyperparameters, on the language study.

    python benchmarks/romul_language.py --workers 2 benchmarks/results/romul_language.jsonl

Each variant has one thing changed. All train the small study's 16 members with the same seeds, which no
other result has, and the same first hyperparameters as ROMUL as it is. `keep n` continues the n best
members with their own hyperparameters too, not with a step from them. A difference below 0 is better.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import hoptim
from hoptim.benchmarks.runner import run_tasks
from hoptim.benchmarks.scores import mean_interval
from hoptim.benchmarks.studies.language_options import LanguageOptions
from hoptim.benchmarks.studies.study_run import run_study
from hoptim.benchmarks.tables import aligned, mean_and_spread, versions

_MEMBERS = 16
_PARTS = ("validation", "test")

Floats = NDArray[np.float64]
Run = tuple[str, int]  # variant and seed


@dataclass(frozen=True)
class Keeping(hoptim.ROMUL):
    """ROMUL whose best `keep` members continue as they are."""

    keep: int = 1

    def propose(self, view: hoptim.View, member: int, rng: np.random.Generator) -> hoptim.Proposal:
        """Return the member's own trial if it is among the best, and ROMUL's proposal if not."""
        population, row = view.population, view.population.row(member)
        if row is None or row not in population.ranking[: self.keep]:
            return super().propose(view, member, rng)
        return hoptim.Proposal(population.number.item(row), population.x[row], population.memo[row])


PLAIN = "as it is"
VARIANTS: Mapping[str, hoptim.Optimizer] = {
    PLAIN: hoptim.ROMUL(),
    **{f"keep {n}": Keeping(keep=n) for n in (1, 2, 4)},
    **{f"step {step}": hoptim.ROMUL(step=step) for step in (0.05, 0.2)},
    **{f"rate log {factor}": hoptim.ROMUL(rate=math.log(factor)) for factor in (1.1, 1.44)},
    **{f"fraction {share}": hoptim.ROMUL(fraction=share) for share in (0.125, 0.5)},
}


def main() -> None:
    """Measure what the file lacks, and print everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=8, help="runs of each variant, at least 2")
    parser.add_argument("--seed", type=int, default=400, help="of the first run")
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), choices=list(VARIANTS), metavar="NAME")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument(
        "file", type=Path, help="a line of JSON for each run; those that are there are kept"
    )
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.runs)
    names = [name for name in VARIANTS if name in {PLAIN, *options.only}]
    runs = [(name, seed) for seed in seeds for name in names]
    held = read(options.file)
    if lacking := [run for run in runs if run not in held]:
        run_tasks({run: partial(measure, *run, options.file) for run in lacking}, options.workers)
    found = read(options.file)
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    print(f"Perplexities, small language study: {options.runs} runs (seeds {seeds[0]} to {seeds[-1]})")
    print(f"{_MEMBERS} members, {used}\n")
    print(table({name: np.array([found[name, seed] for seed in seeds]) for name in names}))


def measure(name: str, seed: int, file: Path) -> None:
    """Append what the delivered model of a variant's run measures on each part."""
    run = run_study(LanguageOptions().training, VARIANTS[name], False, _MEMBERS, seed)
    line = {"variant": name, "seed": seed, **{part: getattr(run, part) for part in _PARTS}}
    with file.open("a", encoding="ascii") as lines:
        lines.write(json.dumps(line) + "\n")


def table(found: Mapping[str, Floats]) -> str:
    """Return means and deviations, and mean differences from ROMUL as it is with 95 % intervals.

    Args:
        found: Perplexities `(runs, 2)` by variant.
    """
    rows = [["ROMUL", *_PARTS, *(f"{part} - as it is" for part in _PARTS)]]
    for name, runs in found.items():
        spreads = zip(runs.mean(axis=0), runs.std(axis=0), strict=True)
        differences = (runs - found[PLAIN]).T.tolist()
        compared = ["", ""] if name == PLAIN else [_difference(each) for each in differences]
        rows.append([name, *(mean_and_spread(*each) for each in spreads), *compared])
    return aligned(rows)


def _difference(values: Sequence[float]) -> str:
    found = mean_interval(values)
    return f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def read(file: Path) -> dict[Run, list[float]]:
    """Return the perplexities on each part by variant and seed."""
    lines = map(json.loads, file.read_text(encoding="ascii").splitlines() if file.exists() else [])
    return {(line["variant"], line["seed"]): [line[part] for part in _PARTS] for line in lines}


if __name__ == "__main__":
    main()
