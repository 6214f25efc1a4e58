"""Presenting records: from what the store knows of a trial to what a user sees."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hoptim.errors import HoptimError, StudyDamaged
from hoptim.space.space import Space
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.claim import Claim
from hoptim.store.published import Published
from hoptim.store.trial_record import TrialRecord
from hoptim.trial import FinishedTrial, Keeper, Trial


class Presenter:
    """Shows the trials of one study.

    Args:
        space: Hyperparameters, with the user's objects behind their names.
        checkpoints: Paths of published checkpoints.
        path: Directory of the study, None in memory.
    """

    def __init__(self, space: Space, checkpoints: Checkpoints, path: str | None) -> None:
        self._space, self._checkpoints, self._path = space, checkpoints, path

    def finished(self, record: TrialRecord, checkpoints: Mapping[int, Published]) -> FinishedTrial:
        """Return a trial that has ended.

        Args:
            record: The store's record of it.
            checkpoints: Checkpoints that are there, by number of their trials.
        """
        saved = checkpoints.get(record.number)
        return FinishedTrial(
            number=record.number, member=record.member, step=record.step, age=record.age,
            parent=record.parent, params=self._params(record), seed=record.seed, value=record.value,
            metrics=dict(record.metrics or {}),
            checkpoint=None if saved is None else self._checkpoints.path(saved.name),
            attempt=record.attempt, interruptions=record.interruptions, failed=record.failed,
            worker=str(record.worker), asked=record.asked, claimed=record.claimed,
            ended=math.nan if record.ended is None else record.ended, origin=record.origin,
            records=(record.proposed, record.closed), x=tuple(record.x), memo=record.memo,
            valued=record.valued,
        )  # fmt: skip

    def lent(self, claim: Claim, keeper: Keeper, told_last: int | None = None) -> Trial:
        """Return the trial of a claim.

        Args:
            claim: Proof that it may be trained here.
            keeper: The study's side of it.
            told_last: Trial whose weights are in this process's memory, None if unknown.
        """
        record, saved = claim.trial, claim.checkpoint
        checkpoint: Any = None if saved is None else self._checkpoints.lent(saved)
        return Trial(
            number=record.number, member=record.member, step=record.step, age=record.age,
            parent=record.parent, params=self._params(record), checkpoint=checkpoint, seed=record.seed,
            attempt=record.attempt, continues=record.parent is not None and record.parent == told_last,
            path=self._path, token=claim.token, keeper=keeper,
        )  # fmt: skip

    def _params(self, record: TrialRecord) -> dict[str, Any]:
        try:
            return self._space.named(record.params)
        except (HoptimError, KeyError, TypeError, ValueError) as error:
            raise StudyDamaged(
                f"Trial {record.number} is recorded with hyperparameters {record.params!r}, which this "
                f"study's space does not have: {type(error).__name__}: {error}."
            ) from error
