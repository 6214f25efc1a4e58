"""The horizon benchmark: final losses by method and interval between decisions, on three problems.

On each of them the best hyperparameters for the next steps are bad ones in the end, so greedy methods lose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, product
from operator import attrgetter
from typing import Any, NamedTuple

import hoptim
from hoptim.benchmarks.problem import TrainedPopulation, TrainingProblem, train
from hoptim.benchmarks.run_options import RunOptions, number
from hoptim.benchmarks.runner import Progress, run_tasks
from hoptim.benchmarks.scores import ScoreStatistics, median_run
from hoptim.benchmarks.toys import reference_solutions
from hoptim.benchmarks.toys.deceptive import Deceptive
from hoptim.benchmarks.toys.quadratic import NoisyQuadratic
from hoptim.benchmarks.toys.reference_solutions import Candidates, ReferenceSolution
from hoptim.benchmarks.toys.regularisation import Regularisation

# Each entry is a row of the tables and a line in the picture.
METHODS: Mapping[str, hoptim.Optimizer] = {
    "Initiator (0.8/1.2)": hoptim.Initiator(factors=(0.8, 1.2), resample=0.0),
    "TruncationSelection": hoptim.TruncationSelection(),
    "ROMUL": hoptim.ROMUL(),
    "Patient (ROMUL)": hoptim.Patient(),
    "MultiFrequency": hoptim.MultiFrequency(),
}
RANDOM_SEARCH = "random search"


class Testbed(NamedTuple):
    """A problem, the intervals at which it is trained, and its reference solutions by seed."""

    problem: TrainingProblem
    intervals: tuple[int, ...]
    candidates: Callable[[int], Candidates]
    stochastic: bool = False  # reference solutions differ from seed to seed


TESTBEDS: Mapping[str, Testbed] = {
    "quadratic": Testbed(NoisyQuadratic(), (1, 3, 10, 30, 100), reference_solutions.noisy_quadratic),
    "deceptive": Testbed(Deceptive(), (1, 10, 50, 100, 250), reference_solutions.deceptive),
    "regularisation": Testbed(
        Regularisation(), (1, 3, 10, 30), reference_solutions.regularisation, stochastic=True
    ),
}


@dataclass(frozen=True)
class HorizonOptions(RunOptions):
    """The number of runs, problems and intervals.

    Args:
        runs: Runs of each cell, one seed each; at least 2. Default: 5.
        problems: Names of `TESTBEDS`. Default: None, which takes all.
        intervals: Steps between decisions. Default: None, which takes those of each testbed.

    Raises:
        ArgumentError: A number below its minimum, an unknown problem, or an interval that does not divide
            the steps of a problem.
        MissingExtra: A problem needs a package that is not installed.
    """

    runs: int = field(default=5, metadata=number("runs of each cell, at least 2", minimum=2))
    problems: Sequence[str] | None = field(
        default=None,
        metadata={
            "nargs": "+", "metavar": "NAME",
            "help": "some of quadratic, deceptive and regularisation (needs scikit-learn); all by default",
        },
    )  # fmt: skip
    intervals: Sequence[int] | None = field(
        default=None, metadata=number("steps between decisions, instead of each problem's", nargs="+")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not TESTBEDS.keys() >= set(self.names):
            raise hoptim.ArgumentError(
                f"problems must be some of {list(TESTBEDS)}, found {list(self.names)}."
            )
        for name in self.names:
            problem = TESTBEDS[name].problem
            problem.begin(0)  # raises MissingExtra here rather than in a worker
            for interval in self.intervals_of(name):
                if interval < 1 or problem.steps % interval:
                    raise hoptim.ArgumentError(
                        f"intervals must divide the {problem.steps} steps of {name}, found {interval}."
                    )

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the problems."""
        return tuple(self.problems or TESTBEDS)

    def intervals_of(self, name: str) -> tuple[int, ...]:
        """Return the intervals at which a problem is trained, sorted, each once."""
        return tuple(sorted(set(self.intervals or TESTBEDS[name].intervals)))

    def reference_seeds(self, name: str) -> range:
        """Return the seeds for which reference solutions are computed: one if they are deterministic."""
        return self.seeds if TESTBEDS[name].stochastic else self.seeds[:1]


