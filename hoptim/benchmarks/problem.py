"""Small problems in which a hyperparameter works differently now and later; populations that train them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

import hoptim

Floats = NDArray[np.float64]


class Problem(ABC):
    """Something to train whose final loss is to be low; pure functions of states that nobody changes.

    Attributes:
        name: What tables call it.
        steps: Training steps of a whole run.
        space: The hyperparameters.
    """

    name: ClassVar[str]
    steps: ClassVar[int]
    space: ClassVar[Mapping[str, hoptim.Dimension]]

    @abstractmethod
    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """The members' first hyperparameters, the same for every method that is compared."""

    @abstractmethod
    def begin(self, seed: int) -> Any:
        """The state before the first step."""

    @abstractmethod
    def train(self, state: Any, params: Mapping[str, Any], steps: int, seed: int) -> tuple[Any, float]:
        """The state after some more steps, and its loss.

        Args:
            state: As from `begin` or `train`; it knows how many steps it has been trained for.
            params: The hyperparameters, constant over these steps.
            steps: How many.
            seed: For problems that draw something while they train.
        """


@dataclass(frozen=True, eq=False)
class Trained:
    """What a population came to.

    Attributes:
        best: Loss of the best of the members' latest trials, by decision `(steps / interval,)`.
        final: The last of them: what is delivered.
        schedule: The winner's hyperparameters, by decision.
    """

    best: Floats
    final: float
    schedule: Sequence[Mapping[str, Any]]


def train(
    problem: Problem, optimizer: hoptim.Optimizer, *, interval: int, size: int = 16, seed: int = 0
) -> Trained:
    """Train a population that decides every `interval` steps; in memory, all in step.

    Args:
        problem: What to train.
        optimizer: Who decides.
        interval: Steps of the problem between two decisions; divides all its steps.
        size: Number of members.
        seed: Of the study and of the members' first hyperparameters.

    Raises:
        ArgumentError: The interval does not divide the steps.
    """
    if problem.steps % interval:
        raise hoptim.ArgumentError(
            f"interval must divide the {problem.steps} steps of {problem.name}, found {interval}."
        )
    decisions = problem.steps // interval
    study = hoptim.Study(
        None, space=problem.space, optimizer=optimizer, size=size, steps=decisions, mode="min",
        seed=seed, start=problem.start(size, seed), synchronous=True,
    )  # fmt: skip
    states: dict[int, Any] = {}  # by trial; a state is small, and any trial may be a parent
    best = np.full(decisions, np.inf)
    for trial in study:
        state = problem.begin(trial.seed) if trial.parent is None else states[trial.parent]
        states[trial.number], loss = problem.train(state, trial.params, interval, trial.seed)
        best[trial.step] = min(best[trial.step], loss)
        trial.tell(loss)
    return Trained(best, float(study.best.value), [it.params for it in study.schedule()])
