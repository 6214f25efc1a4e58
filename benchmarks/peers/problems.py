"""The problems of the comparison: hoptim's own, which need numpy, and scikit-learn for the digits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np

import hoptim
from hoptim.benchmarks.problem import TrainingProblem
from hoptim.benchmarks.toys import mixed, rosenbrock
from hoptim.benchmarks.toys.deceptive import Deceptive
from hoptim.benchmarks.toys.quadratic import NoisyQuadratic
from hoptim.benchmarks.toys.regularisation import Regularisation


class Function(TrainingProblem):
    """A problem without anything to train: each step evaluates the hyperparameters anew."""

    steps = 100

    def begin(self, seed: int) -> None:
        """Return None, since there is no state."""

    def train(self, state: None, params: Mapping[str, Any], steps: int, seed: int) -> tuple[None, float]:
        """Return the loss of the hyperparameters."""
        return None, self.loss(params)

    def loss(self, params: Mapping[str, Any]) -> float:
        """Return the loss of one evaluation."""
        raise NotImplementedError


@dataclass(frozen=True)
class Rosenbrock(Function):
    """The benchmark of the ROMUL paper in n dimensions; all members start at the same point."""

    n: int = 2
    name = "rosenbrock"

    @property
    def space(self) -> Mapping[str, hoptim.Dimension]:
        """Return n coordinates."""
        return {f"x{i + 1}": hoptim.Float(*rosenbrock.RANGE) for i in range(self.n)}

    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Return the benchmark's start, for all members."""
        return [dict(zip(self.space, cycle(rosenbrock.START), strict=False)) for _ in range(size)]

    def loss(self, params: Mapping[str, Any]) -> float:
        """Return Rosenbrock's function."""
        return float(rosenbrock.loss(params.values()))


class Mixed(Function):
    """Floats, whole numbers, an order and choices that depend on each other; members start anywhere."""

    name = "mixed"
    space = mixed.SPACE

    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Draw hyperparameters, the same for every method."""
        space, rng = hoptim.Space(self.space), np.random.default_rng([seed, size])
        return [space.decode(space.draw(rng)) for _ in range(size)]

    def loss(self, params: Mapping[str, Any]) -> float:
        """Return the loss in the mixed space."""
        return mixed.loss(params)


PROBLEMS: dict[str, TrainingProblem] = {
    it.name: it for it in (Rosenbrock(), Mixed(), NoisyQuadratic(), Deceptive(), Regularisation())
}
