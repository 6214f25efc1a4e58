"""A worker of `tests/soak.py`: ACKS MEMBERS STEPS LEASE PAUSE, for the study of HOPTIM_STUDY.

Each acknowledged tell is noted in ACKS as soon as `tell` returned. A full disk is waited out, but for one
time in ten: then the worker ends with the error. One worker in three is as one of another host to the rest.
"""

from __future__ import annotations

import os
import random
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import hoptim
from hoptim.store.process_identity import ProcessIdentity
from tests.builders import study
from tests.full_disk import FULL
from tests.herd import load_parent, save
from tests.notes import Notes

_ENDS = 0.1  # of the times that a worker meets the full disk

rng = random.Random(os.getpid())


def value_of(params: Mapping[str, Any]) -> float:
    """What a trial is told, from what its journal has of it alone."""
    return float((params["x"] - 0.3) ** 2 + params["k"] / 10)


def train(made: hoptim.Study, note: Notes, pause: float) -> None:
    """Train until all is done."""
    while (trial := _once_there_is_room(made.ask)) is not None:
        time.sleep(rng.uniform(0, 2 * pause))
        value = value_of(trial.params)
        tell = partial(trial.tell, value, save=partial(save, number=trial.number))
        try:
            load_parent(trial)
            _once_there_is_room(tell)
        except hoptim.ClaimLost:
            note("lost", trial.number, trial.token)
        else:
            note("told", trial.number, trial.token, value)


def _once_there_is_room(call: Callable[[], Any]) -> Any:
    while True:
        try:
            return call()
        except OSError as error:
            if error.errno not in FULL or rng.random() < _ENDS:
                raise
            time.sleep(rng.uniform(0.1, 0.3))


def main() -> None:
    """Train the study, and note an error that is none of a full disk."""
    acks, members, steps, lease, pause = sys.argv[1:]
    if int(os.environ["HOPTIM_WORKER"]) % 3 == 1:
        ProcessIdentity.mine = ProcessIdentity.of_parent  # type: ignore[method-assign]
    note = Notes(Path(acks) / str(os.getpid()))
    try:
        made = study(os.environ["HOPTIM_STUDY"], size=int(members), steps=int(steps), lease=float(lease))
        train(made, note, float(pause))
    except Exception as error:
        if getattr(error, "errno", None) not in FULL:
            note("error", traceback.format_exc())
        raise


if __name__ == "__main__":
    main()
