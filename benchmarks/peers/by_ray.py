"""Ray Tune's PBT and PB2: the schedulers, driven by stand-ins for the controller and its trials.

`tune.Tuner` starts an actor for each trial that it resumes; the schedulers see the same calls here.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from ray.train._internal.session import _TrainingResult
from ray.tune.experiment import Trial

from peers.ray_space import SPACES
from peers.task import Work, serve


def play(work: Work, arguments: Mapping[str, Any]) -> None:
    """Run a scheduler with its defaults, but synchronous, deciding after each interval, within bounds."""
    random.seed(work.seed)
    np.random.seed(work.seed)  # noqa: NPY002 - Ray draws from the global generators
    space = SPACES[arguments["scheduler"]](work.problem.space)
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


if __name__ == "__main__":
    serve(play, "ray", "scikit-learn")
