"""A trial: one interval of training of one member, in hand or finished."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from hoptim.errors import AlreadyTold, ArgumentError, ClaimLost, NotApplied

Save = Callable[[str], object]


@dataclass(frozen=True)
class FinishedTrial:
    """What is known of a trial that has ended.

    Attributes:
        number: Trials are numbered as proposed, from 0.
        member: The member that it belongs to.
        step: The member's own count, from 0.
        age: Intervals that the weights had been trained before.
        parent: Number of the trial whose weights it continued from, None when fresh.
        params: The hyperparameters asked for.
        seed: The seed it was given.
        value: The user's value in the user's sign; NaN when it failed for good.
        metrics: Whatever else was told.
        checkpoint: Path of its checkpoint, None when it has none or it was dropped.
        attempt: 1 for the first try, one more for each failure before.
        interruptions: How often a worker was lost or let go of it.
        failed: Why it failed for good, None when it was told.
        worker: Who trained it.
        asked: When it was first handed out, seconds since 1970.
        claimed: When the worker that ended it got it, seconds since 1970.
        ended: When it was told, seconds since 1970.
        origin: Its number in the study that this one was forked from; None for a trial of its own.
        records: Numbers of the records that proposed and that ended it; a proposal is made from
            exactly the trials that ended before it.
        x: The optimizer's coordinates `(d,)`.
        memo: The optimizer's memo.
    """

    number: int
    member: int
    step: int
    age: int
    parent: int | None
    params: dict[str, Any]
    seed: int
    value: float
    metrics: dict[str, float]
    checkpoint: str | None
    attempt: int
    interruptions: int
    failed: str | None
    worker: str
    asked: float
    claimed: float
    ended: float
    origin: int | None
    records: tuple[int, int]
    x: tuple[float, ...] = field(repr=False)
    memo: Any = field(repr=False)

    @property
    def finite(self) -> bool:
        """Whether the value is a finite number, so that the trial may be a parent."""
        return math.isfinite(self.value)


class Keeper(Protocol):
    """What a trial needs of its study; `hoptim.session.Session` is the one implementation."""

    def tell(self, trial: Trial, value: Any, outcome: Outcome) -> None:
        """End a trial with a value."""

    def fail(self, trial: Trial, why: str, retry: bool) -> None:
        """End an attempt as a failure."""

    def release(self, trial: Trial) -> None:
        """Hand a trial back."""

    def draft(self, trial: Trial) -> Path:
        """Where its checkpoint may be written."""

    def scratch(self, trial: Trial) -> Path:
        """Its folder that survives attempts."""

    def sent_away(self, trial: Trial) -> None:
        """Note that a copy of it was pickled."""


class Outcome(NamedTuple):
    """What `tell` was given besides the value."""

    save: Save | None = None
    checkpoint: str | None = None
    metrics: Mapping[str, Any] | None = None


@dataclass(eq=False)
class Trial:
    """One interval of training that a worker holds: what to train, and where to say how it went.

    A trial is plain data and pickles; told from another process, it finds its study by path.

    Attributes:
        number: Trials are numbered as proposed, from 0.
        member: The member that it belongs to.
        step: The member's own count, 0..steps-1; never jumps.
        age: Intervals that these weights have been trained before; learning-rate schedules use it.
        parent: Number of the trial whose weights to continue from, None to start fresh.
        params: Hyperparameters to train with: plain `float`, `int` or the user's own values.
        checkpoint: Path of the parent's checkpoint; None only without a parent, or when the study
            is stateless.
        seed: A 31-bit integer, a function of the study's seed and the number.
        attempt: 1, and one more for each time that this trial failed.
        continues: Whether the weights in this process's memory are the parent's: the last thing
            that it did on this study was the acknowledged tell of exactly the parent.
        path: The study's directory, None for a study in memory.
        token: Proof of the claim; a tell with an older one is refused.
    """

    number: int
    member: int
    step: int
    age: int
    parent: int | None
    params: dict[str, Any]
    checkpoint: str | None
    seed: int
    attempt: int
    continues: bool
    path: str | None
    token: int
    _keeper: Keeper | None = field(default=None, repr=False)
    _claim: object = field(default=None, repr=False)  # while it lives, the claim is in use
    _following: list[Trial] | None = field(default=None, repr=False)  # where a loop looks next
    _id: str = field(default="", repr=False)  # of the record that ends it, so a retry is found
    _ended: str | None = field(default=None, repr=False)

    @property
    def draft(self) -> Path:
        """Private path where a file or folder may be written and told as `checkpoint=trial.draft`."""
        return self._home().draft(self)

    @property
    def scratch(self) -> Path:
        """Private folder that survives attempts and is removed at the end, to resume an interval."""
        return self._home().scratch(self)

    def tell(
        self,
        value: Any,
        save: Save | None = None,
        checkpoint: str | Path | None = None,
        metrics: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        """End the trial with its value; durable when this returns.

        Args:
            value: The value to optimize, in your own sign. Not finite means that the trial failed:
                no checkpoint is published and the member is rescued at its next ask.
            save: Called with a private path; writes a file or makes a folder there.
            checkpoint: `trial.draft`, when the checkpoint was written there already.
            metrics: Further numbers to record.
            params: Hyperparameters really in force, any subset; compared as by `check`.

        Raises:
            NoCheckpoint: The study's trials have checkpoints; the claim is kept.
            CheckpointError: Nothing was saved, or not where it belongs; the claim is kept.
            NotApplied: `params` differ from the trial's; the claim is kept.
            ArgumentError: Not a number; the claim is kept.
            ClaimLost: The trial was given to another worker meanwhile; nothing is recorded.
            AlreadyTold: The trial has ended.
        """
        if params is not None:
            self.check(**params)
        path = None if checkpoint is None else str(checkpoint)
        self._home().tell(self, value, Outcome(save, path, metrics))

    def fail(self, why: str, retry: bool = True) -> None:
        """End this attempt as a failure.

        Args:
            why: The reason, kept in the journal.
            retry: Whether the trial may be handed out again, up to the study's `max_attempts`;
                False ends it at once, as a value that is not finite.
        """
        self._home().fail(self, str(why), retry)

    def check(self, /, **values: Any) -> None:
        """Compare hyperparameters really in force with the ones asked for.

        Call it before training, with what your framework reports. Restoring an optimizer from the
        parent's checkpoint also restores the parent's learning rate: PBT then tunes nothing.

        Args:
            **values: Any subset, by name; numbers may differ by a relative 1e-6.

        Raises:
            NotApplied: Names each one that differs.
            ArgumentError: A name that is no hyperparameter.
        """
        if unknown := [name for name in values if name not in self.params]:
            raise ArgumentError(
                f"Trial {self.number}: {unknown} are no hyperparameters; it has {list(self.params)}."
            )
        wrong = [n for n, value in values.items() if not _same(value, self.params[n])]
        if wrong:
            each = "; ".join(f"{n} is {values[n]!r}, asked for {self.params[n]!r}" for n in wrong)
            raise NotApplied(
                f"Trial {self.number} does not train with its hyperparameters: {each}. Apply "
                "trial.params after the checkpoint is loaded."
            )

    def __enter__(self) -> Trial:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Record an exception as a failed attempt and let it pass; an interrupt only releases."""
        if error is None or self._ended is not None:
            # The trial belongs to somebody else now: the loop goes on with its next one.
            return isinstance(error, ClaimLost)
        if isinstance(error, Exception):
            self.fail(f"{type(error).__name__}: {error}")
        else:
            self._home().release(self)
        return False

    def __getstate__(self) -> dict[str, Any]:
        if self._keeper is not None:
            self._keeper.sent_away(self)
        own = {"_keeper": None, "_claim": None, "_following": None}
        return {f.name: getattr(self, f.name) for f in fields(self)} | own

    def _home(self) -> Keeper:
        if self._ended is not None:
            raise AlreadyTold(f"Trial {self.number} has been {self._ended} already.")
        if self._keeper is None:
            if self.path is None:
                raise ArgumentError(
                    f"Trial {self.number} belongs to a study in the memory of another process: "
                    "send the value back and tell it there, or give the study a directory."
                )
            from hoptim.study import load  # a trial that travelled finds its study again

            self._keeper = load(self.path)._session
        return self._keeper


def _same(found: Any, asked: Any) -> bool:
    if isinstance(asked, (int, float)) and not isinstance(asked, bool):
        try:
            return math.isclose(float(found), asked, rel_tol=1e-6)
        except (TypeError, ValueError):
            return False
    return found is asked or bool(found == asked)
