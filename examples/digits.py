"""Population based training of a small network on scikit-learn's handwritten digits.

    python examples/digits.py [DIR] [--workers N]

It may be killed at any time and run again, or run in several terminals: finished trials are kept, and
the processes share the rest. Random search with the same budget is trained for comparison.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hoptim

try:
    from sklearn.datasets import load_digits
except ImportError as error:
    raise hoptim.MissingExtra.of("This example needs scikit-learn's digits", "examples") from error

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

SPACE = {
    "lr": hoptim.Float(1e-3, 1.0, log=True),
    "momentum": hoptim.Float(0.0, 0.99),
    "l2": hoptim.Float(1e-6, 1e-2, log=True),
    "shift": hoptim.Float(0.0, 1.0),  # share of the images that are moved by one pixel
    "batch": hoptim.Int(8, 128, log=True),
}


def train(study: hoptim.Study) -> None:
    """Train until every member has done its steps; any number of processes may call this."""
    digits = Digits()
    for trial in study:
        if not trial.continues:
            net = Network.load(trial.checkpoint) if trial.checkpoint else Network(trial.seed)
        net.apply(trial.params)
        trial.check(lr=net.lr, momentum=net.momentum, l2=net.l2, shift=net.shift, batch=net.batch)
        net.train_epoch(digits, np.random.default_rng(trial.seed))
        # A diverged network tells NaN: its trial fails, and its member continues from a better one.
        trial.tell(net.loss(*digits.validation), save=net.save)


@dataclass(frozen=True)
class RescuedSearch(hoptim.Optimizer):
    """Random search as a baseline, and an example of a user's own optimizer: members keep their first draw.

    A diverged member continues as a copy of one of the best; with `hoptim.RandomSearch` it starts fresh.
    """

    def propose(self, view: hoptim.View, member: int, rng: np.random.Generator) -> hoptim.Proposal:
        """Propose the member's own trial and hyperparameters again."""
        population = view.population
        row = population.row(member)
        if row is None:
            return hoptim.Proposal(None, view.first(member, rng))
        if not population.healthy[row]:
            if not population.healthy.any():
                return hoptim.Proposal(None, view.space.draw(rng))
            row = int(rng.choice(population.best(0.25)))
        return hoptim.Proposal(int(population.number[row]), population.x[row])


class Digits:
    """Images and labels in a fixed split; a small training set, so that regularisation matters."""

    def __init__(self) -> None:
        data = load_digits()
        order = np.random.default_rng(0).permutation(len(data.target))
        images, labels = data.images[order] / 16, data.target[order]
        padded = np.pad(images[:400], ((0, 0), (1, 1), (1, 1)))
        self.moved: Floats = np.stack(  # (9, n, 64): by one pixel in each direction, 4 is unmoved
            [padded[:, dy : dy + 8, dx : dx + 8].reshape(-1, 64) for dy in range(3) for dx in range(3)]
        )
        self.labels: Labels = labels[:400]
        self.validation = images[400:1000].reshape(-1, 64), labels[400:1000]
        self.test = images[1000:].reshape(-1, 64), labels[1000:]

    def batch(self, rows: Labels, shift: float, rng: np.random.Generator) -> tuple[Floats, Labels]:
        """Return training images `(n, 64)`, each moved with probability `shift`, and labels `(n,)`."""
        moves = np.where(rng.random(len(rows)) < shift, rng.integers(9, size=len(rows)), 4)
        return self.moved[moves, rows], self.labels[rows]


