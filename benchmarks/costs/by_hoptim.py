"""Loops of hoptim: its journal alone, and a study."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import filelock  # noqa: F401 - hoptim imports it late; here it is loaded once, before the fork

from hoptim import Float, Study
from hoptim.store import study_file
from hoptim.store.journal import FileJournal

ENDLESS = 10**6  # steps, more than any run gets done


def append(folder: Path) -> Iterator[None]:
    """Append one record of 200 bytes to the journal: hold, read what is new, append."""
    journal = FileJournal(folder, study_file.create(folder, {}, 1).uuid)
    while True:
        yield
        with journal.hold(None):
            journal.read(lambda void, records: None)
            journal.append([{"id": os.urandom(6).hex(), "op": "tell", "pad": "x" * 140}])


def tell_and_ask(folder: Path, members: int = 16, lead: int = ENDLESS) -> Iterator[None]:
    """Tell a trial of a study and get the next one in the same commit, with two hyperparameters."""
    space = {"x": Float(0.0, 2.0, init=0.8), "y": Float(0.0, 2.0, init=0.4)}
    for trial in Study(folder, space=space, size=members, steps=ENDLESS, mode="min", seed=0, lead=lead):
        yield
        trial.tell(trial.params["x"])
