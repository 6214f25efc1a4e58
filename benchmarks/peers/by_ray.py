"""Ray Tune's PBT and PB2: the schedulers, driven by stand-ins for the controller and its trials.

`tune.Tuner` starts an actor for each trial that it resumes; the schedulers see the same calls here.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from ray import tune
from ray.train._internal.session import _TrainingResult
from ray.tune.experiment import Trial
from ray.tune.schedulers import PopulationBasedTraining
from ray.tune.schedulers.pb2 import PB2

import hoptim
from peers.task import CannotPlay, Work, serve


def play(work: Work, arguments: Mapping[str, Any]) -> None:
    """Run a scheduler with its defaults, but synchronous, deciding after each interval, within bounds."""
    random.seed(work.seed)
    np.random.seed(work.seed)  # noqa: NPY002 - Ray draws from the global generators
    space = _BoundedByGP(work) if arguments["scheduler"] == "PB2" else _Mutated(work)
    scheduler = space.scheduler(
        time_attr="training_iteration", metric="loss", mode="min", perturbation_interval=1, synch=True,
        log_config=False,
    )  # fmt: skip
    controller = _Controller([_Trial(i, space.encode(first)) for i, first in enumerate(work.starts)])
    for trial in controller.trials:
        trial.save(work.begin(), {})
        scheduler.on_trial_add(controller, trial)
    while work.left:
        trial = scheduler.choose_trial_to_run(controller)
        trial.status = Trial.RUNNING
        state, loss = work.train(trial.checkpoint.state, space.decode(trial.config))
        trial.trained += 1
        result = {"loss": loss, "training_iteration": trial.trained}
        trial.save(state, result)
        if scheduler.on_trial_result(controller, trial, result) == scheduler.PAUSE:
            trial.status = Trial.PAUSED


@dataclass
class _Checkpoint:
    state: Any


class _Trial:
    """The parts of a trial that the schedulers read and write, under Ray's names."""

    def __init__(self, number: int, config: dict[str, Any]) -> None:
        self.config, self.status, self.trained = config, Trial.PENDING, 0
        self.trial_id = self.experiment_tag = f"member {number}"
        self.evaluated_params: dict[str, Any] = {}
        self.temporary_state = SimpleNamespace(saving_to=None)
        manager = SimpleNamespace(checkpoint_config=SimpleNamespace(num_to_keep=None))
        self.run_metadata = SimpleNamespace(checkpoint_manager=manager)

    def __str__(self) -> str:
        return self.trial_id

    def save(self, state: Any, metrics: Mapping[str, Any]) -> None:
        """Make a checkpoint, since a paused trial has one."""
        saved = _TrainingResult(checkpoint=_Checkpoint(state), metrics=metrics)
        self.run_metadata.checkpoint_manager._latest_checkpoint_result = saved

    @property
    def checkpoint(self) -> Any:
        """Return the latest checkpoint, which an exploit replaces by the donor's."""
        return self.run_metadata.checkpoint_manager._latest_checkpoint_result.checkpoint

    def is_finished(self) -> bool:
        """Return False: no member stops before all do."""
        return False

    def set_config(self, config: dict[str, Any]) -> None:
        """Set new hyperparameters."""
        self.config = config

    def set_experiment_tag(self, tag: str) -> None:
        """Set a name for the console."""
        self.experiment_tag = tag


@dataclass
class _Controller:
    """The parts of Tune's controller that the schedulers use."""

    trials: list[_Trial]
    search_alg = None

    def get_trials(self) -> list[_Trial]:
        """Return all members."""
        return self.trials

    get_live_trials = get_trials

    def _schedule_trial_save(self, trial: _Trial, result: Any) -> Any:
        return trial.checkpoint

    def pause_trial(self, trial: _Trial, should_checkpoint: bool) -> None:
        """Stop a trial whose weights are replaced."""
        trial.status = Trial.PAUSED


class _Mutated:
    """The space of PBT, whose factors ignore bounds: an explore function clips to them."""

    def __init__(self, work: Work) -> None:
        self.dims = work.problem.space

    def scheduler(self, **settings: Any) -> Any:
        """Return a PBT scheduler."""
        mutations = {name: _domain(dim) for name, dim in self.dims.items()}
        return PopulationBasedTraining(
            hyperparam_mutations=mutations, custom_explore_fn=self._clip, **settings
        )

    def encode(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return Ray's configuration."""
        return dict(params)

    decode = encode

    def _clip(self, config: dict[str, Any]) -> dict[str, Any]:
        for name, dim in self.dims.items():
            if isinstance(dim, hoptim.Float | hoptim.Int):
                config[name] = min(max(config[name], dim.low), dim.high)
        return config


class _BoundedByGP:
    """The space of PB2: bounded floats, by their logarithm where the space is logarithmic."""

    def __init__(self, work: Work) -> None:
        self.dims: dict[str, hoptim.Float] = {}
        for name, dim in work.problem.space.items():
            if not isinstance(dim, hoptim.Float):
                raise CannotPlay(f"floats only, {name} is {type(dim).__name__}")
            self.dims[name] = dim

    def scheduler(self, **settings: Any) -> Any:
        """Return a PB2 scheduler."""
        bounds = {
            name: [self._in(name, dim.low), self._in(name, dim.high)] for name, dim in self.dims.items()
        }
        return PB2(hyperparam_bounds=bounds, **settings)

    def encode(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return Ray's configuration."""
        return {name: self._in(name, value) for name, value in params.items()}

    def decode(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return hyperparameters, clipped since rounding to 32 bits may leave the bounds."""
        values = {name: math.exp(u) if self.dims[name].log else float(u) for name, u in config.items()}
        return {n: min(max(value, self.dims[n].low), self.dims[n].high) for n, value in values.items()}

    def _in(self, name: str, value: float) -> float:
        return math.log(value) if self.dims[name].log else value


def _domain(dim: hoptim.Dimension) -> Any:
    if isinstance(dim, hoptim.Choice | hoptim.Ordinal):
        return list(dim.values)
    end = int(isinstance(dim, hoptim.Int))  # Ray's whole numbers exclude the upper bound
    names = ("lograndint", "randint") if end else ("loguniform", "uniform")
    return getattr(tune, names[not dim.log])(dim.low, dim.high + end)  # type: ignore[attr-defined]


if __name__ == "__main__":
    serve(play, "ray", "scikit-learn")
