"""Checkpoints that were lost: somebody else removed them, or what is there is not what was published."""

from __future__ import annotations

import logging
from contextlib import suppress

from hoptim.errors import StoreError, StudyDamaged
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.locking.patience import limited
from hoptim.store.state import State
from hoptim.store.transactions import Transaction
from hoptim.store.trial_record import TrialRecord

log = logging.getLogger("hoptim")

_LOOK_WITHIN = 2.0  # seconds


def is_gone(state: State, checkpoints: Checkpoints, number: int | None) -> bool:
    """Return whether a trial's checkpoint was lost, or is recorded, not dropped, and not there.

    One that cannot be looked at now is not gone: who holds the lock should not wait until it can be, and
    whoever is to go on from it looks again without the lock.

    Args:
        state: State of the study.
        checkpoints: Files of the checkpoints.
        number: Trial; None is none.
    """
    if number is None or number in state.gone:
        return number is not None
    saved = state.saved.get(number)
    with suppress(StoreError), limited(_LOOK_WITHIN):
        return saved is not None and not checkpoints.is_there(saved.name)
    return False


def record_lost(transaction: Transaction, checkpoints: Checkpoints, number: int) -> None:
    """Record all checkpoints that are gone as lost: to an optimizer, such a trial has failed.

    Args:
        transaction: Takes the record.
        checkpoints: Files of the checkpoints.
        number: Trial whose checkpoint is gone, or is not what was published.

    Raises:
        StudyDamaged: No checkpoint is left; or the study is of format 1, which has no such record.
    """
    state = transaction.state
    lost = {number, *(each for each in state.saved if is_gone(state, checkpoints, each))}
    what = (
        f"The checkpoints of trials {sorted(lost)} are recorded, but not in "
        f"{checkpoints.path('')!r}, or not as they were published; hoptim did not remove them"
    )
    if state.format == 1:
        raise StudyDamaged(
            f"{what}. Restore them from a copy, or fork the study where its checkpoints are whole: "
            "hoptim.fork(path, new_path)."
        )
    if len(lost) == len(state.saved):
        raise StudyDamaged(
            f"{what}, and no other checkpoint is left to go on from. Restore them from a copy; or run "
            "`hoptim check DIR --repair`, which marks them as lost, so that all members start afresh."
        )
    log.warning("%s. They are marked as lost; members go on from other checkpoints.", what)
    transaction.removed += [state.saved[each].name for each in lost]
    transaction.add("drop", drops=sorted(lost))


def give_up(transaction: Transaction, checkpoints: Checkpoints, trial: TrialRecord) -> None:
    """End a trial as failed whose parent's checkpoint is gone, or is not what was published.

    Args:
        transaction: Takes the records.
        checkpoints: Files of the checkpoints.
        trial: The trial, which is held.

    Raises:
        StudyDamaged: See `record_lost`.
    """
    parent = trial.parent
    if parent in transaction.state.saved:
        record_lost(transaction, checkpoints, parent)
    why = f"the checkpoint of its parent, trial {parent}, was lost"
    transaction.add("fail", trial=trial.number, token=trial.token, why=why, final=True)
