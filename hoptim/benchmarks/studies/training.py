"""What a study trains: a population of small models, side by side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from math import cos, pi
from typing import TYPE_CHECKING, Any, ClassVar

import hoptim

if TYPE_CHECKING:
    import torch

_LAST = 0.05  # of the peak learning rate, at the end of a run


class PopulationTraining(ABC):
    """A population of small models, trained side by side in one batched graph.

    Args:
        size: Members.

    Attributes:
        name: Name in tables.
        steps: Intervals of a run.
        measure: "perplexity" or "error", as the tables show the loss.
        peak_lr: Learning rate at the beginning of a run, from where it follows a cosine.
        hand: Hyperparameters set by hand, constant over a run, among them "lr" for when it is tuned.
    """

    name: ClassVar[str]
    steps: ClassVar[int]
    measure: ClassVar[str]
    peak_lr: ClassVar[float]
    hand: ClassVar[Mapping[str, float]]

    def __init__(self, size: int) -> None:
        self.size = size

    @property
    @abstractmethod
    def data(self) -> str:
        """Return a fingerprint of the data and of all else that a result depends on beside the options."""

    @staticmethod
    @abstractmethod
    def space(tune_lr: bool) -> dict[str, hoptim.Dimension]:
        """Return the hyperparameters, with the learning rate `lr` only if it is tuned, too."""

    @abstractmethod
    def begin(self, member: int, seed: int) -> None:
        """Give a member fresh weights and optimizer state."""

    @abstractmethod
    def state(self, member: int) -> dict[str, torch.Tensor]:
        """Return a copy of a member's weights, optimizer state and position in the data."""

    @abstractmethod
    def load(self, member: int, state: Mapping[str, torch.Tensor]) -> None:
        """Give a member the weights, optimizer state and position in the data from `state`."""

    @abstractmethod
    def train(self, params: Sequence[Mapping[str, Any]], ages: Sequence[int], seed: int) -> None:
        """Train all members for one interval.

        Args:
            params: Hyperparameters of each member. Without "lr" the learning rate follows a cosine of the
                age.
            ages: Intervals that each member's weights have been trained before.
            seed: Seed of all random draws.
        """

    @abstractmethod
    def losses(self, part: str) -> list[float]:
        """Return each member's mean loss on the "validation" or "test" part of the data."""

    @abstractmethod
    def shown(self, losses: Sequence[float], part: str) -> list[float]:
        """Return each member's `measure`, as the tables show it.

        Args:
            losses: Each member's loss on `part`, from `losses`.
            part: "validation" or "test".
        """

    def learning_rates(self, params: Sequence[Mapping[str, Any]], ages: Sequence[int]) -> list[float]:
        """Return each member's learning rate: "lr" where it is tuned, else the cosine at its age."""
        return [
            float(each["lr"] if "lr" in each else self.scheduled_lr(age))
            for each, age in zip(params, ages, strict=True)
        ]

    def scheduled_lr(self, age: int) -> float:
        """Return the learning rate of the cosine at an age of the weights."""
        part = min(age / self.steps, 1.0)
        return self.peak_lr * max(_LAST, (1 + cos(pi * part)) / 2)
