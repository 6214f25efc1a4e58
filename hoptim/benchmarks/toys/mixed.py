"""A function of all kinds of hyperparameters that depend on each other, with many local minima.

Nothing is trained. The loss is a sum of terms that are at least 0, and all are 0 at one point only. The
difficulties: each optimizer has a different best learning rate; three pairs of activation and normalisation
cannot be improved by changing only one of the two; a wider network must be shallower at the same time;
whole numbers cost something until they are exactly right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

import hoptim
from hoptim.benchmarks.benchmark import Benchmark, BenchmarkResult
from hoptim.benchmarks.runner import Progress, run_tasks
from hoptim.benchmarks.tables import aligned, document
from hoptim.benchmarks.toys.function import FunctionOptions

SPACE: dict[str, hoptim.Dimension] = {
    "lr": hoptim.Float(1e-4, 1.0, log=True),
    "dropout": hoptim.Float(0.0, 0.9),
    "batch": hoptim.Int(8, 512, log=True),
    "layers": hoptim.Int(1, 8),
    "width": hoptim.Ordinal([64, 128, 256]),
    "optimizer": hoptim.Choice(["sgd", "momentum", "adam", "rmsprop"]),
    "activation": hoptim.Choice(["relu", "gelu", "tanh"]),
    "norm": hoptim.Choice(["none", "batch", "layer"]),
}
MINIMUM: dict[str, Any] = {
    "lr": 10**-0.85, "dropout": 0.5, "batch": 128, "layers": 5, "width": 128,
    "optimizer": "sgd", "activation": "relu", "norm": "batch",
}  # fmt: skip
LISTED = [name for name, dim in SPACE.items() if isinstance(dim, (hoptim.Choice, hoptim.Ordinal))]
SMALLEST = 1e-12  # a lower loss differs by rounding alone

_RATE = {  # per optimizer: best log10 learning rate at a batch of 64, cost of a miss, cost of the optimizer
    "sgd": (-1.0, 0.5, 0.0),
    "momentum": (-1.5, 0.5, 0.05),
    "adam": (-2.5, 0.2, 0.15),
    "rmsprop": (-3.0, 0.3, 0.2),
}
_PAIR = {
    "relu": {"none": 0.4, "batch": 0.0, "layer": 0.15},
    "gelu": {"none": 0.5, "batch": 0.2, "layer": 0.05},
    "tanh": {"none": 0.1, "batch": 0.3, "layer": 0.25},
}
_BATCH = {"none": 16, "batch": 128, "layer": 32}  # the best batch, by normalisation
_DEPTH = {64: (7, 0.1), 128: (5, 0.0), 256: (3, 0.05)}  # per width: best number of layers, cost of width


def loss(params: Mapping[str, Any]) -> float:
    """Return the loss of hyperparameters: 0 at `MINIMUM`, above 0 elsewhere."""
    rate, sharpness, cost = _RATE[params["optimizer"]]
    best_rate = rate + 0.15 * math.log2(params["batch"] / 64)
    depth, width_cost = _DEPTH[params["width"]]
    return float(
        sharpness * (math.log10(params["lr"]) - best_rate) ** 2
        + 2 * (params["dropout"] - 0.1 * params["layers"]) ** 2
        + 0.015 * math.log2(params["batch"] / _BATCH[params["norm"]]) ** 2
        + 0.02 * (params["layers"] - depth) ** 2
        + cost + width_cost + _PAIR[params["activation"]][params["norm"]]
    )  # fmt: skip


CONTENDERS: dict[str, hoptim.Optimizer] = {
    "ROMUL": hoptim.ROMUL(),
    "Truncation Selection": hoptim.TruncationSelection(),
    "Initiator": hoptim.Initiator(),
    "random draws": hoptim.RandomSearch(length=1),
}


@dataclass(frozen=True)
class MixedRun:
    """The result of one study.

    Attributes:
        last: Lowest of the members' last losses, which is what PBT delivers.
        ever: Lowest loss of the run.
        params: Hyperparameters of `last`.
    """

    last: float
    ever: float
    params: dict[str, Any]

    @property
    def right(self) -> int:
        """Return the number of hyperparameters with listed values that have the best one."""
        return sum(self.params[name] == MINIMUM[name] for name in LISTED)


@dataclass(frozen=True)
class MixedRow:
    """All runs of one optimizer.

    Attributes:
        name: Name in tables.
        runs: Runs in the order of their seeds.
    """

    name: str
    runs: tuple[MixedRun, ...]

    @property
    def solved(self) -> int:
        """Return the number of runs whose result has all the best listed values."""
        return sum(run.right == len(LISTED) for run in self.runs)


def measure(
    options: FunctionOptions,
    progress: Progress | None = None,
    contenders: Mapping[str, hoptim.Optimizer] = CONTENDERS,
) -> list[MixedRow]:
    """Return a row for each optimizer; all have the same first trials.

    Args:
        options: Number and size of the runs.
        progress: Function called after each run. Default: None.
        contenders: Optimizers by name. Default: `CONTENDERS`.
    """
    tasks = {
        (name, seed): partial(_run, name, contenders[name], seed, options)
        for name, seed in product(contenders, options.seeds)
    }
    done = run_tasks(tasks, options.workers, progress)
    return [MixedRow(name, tuple(done[name, seed] for seed in options.seeds)) for name in contenders]


def _run(name: str, optimizer: hoptim.Optimizer, seed: int, options: FunctionOptions) -> MixedRun:
    study = options.create_study(name.lower().replace(" ", "-"), seed, SPACE, optimizer)
    for trial in study:
        trial.tell(loss(trial.params))
    return MixedRun(study.best.value, study.best_ever.value, dict(study.best.params))


def table(rows: Sequence[MixedRow]) -> str:
    """Return a line for each optimizer: log10 of the last and of the lowest loss, and right values."""
    cells: list[Sequence[str]] = [
        ("", "last step's", "", "best of", "", "right of", ""),
        ("", "best", "error", "the run", "error", str(len(LISTED)), "solved"),
    ]
    for row in rows:
        last, ever = ([getattr(run, kind) for run in row.runs] for kind in ("last", "ever"))
        right = float(np.mean([run.right for run in row.runs]))
        numbers = (*_log_mean(last), *_log_mean(ever), right)
        cells.append((row.name, *map("{:.3f}".format, numbers), f"{row.solved}/{len(row.runs)}"))
    return aligned(cells)


def _to_json(row: MixedRow) -> dict[str, Any]:
    return {"name": row.name, "runs": [asdict(run) for run in row.runs]}


def _log_mean(losses: Sequence[float]) -> tuple[float, float]:
    """Return the mean of log10 of the losses and its standard error."""
    logs = np.log10(np.maximum(losses, SMALLEST))
    return float(logs.mean()), float(logs.std(ddof=1) / np.sqrt(len(logs)))


def run(options: FunctionOptions, progress: Progress | None = None) -> BenchmarkResult:
    """Measure all contenders."""
    rows = measure(options, progress)
    text = f"Mixed space, log10 of the final loss: {options.summary}\n\n{table(rows)}"
    return BenchmarkResult(text, document(options, rows=[_to_json(row) for row in rows]))


MIXED = Benchmark(
    name="mixed",
    summary="a function of floats, whole numbers and choices that depend on each other",
    description="Measures which optimizers find the best categories, and how close they come to the "
    "minimum, in a space of all kinds of hyperparameters.",
    options=FunctionOptions,
    run=run,
    json="write the table and each run's final loss to FILE",
)
