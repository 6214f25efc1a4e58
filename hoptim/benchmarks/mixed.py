"""A function of all kinds of hyperparameters that depend on each other, with many local minima.

Nothing is trained. The loss is a sum of terms that are at least 0, and all are 0 at one point only. What it
asks of a search: each optimizer has its best learning rate elsewhere; three pairs of activation and
normalisation cannot be left for a better one by changing one of the two; a wider network must be shallower
at the same time; whole numbers must be hit exactly before what they cost is gone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hoptim
from hoptim.benchmarks.report import aligned
from hoptim.benchmarks.rosenbrock import Setup
from hoptim.benchmarks.spread import Progress, spread

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
SMALLEST = 1e-12  # a lower loss is as good: rounding

Floats = NDArray[np.float64]

_RATE = {  # per optimizer: best log10 learning rate at a batch of 64, how much a miss costs, its own cost
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
_DEPTH = {64: (7, 0.1), 128: (5, 0.0), 256: (3, 0.05)}  # per width: best number of layers, its own cost


def loss(params: Mapping[str, Any]) -> float:
    """How far hyperparameters are from the best ones: 0 at `MINIMUM`, above 0 elsewhere."""
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
class Found:
    """What one run came to.

    Attributes:
        last: The best of the members' last losses: what PBT delivers.
        ever: The lowest loss of the run.
        params: The hyperparameters of `last`.
    """

    last: float
    ever: float
    params: dict[str, Any]

    @property
    def right(self) -> int:
        """How many of the hyperparameters without a scale between their values are the best ones."""
        return sum(self.params[name] == MINIMUM[name] for name in LISTED)


@dataclass(frozen=True)
class Row:
    """All runs of one optimizer.

    Attributes:
        name: What tables call it.
        runs: Its runs, in the order of their seeds.
    """

    name: str
    runs: tuple[Found, ...]

    @property
    def solved(self) -> int:
        """Runs whose result has the best of everything that is listed, so that only numbers are off."""
        return sum(run.right == len(LISTED) for run in self.runs)


def measure(
    setup: Setup, progress: Progress | None = None, contenders: Mapping[str, hoptim.Optimizer] = CONTENDERS
) -> list[Row]:
    """A row for each optimizer; all have the same first trials.

    Args:
        setup: How much is run, and where.
        progress: Called with the number of runs done and of all runs.
        contenders: Optimizers by name.
    """
    tasks = [
        (name, optimizer, seed, setup) for name, optimizer in contenders.items() for seed in setup.seeds
    ]
    runs = spread(_play, tasks, setup.workers, progress)
    each = [tuple(runs[i : i + setup.runs]) for i in range(0, len(runs), setup.runs)]
    return [Row(name, own) for name, own in zip(contenders, each, strict=True)]


def _play(task: tuple[str, hoptim.Optimizer, int, Setup]) -> Found:
    name, optimizer, seed, setup = task
    study = hoptim.Study(
        setup.store and Path(setup.store, name.lower().replace(" ", "-"), str(seed)),
        space=SPACE, optimizer=optimizer, size=setup.members, steps=setup.steps, mode="min",
        seed=seed, synchronous=True,
    )  # fmt: skip
    for trial in study:
        trial.tell(loss(trial.params))
    return Found(study.best.value, study.best_ever.value, dict(study.best.params))


def table(rows: Sequence[Row]) -> str:
    """One line for each optimizer: log10 of the last and of the lowest loss, and what was found."""
    cells: list[Sequence[str]] = [
        ("", "last step's", "", "best of", "", "right of", ""),
        ("", "best", "error", "the run", "error", str(len(LISTED)), "solved"),
    ]
    for row in rows:
        last, ever = (_logs(getattr(run, kind) for run in row.runs) for kind in ("last", "ever"))
        right = float(np.mean([run.right for run in row.runs]))
        figures = (*_mean(last), *_mean(ever), right)
        cells.append((row.name, *map("{:.3f}".format, figures), f"{row.solved}/{len(row.runs)}"))
    return aligned(cells)


def to_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows with each run's figures."""
    return [{"name": row.name, "runs": [asdict(run) for run in row.runs]} for row in rows]


def _logs(losses: Iterable[float]) -> Floats:
    return np.log10(np.maximum(list(losses), SMALLEST))


def _mean(values: Floats) -> tuple[float, float]:
    """Mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
