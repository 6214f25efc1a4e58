"""Syne Tune's PBT: its scheduler, driven by a simulated backend of as many workers as members.

All members report a step before those that the scheduler stopped are replaced, so that a clone continues
from weights of the same age as its own. They report in an order that is drawn for each step, as workers of
equal speed do: the scheduler knows no generations and compares a report with others' older ones, so with a
fixed order the same members would always be compared with weights younger than theirs.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import numpy as np
from syne_tune.backend.trial_status import Trial
from syne_tune.optimizer.scheduler import SchedulerDecision
from syne_tune.optimizer.schedulers.pbt import PopulationBasedTraining

from peers.syne_tune_space import domain
from peers.task import Work, serve

_BEGAN = datetime.datetime(2000, 1, 1)  # a trial wants to know


def play(work: Work, arguments: Mapping[str, Any]) -> None:
    """Run the scheduler with its defaults, but deciding at each report, as all others do."""
    np.random.seed(work.seed)  # noqa: NPY002 - its searcher draws from the global generator
    scheduler = PopulationBasedTraining(
        {name: domain(dim) for name, dim in work.problem.space.items()}, metric="loss", time_attr="step",
        max_t=work.decisions + 1, population_size=work.size, perturbation_interval=1,
        random_seed=work.seed, searcher_kwargs={"points_to_evaluate": work.starts},
    )  # fmt: skip
    backend, rng = _Backend(scheduler, work), np.random.default_rng(work.seed)
    members = [backend.start() for _ in range(work.size)]
    for step in range(1, work.decisions + 1):
        rng.shuffle(members)
        going = [backend.train(number, step) for number in members]
        members = [number if goes else backend.start() for number, goes in zip(members, going, strict=True)]


class _Backend:
    """Trials and their latest checkpoints."""

    def __init__(self, scheduler: PopulationBasedTraining, work: Work) -> None:
        self.scheduler, self.work = scheduler, work
        self.trials: list[Trial] = []
        self.states: dict[int, Any] = {}

    def start(self) -> int:
        """Begin the trial that the scheduler suggests."""
        suggestion, number = self.scheduler.suggest(), len(self.trials)
        donor = suggestion.checkpoint_trial_id
        self.states[number] = self.work.begin() if donor is None else self.states[donor]
        self.trials.append(Trial(number, suggestion.config, _BEGAN))
        self.scheduler.on_trial_add(self.trials[number])
        return number

    def train(self, number: int, step: int) -> bool:
        """Train a trial for one interval, report its loss and tell whether it may continue."""
        trial = self.trials[number]
        self.states[number], loss = self.work.train(self.states[number], trial.config)
        decision = self.scheduler.on_trial_result(trial, {"loss": loss, "step": step})
        return bool(decision == SchedulerDecision.CONTINUE)


if __name__ == "__main__":
    serve(play, "syne-tune")
