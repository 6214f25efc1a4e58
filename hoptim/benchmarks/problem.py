"""Problems to train, and populations that train them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import hoptim
from hoptim.benchmarks.scores import Floats


class TrainingProblem(ABC):
    """A problem whose final loss is to be low, as pure functions of immutable states."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Return the name in tables."""

    @property
    @abstractmethod
    def steps(self) -> int:
        """Return the training steps of a whole run."""

    @property
    @abstractmethod
    def space(self) -> Mapping[str, hoptim.Dimension]:
        """Return the hyperparameters."""

    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Return the members' first hyperparameters, the same for all methods that are compared.

        They are draws over the whole ranges, unless a problem has a start of its own.
        """
        space, rng = hoptim.Space(self.space), np.random.default_rng([seed, size])
        return [space.decode(space.draw(rng)) for _ in range(size)]

    @abstractmethod
    def begin(self, seed: int) -> Any:
        """Return the state before the first step."""

    @abstractmethod
    def train(self, state: Any, params: Mapping[str, Any], steps: int, seed: int) -> tuple[Any, float]:
        """Return the state after more steps, and its loss.

        Args:
            state: State from `begin` or `train`; it counts its own steps where they matter.
            params: Hyperparameters, constant over these steps.
            steps: Number of steps.
            seed: Seed of random draws during training.
        """

    def score(self, state: Any, loss: float) -> float:
        """Return the loss by which a result is judged: the told one, unless what is told is not exact."""
        return loss


@dataclass(frozen=True, eq=False)
class TrainedPopulation:
    """The result of a population.

    Attributes:
        best: Lowest loss among the members' latest trials, by decision `(steps / interval,)`.
        final: Score of the trial with the lowest loss among the members' last, which is what PBT delivers.
        schedule: Hyperparameters of the winner and its ancestors, by decision.
    """

    best: Floats
    final: float
    schedule: Sequence[Mapping[str, Any]]


def train(
    problem: TrainingProblem, optimizer: hoptim.Optimizer, *, interval: int, size: int = 16, seed: int = 0
) -> TrainedPopulation:
    """Train a population in a synchronous study in memory.

    Args:
        problem: Problem to train.
        optimizer: Search algorithm.
        interval: Steps of the problem between two decisions; divides the problem's steps.
        size: Number of members. Default: 16.
        seed: Seed of the study and of the members' first hyperparameters. Default: 0.

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
    states: dict[int, Any] = {}  # by trial, since any trial may be a parent; states are small
    best = np.full(decisions, np.inf)
    for trial in study:
        state = problem.begin(trial.seed) if trial.parent is None else states[trial.parent]
        states[trial.number], loss = problem.train(state, trial.params, interval, trial.seed)
        best[trial.step] = min(best[trial.step], loss)
        trial.tell(loss)
    final = problem.score(states[study.best.number], float(study.best.value))
    return TrainedPopulation(best, final, [it.params for it in study.schedule()])
