"""How a claim ends: which tells and failures are valid, and what is recorded of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hoptim.errors import AlreadyTold, CheckpointError, ClaimLost, NoCheckpoint
from hoptim.store.claim import Held
from hoptim.store.line_format import Record
from hoptim.store.state import State
from hoptim.store.transactions import Transaction
from hoptim.store.trial_record import TrialRecord


def record_tell(transaction: Transaction, claim: Held, ended: Record) -> bool:
    """Record a value, if it is not recorded already; return whether it was new.

    Args:
        transaction: Takes the record.
        claim: Trial and token.
        ended: Fields of the record: id, value, and metrics and saved where there are.
    """
    state = transaction.state
    known = state.finished.get(claim.number)
    if known is not None and known.id == ended["id"]:  # a retry: the first one did arrive
        return False
    require_valid(state, claim)
    require_checkpoint(state, claim, ended)
    # The first finite tell decides for the whole study whether trials have checkpoints.
    fields = {k: v for k, v in ended.items() if k != "saved" or state.stateful is None}
    transaction.add("tell", trial=claim.number, token=claim.token, **fields)
    return True


def record_failure(transaction: Transaction, claim: Held, id: str, why: str, attempts: int) -> bool:
    """Record a failed attempt, if it is not recorded already; return whether the trial has ended.

    Args:
        transaction: Takes the record.
        claim: Trial and token.
        id: Identifier of the record, so that a retry is found.
        why: Reason.
        attempts: Attempts after which the trial ends as failed.
    """
    state = transaction.state
    known = state.finished.get(claim.number) or state.open.get(claim.member)
    if known is not None and known.id == id:  # a retry: the first one did arrive
        return known.ended is not None
    final = require_valid(state, claim).attempt >= attempts
    transaction.add("fail", id=id, trial=claim.number, token=claim.token, why=why, final=final)
    return final


def require_valid(state: State, claim: Held) -> TrialRecord:
    """Return the trial of a claim; raise `ClaimLost` or `AlreadyTold` unless the claim is valid."""
    trial = state.held(claim.number, claim.token)
    if trial is not None:
        return trial
    ended = state.finished.get(claim.number)
    if ended is not None and ended.token == claim.token and ended.failed is None:
        raise AlreadyTold(f"Trial {claim.number} has been told already; nothing was recorded.")
    raise ClaimLost(
        f"Trial {claim.number} was given to another worker while this one had no heartbeat, "
        "or was ended elsewhere. Nothing was recorded; go on with the next trial."
    )


def require_checkpoint(state: State, claim: Held, ended: Mapping[str, Any]) -> None:
    """Raise unless a finite value comes with a checkpoint just when the study has them.

    Args:
        state: State before the tell.
        claim: Trial and token.
        ended: Fields of the record that would end it.
    """
    stateful, saved = state.stateful, ended.get("saved", False)
    if stateful is None or isinstance(ended["value"], str) or stateful == saved:
        return
    if stateful:
        raise NoCheckpoint(
            f"Trial {claim.number} was told a value without a checkpoint, but this study's trials "
            "have checkpoints, and others could not continue from it. The claim is kept: tell "
            "again with save=... or checkpoint=trial.draft."
        )
    raise CheckpointError(
        f"Trial {claim.number} was told with a checkpoint, but this study's first value came "
        "without one, so its trials have none. The claim is kept: tell without it, or begin a "
        "new study whose every tell saves."
    )
