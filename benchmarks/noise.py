"""What the best of many noisy values tells, and what its weights are worth: by rank, mean and reevaluation.

A toy whose true value is known: ten weights are trained by noisy gradient descent towards an optimum that
moves with each interval, as with fresh data. The learning rate is tuned: too low it does not follow, too
high it jitters. At the optimum the value is 500.
What is told is the value of one episode, with a standard deviation of 40.

    python benchmarks/noise.py [--seeds 20] [--members 16] [--steps 40]
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial
from typing import Any

import numpy as np

import hoptim

_NOISE = 40.0  # standard deviation of one episode
_MOVES = {"slowly": 0.2, "quickly": 0.7}  # how far the optimum moves with each interval, in each weight
_ROWS = (
    "best.value, as told",
    "  true value of best",
    "top(1, last=5), its mean",
    "  true value of that trial",
    "reevaluate(top=5, repeats=20), the best mean",
    "  true value of that trial",
    "true value of the best member",
)


def trained(weights: np.ndarray, lr: float, moves: float, rng: np.random.Generator) -> np.ndarray:
    """Return weights after an interval of ten noisy steps towards zero."""
    weights = weights + rng.normal(0.0, moves, weights.shape)
    for _ in range(10):
        weights = weights - lr * (weights + rng.normal(0.0, 3.0, weights.shape))
    return weights


def true_value(weights: np.ndarray) -> float:
    """Return the expected value of an episode."""
    return 500.0 - 100.0 * float(np.mean(weights**2))


def episode(weights: np.ndarray, seed: int) -> float:
    """Return the value of one episode."""
    return true_value(weights) + np.random.default_rng([1, seed]).normal(0.0, _NOISE)


def one(seed: int, members: int, steps: int, moves: float) -> tuple[float, ...]:
    """Return the figures of one study, in the order of the rows, and the standard error of its winner."""
    space = {"lr": hoptim.Float(1e-3, 1.0, log=True)}
    study = hoptim.Study(
        None, space=space, optimizer=hoptim.ROMUL(), size=members, steps=steps, mode="max", seed=seed
    )
    for trial in study:
        rng = np.random.default_rng([0, trial.seed])
        begun = rng.normal(0.0, 4.0, 10) if trial.checkpoint is None else np.load(trial.checkpoint)
        weights = trained(begun, trial.params["lr"], moves, rng)
        trial.tell(episode(weights, trial.seed), save=partial(_write, weights))
    best, (steady,) = study.best, study.top(1, last=5)
    chosen = hoptim.reevaluate(study, _evaluate, top=5, repeats=20)[0]
    members_true = [_true(candidate.trial) for candidate in study.top(members)]
    return (
        best.value, _true(best), steady.mean, _true(steady.trial), chosen.mean, _true(chosen.trial),
        max(members_true), chosen.error,
    )  # fmt: skip


def _write(weights: np.ndarray, path: str) -> None:
    with open(path, "wb") as file:
        np.save(file, weights)


def _evaluate(path: str | None, params: dict[str, Any], seed: int) -> float:
    return episode(np.load(str(path)), 10**9 + seed)


def _true(trial: hoptim.FinishedTrial) -> float:
    return true_value(np.load(str(trial.checkpoint)))


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="number of studies")
    parser.add_argument("--members", type=int, default=16, help="members of each")
    parser.add_argument("--steps", type=int, default=40, help="trials of each member")
    arguments = parser.parse_args()
    print(f"{arguments.seeds} studies of {arguments.members} members and {arguments.steps} steps, mode max")
    print(f"an episode has a standard deviation of {_NOISE:g}; mean over the studies, its standard error")
    for how, moves in _MOVES.items():
        found = [one(seed, arguments.members, arguments.steps, moves) for seed in range(arguments.seeds)]
        *columns, errors = zip(*found, strict=True)
        given = statistics.mean(errors)
        print(f"\nthe optimum moves {how}; reevaluate gives its best an error of {given:.1f}")
        for row, column in zip(_ROWS, columns, strict=True):
            error = statistics.stdev(column) / len(column) ** 0.5
            print(f"{row:48}{statistics.mean(column):7.1f} +- {error:.1f}")


if __name__ == "__main__":
    main()
