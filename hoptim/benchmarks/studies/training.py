"""What a study trains: a population of small models, side by side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import hoptim

if TYPE_CHECKING:
    import torch


class PopulationTraining(ABC):
    """A population of small models, trained side by side in one batched graph.

    Args:
        size: Members.

    Attributes:
        name: Name in tables.
        steps: Intervals of a run.
        measure: "perplexity" or "error", as the tables show the loss.
        hand: Hyperparameters set by hand, constant over a run.
    """

    name: ClassVar[str]
    steps: ClassVar[int]
    measure: ClassVar[str]
    hand: ClassVar[Mapping[str, float]]

    def __init__(self, size: int) -> None:
        self.size = size

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
