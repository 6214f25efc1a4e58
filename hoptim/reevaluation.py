"""Reevaluation: what the best trials are worth when each is measured several times more."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from hoptim._arguments import number_of, sign_of, whole_of
from hoptim._text import shown
from hoptim.analysis.candidate import Candidate
from hoptim.errors import ArgumentError
from hoptim.session.session import Session
from hoptim.store.state import State
from hoptim.study import Study
from hoptim.trial import FinishedTrial

Evaluate = Callable[[str | None, dict[str, Any], int], float]
_Found = tuple[FinishedTrial, str | None]  # and the path of its checkpoint


@dataclass(frozen=True)
class Reevaluation:
    """A trial that was measured again.

    Attributes:
        trial: The trial, with the value that was told.
        mean: Mean of the new values; NaN if one of them is.
        error: Standard error of that mean.
        values: New values, by seed.
    """

    trial: FinishedTrial
    mean: float
    error: float
    values: tuple[float, ...]


def reevaluate(
    study: Study, evaluate: Evaluate, top: int = 5, repeats: int = 20, last: int = 1
) -> list[Reevaluation]:
    """Measure the best trials again, several times each; no record is written.

    Others may train meanwhile: the checkpoints are kept until this returns.

    Args:
        study: Study, finished or not.
        evaluate: Function of a checkpoint's path (None in a study without checkpoints), the
            hyperparameters and a seed, that returns a value as it would be told.
        top: Number of trials, as `Study.top` ranks them. Default: 5.
        repeats: Number of values of each, at least 2. Their seeds are 0, 1, 2 and so on, the same for
            each trial. Default: 20.
        last: Number of values of a lineage that `Study.top` ranks by. Default: 1.

    Returns:
        One row for each trial, the best mean first; none before the first finite value.

    Raises:
        ArgumentError: An argument cannot work, or `evaluate` returned no number.
        CheckpointError: A checkpoint was lost, or this process had no heartbeat for too long.

    >>> import hoptim
    >>> space = {"x": hoptim.Float(0.0, 1.0)}
    >>> study = hoptim.Study(None, space=space, size=4, steps=5, mode="min")
    >>> for trial in study:
    ...     trial.tell(trial.params["x"])
    >>> rows = hoptim.reevaluate(study, lambda path, params, seed: params["x"] + seed % 2, top=2, repeats=4)
    >>> round(rows[0].mean - rows[0].trial.value, 3), round(rows[0].error, 3)
    (0.5, 0.289)
    """
    if not isinstance(study, Study):
        raise ArgumentError(f"study must be a hoptim.Study, found {shown(study)}.")
    if not callable(evaluate):
        raise ArgumentError(
            f"evaluate must be a function of path, params and seed, found {shown(evaluate)}."
        )
    top, repeats, last = whole_of("top", top, 1), whole_of("repeats", repeats, 2), whole_of("last", last, 1)
    with ExitStack() as kept:
        paths = (_kept if study.path is None else _pinned)(study, top, last, kept)
        rows = [_measured(trial, path, evaluate, repeats) for trial, path in paths]
    sign = sign_of(study.mode)
    return sorted(rows, key=lambda row: (math.isnan(row.mean), sign * row.mean, row.trial.number))


def _kept(study: Study, top: int, last: int, kept: ExitStack) -> list[_Found]:
    """Return the best trials of a study in memory, whose checkpoints stay until a stack is left."""
    best = [candidate.trial for candidate in study.top(top, last)]
    return [
        (trial, None if trial.checkpoint is None else kept.enter_context(study.pin(trial)))
        for trial in best
    ]


def _pinned(study: Study, top: int, last: int, kept: ExitStack) -> list[_Found]:
    """Return the best trials, whose checkpoints are pinned until a stack is left."""
    session = Session.open(str(study.path), study.options, study.space, study.optimizer)
    found: list[Candidate] = []

    def choose(state: State) -> list[int]:
        found[:] = session.results().top(top, last)
        return [candidate.trial.number for candidate in found] if state.stateful else []

    choose(session.store.refresh())  # what is long past is read before the lock is held
    pin = kept.enter_context(session.store.pin(choose))
    kept.push(lambda kind, error, trace: pin.require() if kind is None else None)
    saved, fetch = session.store.state.saved, session.store.checkpoints.fetch
    best = [candidate.trial for candidate in found]
    return [(each, fetch(saved[each.number], pin) if each.number in saved else None) for each in best]


def _measured(trial: FinishedTrial, path: str | None, evaluate: Evaluate, repeats: int) -> Reevaluation:
    """Return what a trial, whose checkpoint has a path here, is worth by several evaluations."""
    what = f"The value of trial {trial.number} that evaluate returned"
    values = [number_of(what, evaluate(path, dict(trial.params), seed)) for seed in range(repeats)]
    if not all(map(math.isfinite, values)):
        return Reevaluation(trial, math.nan, math.nan, tuple(values))
    error = statistics.stdev(values) / math.sqrt(repeats)
    return Reevaluation(trial, statistics.fmean(values), error, tuple(values))
