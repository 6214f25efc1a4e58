"""A member of the language study that is trained on its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hoptim.benchmarks.studies.language_options import LanguageOptions
from peers.language.task import Task


class Member:
    """A model with its optimizer and its place in the text.

    Args:
        task: Run that it is a part of.

    Attributes:
        age: Intervals that its weights have been trained.
        loss: Validation loss after the last of them.
    """

    def __init__(self, task: Task) -> None:
        torch.set_num_threads(1)
        self._task = task
        self._training = LanguageOptions().training(1)
        self.age, self.loss = 0, float("inf")

    def begin(self, number: int) -> None:
        """Take the first weights of a member."""
        self._training.begin(0, self._task.weights_seed(number))
        self.age, self.loss = 0, float("inf")

    def train(self, params: Mapping[str, Any], number: int) -> float:
        """Train for an interval and return the validation loss.

        Args:
            params: Hyperparameters of the interval.
            number: Number of the member, or of what the package calls a trial, for the draws of dropout.
        """
        began = time.thread_time()  # those of a package's own threads are not training
        self._training.train([params], [self.age], self._task.dropout_seed(number, self.age))
        (self.loss,) = self._training.losses("validation")
        self.age += 1
        self._task.record(time.thread_time() - began)
        return self.loss

    def perplexity(self, part: str) -> float:
        """Return the perplexity on the "validation" or "test" part."""
        return self._training.shown(self._training.losses(part), part)[0]

    def save(self, path: str | Path) -> None:
        """Write everything that the training goes on from."""
        torch.save({"age": self.age, "loss": self.loss, "state": self._training.state(0)}, path)

    def load(self, path: str | Path) -> None:
        """Read what `save` wrote."""
        saved = read(path)
        self._training.load(0, saved["state"])
        self.age, self.loss = saved["age"], saved["loss"]


def read(path: str | Path) -> dict[str, Any]:
    """Return what `Member.save` wrote: age, loss and state."""
    saved: dict[str, Any] = torch.load(path, weights_only=True)
    return saved
