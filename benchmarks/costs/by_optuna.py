"""The loop of Optuna's journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import optuna
from optuna.samplers import RandomSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.ERROR)


def tell_and_ask(folder: Path) -> Iterator[None]:
    """Tell a trial of a study and get the next one, with two hyperparameters and the fastest sampler.

    The file backend's default lock is `JournalFileSymlinkLock`, which tries again and again.
    """
    storage = JournalStorage(JournalFileBackend(str(folder / "optuna.log")))
    study = optuna.create_study(
        storage=storage, sampler=RandomSampler(), study_name="costs", load_if_exists=True
    )
    while True:
        trial = study.ask()
        x, _ = (trial.suggest_float(name, 0.0, 2.0) for name in "xy")
        yield
        study.tell(trial, x)
