"""The table of the language study beside other packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hoptim.benchmarks.scores import mean_interval
from hoptim.benchmarks.tables import aligned, mean_and_spread

Run = Mapping[str, Any]  # of one method with one seed

REFERENCE = "hoptim ROMUL"  # all others are compared with it
PARTS = ("validation", "test")
_COSTS = ("alone", "wall s", "trained s", "overhead s", "MB", "intervals")
_NOTE = f"""Perplexities are means over the runs, in brackets standard deviations; then the mean difference
from the run of {REFERENCE} with the same seed, with its 95 % confidence interval (Student's t).
Such runs share first hyperparameters, first weights and the seeds of dropout; the order in which workers
report, on which all else depends, differs from run to run.
Medians of a run that had the machine to itself, of which "alone" is the number: wall, seconds from the
start of its first process to the end of its last; trained, seconds of the processor in training and
validation, by all processes together; overhead, wall less trained divided by the cores; MB, what is kept
at the end; intervals, those that were trained."""


def table(document: Mapping[str, Any]) -> str:
    """Return results as text.

    Args:
        document: The size of the runs, "members", "steps" and "cores", and the "runs", in any order.
    """
    runs: Sequence[Run] = document["runs"]
    names = dict.fromkeys(run["method"] for run in runs)
    seeds = sorted({run["seed"] for run in runs})
    differences = [f"{part} - {REFERENCE.removeprefix('hoptim ')}'s" for part in PARTS]
    cells = [["perplexity", "runs", *PARTS, *differences, *_COSTS]]
    cells += [_line(name, runs, document["cores"]) for name in names]
    known = {f"{package} {version}" for run in runs for package, version in run.get("versions", {}).items()}
    return (
        f"language: seeds {seeds[0]} to {seeds[-1]}, {document['members']} members, "
        f"{document['steps']} intervals, {document['cores']} cores\n"
        f"{', '.join(sorted(known))}\n\n{aligned(cells)}\n{_failures(runs)}\n{_NOTE}\n"
    )


def _line(method: str, runs: Sequence[Run], cores: int) -> list[str]:
    own = {run["seed"]: run for run in runs if run["method"] == method and "cannot" not in run}
    reference = {run["seed"]: run for run in runs if run["method"] == REFERENCE and "cannot" not in run}
    if not own:
        return [method, "0", *[""] * (2 * len(PARTS) + len(_COSTS))]
    line = [method, str(len(own))]
    for part in PARTS:
        values = [run[part] for run in own.values()]
        line.append(mean_and_spread(float(np.mean(values)), float(np.std(values))))
    for part in PARTS:
        pairs = [run[part] - reference[seed][part] for seed, run in own.items() if seed in reference]
        line.append(_difference(pairs) if method != REFERENCE and len(pairs) > 1 else "")
    alone = [run for run in own.values() if not run.get("beside")]
    line.append(str(len(alone)))
    if not alone:
        return [*line, *[""] * (len(_COSTS) - 1)]
    costs = [
        (run["wall"], run["training"], run["wall"] - run["training"] / cores, run["bytes"] / 1e6)
        for run in alone
    ]
    line += [f"{median:.1f}" for median in np.median(costs, axis=0)]
    return [*line, f"{np.median([run['intervals'] for run in alone]):.0f}"]


def _difference(pairs: Sequence[float]) -> str:
    mean, low, high = mean_interval(pairs)
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"


def _failures(runs: Sequence[Run]) -> str:
    """Return a line for each run without a result."""
    return "".join(
        f"{run['method']}, seed {run['seed']}: {run['cannot']}\n" for run in runs if "cannot" in run
    )
