"""The benchmark of the ROMUL paper: hyperparameters that are themselves a point on Rosenbrock's function.

Nothing is trained, so results show the search alone. The paper ('ROMUL: Scale Adaptative Population Based
Training', submitted to ICLR 2021) prints neither the starting point nor the sizes of its 'big' and 'small'
steps: those here are our reconstruction, chosen to fit its Table 3.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise, product
from typing import Any

import numpy as np

import hoptim
from hoptim.benchmarks.run_options import number
from hoptim.benchmarks.runner import Progress, run_tasks
from hoptim.benchmarks.scores import Floats, ScoreStatistics
from hoptim.benchmarks.toys.function import FunctionOptions

START = (0.8, 0.4)  # of the odd and of the even coordinates, the same for all members and runs
RANGE = (0.0, 2.0)


@dataclass(frozen=True)
class Published:
    """A row of the paper's Table 3: mean and standard deviation of log10 of the final loss."""

    mean: float
    std: float


@dataclass(frozen=True)
class Contender:
    """An optimizer with the settings of one row.

    Attributes:
        name: Name in the paper.
        folder: Short name, under which its studies are stored.
        optimizer: Optimizer with the row's settings.
        published: Row in the paper's Table 3.
    """

    name: str
    folder: str
    optimizer: hoptim.Optimizer
    published: Published


def _initiator(low: float, high: float) -> hoptim.Initiator:
    return hoptim.Initiator(factors=(low, high), resample=0.0)


INITIATOR = Contender(
    "Initiator (0.8/1.2 mult. steps)", "initiator", _initiator(0.8, 1.2), Published(-1.18, 0.045)
)
ROMUL = Contender("ROMUL", "romul", hoptim.ROMUL(), Published(-2.101, 0.678))
TRUNCATION = Contender(
    "Truncation Selection",
    "truncation",
    hoptim.TruncationSelection(fraction=0.2, factors=(0.8, 1.2), resample=0.0),
    Published(-0.834, 0.327),
)
TABLE3 = (
    INITIATOR,
    Contender("Initiator (big steps)", "initiator-big", _initiator(0.65, 1.35), Published(-0.707, 0.069)),
    Contender(
        "Initiator (small steps)", "initiator-small", _initiator(0.85, 1.15), Published(-0.992, 0.143)
    ),
    ROMUL,
    TRUNCATION,
)
FIGURE3 = (ROMUL, TRUNCATION, INITIATOR)


@dataclass(frozen=True)
class RosenbrockOptions(FunctionOptions):
    """The options of `measure`.

    Args:
        dims: Numbers of dimensions of Figure 3, each at least 2. Default: None, which measures Table 3.

    Raises:
        ArgumentError: A number below its minimum, or an empty `dims`.
    """

    dims: Sequence[int] | None = field(
        default=None, metadata=number("measure Figure 3 instead, in N dimensions each", nargs="+")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dims is not None and min(self.dims, default=0) < 2:
            raise hoptim.ArgumentError(
                f"dims must be whole numbers of at least 2, found {list(self.dims)}."
            )


@dataclass(frozen=True, eq=False)
class RosenbrockRun:
    """The result of one study.

    Attributes:
        best: Lowest loss so far, by step `(steps,)`.
        point: Point of the lowest loss `(n,)`.
        lineage: Points `(length, n)` of the winner's ancestors and, last, its own; the winner is the best
            of the members' last trials.
    """

    best: Floats
    point: Floats
    lineage: Floats


@dataclass(frozen=True, eq=False)
class RosenbrockRow(ScoreStatistics):
    """All runs of one contender in one number of dimensions.

    Attributes:
        name: Name of the contender in the paper.
        dims: Number of dimensions.
        runs: Runs in the order of their seeds.
        p_value: p of Welch's test against ROMUL; None for ROMUL itself, and if no run differs from another.
        published: Row in the paper's Table 3; None in Figure 3, for which the paper prints no numbers.
    """

    name: str
    dims: int
    runs: tuple[RosenbrockRun, ...]
    p_value: float | None
    published: Published | None

    @property
    def final_losses(self) -> list[float]:
        """Return the lowest loss of each run."""
        return [float(run.best[-1]) for run in self.runs]

    @property
    def scores(self) -> list[float]:
        """Return log10 of the final loss of each run."""
        return _log_losses(self.runs)


def loss(x: Iterable[Any]) -> Any:
    """Return Rosenbrock's function of coordinates, each a number or an array; 0 at (1, ..., 1)."""
    return sum((1 - a) ** 2 + 100 * (b - a * a) ** 2 for a, b in pairwise(x))


def measure(options: RosenbrockOptions, progress: Progress | None = None) -> list[RosenbrockRow]:
    """Return the five rows of Table 3, or three rows of Figure 3 for each number of dimensions.

    Args:
        options: Number and size of the runs.
        progress: Function called after each run. Default: None.
    """
    contenders, dims = (TABLE3, [2]) if options.dims is None else (FIGURE3, sorted(set(options.dims)))
    tasks = {
        (n, contender.name, seed): partial(_run, contender, n, seed, options)
        for n, contender, seed in product(dims, contenders, options.seeds)
    }
    done = run_tasks(tasks, options.workers, progress)
    rows = []
    for n, contender in product(dims, contenders):
        runs, romul = (
            tuple(done[n, name, seed] for seed in options.seeds) for name in (contender.name, ROMUL.name)
        )
        p = None if contender is ROMUL else _welch(_log_losses(runs), _log_losses(romul))
        published = contender.published if options.dims is None else None
        rows.append(RosenbrockRow(contender.name, n, runs, p, published))
    return rows


def _run(contender: Contender, n: int, seed: int, options: RosenbrockOptions) -> RosenbrockRun:
    folder = contender.folder if n == 2 else f"{contender.folder}-{n}"
    space = {f"x{i + 1}": hoptim.Float(*RANGE, init=START[i % 2]) for i in range(n)}
    study = options.create_study(folder, seed, space, contender.optimizer)
    for trial in study:
        trial.tell(loss(trial.params.values()))
    finished = {trial.number: trial for trial in study.trials}
    best = np.full(options.steps, np.inf)
    for ended in finished.values():
        best[ended.step] = min(best[ended.step], ended.value)
    line = [study.best]
    while line[-1].parent is not None:
        line.append(finished[line[-1].parent])
    point, *lineage = (np.array(list(t.params.values())) for t in (study.best_ever, *reversed(line)))
    return RosenbrockRun(np.minimum.accumulate(best), point, np.array(lineage))


def _welch(scores: Sequence[float], others: Sequence[float]) -> float | None:
    """Return p of Welch's test that two means are equal; None if no score differs from another."""
    from scipy.stats import ttest_ind  # slow to import, and only needed after the runs

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scores that all agree have no variance
        p = float(ttest_ind(scores, others, equal_var=False).pvalue)
    return None if np.isnan(p) else p


def _log_losses(runs: Sequence[RosenbrockRun]) -> list[float]:
    return [float(log) for log in np.log10([run.best[-1] for run in runs])]
