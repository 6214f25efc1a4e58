"""The testbed of the ROMUL paper: hyperparameters that are themselves a point on Rosenbrock's function.

Nothing is trained, so that only the search shows. The paper prints neither the start nor the sizes
of its 'big' and 'small' steps: the ones here are our reconstruction, chosen to fit its Table 3.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hoptim
from hoptim.benchmarks.run_options import RunOptions
from hoptim.benchmarks.spread import Progress, spread

START = (0.8, 0.4)  # of the odd and of the even coordinates, the same for all members and runs
RANGE = (0.0, 2.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Published:
    """A row as the paper prints it: mean and standard deviation of log10 of the final loss."""

    mean: float
    std: float


@dataclass(frozen=True)
class Contender:
    """An optimizer with the settings of one row.

    Attributes:
        name: What the paper calls it.
        folder: Its short name, under which its studies are stored.
        optimizer: The optimizer.
        published: Its row in the paper's Table 3.
    """

    name: str
    folder: str
    optimizer: hoptim.Optimizer
    published: Published


def _initiator(low: float, high: float) -> hoptim.Initiator:
    return hoptim.Initiator(factors=(low, high), resample=0.0)


# The published figures are from Table 3 of 'ROMUL: Scale Adaptative Population Based Training',
# submitted to ICLR 2021.
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
class Setup(RunOptions):
    """How much is run, and where.

    Args:
        runs: Runs of each row, one seed each; at least 2, for there is a spread to tell.
        steps: Steps of each member.
        members: Members of each population.
        seed: Seed of the first run; the others follow.
        workers: Processes; more than 1 need a script with the usual `if __name__ == "__main__"`.
        store: A directory that keeps all studies; None keeps them in memory.

    Raises:
        ArgumentError: A number below its least.
    """

    runs: int = 20
    steps: int = 100
    members: int = 16
    seed: int = 0
    workers: int = 1
    store: str | None = None

    def __post_init__(self) -> None:
        self.check(runs=2, steps=1, members=1, seed=0, workers=1)


@dataclass(frozen=True, eq=False)
class Run:
    """What one study came to.

    Attributes:
        best: Best loss so far, by step `(steps,)`.
        point: Where the best loss of all was found `(n,)`.
        lineage: Points `(length, n)` of the winner's ancestors and at last its own; the winner is
            the best of the members' last trials.
    """

    best: Floats
    point: Floats
    lineage: Floats


@dataclass(frozen=True, eq=False)
class Row:
    """All runs of one contender in one number of dimensions.

    Attributes:
        name: What the paper calls the contender.
        dims: Number of dimensions.
        runs: Its runs, in the order of their seeds.
        p_value: Welch's against ROMUL; None for ROMUL itself, and where no run differs from another.
        published: What the paper prints for this row, None where it prints nothing.
    """

    name: str
    dims: int
    runs: tuple[Run, ...]
    p_value: float | None
    published: Published | None

    @property
    def final_losses(self) -> list[float]:
        """The best loss of each run."""
        return [float(run.best[-1]) for run in self.runs]

    @property
    def mean(self) -> float:
        """Mean of log10 of the final losses."""
        return float(_logs(self.runs).mean())

    @property
    def std(self) -> float:
        """Population standard deviation of log10 of the final losses."""
        return float(_logs(self.runs).std())

    @property
    def standard_error(self) -> float:
        """Of the mean."""
        return self.std / float(np.sqrt(len(self.runs) - 1))


def loss(x: Iterable[Any]) -> Any:
    """Rosenbrock's function of coordinates, each a number or an array; 0 at (1, ..., 1)."""
    return sum((1 - a) ** 2 + 100 * (b - a * a) ** 2 for a, b in pairwise(x))


def table3(setup: Setup, progress: Progress | None = None) -> list[Row]:
    """The five rows of the paper's Table 3.

    Args:
        setup: How much is run, and where.
        progress: Called with the number of runs done and of all runs.
    """
    return _rows(TABLE3, [2], setup, progress)


def figure3(dims: Sequence[int], setup: Setup, progress: Progress | None = None) -> list[Row]:
    """The paper's Figure 3: three contenders in several numbers of dimensions.

    Args:
        dims: Numbers of dimensions, each at least 2.
        setup: How much is run, and where.
        progress: Called with the number of runs done and of all runs.

    Raises:
        ArgumentError: Fewer than 2 dimensions, or none given.
    """
    if not dims or min(dims) < 2:
        raise hoptim.ArgumentError(f"dims must be whole numbers of at least 2, found {list(dims)}.")
    return [replace(row, published=None) for row in _rows(FIGURE3, sorted(set(dims)), setup, progress)]


def _rows(
    contenders: Sequence[Contender], dims: Sequence[int], setup: Setup, progress: Progress | None
) -> list[Row]:
    tasks = [(contender, n, seed, setup) for n in dims for contender in contenders for seed in setup.seeds]
    runs = iter(spread(_play, tasks, setup.workers, progress))
    rows = []
    for n in dims:
        played = {contender: tuple(islice(runs, setup.runs)) for contender in contenders}
        for contender, own in played.items():
            p = None if contender is ROMUL else _welch(own, played[ROMUL])
            rows.append(Row(contender.name, n, own, p, contender.published))
    return rows


def _play(task: tuple[Contender, int, int, Setup]) -> Run:
    contender, n, seed, setup = task
    folder = contender.folder if n == 2 else f"{contender.folder}-{n}"
    study = hoptim.Study(
        setup.store and Path(setup.store, folder, str(seed)),
        space={f"x{i + 1}": hoptim.Float(*RANGE, init=START[i % 2]) for i in range(n)},
        optimizer=contender.optimizer,
        size=setup.members,
        steps=setup.steps,
        mode="min",
        seed=seed,
        synchronous=True,
    )
    for trial in study:
        trial.tell(loss(trial.params.values()))
    finished = {trial.number: trial for trial in study.trials}
    best = np.full(setup.steps, np.inf)
    for ended in finished.values():
        best[ended.step] = min(best[ended.step], ended.value)
    line = [study.best]
    while line[-1].parent is not None:
        line.append(finished[line[-1].parent])
    point, *lineage = (np.array(list(t.params.values())) for t in (study.best_ever, *reversed(line)))
    return Run(np.minimum.accumulate(best), point, np.array(lineage))


def _welch(runs: Sequence[Run], others: Sequence[Run]) -> float | None:
    from scipy.stats import ttest_ind  # slow to import, and a table is all that needs it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row whose runs all agree has no variance
        p = float(ttest_ind(_logs(runs), _logs(others), equal_var=False).pvalue)
    return None if np.isnan(p) else p


def _logs(runs: Sequence[Run]) -> Floats:
    return np.log10([run.best[-1] for run in runs])
