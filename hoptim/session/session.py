"""Between a trial in hand and the store: lends it, and writes down how it went."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hoptim._arguments import number_of
from hoptim._signals import signals_deferred
from hoptim._text import json_number
from hoptim.analysis.lineage import EARLY, Exploit, Family
from hoptim.errors import (
    AlreadyTold,
    ArgumentError,
    CheckpointError,
    ClaimLost,
    HoptimError,
    StudyDamaged,
)  # fmt: skip
from hoptim.session.callbacks import announce
from hoptim.session.propose import Proposer
from hoptim.store.claim import Claim
from hoptim.store.store import Store
from hoptim.store.trial_record import TrialRecord
from hoptim.trial import FinishedTrial, Outcome, Trial

log = logging.getLogger("hoptim")

_Study = tuple[str, str]  # uuid and directory

# What each process and study did last, if that was an acknowledged tell: pid, thread and trial. The
# weights in memory belong to the process, so this outlives any one Study object.
_told_last: dict[_Study, tuple[int, int, int]] = {}


# What each loop has in hand, by study, process and thread. One that an interrupt left hanging is kept
# alive by its traceback, as in a notebook; the next loop there takes back what it held.
_loops: dict[tuple[_Study, int, int], list[Trial]] = {}


class Session:
    """Serves the trials of one study; what `hoptim.trial.Keeper` asks for.

    Args:
        store: The study's records.
        decide: Proposes the trial that is claimed along with a tell.
        path: The study's directory, None in memory.
        uuid: The study's identifier.
    """

    def __init__(self, store: Store, decide: Proposer, path: str | None, uuid: str) -> None:
        self._store, self._decide, self._path = store, decide, path
        self._study = uuid, "" if path is None else os.path.realpath(path)  # a copy is another study
        self._warned = False

    def lend(self, claim: Claim) -> Trial:
        """The trial of a claim, not begun yet."""
        trial, checkpoint = claim.trial, None
        if trial.parent is not None and claim.parent_token is not None:
            checkpoint = self._store.checkpoints.path(trial.parent, claim.parent_token)
        return Trial(
            number=trial.number, member=trial.member, step=trial.step, age=trial.age, parent=trial.parent,
            params=self._named(trial), checkpoint=checkpoint, seed=trial.seed,
            attempt=trial.attempt, continues=False, path=self._path, token=claim.token, _keeper=self,
            _claim=claim, _id=os.urandom(4).hex(),
        )  # fmt: skip

    def begin(self, trial: Trial) -> Trial:
        """The trial, now that it goes to the user: what is in memory will no longer be told of."""
        last = _told_last.pop(self._study, None)
        here = (os.getpid(), threading.get_ident(), trial.parent)
        trial.continues = trial.parent is not None and last == here
        if callbacks := self._store.options.callbacks:
            announce(callbacks, "asked", trial)
            if (exploit := self._exploit(trial)) is not None:
                announce(callbacks, "exploited", exploit)
        return trial

    def _exploit(self, trial: Trial) -> Exploit | None:
        """The exploit that a trial begins with, from just the trials that it concerns."""
        state = self._store.state
        entry = state.open.get(trial.member)
        if entry is None or entry.parent is None or entry.number != trial.number:
            return None
        seen = [t for t in state.level(entry.step - 1) if t.closed < entry.proposed]
        known = {t.number: t for t in [*seen, state.finished[entry.parent], entry]}
        mode = "min" if state.sign == 1 else "max"
        family = Family(map(self.show, known.values()), state.size, mode)
        return family.exploit(family.trials[entry.number])

    def begin_loop(self, hand: list[Trial]) -> None:
        """A loop begins in this thread; an earlier one that it left hanging ends.

        Args:
            hand: What the loop will hold: the user's trial, then those claimed ahead.
        """
        self.end_loop(_loops.get(self._here(), []))
        _loops[self._here()] = hand

    def end_loop(self, hand: list[Trial]) -> None:
        """Hand back what a loop has in hand; interrupted before it began, the next loop does it."""
        with signals_deferred():
            for i, trial in enumerate(hand):
                if trial._ended is None:
                    self.let_go(trial, unused=i > 0)
            hand.clear()  # a trial refers to its hand: that circle would keep a claim in use for long
            if _loops.get(self._here()) is hand:
                del _loops[self._here()]

    def _here(self) -> tuple[_Study, int, int]:
        return self._study, os.getpid(), threading.get_ident()

    def show(self, entry: TrialRecord) -> FinishedTrial:
        """What a user sees of a trial that has ended."""
        token = self._store.state.saved.get(entry.number)
        return FinishedTrial(
            number=entry.number, member=entry.member, step=entry.step, age=entry.age, parent=entry.parent,
            params=self._named(entry), seed=entry.seed, value=entry.value,
            metrics={name: float(value) for name, value in (entry.metrics or {}).items()},
            checkpoint=None if token is None else self._store.checkpoints.path(entry.number, token),
            attempt=entry.attempt, interruptions=entry.interruptions, failed=entry.failed,
            worker=str(entry.worker), asked=entry.asked, claimed=entry.claimed,
            ended=entry.ended or math.nan, origin=entry.origin,
            records=(entry.proposed, entry.closed), x=tuple(entry.x), memo=entry.memo,
        )  # fmt: skip

    def _named(self, entry: TrialRecord) -> dict[str, Any]:
        try:
            return self._decide.space.named(entry.params)
        except (HoptimError, KeyError, TypeError, ValueError) as error:
            raise StudyDamaged(
                f"Trial {entry.number} is recorded with hyperparameters {entry.params!r}, which this "
                f"study's space does not have: {type(error).__name__}: {error}."
            ) from error

    def tell(self, trial: Trial, value: Any, outcome: Outcome) -> None:
        """As `Trial.tell`."""
        _told_last.pop(self._study, None)
        number = number_of(f"Trial {trial.number}: the value", value)
        ended: dict[str, Any] = {"id": trial._id, "value": json_number(number)}
        if outcome.metrics:
            ended["metrics"] = {
                str(name): json_number(number_of(f"Trial {trial.number}: metric {name!r}", metric))
                for name, metric in outcome.metrics.items()
            }
        if math.isfinite(number) and (outcome.save or outcome.checkpoint) is not None:
            ended["saved"] = True
        then = None if trial._following is None else self._decide
        with _losing(trial):
            self._publish(trial, outcome, ended)
            with signals_deferred():
                try:
                    claim = self._store.tell(trial, ended, then, self._keep())
                except (ClaimLost, CheckpointError):
                    if "saved" in ended:  # under a name that carries our own token, so nobody else's
                        self._store.checkpoints.drop([(trial.number, trial.token)])
                    raise
                trial._ended = "told"
                _told_last[self._study] = (os.getpid(), threading.get_ident(), trial.number)
                if claim is not None and trial._following is not None:
                    trial._following.append(self.lend(claim))
        self._look_at_founders(trial)
        if callbacks := self._store.options.callbacks:
            announce(callbacks, "told", self.show(self._store.state.finished[trial.number]))

    def _look_at_founders(self, trial: Trial) -> None:
        """Say once in this process, in the first steps, that a single founder took all."""
        state = self._store.state
        if trial.member == 0 and not self._warned and trial.step <= EARLY * state.steps:
            from hoptim.analysis.status import collapsed_early  # for the first steps alone

            if (early := collapsed_early(state)) is not None:
                self._warned = True
                log.warning("%s", early)

    def _publish(self, trial: Trial, outcome: Outcome, ended: Mapping[str, Any]) -> None:
        """Bring the checkpoint to its place, if the claim and the study's kind allow."""
        if outcome.save is not None and outcome.checkpoint is not None:
            raise ArgumentError(f"Trial {trial.number}: give either save or checkpoint, not both.")
        if outcome.checkpoint is not None and Path(outcome.checkpoint).absolute() != self.draft(trial):
            raise CheckpointError(
                f"Trial {trial.number}: checkpoint must be trial.draft, {str(self.draft(trial))!r}, found "
                f"{outcome.checkpoint!r}. The claim is kept; write there, or pass save=..."
            )
        if "saved" in ended and not self._store.told(trial, ended["id"]):
            self._store.check_checkpoint(trial, ended)
            try:
                self._save(trial, outcome, ended["id"])
            except ClaimLost:
                self._store.checkpoints.drop([(trial.number, trial.token)])
                raise

    def _save(self, trial: Trial, outcome: Outcome, id: str) -> None:
        try:
            if outcome.save is not None:
                self._store.checkpoints.write(trial.number, trial.token, outcome.save)
            if not self._store.told(trial, id):  # saving takes long: is the claim still ours?
                self._store.checkpoints.publish(trial.number, trial.token)
        except Exception:
            self._store.told(trial, id)  # whoever took the claim took the draft away, too
            raise

    def _keep(self) -> Callable[[TrialRecord], bool] | None:
        """The user's keep= as a function of a record."""
        keep = self._store.options.keep
        return None if keep is None else lambda entry: keep(self.show(entry))

    def fail(self, trial: Trial, why: str, retry: bool) -> None:
        """As `Trial.fail`."""
        _told_last.pop(self._study, None)
        with _losing(trial):
            self._store.fail(trial, trial._id, why, retry, self._keep())
        trial._ended = "failed"
        announce(self._store.options.callbacks, "failed", trial, why)

    def release(self, trial: Trial) -> None:
        """Hand a trial back that was begun."""
        self.let_go(trial, unused=False)

    def let_go(self, trial: Trial, unused: bool) -> None:
        """Hand a trial back, whether begun or not; never raises for a file system that fails."""
        _told_last.pop(self._study, None)
        trial._ended = "released"
        try:
            self._store.release(trial, unused)
        except OSError as error:  # an exception may be on its way
            log.warning("Trial %d could not be released: %s", trial.number, error)

    def draft(self, trial: Trial) -> Path:
        """As `Trial.draft`."""
        self._store.refresh()  # raises when the directory has become another study's
        return self._store.checkpoints.draft(trial.number, trial.token)

    def scratch(self, trial: Trial) -> Path:
        """As `Trial.scratch`."""
        self._store.refresh()  # as in `draft`
        return self._store.checkpoints.scratch(trial.number)

    def sent_away(self, trial: Trial) -> None:
        """A copy of the trial was pickled, so somebody else may end it."""
        self._store.mark_exported(trial)


class _losing:
    """Marks a trial as ended when its claim turns out to be lost, so that a loop goes on."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, ClaimLost):
            self._trial._ended = "lost to another worker"
            log.warning("%s", error)  # a `with trial:` goes on without raising it
        elif isinstance(error, AlreadyTold):
            self._trial._ended = "told"
