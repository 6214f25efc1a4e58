"""Logistic regression on few examples, some with wrong labels, by SGD with momentum: rate and weight decay.

The inputs have scales from 1 to 1/20, so the weights of small ones need a large learning rate for long,
while a smaller rate lowers the loss at once. The data are made by a fixed seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

import hoptim
from hoptim.benchmarks.problem import TrainingProblem
from hoptim.benchmarks.scores import Floats

_INPUTS, _TRAIN, _VALIDATE, _BATCH = 20, 80, 1000, 10
_WRONG = 0.1  # share of wrong labels in the training set
_MOMENTUM = 0.9


class Weights(NamedTuple):
    """Weights and their velocities."""

    w: Floats
    velocity: Floats


class Examples(NamedTuple):
    """Inputs, and labels of -1 and 1, to train and to validate."""

    x: Floats
    y: Floats
    validation_x: Floats
    validation_y: Floats


@dataclass(frozen=True)
class Logistic(TrainingProblem):
    """60 epochs on 80 examples; the loss is the cross-entropy of 1,000 others."""

    name = "logistic regression"
    steps = 60
    space = {"lr": hoptim.Float(1e-3, 3.0, log=True), "decay": hoptim.Float(1e-5, 1.0, log=True)}

    def begin(self, seed: int) -> Weights:
        """Return weights of 0, whatever the seed."""
        return Weights(np.zeros(_INPUTS), np.zeros(_INPUTS))

    def train(
        self, state: Weights, params: Mapping[str, Any], steps: int, seed: int
    ) -> tuple[Weights, float]:
        """Train for epochs with a constant rate and decay."""
        data, rng = examples(), np.random.default_rng([seed, 1])
        w, velocity = state
        for _ in range(steps):
            for rows in rng.permutation(_TRAIN).reshape(-1, _BATCH):
                margin = data.y[rows] * (data.x[rows] @ w)
                slope = -data.y[rows] / (1 + np.exp(np.minimum(margin, 500)))
                gradient = slope @ data.x[rows] / _BATCH + params["decay"] * w
                velocity = _MOMENTUM * velocity + gradient
                w = w - params["lr"] * velocity
        return Weights(w, velocity), self.loss(w, data)

    def loss(self, w: Floats, data: Examples) -> float:
        """Return the mean cross-entropy of the validation examples."""
        return float(np.logaddexp(0, -data.validation_y * (data.validation_x @ w)).mean())


@dataclass(frozen=True)
class LogisticErrors(Logistic):
    """The same, told by the share of wrong predictions of 100 of the others, so that many are equal."""

    name = "logistic regression, errors"

    def loss(self, w: Floats, data: Examples) -> float:
        """Return the share of wrong predictions."""
        return float(np.mean(data.validation_y[:100] * (data.validation_x[:100] @ w) <= 0))

    def score(self, state: Weights, loss: float) -> float:
        """Return the cross-entropy."""
        return super().loss(state.w, examples())


@cache
def examples() -> Examples:
    """Return the data, always the same."""
    rng = np.random.default_rng(0)
    scales = np.geomspace(1, 1 / 20, _INPUTS)
    x = scales * rng.standard_normal((_TRAIN + _VALIDATE, _INPUTS))
    true = rng.standard_normal(_INPUTS) / np.sqrt(scales)
    y = np.where(rng.random(len(x)) < 1 / (1 + np.exp(-2 * x @ true)), 1.0, -1.0)
    y[: int(_WRONG * _TRAIN)] *= -1
    return Examples(x[:_TRAIN], y[:_TRAIN], x[_TRAIN:], y[_TRAIN:])
