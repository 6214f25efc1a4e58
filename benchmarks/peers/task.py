"""An adapter's task, budget and results."""

from __future__ import annotations

import json
import logging
import platform
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import hoptim
from hoptim.benchmarks.problem import TrainingProblem
from peers.problems import PROBLEMS, Function


class CannotPlay(Exception):
    """A package cannot express a problem; the table gives the reason."""


class BudgetError(Exception):
    """An adapter trained more or less than its budget, so that its results cannot be compared."""


@dataclass
class Work:
    """One run of a method: trains on its behalf, and keeps count of steps and losses.

    A whole budget is `size * problem.steps` steps: as many as a population trains that never stops.

    Args:
        problem: Problem to train.
        size: Members of a population.
        interval: Steps between two of its decisions.
        seed: Seed of the run.
    """

    problem: TrainingProblem
    size: int
    interval: int
    seed: int
    losses: list[float] = field(default_factory=list)
    training: float = 0.0  # seconds of the processor

    def __post_init__(self) -> None:
        self.starts = self.problem.start(self.size, self.seed)
        self.left = self.size * self.problem.steps
        # A method that knows no training spends a whole one on each try of a constant.
        self._whole = 1 if isinstance(self.problem, Function) else self.problem.steps
        self.tries = self.left // self._whole

    @property
    def decisions(self) -> int:
        """Return the number of decisions of each member."""
        return self.problem.steps // self.interval

    def begin(self) -> Any:
        """Return a new state."""
        return self._timed(self.problem.begin, self._fresh())

    def train(self, state: Any, params: Mapping[str, Any]) -> tuple[Any, float]:
        """Return a member's state and loss after one more interval."""
        return self._train(state, params, self.interval)

    def constant(self, params: Mapping[str, Any]) -> float:
        """Return the loss after a whole training; of a function, after one evaluation."""
        return self._train(self.begin(), params, self._whole)[1]

    def result(self, wall: float, cpu: float) -> dict[str, Any]:
        """Return the results; `last` is the best of the last `size` losses, which is what PBT delivers.

        Args:
            wall: Seconds that the run took.
            cpu: Seconds of the processor; those that were not training are the method's own.

        Raises:
            BudgetError: Some of the budget is left.
        """
        if self.left:
            raise BudgetError(f"{self.left} steps of {self.problem.name} were not used.")
        last, ever = min(self.losses[-self.size :]), min(self.losses)
        deciding = (cpu - self.training) / len(self.losses)
        return {"seed": self.seed, "last": last, "ever": ever, "wall": wall, "deciding": deciding}

    def _train(self, state: Any, params: Mapping[str, Any], steps: int) -> tuple[Any, float]:
        self.left -= steps
        if self.left < 0:
            raise BudgetError(f"More was trained than the budget of {self.problem.name} allows.")
        state, loss = self._timed(self.problem.train, state, params, steps, self._fresh())
        self.losses.append(float(loss))
        return state, float(loss)

    def _timed(self, call: Callable[..., Any], *arguments: Any) -> Any:
        began = time.process_time()
        done = call(*arguments)
        self.training += time.process_time() - began
        return done

    def _fresh(self) -> int:
        """Return the seed of the next training."""
        return self.seed * 1_000_003 + len(self.losses)


Play = Callable[[Work, Mapping[str, Any]], None]


def serve(play: Play, *packages: str) -> None:
    """Read a task from the standard input, and print the versions and then each run as a line of JSON.

    Args:
        play: Spends the whole budget of the work that it is given, with the method's arguments.
        packages: Packages whose versions are printed.
    """
    logging.disable(logging.WARNING)  # hundreds of runs, and nobody reads what they say
    warnings.simplefilter("ignore")
    task, out = json.loads(sys.stdin.read()), sys.stdout
    known = {name: version(name) for name in ("numpy", *packages)}
    versions = {"python": platform.python_version(), "hoptim": hoptim.__version__, **known}
    print(json.dumps({"versions": versions}), file=out, flush=True)
    for seed in task["seeds"]:
        work = Work(PROBLEMS[task["problem"]], task["size"], task["interval"], seed)
        began = time.perf_counter(), time.process_time()
        try:
            with redirect_stdout(sys.stderr):  # whatever a package says
                play(work, task["arguments"])
        except CannotPlay as why:
            print(json.dumps({"cannot": str(why)}), file=out, flush=True)
            return
        spent = time.perf_counter() - began[0], time.process_time() - began[1]
        print(json.dumps(work.result(*spent)), file=out, flush=True)
