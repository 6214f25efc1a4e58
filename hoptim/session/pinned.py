"""Pinning: a checkpoint stays for as long as somebody evaluates it, whatever is trained meanwhile."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from hoptim.analysis.lineage import chosen
from hoptim.analysis.ranking import best
from hoptim.errors import CheckpointError, NoResult, StoreError
from hoptim.session.session import Session
from hoptim.store.pins import Pin
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord
from hoptim.trial import FinishedTrial

_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def pinned(session: Session, trial: FinishedTrial | int | None) -> Iterator[str]:
    """Keep a trial's checkpoint from being dropped within a block, and give its path.

    Args:
        session: Session on the study.
        trial: Finished trial or its number; None for the best of the members' latest.

    Raises:
        NoResult: No member's latest trial has a finite value.
        ArgumentError: No such trial has ended.
        CheckpointError: The trial has no checkpoint, it was dropped, or it did not stay.
        StoreError: This process may not write in the study's directory.
    """
    if session.path is None:
        with session.store.journal.mutex:
            number = _chosen(session, session.store.refresh(), trial)
            session.pinned[number] += 1
        try:
            yield _path(session, number, session)
        finally:
            with session.store.journal.mutex:
                session.pinned[number] -= 1
        return
    pin, number = _pin(session, trial)
    with pin:
        yield _path(session, number, pin)
        pin.require()


def _pin(session: Session, trial: FinishedTrial | int | None) -> tuple[Pin, int]:
    """Return a pin of a trial's checkpoint, and the trial's number; the best is chosen under the lock."""
    number = _chosen(session, session.store.refresh(), trial)  # what is long past is read without the lock

    def choose(state: State) -> list[int]:
        nonlocal number
        number = _chosen(session, state, trial)
        return [number]

    try:
        return session.store.pin(choose), number
    except StoreError as error:
        if error.errno not in _FORBIDDEN:
            raise
        raise StoreError(
            error.errno,
            f"{error} A pin is a file in the study's directory; without permission to write there, "
            "`hoptim export-checkpoint DIR --best -o FOLDER` copies a checkpoint whole.",
        ) from error


def _chosen(session: Session, state: State, trial: FinishedTrial | int | None) -> int:
    """Return the number of a trial that has a checkpoint."""
    found = _best(session, state) if trial is None else chosen(state.finished, trial)
    if found.number in state.saved:
        return found.number
    if not state.stateful:
        why = "has no checkpoint, like all of this study, whose trials are told without"
    elif not found.healthy:
        why = "has no checkpoint, since it failed"
    else:
        why = (
            "has no checkpoint any more. Those stay that a trial may still continue from, the best and the "
            "best ever; give the processes that train keep=..., to keep more"
        )
    raise CheckpointError(f"Trial {found.number} {why}.")


def _best(session: Session, state: State) -> TrialRecord:
    found = best([trials[-1] for trials in state.members if trials], session.config.mode)
    if found is None:
        raise NoResult(f"{session!r} has no trial with a finite value among its members' latest.")
    return found


def _path(session: Session, number: int, reader: object) -> str:
    """Return the path of a pinned checkpoint; raise `CheckpointError` if it is gone all the same."""
    checkpoints, saved = session.store.checkpoints, session.store.state.saved[number]
    if not checkpoints.is_there(name := saved.name):
        raise CheckpointError(
            f"The checkpoint of trial {number} is recorded, but is not at {checkpoints.path(name)!r}; "
            "hoptim did not remove it. `hoptim check DIR` lists all that is missing."
        )
    return checkpoints.fetch(saved, reader)
