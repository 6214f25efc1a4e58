"""Stop records: that a study is to stop, by hand or since a condition is met, and that it goes on."""

from __future__ import annotations

import os

from hoptim._text import counted
from hoptim.errors import ArgumentError
from hoptim.stopping import Stop
from hoptim.store.state import State
from hoptim.store.transactions import Transaction


def record_stop(transaction: Transaction, why: str) -> None:
    """Record that a study stops, unless it has stopped already.

    Args:
        transaction: Takes the record.
        why: Reason.

    Raises:
        ArgumentError: The study is of format 1, which has no such record.
    """
    require_format(transaction.state)
    if transaction.state.stopped is None:
        transaction.add("stop", why=why, by=_me())


def record_resumption(transaction: Transaction) -> None:
    """Record that a stopped study goes on; one that has not stopped goes on anyway."""
    if transaction.state.stopped is not None:
        transaction.add("stop", why=None, by=_me())


def stop_if_met(transaction: Transaction, stop: Stop | None) -> None:
    """Record that a study stops if a condition is met and trials are left.

    Args:
        transaction: Takes the record.
        stop: Conditions; None for none.
    """
    state = transaction.state
    if stop is None or state.done or state.stopped is not None or state.format == 1:
        return
    if (why := reason_met(stop, state)) is not None:
        record_stop(transaction, why)


def reason_met(stop: Stop, state: State) -> str | None:
    """Return what is met in words, and was not met when the study was last resumed; None without.

    Args:
        stop: Conditions.
        state: State of the study.
    """
    best, effort, ended = state.best_ever, state.effort, len(state.finished)
    if stop.value is not None and best is not None:
        target, before = state.sign * stop.value, effort.best_before
        if state.sign * best.value <= target and (before is None or state.sign * before > target):
            return f"the value {best.value:.6g} of trial {best.number} reached the target {stop.value:g}"
    if stop.trials is not None and effort.trials_before < stop.trials <= ended:
        return f"the budget of {counted(stop.trials, 'trial')} is used up"
    if stop.hours is not None and effort.seconds_before < 3600 * stop.hours <= effort.seconds:
        return f"the budget of {stop.hours:g} hours of training is used up"
    if stop.patience is not None:
        since = ended - max(effort.improved, effort.trials_before)
        if since >= stop.patience * state.size:
            return f"no value was better than the best before for {counted(stop.patience, 'step')}"
    return None


def require_format(state: State) -> None:
    """Raise `ArgumentError` if a study's format has no record of a stop."""
    if state.format == 1:
        raise ArgumentError(
            "The study is of format 1, which an earlier version of hoptim wrote and which has no record of "
            "a stop. End its workers instead; or fork it, as forks are of the newest format."
        )


def _me() -> str:
    """Return the user and the host of this process."""
    import pwd  # seldom needed

    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run as a user without a name
        user = str(os.getuid())
    return f"{user}@{os.uname().nodename}"
