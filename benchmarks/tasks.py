"""The problems of `options.py`."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import hoptim
from hoptim.benchmarks import mixed, rosenbrock
from hoptim.benchmarks.deceptive import Deceptive
from hoptim.benchmarks.problem import Problem
from hoptim.benchmarks.quadratic import NoisyQuadratic
from hoptim.benchmarks.regularisation import Regularisation

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
import digits


class Stateless(Problem):
    """A function of the hyperparameters alone, for 100 steps."""

    steps = 100

    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Nothing is given: `init`, else draws, the same for the same seed."""
        return []

    def begin(self, seed: int) -> None:
        """There is no state."""


@dataclass(frozen=True)
class Rosenbrock(Stateless):
    """Rosenbrock's function of n hyperparameters, from the start of Table 3."""

    n: int

    @property
    def space(self) -> Mapping[str, hoptim.Dimension]:  # type: ignore[override] # by n
        """n coordinates."""
        low, high = rosenbrock.RANGE
        starts = rosenbrock.START
        return {f"x{i + 1}": hoptim.Float(low, high, init=starts[i % 2]) for i in range(self.n)}

    def train(self, state: None, params: Mapping[str, Any], steps: int, seed: int) -> tuple[None, float]:
        """The function's value."""
        return None, float(rosenbrock.loss(params.values()))


class Mixed(Stateless):
    """The function of `hoptim.benchmarks.mixed`."""

    space = mixed.SPACE

    def train(self, state: None, params: Mapping[str, Any], steps: int, seed: int) -> tuple[None, float]:
        """The function's value."""
        return None, mixed.loss(params)


class Digits(Problem):
    """The network of `examples/digits.py` for 15 epochs; the loss is that of its validation images."""

    steps = 15
    space = digits.SPACE

    def __init__(self) -> None:
        self.data = digits.Digits()

    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Draws, the same for the same seed."""
        return []

    def begin(self, seed: int) -> digits.Network:
        """A fresh network."""
        return digits.Network(seed)

    def train(
        self, state: digits.Network, params: Mapping[str, Any], steps: int, seed: int
    ) -> tuple[digits.Network, float]:
        """Some epochs."""
        net = copy.deepcopy(state)
        net.apply(params)
        for i in range(steps):
            net.train_epoch(self.data, np.random.default_rng([seed, i]))
        return net, net.loss(*self.data.validation)


@dataclass(frozen=True)
class Task:
    """A problem as it is measured; a family counts as one in the score."""

    name: str
    family: str
    problem: Problem
    interval: int = 1
    size: int = 16


TASKS = (
    *(Task(f"Ros. {n}", "rosenbrock", Rosenbrock(n)) for n in (2, 4, 8, 16, 30)),
    Task("quadratic", "quadratic", NoisyQuadratic(), interval=10),
    Task("deceptive", "deceptive", Deceptive(), interval=20),
    Task("regular.", "regularisation", Regularisation(), interval=5),
    Task("mixed", "mixed", Mixed()),
    Task("digits", "digits", Digits(), size=8),
)
