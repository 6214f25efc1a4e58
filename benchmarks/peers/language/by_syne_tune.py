"""Syne Tune's PBT through its `Tuner`, with a worker process for each member.

It has no more members than workers, so all are trained at once on whatever cores there are, and it is
asynchronous alone. It ends when as many intervals are trained as the others train, so that members end at
about the last interval, not exactly at it.
"""

from __future__ import annotations

import os
from pathlib import Path

from syne_tune import Tuner
from syne_tune.backend import LocalBackend
from syne_tune.optimizer.schedulers.pbt import PopulationBasedTraining

from peers.language import syne_tune_trial
from peers.language.member import read
from peers.language.task import SPACE, Task, serve
from peers.syne_tune_space import domain

_PAUSE = 0.1  # seconds between two looks at the workers; by default 5, in which members train several times


def play(task: Task) -> Path:
    """Run the scheduler with its defaults, but deciding at each report."""
    os.environ["SYNETUNE_FOLDER"] = str(task.kept)
    scheduler = PopulationBasedTraining(
        {name: domain(dim) for name, dim in SPACE.items()}, metric="loss", time_attr="step",
        max_t=task.steps, population_size=task.size, perturbation_interval=1, random_seed=task.seed,
        searcher_kwargs={"points_to_evaluate": task.starts},
    )  # fmt: skip
    tuner = Tuner(
        trial_backend=LocalBackend(entry_point=syne_tune_trial.__file__), scheduler=scheduler,
        stop_criterion=lambda status: len(task.recorded()) >= task.size * task.steps,
        n_workers=task.size, sleep_time=_PAUSE, tuner_name="run",
    )  # fmt: skip
    tuner.run()
    return min(task.kept.glob(f"**/{syne_tune_trial.FILE}"), key=lambda path: read(path)["loss"])


if __name__ == "__main__":
    serve(play, "syne-tune", "scikit-learn")
