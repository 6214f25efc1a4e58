"""Short-sightedness: the final loss by method and by the interval between decisions, on three problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from types import MappingProxyType
from typing import Any, NamedTuple

import hoptim
from hoptim.benchmarks import reference_solutions
from hoptim.benchmarks.deceptive import Deceptive
from hoptim.benchmarks.losses import Losses, typical
from hoptim.benchmarks.problem import Problem, Trained, train
from hoptim.benchmarks.quadratic import NoisyQuadratic
from hoptim.benchmarks.reference_solutions import Answer, Known
from hoptim.benchmarks.regularisation import Regularisation
from hoptim.benchmarks.run_options import RunOptions
from hoptim.benchmarks.spread import Progress, spread

# A row for each; one more line is one more row, and one more line in the picture.
METHODS: Mapping[str, hoptim.Optimizer] = MappingProxyType(
    {
        "Initiator (0.8/1.2)": hoptim.Initiator(factors=(0.8, 1.2), resample=0.0),
        "TruncationSelection": hoptim.TruncationSelection(),
        "ROMUL": hoptim.ROMUL(),
        "Patient (ROMUL)": hoptim.Patient(),
        "MultiFrequency": hoptim.MultiFrequency(),
    }
)
RANDOM = "random search"


class Testbed(NamedTuple):
    """A problem and the intervals at which it is trained."""

    problem: Problem
    intervals: tuple[int, ...]
    known: Callable[[int], Known]
    random: bool = False  # whether what is known differs from seed to seed


TESTBEDS: Mapping[str, Testbed] = MappingProxyType(
    {
        "quadratic": Testbed(NoisyQuadratic(), (1, 3, 10, 30, 100), reference_solutions.noisy_quadratic),
        "deceptive": Testbed(Deceptive(), (1, 10, 50, 100, 250), reference_solutions.deceptive),
        "regularisation": Testbed(
            Regularisation(), (1, 3, 10, 30), reference_solutions.regularisation, True
        ),
    }
)


@dataclass(frozen=True)
class Setup(RunOptions):
    """How much is run.

    Args:
        runs: Runs of each cell, one seed each; at least 2, for there is a spread to tell.
        members: Members of each population.
        seed: Seed of the first run; the others follow.
        workers: Processes; more than 1 need a script with the usual `if __name__ == "__main__"`.
        problems: Which of `TESTBEDS`.
        intervals: Steps between decisions; None takes those of each testbed.

    Raises:
        ArgumentError: A number below its least, an unknown problem, an interval that does not divide
            the steps of a problem.
        MissingExtra: A problem needs a package that is not installed.
    """

    runs: int = 5
    members: int = 16
    seed: int = 0
    workers: int = 1
    problems: tuple[str, ...] = tuple(TESTBEDS)
    intervals: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        self.check(runs=2, members=1, seed=0, workers=1)
        if not self.problems or not set(self.problems) <= TESTBEDS.keys():
            raise hoptim.ArgumentError(
                f"problems must be some of {list(TESTBEDS)}, found {list(self.problems)}."
            )
        for name in self.problems:
            problem = TESTBEDS[name].problem
            problem.begin(0)  # a missing extra is said now rather than by a worker
            for interval in self.intervals_of(name):
                if interval < 1 or problem.steps % interval:
                    raise hoptim.ArgumentError(
                        f"intervals must divide the {problem.steps} steps of {name}, found {interval}."
                    )

    def known_seeds(self, problem: str) -> range:
        """Those for which the known answers are computed: one where nothing is random."""
        return self.seeds if TESTBEDS[problem].random else self.seeds[:1]

    def intervals_of(self, problem: str) -> tuple[int, ...]:
        """Those at which a problem is trained, each once."""
        return tuple(sorted(set(self.intervals or TESTBEDS[problem].intervals)))


@dataclass(frozen=True, eq=False)
class Cell(Losses):
    """All runs of one method at one interval."""

    name: str
    interval: int
    runs: tuple[Trained, ...]

    @property
    def losses(self) -> list[float]:
        """What each run delivers: the loss of the best of the members' last trials."""
        return [run.final for run in self.runs]

    @property
    def typical(self) -> Trained:
        """The run with the median loss, the better of two."""
        return self.runs[typical(self.losses)]


@dataclass(frozen=True, eq=False)
class Found:
    """What was measured of one problem, beside what is known of it.

    Attributes:
        name: Which of `TESTBEDS`.
        problem: The problem.
        intervals: Those at which it was trained.
        cells: Each method at each interval.
        answers: What is known without any search, the lowest loss first.
        drawn: Random search: the members keep what they draw, so that no interval matters.
    """

    name: str
    problem: Problem
    intervals: tuple[int, ...]
    cells: tuple[Cell, ...]
    answers: tuple[Answer, ...]
    drawn: Cell

    def row(self, method: str) -> list[Cell]:
        """A method's cells, by interval."""
        return [cell for cell in self.cells if cell.name == method]

    def best(self, method: str | None = None) -> Cell:
        """The cell with the lowest mean: of a method's sweep over intervals, or of all."""
        return min(self.cells if method is None else self.row(method), key=lambda cell: cell.mean)


def measure(setup: Setup, progress: Progress | None = None) -> list[Found]:
    """Train each problem with each method at each interval.

    Args:
        setup: How much is run.
        progress: Called with the number of runs done and of all runs.
    """
    tasks: dict[tuple[Any, ...], Callable[[], Any]] = {}
    for name in setup.problems:
        for seed in setup.known_seeds(name):
            tasks[name, seed] = partial(TESTBEDS[name].known, seed)
        for seed in setup.seeds:
            tasks[name, RANDOM, seed] = partial(_draw, name, seed, setup.members)
        for key in product((name,), METHODS, setup.intervals_of(name), setup.seeds):
            tasks[key] = partial(_play, *key, setup.members)
    results = spread(_call, list(tasks.values()), setup.workers, progress)
    done = dict(zip(tasks, results, strict=True))
    return [_found(name, setup, done) for name in setup.problems]


def _found(name: str, setup: Setup, done: Mapping[tuple[Any, ...], Any]) -> Found:
    intervals = setup.intervals_of(name)
    cells = tuple(
        Cell(method, interval, tuple(done[name, method, interval, seed] for seed in setup.seeds))
        for method, interval in product(METHODS, intervals)
    )
    known = reference_solutions.together([done[name, seed] for seed in setup.known_seeds(name)])
    drawn = Cell(RANDOM, TESTBEDS[name].problem.steps, tuple(done[name, RANDOM, s] for s in setup.seeds))
    return Found(name, TESTBEDS[name].problem, intervals, cells, known, drawn)


def _play(name: str, method: str, interval: int, seed: int, members: int) -> Trained:
    return train(TESTBEDS[name].problem, METHODS[method], interval=interval, size=members, seed=seed)


def _draw(name: str, seed: int, members: int) -> Trained:
    """Random search: whoever decides, all it decides is where the members begin."""
    problem = TESTBEDS[name].problem
    return train(problem, hoptim.ROMUL(), interval=problem.steps, size=members, seed=seed)


def _call(task: Callable[[], Any]) -> Any:
    return task()
