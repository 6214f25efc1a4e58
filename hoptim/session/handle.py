"""The session's side of one trial in somebody's hand: its checkpoint is published, its end recorded."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any

from hoptim._arguments import number_of
from hoptim._signals import signals_deferred
from hoptim._text import json_number
from hoptim.errors import AlreadyTold, ArgumentError, CheckpointError, ClaimLost
from hoptim.options import Options
from hoptim.session.exported import CarriedOptions, ExportedKeeper
from hoptim.session.hand import Hand
from hoptim.session.session import Session
from hoptim.store.claim import Claim
from hoptim.store.draft import Draft
from hoptim.store.fields import is_healthy
from hoptim.store.line_format import Record
from hoptim.store.published import Published
from hoptim.trial import Keeper, Outcome, Trial

log = logging.getLogger("hoptim")


def lend(session: Session, claim: Claim, hand: Hand | None = None) -> Trial:
    """Return the trial of a claim as it goes to the user.

    Args:
        session: The session that claimed it.
        claim: The claim, in use while the trial lives.
        hand: The loop's that lends it. Default: none, outside of loops.
    """
    trial = session.present.lent(claim, Handle(session, claim, hand), session.last_told.take())
    if hand is not None:
        hand.lent = trial
    return trial


def resume(session: Session, number: int, token: int, id: str | None = None) -> Trial:
    """Return a trial in the hand of whoever claimed it.

    Args:
        session: A session on its study.
        number: Number of the trial.
        token: Token of the claim; one that is no longer valid is refused when the trial ends.
        id: Identifier of the record that ends it. Default: new.

    Raises:
        ArgumentError: The study has no such trial.
    """
    claim = session.store.resume_claim(number, token)
    return session.present.lent(claim, Handle(session, None, id=id))


def reopen(path: str, options: Options, id: str) -> Keeper:
    """Return the study's side of a trial that was pickled in another process.

    Args:
        path: Directory of the study.
        options: Options that the trial carried.
        id: Identifier of the record that ends it.
    """
    return Handle(Session.open(path, options), None, id=id)


class Handle:
    """What the methods of one `Trial` call; implements `hoptim.trial.Keeper`.

    Args:
        session: The session that lent the trial.
        claim: The claim, in use while this object lives; None for a trial that another process claimed.
        hand: The loop's, which is given the next claim along with a tell; None outside of loops.
        id: Identifier of the record that ends the trial, so that a repeated tell is found. Default: new.
    """

    def __init__(
        self, session: Session, claim: Claim | None, hand: Hand | None = None, id: str | None = None
    ) -> None:
        self.ended: str | None = None
        self._claim = claim
        self._session, self._hand = session, hand
        self._store, self._checkpoints = session.store, session.store.checkpoints
        self._id = id or os.urandom(4).hex()
        self._draft: Draft | None = None
        self._drafted_in = 0  # process that asked for the draft
        self._published: list[str] = []  # names, of tells with an unknown outcome too
        self._process, self._began = os.getpid(), time.monotonic()

    @property
    def inherited(self) -> bool:
        """Return True in a forked child of the process that was lent the trial."""
        return self._process != os.getpid()

    def tell(self, trial: Trial, value: Any, outcome: Outcome) -> None:
        """End the trial with a value, or as trained and not valued."""
        self._session.last_told.forget()
        record = self._ending(trial, value, outcome)
        hand = self._hand
        if hand is not None and (hand.inherited or not hand.claims_ahead):
            hand = None
        try:
            if (published := self._publish(trial, outcome, record)) is not None:
                self._published.append(published.name)
                record["checkpoint"] = published.record()
            with signals_deferred():
                try:
                    ahead = self._session.end(trial, record, claim_next=hand is not None)
                except (ClaimLost, AlreadyTold, CheckpointError):
                    self._withdraw(trial)
                    raise
                self.ended = "told" if outcome.valued else "advanced"
                self._withdraw(trial)
                self._session.last_told.remember(trial.number)
                if hand is not None:
                    hand.ahead = ahead
        except (ClaimLost, AlreadyTold) as error:
            self._note_its_end(trial, error)
            raise
        if self._claim is not None and not self.inherited:  # else it began elsewhere
            self._session.durations.note(time.monotonic() - self._began)
        self._session.announce.told(trial)

    def fail(self, trial: Trial, why: str, retry: bool) -> None:
        """End the attempt as a failure."""
        self._session.last_told.forget()
        try:
            self._session.fail(trial, self._id, why, retry)
        except (ClaimLost, AlreadyTold) as error:
            self._note_its_end(trial, error)
            raise
        self.ended = "failed"
        self._withdraw(trial)
        self._session.callbacks.failed(trial, why)

    def release(self, trial: Trial) -> None:
        """Hand the trial back."""
        self.ended = "released"
        self._session.hand_back(trial, unused=False)

    def draft(self, trial: Trial) -> Path:
        """Return the private path for its checkpoint."""
        self._store.refresh()  # raises when the directory has become another study's
        return self._checkpoints.draft(self._own_draft(trial))

    def scratch(self, trial: Trial) -> Path:
        """Return its folder that survives attempts."""
        self._store.refresh()  # as in `draft`
        return self._checkpoints.scratch(trial.number)

    def export(self, trial: Trial) -> Keeper:
        """Return what a pickled copy carries; nobody here is given the claim again."""
        self._store.mark_exported(trial)
        carried = CarriedOptions.of(self._session.options)
        return ExportedKeeper(reopen, trial.path, carried, self._id, self.ended)

    def _own_draft(self, trial: Trial) -> Draft:
        """Return the place where nobody else writes, a forked child neither."""
        if self._draft is None or self._drafted_in != os.getpid():
            self._draft, self._drafted_in = Draft.new(trial.number, trial.token), os.getpid()
        return self._draft

    def _ending(self, trial: Trial, value: Any, outcome: Outcome) -> Record:
        """Return the fields of the record that ends a trial."""
        record: Record = {"value": None}
        if outcome.valued:
            record["value"] = json_number(number_of(f"Trial {trial.number}: the value", value))
        if outcome.metrics:
            any_json = self._store.refresh().format > 1
            metrics = self._session.metrics.recorded(trial.number, outcome.metrics, any_json)
            record |= {"metrics": metrics} if metrics else {}
        return record | {"id": self._id}

    def _publish(self, trial: Trial, outcome: Outcome, record: Record) -> Published | None:
        """Bring the checkpoint to its place, if the claim and the kind of study allow.

        Returns:
            The checkpoint that the tell must name; None without one, or when the tell is recorded already.
        """
        draft, value = self._drafted(trial, outcome), record["value"]
        if draft is None or not is_healthy(value) or self._store.told(trial, record):
            return None
        self._store.check_checkpoint(trial, value, saved=True)
        try:
            if outcome.save is not None:
                self._checkpoints.write(draft, outcome.save)
            if self._store.told(trial, record):  # saving takes long: is the claim still ours?
                return None
            return self._store.publish(draft)
        except Exception:
            if outcome.save is not None:
                self._checkpoints.abandon(draft)  # the next try has a place of its own
            self._store.told(trial, record)  # whoever took the claim took the draft away, too
            raise

    def _drafted(self, trial: Trial, outcome: Outcome) -> Draft | None:
        """Return the draft that a trial ends with, None without one."""
        if outcome.save is not None and outcome.checkpoint is not None:
            raise ArgumentError(f"Trial {trial.number}: give either save or checkpoint, not both.")
        if outcome.save is not None:
            return Draft.new(trial.number, trial.token)
        if outcome.checkpoint is None:
            return None
        draft = self._checkpoints.draft_at(outcome.checkpoint)
        if draft is None or (draft.number, draft.token) != (trial.number, trial.token):
            raise CheckpointError(
                f"Trial {trial.number}: checkpoint must be trial.draft, {str(self.draft(trial))!r}, found "
                f"{outcome.checkpoint!r}. The claim is kept; write there, or pass save=..."
            )
        return draft

    def _withdraw(self, trial: Trial) -> None:
        """Remove what was published here, in this try or an earlier one, but for what the journal names."""
        if not self._published:
            return
        saved = self._store.state.saved.get(trial.number)
        self._checkpoints.drop(name for name in self._published if saved is None or name != saved.name)

    def _note_its_end(self, trial: Trial, error: ClaimLost | AlreadyTold) -> None:
        """Mark the trial as ended when its claim turns out to be lost, so that a loop goes on."""
        self._checkpoints.forget(trial.number, trial.token, ended=False)
        if isinstance(error, ClaimLost):
            self.ended = "lost to another worker"
            log.warning("%s", error)  # a `with trial:` goes on without raising it
        else:
            self.ended = "told"
