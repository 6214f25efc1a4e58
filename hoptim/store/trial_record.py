"""One trial, as the records tell of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hoptim.store.fields import truth, whole
from hoptim.store.seeds import trial_seed


@dataclass(slots=True)
class TrialRecord:
    """One trial, as far as it has come.

    Attributes:
        number: Trials are numbered as proposed.
        member: The member that it belongs to.
        step: The member's own count.
        parent: The trial whose weights it continues from.
        params: Hyperparameters, plain JSON.
        x: Coordinates of the hyperparameters, `(d,)`.
        memo: Memo of the optimizer, plain JSON.
        age: Age of the parent and 1, else 0; -1 of weights that were given and never trained.
        seed: Seed of the trial, see `trial_seed`.
        asked: Time of the proposal, seconds since 1970.
        proposed: Number of the record that proposed it.
        founder: The trial that its weights began with, itself when it is fresh.
        retain: True if its checkpoint stays until a trial continues from it.
        origin: Its number in the study that this one was forked from; None for a trial of its own.
        claimed: Time of its last claim, seconds since 1970.
        token: Record number of its last claim.
        worker: Worker that holds it; None while none does; the last holder once it has ended.
        interruptions: Claims that were released or taken back.
        losses: Claims that were taken back from workers that were lost.
        deaths: Times that it ended its worker's process, of the interruptions.
        reasons: Reason of each failed attempt.
        ended: Time of its end, seconds since 1970; None while it is open.
        closed: Number of the record that ended it; -1 while it is open.
        id: Identifier of the record that ended it, or its last attempt.
        value: Value that was told; NaN when it failed for good, or was trained and not valued.
        metrics: Metrics that were told.
        failed: Reason why it failed for good.
        valued: False when it was trained and not valued.
        since: The last trial with a value that its weights come from; None without one.
        span: Intervals that it ends since then: itself, and those before it that were not valued.
    """

    number: int
    member: int
    step: int
    parent: int | None
    params: dict[str, Any]
    x: list[float]
    memo: Any
    age: int
    seed: int
    asked: float
    proposed: int
    founder: int
    retain: bool = False
    origin: int | None = None
    claimed: float = math.nan
    token: int = -1
    worker: str | None = None
    interruptions: int = 0
    losses: int = 0
    deaths: int = 0
    reasons: Sequence[str] = ()
    ended: float | None = None
    closed: int = -1
    id: str = ""
    value: float = math.nan
    metrics: Mapping[str, Any] | None = None
    failed: str | None = None
    valued: bool = True
    since: int | None = None
    span: int = 1

    @classmethod
    def proposed_by(
        cls, record: Mapping[str, Any], parent: TrialRecord | None, seed: int, time: float, n: int
    ) -> TrialRecord:
        """Return a new trial.

        Args:
            record: Record that proposes it.
            parent: Trial whose weights it continues from, None for fresh ones.
            seed: Seed of the study.
            time: Time of the record, seconds since 1970.
            n: Number of the record.

        Raises:
            KeyError, TypeError: Not what hoptim writes.
        """
        number, step = whole(record["trial"]), whole(record["step"])
        age, founder = (0, number) if parent is None else (parent.age + 1, parent.founder)
        trial = cls(
            number, record["member"], step, record["parent"], record["params"], record["x"],
            record.get("memo"), age, trial_seed(seed, number), time, n, founder,
            truth(record.get("retain", False)), since=record["parent"],
        )  # fmt: skip
        if parent is not None and not parent.valued:
            trial.since, trial.span = parent.since, parent.span + 1
        if parent is None and "age" in record:  # its weights were trained elsewhere
            trial.age = whole(record["age"])
            if "origin" in record:  # in the study that this one was forked from
                trial.origin, trial.seed = whole(record["origin"]), whole(record["seed"])
        return trial

    @property
    def attempt(self) -> int:
        """Return 1, and one more for each attempt that failed."""
        return 1 + len(self.reasons)

    @property
    def finite(self) -> bool:
        """Return whether the value is a finite number, so that the trial may be a parent."""
        return math.isfinite(self.value)

    @property
    def healthy(self) -> bool:
        """Return whether it has not failed: its weights may be continued, be it with a value or without."""
        return self.finite or not self.valued
