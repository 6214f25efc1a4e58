"""Several studies in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import hoptim
from hoptim.plot import style
from hoptim.plot.scale import Scale, scale_of
from hoptim.plot.schedules import shortened
from hoptim.plot.trial_table import Floats, Rows, TrialTable

_SIZE = (6.4, 4.0)  # inches
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")  # of Okabe and Ito
_DASHES = ("-", "--", "-.", ":")  # for more studies than colours
_DECADES = 100.0  # a wider range of positive values is drawn on a logarithmic axis
_LETTERS = 40  # of a name

Curve = tuple[Rows, Floats]


def compare(studies: Sequence[hoptim.Study]) -> Figure:
    """Draw the best value so far by step of several studies, and the mean of them.

    The legend has each study's folder, with as much of the path above it as tells it from the others, and
    its best value. The mean is over all studies, at the steps that each of them has reached.

    Args:
        studies: Studies to read once, running or finished, all of one mode.

    Returns:
        Figure with one panel.

    Raises:
        ArgumentError: There is no study, or their modes differ.
        NoResult: A study has no finished trial yet.
    """
    if not studies:
        raise hoptim.ArgumentError("compare needs at least one study, found none.")
    if len(modes := {study.mode for study in studies}) > 1:
        raise hoptim.ArgumentError(f"Studies of the modes {sorted(modes)} cannot share an axis of values.")
    tables = [TrialTable.of(study) for study in studies]
    figure = style.figure(*_SIZE)
    ax = figure.add_subplot()
    style.steps_axis(ax, max(tables, key=lambda table: int(table.step.max())))
    ax.set_ylabel("best value so far")
    curves = [table.best_so_far for table in tables]
    for i, (name, (steps, y)) in enumerate(zip(names(studies), curves, strict=True)):
        best = f"best {y[-1]:.4g}" if len(y) else "no finite value"
        ax.plot(
            steps, y, drawstyle="steps-post", color=_COLOURS[i % len(_COLOURS)], linewidth=1.6,
            linestyle=_DASHES[i // len(_COLOURS) % len(_DASHES)],
            label=f"{best}, {shortened(name, _LETTERS)}",  # one that begins with _ would be hidden
        )  # fmt: skip
    reached = [curve for curve in curves if len(curve[0])]
    if reached:
        style.value_axis(ax, _scale(np.concatenate([y for _, y in reached])))
    steps, y = mean(reached)
    if len(reached) > 1 and len(steps):
        label = f"mean of {len(reached)}"
        style.draw_summary(ax, steps, y, ":", drawstyle="steps-post", label=label)
    style.legend(figure, [ax])
    return figure


def names(studies: Sequence[hoptim.Study]) -> list[str]:
    """Return the end of each study's path that tells it from the others, at least its folder's name."""
    paths = [
        Path(f"study {i}" if study.path is None else study.path).parts for i, study in enumerate(studies)
    ]
    length = 1
    while len({parts[-length:] for parts in paths}) < len(set(paths)):
        length += 1
    return ["/".join(parts[-length:]) for parts in paths]


def mean(curves: Sequence[Curve]) -> Curve:
    """Return the mean of curves at the steps `(s,)` that all of them have reached.

    Args:
        curves: Steps and values of each, from its first step on, each step's value that of the last one.
    """
    first = max((int(steps[0]) for steps, _ in curves), default=0)
    last = min((int(steps[-1]) for steps, _ in curves), default=-1)
    common = np.arange(first, last + 1)
    at = [y[np.searchsorted(steps, common, side="right") - 1] for steps, y in curves]
    with np.errstate(over="ignore"):
        return common, np.mean(at, axis=0) if at else np.array([])


def _scale(y: Floats) -> Scale:
    low, high = float(np.min(y)), float(np.max(y))
    return scale_of(y, log=low > 0 and high / low > _DECADES)
