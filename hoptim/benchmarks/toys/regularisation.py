"""A network on few digits, some with wrong labels: less dropout is better at first and worse in the end.

Without dropout the network learns fastest, then memorises the wrong labels. The noise of dropout raises the
loss of the next epochs, so a choice by these alone goes without it, now and at every later decision. The
ROMUL paper reports that in language models, too, low dropout is better early and worse later, and that
raising it later does not recover the loss. This network is a milder case: dropout raised in the middle
still helps, but no greedy choice raises it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import hoptim
from hoptim.benchmarks.problem import TrainingProblem
from hoptim.benchmarks.scores import Floats

# Products of matrices this small run on one thread whatever the BLAS, so that runs in other processes are
# not slowed down. The validation set is kept in batches for the same reason.
_TRAIN, _VALIDATE, _BATCH, _HIDDEN, _CLASSES = 300, 500, 100, 32, 10
_WRONG = 90  # wrong labels in the training set
_RATE, _MOMENTUM = 0.15, 0.9
_SPREAD = 1 / 16  # standard deviation of the initial weights
_INPUTS = 0.4  # dropout of inputs over that of hidden units: 0.2 to 0.5 in Srivastava et al. 2014


class Net(NamedTuple):
    """Weights of two layers, with biases in the last row of each, and their velocities."""

    weights: tuple[Floats, Floats]
    velocities: tuple[Floats, Floats]


class Digits(NamedTuple):
    """A training set with one-hot labels, some of them wrong, and a validation set in batches."""

    x: Floats
    labels: Floats
    validation_x: Floats
    validation_y: NDArray[np.int64]


@dataclass(frozen=True)
class Regularisation(TrainingProblem):
    """60 epochs of SGD on 300 digits, 90 of them mislabelled; the loss is the validation cross-entropy."""

    name = "regularisation"
    steps = 60
    space = {"dropout": hoptim.Float(0.0, 0.8)}

    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Draw dropout rates over the whole range."""
        rates = np.random.default_rng([seed, size]).uniform(0, 0.8, size)
        return [{"dropout": rate} for rate in rates.tolist()]

    def begin(self, seed: int) -> Net:
        """Draw small weights."""
        rng = np.random.default_rng([seed, 0])
        shapes = (digits().x.shape[1] + 1, _HIDDEN), (_HIDDEN + 1, _CLASSES)
        first, second = (_SPREAD * rng.standard_normal(shape) for shape in shapes)
        return Net((first, second), (np.zeros_like(first), np.zeros_like(second)))

    def train(self, state: Net, params: Mapping[str, Any], steps: int, seed: int) -> tuple[Net, float]:
        """Train for epochs of SGD with momentum and a constant learning rate."""
        data, rng = digits(), np.random.default_rng([seed, 1])
        for _ in range(steps):
            for rows in rng.permutation(_TRAIN).reshape(-1, _BATCH):
                gradients = _gradients(state, data.x[rows], data.labels[rows], params["dropout"], rng)
                state = _descend(state, gradients)
        return state, _loss(state, data)


@cache
def digits() -> Digits:
    """Return scikit-learn's digits, always split and mislabelled in the same way.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise hoptim.MissingExtra.of(
            "The digits need scikit-learn, which is not installed", "examples"
        ) from error
    images, digit = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    train, validate = np.split(rng.permutation(len(digit))[: _TRAIN + _VALIDATE], [_TRAIN])
    labels = digit[train]
    labels[:_WRONG] = (labels[:_WRONG] + rng.integers(1, _CLASSES, _WRONG)) % _CLASSES
    batches = validate.reshape(-1, _BATCH)
    return Digits(images[train] / 16, np.eye(_CLASSES)[labels], images[batches] / 16, digit[batches])


def _gradients(
    net: Net, x: Floats, labels: Floats, dropout: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return the gradients of a batch's mean cross-entropy; one mask for the batch keeps its noise."""
    first, second = net.weights
    inputs = _biased(x * _mask(x.shape[1], _INPUTS * dropout, rng))
    mask = _mask(_HIDDEN, dropout, rng)
    hidden = np.maximum(inputs @ first, 0) * mask
    units = _biased(hidden)
    error = (np.exp(_log_softmax(units @ second)) - labels) / len(x)
    back = (error @ second[:-1].T) * mask * (hidden > 0)
    return inputs.T @ back, units.T @ error


def _descend(net: Net, gradients: tuple[Floats, Floats]) -> Net:
    first, second = (_MOMENTUM * v + g for v, g in zip(net.velocities, gradients, strict=True))
    return Net((net.weights[0] - _RATE * first, net.weights[1] - _RATE * second), (first, second))


def _loss(net: Net, data: Digits) -> float:
    first, second = net.weights
    logs = _log_softmax(_biased(np.maximum(_biased(data.validation_x) @ first, 0)) @ second)
    return -float(np.take_along_axis(logs, data.validation_y[..., None], axis=-1).mean())


def _mask(units: int, dropout: float, rng: np.random.Generator) -> Floats:
    """Return factors of units: 0 where dropped, else 1 / (1 - dropout), which keeps the mean."""
    return (rng.random(units) >= dropout) / (1 - dropout)


def _biased(x: Floats) -> Floats:
    return np.concatenate([x, np.ones((*x.shape[:-1], 1))], axis=-1)


def _log_softmax(z: Floats) -> Floats:
    below = z - z.max(axis=-1, keepdims=True)
    logs: Floats = below - np.log(np.exp(below).sum(axis=-1, keepdims=True))
    return logs