@dataclass(frozen=True, eq=False)
class HorizonCell(ScoreStatistics):
    """All runs of one method at one interval."""

    name: str
    interval: int
    runs: tuple[TrainedPopulation, ...]

    @property
    def scores(self) -> list[float]:
        """Return the final loss of each run."""
        return [run.final for run in self.runs]

    @property
    def median_run(self) -> TrainedPopulation:
        """Return the run with the median loss; of two in the middle, the better one."""
        return self.runs[median_run(self.scores)]


@dataclass(frozen=True, eq=False)
class HorizonResult:
    """The results on one problem.

    Attributes:
        name: Name in `TESTBEDS`.
        problem: Problem.
        intervals: Intervals at which it was trained.
        cells: Each method at each interval, in the order of methods and intervals.
        references: Reference solutions, the lowest loss first.
        random_search: Runs whose members keep their first hyperparameters, so that no interval matters.
    """

    name: str
    problem: TrainingProblem
    intervals: tuple[int, ...]
    cells: tuple[HorizonCell, ...]
    references: tuple[ReferenceSolution, ...]
    random_search: HorizonCell

    @property
    def rows(self) -> dict[str, list[HorizonCell]]:
        """Return the cells of each method, by interval."""
        return {name: list(cells) for name, cells in groupby(self.cells, attrgetter("name"))}

    @property
    def baselines(self) -> tuple[HorizonCell | ReferenceSolution, ...]:
        """Return what depends on no decision: random search and the reference solutions."""
        return (self.random_search, *self.references)

    @property
    def best(self) -> HorizonCell:
        """Return the cell with the lowest mean."""
        return min(self.cells, key=attrgetter("mean"))


def measure(options: HorizonOptions, progress: Progress | None = None) -> list[HorizonResult]:
    """Train each problem with each method at each interval.

    Args:
        options: Number of runs, problems and intervals.
        progress: Function called after each run. Default: None.
    """
    tasks: dict[tuple[Any, ...], Callable[[], Any]] = {}
    for name in options.names:
        for seed in options.reference_seeds(name):
            tasks[name, seed] = partial(TESTBEDS[name].candidates, seed)
        for seed in options.seeds:
            tasks[name, RANDOM_SEARCH, seed] = partial(_random_search, name, seed, options.members)
        for key in product((name,), METHODS, options.intervals_of(name), options.seeds):
            tasks[key] = partial(_train, *key, options.members)
    done = run_tasks(tasks, options.workers, progress)
    return [_result(name, options, done) for name in options.names]


def _result(name: str, options: HorizonOptions, done: Mapping[tuple[Any, ...], Any]) -> HorizonResult:
    problem, intervals = TESTBEDS[name].problem, options.intervals_of(name)
    cells = tuple(
        HorizonCell(method, interval, tuple(done[name, method, interval, seed] for seed in options.seeds))
        for method, interval in product(METHODS, intervals)
    )
    references = reference_solutions.best_over_seeds(
        [done[name, seed] for seed in options.reference_seeds(name)]
    )
    runs = tuple(done[name, RANDOM_SEARCH, seed] for seed in options.seeds)
    random_search = HorizonCell(RANDOM_SEARCH, problem.steps, runs)
    return HorizonResult(name, problem, intervals, cells, references, random_search)


def _train(name: str, method: str, interval: int, seed: int, members: int) -> TrainedPopulation:
    return train(TESTBEDS[name].problem, METHODS[method], interval=interval, size=members, seed=seed)


def _random_search(name: str, seed: int, members: int) -> TrainedPopulation:
    """Train without any decision after the first, so that the optimizer does not matter."""
    problem = TESTBEDS[name].problem
    return train(problem, hoptim.ROMUL(), interval=problem.steps, size=members, seed=seed)