class Network:
    """One hidden layer, trained by SGD with momentum; checkpoints have weights and velocities."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.weights: list[Floats] = [
            rng.normal(0, np.sqrt(2 / 64), (64, 64)), np.zeros(64),
            rng.normal(0, np.sqrt(2 / 64), (64, 10)), np.zeros(10),
        ]  # fmt: skip
        self.velocities: list[Floats] = [np.zeros_like(weight) for weight in self.weights]

    def apply(self, params: Mapping[str, Any]) -> None:
        """Set the hyperparameters of the next epoch."""
        self.lr, self.momentum, self.l2 = params["lr"], params["momentum"], params["l2"]
        self.shift, self.batch = params["shift"], params["batch"]

    def save(self, path: str) -> None:
        """Write weights and velocities."""
        with open(path, "wb") as file:  # given a name, np.savez would append .npz to it
            np.savez(file, *self.weights, *self.velocities)

    @classmethod
    def load(cls, path: str) -> Network:
        """Return the network that was saved."""
        net = cls(seed=0)
        with np.load(path, allow_pickle=False) as data:
            arrays = [data[f"arr_{i}"] for i in range(8)]
        net.weights, net.velocities = arrays[:4], arrays[4:]
        return net

    def train_epoch(self, digits: Digits, rng: np.random.Generator) -> None:
        """Train for one pass over the training images."""
        order = rng.permutation(len(digits.labels))
        with np.errstate(all="ignore"):  # diverging is an outcome, not an error
            for start in range(0, len(order), self.batch):
                rows = order[start : start + self.batch]
                self._step(*digits.batch(rows, self.shift, rng))

    def _step(self, images: Floats, labels: Labels) -> None:
        hidden, log_odds = self._forward(images)
        error = np.exp(log_odds)
        error[np.arange(len(labels)), labels] -= 1
        error /= len(labels)
        back = (error @ self.weights[2].T) * (hidden > 0)
        gradients = [images.T @ back, back.sum(0), hidden.T @ error, error.sum(0)]
        for i, gradient in enumerate(gradients):
            self.velocities[i] *= self.momentum
            self.velocities[i] -= self.lr * (gradient + self.l2 * self.weights[i])
            self.weights[i] += self.velocities[i]

    def _forward(self, images: Floats) -> tuple[Floats, Floats]:
        w1, b1, w2, b2 = self.weights
        hidden = np.maximum(images @ w1 + b1, 0)
        logits = hidden @ w2 + b2
        logits -= logits.max(axis=1, keepdims=True)
        return hidden, logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    def loss(self, images: Floats, labels: Labels) -> float:
        """Return the mean cross-entropy."""
        with np.errstate(all="ignore"):
            return float(-self._forward(images)[1][np.arange(len(labels)), labels].mean())

    def accuracy(self, images: Floats, labels: Labels) -> float:
        """Return the fraction of correct predictions."""
        return float((self._forward(images)[1].argmax(axis=1) == labels).mean())


def train_all(studies: list[hoptim.Study]) -> None:
    """Train several studies, one after another, in a worker process."""
    for study in studies:
        train(study)


def work(studies: list[hoptim.Study], workers: int) -> None:
    """Train with several processes, which share nothing but the studies' directories."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # else each worker uses all cores
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=train_all, args=(studies,)) for _ in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if dead := [process.pid for process in processes if process.exitcode]:
        print(f"{len(dead)} of {workers} workers died: {dead}.")
    if not all(study.done for study in studies):
        sys.exit("Trials remain, and all workers have ended. Run the same command again to continue.")


def report(pbt: list[hoptim.Study], random: list[hoptim.Study]) -> None:
    """Print the schedule of the first study's best trial, and the accuracies on the test images."""
    line = pbt[0].lineage().line
    print(f"What the winner of {os.path.relpath(str(pbt[0].path))} was trained with:")
    print(f"{'age':>4} {'member':>6}" + "".join(f"{name:>10}" for name in SPACE) + f"{'loss':>10}")
    for trial in line:
        values = [*trial.params.values(), trial.value]
        print(f"{trial.age:4} {trial.member:6}" + "".join(f"{value:10.3g}" for value in values))
    digits = Digits()
    for name, studies in (("PBT", pbt), ("random search", random)):
        scores = [100 * winner(study).accuracy(*digits.test) for study in studies]
        spread = f" +- {statistics.stdev(scores):.2f}" if len(scores) > 1 else ""
        each = ", ".join(f"{score:.2f}" for score in scores)
        print(f"{name}: held-out accuracy {statistics.mean(scores):.2f}{spread} % ({each})")


def winner(study: hoptim.Study) -> Network:
    """Return the network with the lowest validation loss."""
    checkpoint = study.best.checkpoint
    assert checkpoint is not None  # the best one's is always kept
    return Network.load(checkpoint)


def main() -> None:
    """Run the studies that the command line names, or the rest of them."""
    parser = argparse.ArgumentParser(description="PBT and random search on handwritten digits.")
    parser.add_argument("dir", nargs="?", type=Path, default=Path("runs/digits"))
    parser.add_argument("--workers", type=int, default=2, help="number of worker processes")
    parser.add_argument("--members", type=int, default=12)
    parser.add_argument("--steps", type=int, default=30, help="epochs of each member")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first study")
    parser.add_argument("--repeats", type=int, default=5, help="number of studies of each kind")
    args = parser.parse_args()

    def study(kind: str, optimizer: hoptim.Optimizer, seed: int) -> hoptim.Study:
        return hoptim.Study(
            args.dir / f"{kind}-{seed}", space=SPACE, optimizer=optimizer,
            size=args.members, steps=args.steps, mode="min", seed=seed,
        )  # fmt: skip

    seeds = range(args.seed, args.seed + args.repeats)
    pbt = [study("pbt", hoptim.ROMUL(), seed) for seed in seeds]
    random = [study("random", RescuedSearch(), seed) for seed in seeds]
    if left := [study for study in pbt + random if not study.done]:
        work(left, args.workers)
    report(pbt, random)


if __name__ == "__main__":
    main()
