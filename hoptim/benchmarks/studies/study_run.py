"""One run: a population in training, driven by a study that survives its process."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hoptim
from hoptim.benchmarks.studies.methods import METHODS
from hoptim.benchmarks.studies.training import PopulationTraining


@dataclass(frozen=True)
class StudyRun:
    """The result of a run.

    Attributes:
        validation: Measure of the delivered model on the validation part.
        test: Its measure on the test part.
        losses: Lowest validation loss of each step.
        schedule: Hyperparameters that the delivered model was trained with, by age.
        seconds: Time between the first claim and the last tell of each step, added up.
    """

    validation: float
    test: float
    losses: Sequence[float]
    schedule: Sequence[Mapping[str, Any]]
    seconds: float


def run_study(
    make: Callable[[int], PopulationTraining],
    method: str,
    tune_lr: bool,
    size: int,
    seed: int,
    path: Path | None = None,
) -> StudyRun:
    """Train a population with a method, or what is left of it.

    Args:
        make: Function of a size that makes the population.
        method: Name in `METHODS`.
        tune_lr: Tune the learning rate, too.
        size: Members.
        seed: Seed of the study, of the members' first hyperparameters and of the training.
        path: Directory of the study. Default: None, in memory.
    """
    with _one_thread():
        training = make(size)
        study = open_study(training, method, tune_lr, seed, path)
        Generations(training, study).train()
        delivered = study.best_ever if METHODS[method].ever else study.best
        model = make(1)
        model.load(0, _loaded(delivered.checkpoint))
        validation, test = (model.shown(model.losses(part), part)[0] for part in ("validation", "test"))
    steps = [[t for t in study.trials if t.step == step] for step in range(study.steps)]
    return StudyRun(
        validation,
        test,
        [min((t.value for t in trials if t.finite), default=math.inf) for trials in steps],
        [interval.params for interval in study.schedule(delivered)],
        sum(max(t.ended for t in trials) - min(t.claimed for t in trials) for trials in steps),
    )


def open_study(
    training: PopulationTraining, method: str, tune_lr: bool, seed: int, path: Path | None
) -> hoptim.Study:
    """Return the study of a run, which all methods begin with the same hyperparameters."""
    dimensions = training.space(tune_lr)
    hand = {name: training.hand[name] for name in dimensions}
    space, rng = hoptim.Space(dimensions), np.random.default_rng([seed, 0])
    return hoptim.Study(
        path, space=space, optimizer=METHODS[method].optimizer(training, hand), size=training.size,
        steps=training.steps, mode="min", seed=seed, synchronous=True,
        start=[space.decode(space.draw(rng)) for _ in range(training.size)],
    )  # fmt: skip


class Generations:
    """The training of a study's population, one step of all members after another.

    Args:
        training: Population.
        study: Synchronous study, asked by nobody else meanwhile.
    """

    def __init__(self, training: PopulationTraining, study: hoptim.Study) -> None:
        self._training, self._study = training, study
        self._held: list[int | None] = [None] * training.size  # trials whose weights the members have

    def train(self) -> None:
        """Train until the study is done."""
        while not self._study.done:
            self._train_step()

    def _train_step(self) -> None:
        """Train a step of all members; of those that have told theirs before a kill, once more for nothing.

        All draw their dropout from one generator, so the others would else be trained in another way.
        """
        size, seed = self._training.size, self._study.seed
        trials = self._study.trials
        step, told = divmod(len(trials), size)
        asked = [self._study.ask() for _ in range(size - told)]
        lent = {trial.member: trial for trial in asked if trial is not None}
        every = lent | {trial.member: trial for trial in trials if trial.step == step}
        for trial in lent.values():
            self._prepare(trial)
        rows = [every[member] for member in range(size)]
        draws = int(np.random.default_rng([seed, 1, step]).integers(2**31))
        self._training.train([t.params for t in rows], [t.age for t in rows], draws)
        losses = self._training.losses("validation")
        for member, trial in lent.items():
            trial.tell(losses[member], save=partial(torch.save, self._training.state(member)))
            self._held[member] = trial.number

    def _prepare(self, trial: hoptim.Trial) -> None:
        """Give a member the weights that its trial continues from."""
        if trial.parent is None:
            self._training.begin(trial.member, trial.seed)
        elif self._held[trial.member] != trial.parent:
            self._training.load(trial.member, _loaded(trial.checkpoint))


def _loaded(checkpoint: str | None) -> Mapping[str, torch.Tensor]:
    state: Mapping[str, torch.Tensor] = torch.load(checkpoint, weights_only=True)
    return state


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one core, so that sums are added in the same order each time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
