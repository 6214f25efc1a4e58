"""The problems of `options.py`."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from peers.problems import Mixed, Rosenbrock

from hoptim.benchmarks.problem import TrainingProblem
from hoptim.benchmarks.toys.deceptive import Deceptive
from hoptim.benchmarks.toys.quadratic import NoisyQuadratic
from hoptim.benchmarks.toys.regularisation import Regularisation

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
import digits


class Drawn(Mixed):
    """The mixed space, with first hyperparameters that each study draws."""

    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Return nothing, so that the study draws them by its seed."""
        return []


class Digits(TrainingProblem):
    """The network of `examples/digits.py` for 15 epochs; the loss is that of its validation images."""

    name = "digits"
    steps = 15
    space = digits.SPACE

    def __init__(self) -> None:
        self.data = digits.Digits()

    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Return nothing, so that the study draws them by its seed."""
        return []

    def begin(self, seed: int) -> digits.Network:
        """Return an untrained network."""
        return digits.Network(seed)

    def train(
        self, state: digits.Network, params: Mapping[str, Any], steps: int, seed: int
    ) -> tuple[digits.Network, float]:
        """Train for some epochs."""
        net = copy.deepcopy(state)
        net.apply(params)
        for i in range(steps):
            net.train_epoch(self.data, np.random.default_rng([seed, i]))
        return net, net.loss(*self.data.validation)


@dataclass(frozen=True)
class Task:
    """A problem with the settings of its runs; a family counts as one in the score."""

    name: str
    family: str
    problem: TrainingProblem
    interval: int = 1
    size: int = 16


TASKS = (
    *(Task(f"Ros. {n}", "rosenbrock", Rosenbrock(n)) for n in (2, 4, 8, 16, 30)),
    Task("quadratic", "quadratic", NoisyQuadratic(), interval=10),
    Task("deceptive", "deceptive", Deceptive(), interval=20),
    Task("regular.", "regularisation", Regularisation(), interval=5),
    Task("mixed", "mixed", Drawn()),
    Task("digits", "digits", Digits(), size=8),
)
