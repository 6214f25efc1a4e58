"""The regret benchmark: what each method leaves of the gain over random search, by testbed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product

import numpy as np

import hoptim
from hoptim.benchmarks.problem import train
from hoptim.benchmarks.run_options import RunOptions
from hoptim.benchmarks.runner import Progress, run_tasks
from hoptim.benchmarks.scores import Floats
from hoptim.benchmarks.toys.testbeds import TESTBEDS

# Each entry is a column of the table, those of `USUAL` if no others are asked for.
METHODS: Mapping[str, hoptim.Optimizer] = {
    "Truncation": hoptim.TruncationSelection(),
    "Initiator": hoptim.Initiator(),
    "ROMUL": hoptim.ROMUL(),
    "MultiFrequency": hoptim.MultiFrequency(),
    "Patient": hoptim.Patient(),
    "MixedHorizon": hoptim.MixedHorizon(),
    "PB2": hoptim.PB2(),
}
USUAL = tuple(name for name in METHODS if name != "PB2")  # PB2's model costs more than most problems
RANDOM_SEARCH = "random search"
ERRORS = 2.0  # standard errors below which a difference counts as 0


@dataclass(frozen=True)
class RegretOptions(RunOptions):
    """The number of runs, the testbeds and the methods.

    Args:
        testbeds: Names of `TESTBEDS`. Default: None, which takes all.
        methods: Names of `METHODS`, of which the best has no regret. Default: None, which takes `USUAL`.

    Raises:
        ArgumentError: A number below its minimum, or an unknown testbed or method.
        MissingExtra: A testbed needs a package that is not installed.
    """

    testbeds: Sequence[str] | None = field(
        default=None,
        metadata={
            "nargs": "+", "metavar": "NAME",
            "help": "some of the testbeds, such as quadratic or jaderberg; all by default "
            "(regularisation needs scikit-learn)",
        },
    )  # fmt: skip

    methods: Sequence[str] | None = field(
        default=None,
        metadata={
            "nargs": "+", "metavar": "NAME",
            "help": f"some of {', '.join(METHODS)}; all but PB2 by default",
        },
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if not METHODS.keys() >= set(self.columns):
            raise hoptim.ArgumentError(
                f"methods must be some of {list(METHODS)}, found {list(self.columns)}."
            )
        if not TESTBEDS.keys() >= set(self.names):
            raise hoptim.ArgumentError(
                f"testbeds must be some of {list(TESTBEDS)}, found {list(self.names)}."
            )
        for name in self.names:
            TESTBEDS[name].problem.begin(0)  # raises MissingExtra here rather than in a worker

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the testbeds, each once."""
        return tuple(dict.fromkeys(self.testbeds or TESTBEDS))

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the methods, each once."""
        return tuple(dict.fromkeys(self.methods or USUAL))


@dataclass(frozen=True, eq=False)
class RegretRow:
    """The results on one testbed.

    Attributes:
        name: Name in `TESTBEDS`.
        finals: Final losses `(runs,)` by method, random search the last.
    """

    name: str
    finals: Mapping[str, Floats]

    @property
    def log(self) -> bool:
        """Tell whether scores span decades."""
        return TESTBEDS[self.name].log

    @property
    def scores(self) -> dict[str, Floats]:
        """Return the scores `(runs,)` that are compared: losses, or their log10 where they span decades."""
        return {name: np.log10(losses) if self.log else losses for name, losses in self.finals.items()}

    @property
    def regrets(self) -> dict[str, float] | None:
        """Return the normalised regret of each method but random search; see `normalised_regrets`."""
        scores = self.scores
        return normalised_regrets(scores, scores.pop(RANDOM_SEARCH))


def normalised_regrets(scores: Mapping[str, Floats], random: Floats) -> dict[str, float] | None:
    """Return (method - best) / (random search - best) of mean scores, by method.

    Scores of one seed have the same start, so differences are taken seed by seed. One that is not above
    two standard errors of its mean counts as 0.

    Args:
        scores: Scores `(runs,)` by method, lower is better; at least 2 runs.
        random: Scores `(runs,)` of random search with the same seeds.

    Returns:
        Regrets of at least 0; None if no method is better than random search by two standard errors, so
        that there is nothing to measure them by.

    >>> normalised_regrets({"a": np.array([1.0, 1.1]), "b": np.array([2.0, 2.1])}, np.array([5.0, 5.1]))
    {'a': 0.0, 'b': 0.25}
    """
    best = scores[min(scores, key=lambda name: float(scores[name].mean()))]
    gain = _difference(random, best)
    if gain == 0:
        return None
    return {name: _difference(found, best) / gain for name, found in scores.items()}


def _difference(scores: Floats, best: Floats) -> float:
    """Return by how much scores exceed others in the mean; 0 if within the error of the mean."""
    difference = scores - best
    error = float(np.std(difference, ddof=1)) / np.sqrt(len(difference))
    mean = float(difference.mean())
    return mean if mean > ERRORS * error else 0.0


def measure(options: RegretOptions, progress: Progress | None = None) -> list[RegretRow]:
    """Train each testbed with each method and with constant first hyperparameters.

    Args:
        options: Number of runs, testbeds and methods.
        progress: Function called after each run. Default: None.
    """
    methods = (*options.columns, RANDOM_SEARCH)
    tasks = {
        key: partial(_final, *key, options.members)
        for key in product(options.names, methods, options.seeds)
    }
    done = run_tasks(tasks, options.workers, progress)
    return [
        RegretRow(
            name,
            {method: np.array([done[name, method, seed] for seed in options.seeds]) for method in methods},
        )
        for name in options.names
    ]


def _final(name: str, method: str, seed: int, members: int) -> float:
    testbed = TESTBEDS[name]
    # Without a decision after the first the optimizer does not matter, and the run is random search.
    interval = testbed.problem.steps if method == RANDOM_SEARCH else testbed.interval
    optimizer = METHODS.get(method, hoptim.ROMUL())
    return train(testbed.problem, optimizer, interval=interval, size=members, seed=seed).final
