"""One run: a population in training, driven by a study that survives its process."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hoptim
from hoptim.benchmarks.studies.methods import METHODS, Method
from hoptim.benchmarks.studies.one_thread import one_thread
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
    method: str | hoptim.Optimizer,
    tune_lr: bool,
    size: int,
    seed: int,
    path: Path | None = None,
) -> StudyRun:
    """Train a population with a method, or what is left of it.

    Args:
        make: Function of a size that makes the population.
        method: Name in `METHODS`, or an optimizer, which delivers the best of the members' last.
        tune_lr: Tune the learning rate, too.
        size: Members.
        seed: Seed of the study, of the members' first hyperparameters and of the training.
        path: Directory of the study. Default: None, in memory.
    """
    with one_thread():
        training = make(size)
        study = open_study(training, method, tune_lr, seed, path)
        Generations(training, study).train()
        delivered = study.best_ever if _found(method).ever else study.best
        model = make(1)
        model.load(0, _loaded(delivered.checkpoint))
        losses = {"validation": [delivered.value], "test": model.losses("test")}
        validation, test = (model.shown(each, part)[0] for part, each in losses.items())
    steps = [[t for t in study.trials if t.step == step] for step in range(study.steps)]
    return StudyRun(
        validation,
        test,
        [min((t.value for t in trials if t.finite), default=math.inf) for trials in steps],
        [interval.params for interval in study.schedule(delivered)],
        sum(max(t.ended for t in trials) - min(t.claimed for t in trials) for trials in steps),
    )


def open_study(
    training: PopulationTraining,
    method: str | hoptim.Optimizer,
    tune_lr: bool,
    seed: int,
    path: Path | None,
) -> hoptim.Study:
    """Return the study of a run, which all methods begin with the same hyperparameters."""
    dimensions = training.space(tune_lr)
    hand = {name: training.hand[name] for name in dimensions}
    space, rng = hoptim.Space(dimensions), np.random.default_rng([seed, 0])
    return hoptim.Study(
        path, space=space, optimizer=_found(method).optimizer(training, hand), size=training.size,
        steps=training.steps, mode="min", seed=seed, synchronous=True,
        start=[space.decode(space.draw(rng)) for _ in range(training.size)],
    )  # fmt: skip


def _found(method: str | hoptim.Optimizer) -> Method:
    return METHODS[method] if isinstance(method, str) else Method(lambda training, hand: method)


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
        with ExitStack() as stack:  # hands back what is left when it is left by an error
            asked = [stack.enter_context(trial) for trial in self._asked(size - told)]
            for trial in asked:
                self._prepare(trial)
            rows: list[hoptim.Trial | hoptim.FinishedTrial] = [
                *asked,
                *(t for t in trials if t.step == step),
            ]
            rows.sort(key=attrgetter("member"))
            draws = int(np.random.default_rng([seed, 1, step]).integers(2**31))
            self._training.train([row.params for row in rows], [row.age for row in rows], draws)
            losses = self._training.losses("validation")
            for trial in reversed(asked):  # a study first asks for the member that was told last, or else 0
                state = self._training.state(trial.member)
                trial.tell(losses[trial.member], save=partial(torch.save, state))
                self._held[trial.member] = trial.number

    def _asked(self, count: int) -> Iterator[hoptim.Trial]:
        """Yield the trials that are due, as many as are known to be."""
        for _ in range(count):
            if (trial := self._study.ask()) is not None:
                yield trial

    def _prepare(self, trial: hoptim.Trial) -> None:
        """Give a member the weights that its trial continues from."""
        if trial.parent is None:
            self._training.begin(trial.member, trial.seed)
        elif self._held[trial.member] != trial.parent:
            self._training.load(trial.member, _loaded(trial.checkpoint))


def _loaded(checkpoint: str | None) -> Mapping[str, torch.Tensor]:
    state: Mapping[str, torch.Tensor] = torch.load(checkpoint, weights_only=True)
    return state
