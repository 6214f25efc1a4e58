"""The checkpoints that a new study begins with, which were trained elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from hoptim._files import explained
from hoptim.errors import ArgumentError
from hoptim.start import GIVEN
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.draft import Draft
from hoptim.store.line_format import Record
from hoptim.store.state import State


class Beginning(NamedTuple):
    """What one member begins with.

    Attributes:
        member: The member.
        checkpoint: Path of the file or folder.
        age: Intervals that it has been trained.
    """

    member: int
    checkpoint: str
    age: int


def require_there(beginnings: Sequence[Beginning], folder: Path | None) -> None:
    """Raise `ArgumentError` unless there is something at each path, and not the study itself.

    Args:
        beginnings: Members and what they begin with.
        folder: Directory that the study will have; None in memory.
    """
    for member, path, _ in beginnings:
        within = folder is not None and folder.resolve().is_relative_to(os.path.realpath(path))
        if within or not os.path.exists(path):
            raise ArgumentError(
                f"start[{member}] begins with the checkpoint {path!r}, and "
                f"{'the study would be in it' if within else 'nothing is there'}. Give the path of a file "
                "or folder that can be copied; nothing was made."
            )


def begin(
    state: State,
    beginnings: Sequence[Beginning],
    checkpoints: Checkpoints,
    propose: Callable[[State, int, int], dict[str, Any]],
) -> list[Record]:
    """Copy the checkpoints, and return records of a first trial of their members, ended without a value.

    Args:
        state: State of a study without trials; the records are folded into it.
        beginnings: Members and what they begin with.
        checkpoints: Files of the study.
        propose: Function that gives the fields of the first trial of a member.

    Raises:
        StoreError: A checkpoint cannot be copied.
        CheckpointError: It has a pipe, a socket or a device in it.
    """
    records: list[Record] = []
    drafts: list[Draft] = []

    def add(op: str, trial: int, **fields: Any) -> None:
        moment = {} if records else {"time": round(time.time(), 3)}
        records.append({"n": state.n, "op": op, "trial": trial, **fields, **moment})
        state.apply(records[-1])

    try:
        for member, path, age in beginnings:
            number, token = state.count, state.n
            drafts.append(Draft.new(number, token))
            checkpoints.write(drafts[-1], partial(_copy, path))
            published = checkpoints.publish(drafts[-1])
            first = propose(state, member, number)
            add("ask", number, member=member, step=0, **first, worker=GIVEN, age=age - 1)
            add("tell", number, token=token, value=None, checkpoint=published.record())
    except BaseException:
        for draft in drafts:
            checkpoints.abandon(draft)
        raise
    return records


def _copy(source: str, target: str) -> None:
    """Copy a file or folder, with what its links lead to."""
    import shutil  # seldom needed, and slow to import

    with explained("copy", source):
        if os.path.isdir(source):
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
