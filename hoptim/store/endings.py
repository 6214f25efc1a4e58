"""How a claim ends: which tells and failures are valid, and what is recorded of them."""

from __future__ import annotations

from typing import Any

from hoptim.errors import AlreadyTold, ArgumentError, CheckpointError, ClaimLost, NoCheckpoint
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.claim import Held
from hoptim.store.draft import Draft
from hoptim.store.fields import is_healthy, metrics, number
from hoptim.store.line_format import Record
from hoptim.store.state import State
from hoptim.store.transactions import Transaction
from hoptim.store.trial_record import TrialRecord


def record_tell(transaction: Transaction, claim: Held, ended: Record, checkpoints: Checkpoints) -> bool:
    """Record the end of a trial that was trained, if it is not yet; return whether it was new.

    Args:
        transaction: Takes the record.
        claim: Trial and token.
        ended: Fields of the record: id, value (None without one), and metrics and checkpoint where there
            are.
        checkpoints: Files of the checkpoints; in a study of format 1 they are published here.

    Raises:
        ClaimLost: The claim is no longer valid.
        AlreadyTold: The trial was told otherwise.
        NoCheckpoint, CheckpointError, ArgumentError: See `require_checkpoint`.
    """
    state = transaction.state
    if is_told(state, claim, ended):
        return False
    require_valid(state, claim)
    require_checkpoint(state, claim, ended["value"], "checkpoint" in ended)
    fields = dict(ended)
    if state.format == 1 and (published := fields.pop("checkpoint", None)) is not None:
        draft = Draft.of(published["name"])
        checkpoints.replace(draft, draft.claim)
        if state.stateful is None:  # the first finite tell decides for the whole study
            fields["saved"] = True
    transaction.add("tell", trial=claim.number, token=claim.token, **fields)
    return True


def is_told(state: State, claim: Held, ended: Record) -> bool:
    """Return whether a tell is recorded already, by this teller or by another one of the same claim.

    Args:
        state: State of the study.
        claim: Trial and token.
        ended: Fields of the record. Which teller's checkpoint was recorded is no difference.

    Raises:
        AlreadyTold: Another value or other metrics are recorded for the claim.
    """
    known = state.finished.get(claim.number)
    if known is None or known.id != ended["id"]:
        return False
    told = (known.valued, known.value, known.metrics) if known.failed is None else None
    given = (ended["value"] is not None, number(ended["value"], True), metrics(ended, True))
    if repr(told) == repr(given):  # as texts, since nan is not equal to itself
        return True
    raise AlreadyTold(
        f"Trial {claim.number} has been told already, {_with(known)} and metrics "
        f"{dict(known.metrics or {})}, which is not what this tell says; nothing was recorded."
        if known.failed is None
        else f"Trial {claim.number} has failed already: {known.failed}. Nothing was recorded."
    )


def record_failure(transaction: Transaction, claim: Held, id: str, why: str, attempts: int) -> bool:
    """Record a failed attempt, if it is not recorded already; return whether the trial has ended.

    Args:
        transaction: Takes the record.
        claim: Trial and token.
        id: Identifier of the record, so that a retry is found.
        why: Reason.
        attempts: Attempts after which the trial ends as failed.

    Raises:
        ClaimLost: The claim is no longer valid.
        AlreadyTold: The trial was told, or failed for another reason.
    """
    state = transaction.state
    known = state.finished.get(claim.number) or state.open.get(claim.member)
    if known is not None and known.id == id:
        said = known.failed if known.ended is not None else known.reasons[-1]
        if said == why:  # a retry: the first one did arrive
            return known.ended is not None
        raise AlreadyTold(
            f"Trial {claim.number} has been {'told' if said is None else 'failed'} already by this claim, "
            "otherwise than this call says; nothing was recorded."
        )
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


def require_checkpoint(state: State, claim: Held, value: Any, saved: bool) -> None:
    """Raise unless a trial that did not fail ends with a checkpoint just when the study has them.

    Args:
        state: State before the tell.
        claim: Trial and token.
        value: Value that would end it, as it is recorded; None without one.
        saved: True if a checkpoint comes with it.
    """
    if value is None and state.format == 1:
        raise ArgumentError(
            f"Trial {claim.number} cannot advance without a value: an earlier version of hoptim made this "
            "study, which has no record for that. The claim is kept: tell a value, or go on in a fork, "
            "hoptim.fork(path, new_path)."
        )
    if state.stateful is None or not is_healthy(value) or state.stateful == saved:
        return
    if state.stateful:
        raise NoCheckpoint(
            f"Trial {claim.number} was {_ended(value)} without a checkpoint, but this study's trials "
            "have checkpoints, and others could not continue from it. The claim is kept: tell "
            "again with save=... or checkpoint=trial.draft."
        )
    raise CheckpointError(
        f"Trial {claim.number} was told with a checkpoint, but this study's first value came "
        "without one, so its trials have none. The claim is kept: tell without it, or begin a "
        "new study whose every tell saves."
    )


def _with(known: TrialRecord) -> str:
    return f"with value {known.value}" if known.valued else "without a value"


def _ended(value: Any) -> str:
    return "advanced" if value is None else "told a value"
