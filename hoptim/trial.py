"""A trial: one interval of training of one member, in hand or finished."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from hoptim import _html, _reads
from hoptim._arguments import mapping_of, truth_of
from hoptim._in_force import require_in_force
from hoptim._paths import absolute_path
from hoptim._text import counted, said, shown
from hoptim.errors import AlreadyTold, ArgumentError, ClaimLost

Save = Callable[[str], object]


@dataclass(frozen=True)
class FinishedTrial:
    """A trial that has ended, as the journal records it.

    Attributes:
        number: Number of the trial, counted from 0 in the order of proposals.
        member: Member that the trial belongs to.
        step: Count of the member's own trials before this one.
        age: Intervals that the weights had been trained before; 1 less than the age of a `Start` in the
            trial that stands for it.
        parent: Number of the trial whose weights it continued from, None when fresh or given by a `Start`.
        params: Hyperparameters asked for.
        seed: Seed that the trial was given.
        value: Value as told, in the user's sign; NaN when the trial failed, or advanced without a value.
        metrics: Metrics as told, by name: numbers as floats, anything else as JSON.
        checkpoint: Path of its checkpoint, None when it has none or it was dropped.
        attempt: 1 for the first try, one more for each failure before.
        interruptions: Claims that were released or lost with their worker.
        failed: Reason of the final failure, None when the trial was told.
        worker: Worker that ended it; "start" for one that stands for a `Start`.
        asked: Time of the proposal, seconds since 1970.
        claimed: Time of the claim that ended it, seconds since 1970.
        ended: Time of the end, seconds since 1970.
        origin: Number in the study that this one was forked from; None for a trial of its own.
        records: Numbers of the records that proposed and that ended it; a proposal is made from
            exactly the trials that ended before it.
        x: Coordinates of the optimizer, `(d,)`.
        memo: Memo of the optimizer.
        valued: False when it was trained and not valued, see `Trial.advance`, `fork` dropped its value, or
            it stands for a `Start`; its `value` is NaN then.
    """

    number: int
    member: int
    step: int
    age: int
    parent: int | None
    params: dict[str, Any]
    seed: int
    value: float
    metrics: dict[str, Any]
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
    valued: bool = True

    @property
    def finite(self) -> bool:
        """Return True if the value is a finite number, so that any member may continue from the trial."""
        return math.isfinite(self.value)

    @_html.quiet
    def _repr_html_(self) -> str:
        facts = {"value": self.value, **_place(self), "failed": self.failed, "checkpoint": self.checkpoint}
        return _html.page(
            f"Trial {self.number}", facts, _html.params(self.params),
            _html.table(("metric", "value"), self.metrics.items()),
        )  # fmt: skip


class Outcome(NamedTuple):
    """Arguments of `tell` besides the value; `valued` is False for `advance`."""

    save: Save | None = None
    checkpoint: str | None = None
    metrics: Mapping[str, Any] | None = None
    valued: bool = True


class Keeper(Protocol):
    """The study's side of one trial: records how it ends.

    `hoptim.session.handle.Handle` is the one in a process that has opened the study; a pickled trial
    carries one that opens the study when first needed.
    """

    @property
    def ended(self) -> str | None:
        """Return how the trial ended, such as "told"; None while it is in hand."""

    @property
    def inherited(self) -> bool:
        """Return True in a forked child, whose parent has the trial."""

    def tell(self, trial: Trial, value: Any, outcome: Outcome) -> None:
        """End the trial with a value, or as trained and not valued."""

    def fail(self, trial: Trial, why: str, retry: bool) -> None:
        """End the attempt as a failure."""

    def release(self, trial: Trial) -> None:
        """Hand the trial back."""

    def draft(self, trial: Trial) -> Path:
        """Return the private path for its checkpoint."""

    def scratch(self, trial: Trial) -> Path:
        """Return its folder that survives attempts."""

    def export(self, trial: Trial) -> Keeper:
        """Return a keeper for a copy of the trial that may be pickled."""


@_reads.noting_reads
@dataclass(eq=False)
class Trial:
    """One interval of training that a worker holds: what to train, and where to tell how it went.

    A trial is plain data and pickles; told from another process, it opens its study by path, with the
    options of the process that claimed it.

    A forked child ends its parent's trial only in words: its `tell`, `fail` or `release` counts as the
    parent's. Neither the end of a `with trial:` in the child nor its exit records anything.

    Attributes:
        number: Number of the trial, counted from 0 in the order of proposals.
        member: Member that the trial belongs to.
        step: Count of the member's own trials before this one, 0..steps-1.
        age: Intervals that these weights have been trained before; learning-rate schedules use it.
        parent: Number of the trial whose weights to continue from, None to start fresh.
        params: Hyperparameters to train with: plain `float`, `int` or the user's own values, in the dicts
            and lists of the space, with its constants.
        checkpoint: Path of the parent's checkpoint; None only without a parent, or when the study
            is stateless.
        seed: A 31-bit integer, a function of the study's seed and the number.
        attempt: 1, and one more for each time that this trial failed.
        continues: True if the weights in this process's memory are the parent's: the last thing
            that it did on this study was the acknowledged tell of exactly the parent.
        path: Directory of the study, None for a study in memory.
        token: Proof of the claim; a tell with an older one is refused.
        keeper: The study's side of the trial, which its methods call.
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
    keeper: Keeper = field(repr=False)

    def __post_init__(self) -> None:
        _reads.begin(self)

    def __repr__(self) -> str:
        own = (f"{f.name}={vars(self)[f.name]!r}" for f in fields(self) if f.repr)
        return f"{type(self).__qualname__}({', '.join(own)})"

    @property
    def ended(self) -> str | None:
        """Return how the trial ended here, such as "told" or "released"; None while it is in hand."""
        return self.keeper.ended

    @property
    def draft(self) -> Path:
        """Return a private path for a file or folder to be told as `checkpoint=trial.draft`."""
        return self._in_hand().draft(self)

    @property
    def scratch(self) -> Path:
        """Return a private folder that survives attempts and is removed at the end, to resume from."""
        _reads.note(self, "checkpoint")  # an earlier attempt may have left weights that go further
        return self._in_hand().scratch(self)

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
            value: Value to optimize, in your own sign. One that is not finite marks the trial as
                failed: no checkpoint is published, and the member is rescued at its next ask.
            save: Function of a private path that writes a file or makes a folder there. All must be
                written when it returns: an asynchronous saver has to wait first, as what a thread still
                writes would be published half.
            checkpoint: `trial.draft`, when the checkpoint was written there already, all of it.
            metrics: Further things to record, by name: numbers, and other JSON of at most 64 KiB, such as
                None, text, lists and arrays. What is none is left out, with one warning.
            params: Hyperparameters really in force, any subset; compared as by `check`.

        Raises:
            NoCheckpoint: The study's trials have checkpoints; the claim is kept.
            CheckpointError: Nothing was saved, not where it belongs, or with a pipe, a socket or a
                device in it; the claim is kept.
            NotApplied: `params` differ from the trial's; or, with `strict=True`, the parent's checkpoint
                or the hyperparameters were never read. The claim is kept.
            ArgumentError: Not a number; the claim is kept.
            ClaimLost: The trial was given to another worker meanwhile; nothing is recorded.
            AlreadyTold: The trial has ended.
        """
        outcome = self._given(save, checkpoint, metrics, params)
        self._in_hand().tell(self, value, outcome)
        _reads.end(self)

    def advance(
        self,
        save: Save | None = None,
        checkpoint: str | Path | None = None,
        metrics: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        """End the trial as trained and not valued, as where a metric is measured every few intervals.

        The member's next trial goes on with these weights and the same hyperparameters, and no decision is
        made. Up to its next value the member is compared with nobody, and `Study.best` skips it; a
        decision that it missed is made then. It is durable when this returns.

        Args:
            save: Function that writes the checkpoint, as for `tell`.
            checkpoint: `trial.draft`, as for `tell`.
            metrics: Further things to record, as for `tell`.
            params: Hyperparameters really in force, as for `tell`.

        Raises:
            NoCheckpoint, CheckpointError, NotApplied, ArgumentError, ClaimLost, AlreadyTold: Same causes
                as `tell`; `ArgumentError` also in a study of format 1, which knows no such trials.

        >>> import hoptim
        >>> space = {"x": hoptim.Float(0.0, 1.0)}
        >>> study = hoptim.Study(None, space=space, size=4, steps=6, mode="min")
        >>> for trial in study:
        ...     if trial.step % 3 == 2:
        ...         trial.tell(trial.params["x"])
        ...     else:
        ...         trial.advance()
        >>> [trial.valued for trial in study.trials if trial.member == 0]
        [False, False, True, False, False, True]
        """
        outcome = self._given(save, checkpoint, metrics, params)
        self._in_hand().tell(self, None, outcome._replace(valued=False))
        _reads.end(self)

    def _given(
        self,
        save: Save | None,
        checkpoint: str | Path | None,
        metrics: Mapping[str, Any] | None,
        params: Mapping[str, Any] | None,
    ) -> Outcome:
        """Return what `tell` and `advance` were given, checked."""
        if params is not None:
            found = mapping_of(f"Trial {self.number}: params", params)
            require_in_force(self.number, self.params, found)
        if save is not None and not callable(save):
            raise ArgumentError(f"Trial {self.number}: save must be a function, found {shown(save)}.")
        path = None if checkpoint is None else str(absolute_path(checkpoint))
        if metrics is not None:
            metrics = mapping_of(f"Trial {self.number}: metrics", metrics)
        return Outcome(save, path, metrics)

    def fail(self, why: str, retry: bool = True) -> None:
        """End this attempt as a failure.

        Args:
            why: Reason, kept in the journal; of more than 20,000 characters, both ends are kept.
            retry: Hand the trial out again, up to the study's `max_attempts`; False ends it at once,
                as a value that is not finite. Default: True.

        Raises:
            ClaimLost: The trial was given to another worker meanwhile; nothing is recorded.
            AlreadyTold: The trial has ended.
        """
        self._in_hand().fail(self, said(why), truth_of("retry", retry))

    def release(self) -> None:
        """Hand the trial back: it is handed out again as it is, and no failure is counted.

        Raises:
            AlreadyTold: The trial has ended.
        """
        self._in_hand().release(self)

    def check(self, /, **values: Any) -> None:
        """Compare hyperparameters really in force with the ones asked for.

        Call it before training, with what your framework reports. Restoring an optimizer from the
        parent's checkpoint also restores the parent's learning rate: PBT then tunes nothing.

        Args:
            **values: Hyperparameters by name, any subset, nested as `params` is or with dotted names.
                Numbers may differ by a relative 1e-6, those of type float16 or bfloat16 by its rounding.

        Raises:
            NotApplied: Values that differ; the message names each.
            ArgumentError: A name that is no hyperparameter.
        """
        require_in_force(self.number, self.params, values)

    def __enter__(self) -> Trial:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Record an exception as a failed attempt and let it pass; an interrupt only releases.

        In a forked child nothing is recorded: its parent trains on.
        """
        if error is None or self.ended is not None or self.keeper.inherited:
            # The trial belongs to somebody else now: the loop goes on with its next one.
            return isinstance(error, ClaimLost)
        if isinstance(error, Exception):
            with suppress(AlreadyTold):  # what the block said last did arrive, though it raised
                self.fail(f"{type(error).__name__}: {said(error)}")
        else:
            self.release()
        return False

    @_html.quiet
    def _repr_html_(self) -> str:
        own = vars(self)  # what is shown has not been read
        facts = {**_place(self), "state": self.ended or "in hand", "checkpoint": own["checkpoint"]}
        return _html.page(f"Trial {self.number}", facts, _html.params(own["params"]))

    def __getstate__(self) -> dict[str, Any]:
        own = {f.name: vars(self)[f.name] for f in fields(self)}
        _reads.end(self)  # a copy may be read elsewhere
        return own | {"keeper": self.keeper.export(self)}

    def _in_hand(self) -> Keeper:
        if self.ended is not None:
            raise AlreadyTold(f"Trial {self.number} has been {self.ended} already.")
        return self.keeper


def _place(trial: Trial | FinishedTrial) -> dict[str, object]:
    """Return where a trial stands in the study, for a notebook."""
    return {
        "place": f"step {trial.step} of member {trial.member}",
        "trained before": counted(trial.age, "interval"),
        "parent": None if trial.parent is None else f"trial {trial.parent}",
        "attempt": trial.attempt if trial.attempt > 1 else None,
    }
