"""A training script before and after the six lines that make it population based training.

    python examples/existing_script.py [DIR]

Each line of `after` that `before` does not have ends in `# hoptim`; the import is the sixth. For a
network that takes long to load, a seventh, `if not trial.continues:` above the line that loads,
skips reading weights that are in memory already.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import hoptim  # hoptim

EPOCHS = 30


def before(path: str) -> None:
    """Train one network with guessed hyperparameters, as in the original script."""
    params = {"lr": 0.03, "l2": 1e-3}
    model = Model(seed=0)
    for _ in range(EPOCHS):
        model.train_epoch(**params)
        model.save(path)


def after(path: str) -> None:
    """Train a population of eight networks, in any number of processes that may be killed and restarted."""
    space = {"lr": hoptim.Float(1e-3, 1.0, log=True), "l2": hoptim.Float(1e-6, 1e-2, log=True)}  # hoptim
    for trial in hoptim.Study(path, space=space, size=8, steps=EPOCHS, mode="min"):  # hoptim
        model = Model.load(trial.checkpoint) if trial.checkpoint else Model(trial.seed)  # hoptim
        model.train_epoch(**trial.params)  # hoptim
        trial.tell(model.loss(), save=model.save)  # hoptim


class Model:
    """One hidden layer that is fitted to noisy points of a curve by gradient descent."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.w, self.b, self.v = rng.normal(size=32), rng.normal(size=32), rng.normal(size=32) / 6

    @classmethod
    def load(cls, path: str) -> Model:
        """Return the network that was saved."""
        model = cls(seed=0)
        with np.load(path, allow_pickle=False) as data:
            model.w, model.b, model.v = data["w"], data["b"], data["v"]
        return model

    def save(self, path: str) -> None:
        """Write the weights."""
        with open(path, "wb") as file:  # given a name, np.savez would append .npz to it
            np.savez(file, w=self.w, b=self.b, v=self.v)

    def train_epoch(self, lr: float, l2: float) -> None:
        """Train for twenty steps of gradient descent."""
        x, y = _points(seed=1)
        with np.errstate(all="ignore"):  # a network that diverges has a loss of NaN
            for _ in range(20):
                hidden = np.tanh(np.outer(x, self.w) + self.b)
                error = 2 * (hidden @ self.v - y) / len(x)
                back = np.outer(error, self.v) * (1 - hidden**2)
                self.v = self.v - lr * (hidden.T @ error + l2 * self.v)
                self.w = self.w - lr * (x @ back + l2 * self.w)
                self.b = self.b - lr * back.sum(axis=0)

    def loss(self) -> float:
        """Return the mean squared error on validation points."""
        x, y = _points(seed=2)
        with np.errstate(all="ignore"):
            return float(np.mean((np.tanh(np.outer(x, self.w) + self.b) @ self.v - y) ** 2))


def _points(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, size=100)
    return x, np.sin(3 * x) + rng.normal(0, 0.1, size=100)


def main() -> None:
    """Run both versions and print their final losses."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/existing_script")
    folder.mkdir(parents=True, exist_ok=True)
    before(str(folder / "model.npz"))
    print(f"before: loss {Model.load(str(folder / 'model.npz')).loss():.4f}")
    after(str(folder / "study"))
    best = hoptim.load(folder / "study").best
    print(f"after:  loss {best.value:.4f}, saved in {best.checkpoint}")


if __name__ == "__main__":
    main()
