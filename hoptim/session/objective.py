"""The objective of a fork: what its values mean, and what becomes of those told under the old one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from hoptim._arguments import number_of, sign_of
from hoptim._text import shown
from hoptim.errors import ArgumentError
from hoptim.session.generation import choose_members
from hoptim.session.session import Session
from hoptim.start import GIVEN
from hoptim.store.trial_record import TrialRecord
from hoptim.trial import FinishedTrial

Values = Callable[[FinishedTrial], float] | Literal["drop"]


class Objective(NamedTuple):
    """What the values of a fork mean.

    Attributes:
        mode: "min" or "max".
        values: "drop", or function of a finished trial of the old study that gives its value; None where
            the objective is the old one.
    """

    mode: str
    values: Values | None

    @classmethod
    def of(cls, mode: Any, values: Any, old_mode: str) -> Objective:
        """Return what a user asked for, checked.

        Args:
            mode: "min" or "max"; None for that of the old study.
            values: Argument of `hoptim.fork` of that name.
            old_mode: Mode of the old study.

        Raises:
            ArgumentError: No such mode, no such values, or another mode that leaves them as they are.
        """
        mode = old_mode if mode is None else mode
        sign_of(mode)  # raises for any other mode
        if values is None and mode != old_mode:
            raise ArgumentError(
                f"The old study's values, of mode {old_mode!r}, cannot be compared with those of mode "
                f"{mode!r}. Say what becomes of them: hoptim.fork(..., mode={mode!r}, values='drop') "
                "begins without any, and values=lambda trial: trial.metrics['accuracy'] takes a metric."
            )
        dropped = isinstance(values, str) and values == "drop"
        if not (values is None or dropped or callable(values)):
            raise ArgumentError(
                f"values must be 'drop' or a function of a finished trial, found {shown(values)}."
            )
        return cls(mode, values)

    @property
    def is_other(self) -> bool:
        """Return whether the old study's values mean something else."""
        return self.values is not None

    def choose(self, generation: Sequence[TrialRecord], size: int, old: Session) -> list[TrialRecord]:
        """Return the trial that each member of a fork begins with, with its value under this objective.

        Fewer members are the best ones: by the values that they have now, or had where those are dropped.

        Args:
            generation: Trials of the old study's members, one each, whose checkpoints are pinned.
            size: Number of members of the fork.
            old: Session on the old study.

        Raises:
            ArgumentError: The user's function returned no number.
        """
        if callable(self.values):
            valued = [self._valued(trial, self.values, old) for trial in generation]
            return choose_members(valued, size, self.mode)
        chosen = choose_members(generation, size, old.config.mode)
        if self.values is None:
            return chosen
        return [replace(t, value=math.nan, valued=False) if t.healthy else t for t in chosen]

    def _valued(
        self, trial: TrialRecord, value_of: Callable[[FinishedTrial], float], old: Session
    ) -> TrialRecord:
        """Return a trial with the value that a user's function gives it; one that failed has no weights.

        One that stands for given weights has no value before its member's first.
        """
        if not trial.healthy or trial.worker == GIVEN:
            return trial
        shown, saved = old.present.finished(trial, old.store.state.saved), old.store.state.saved
        if trial.number in saved:
            path = old.store.checkpoints.fetch(saved[trial.number], old)
            shown = replace(shown, checkpoint=path)
        value = value_of(shown)
        plain = number_of(f"The value that values= gives to trial {trial.number}", value)
        return replace(trial, value=plain, valued=True)
