"""Loops whose every `next` is one whole operation: the bare loop, hoptim's, and those of the peers.

The first `next` only prepares. Each loop takes a folder that several processes share. A peer is imported
in its own loop, so that each interpreter needs no more than what it measures.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

Operations = Iterator[None]
Loop = Callable[..., Operations]

ENDLESS = 10**6  # steps, more than any run gets done
_LINE = b"x" * 199 + b"\n"


def bare(folder: Path) -> Operations:
    """Commit 200 bytes with flock, append and fsync: the least that a durable commit of many can cost."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    fd = os.open(folder / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while True:
        yield
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.write(fd, _LINE)
        os.fsync(fd)
        fcntl.flock(lock, fcntl.LOCK_UN)


def journal(folder: Path) -> Operations:
    """Append one record of 200 bytes to hoptim's journal: hold, read what is new, append."""
    from hoptim.store import study_file
    from hoptim.store.journal import FileJournal

    opened = FileJournal(folder, study_file.create(folder, {}, 1).uuid)
    while True:
        yield
        with opened.hold(None):
            opened.read(lambda void, records: None)
            opened.append([{"id": os.urandom(6).hex(), "op": "tell", "pad": "x" * 140}])


def study(folder: Path, members: int = 16, hyperparameters: int = 2, lead: int = ENDLESS) -> Operations:
    """Tell a trial of a study and get the next one, which is one commit, without checkpoints."""
    import hoptim

    names = [f"x{i}" for i in range(hyperparameters)]
    space = {name: hoptim.Float(0.0, 2.0, init=0.8) for name in names}
    made = hoptim.Study(folder, space=space, size=members, steps=ENDLESS, mode="min", seed=0, lead=lead)
    for trial in made:
        yield
        trial.tell(trial.params["x0"])


def optuna_journal(folder: Path, hyperparameters: int = 2) -> Operations:
    """Tell a trial of an Optuna study and get the next one, with its fastest sampler.

    The storage is `JournalStorage(JournalFileBackend(path))`, whose default lock is a symbolic link.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made = optuna.create_study(
        storage=optuna.storages.JournalStorage(JournalFileBackend(str(folder / "optuna.log"))),
        sampler=optuna.samplers.RandomSampler(), study_name="costs", load_if_exists=True,
    )  # fmt: skip
    while True:
        trial = made.ask()
        values = [trial.suggest_float(f"x{i}", 0.0, 2.0) for i in range(hyperparameters)]
        yield
        made.tell(trial, values[0])


LOOPS: Mapping[str, Loop] = {made.__name__: made for made in (bare, journal, study, optuna_journal)}
