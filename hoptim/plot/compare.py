"""Several studies in one picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import hoptim
from hoptim.analysis.names import names
from hoptim.analysis.scale import suits_log
from hoptim.analysis.trial_table import Floats, Rows
from hoptim.plot import style
from hoptim.plot.labels import shortened
from hoptim.plot.reading import read
from hoptim.plot.scale import Scale, scale_of
from hoptim.plot.sheet import sheet

_SIZE = (6.4, 4.4)  # inches
_DASHES = ("-", "--", "-.", ":")  # for more studies than colours
_LETTERS = 40  # of a name

Curve = tuple[Rows, Floats]


def compare(studies: Sequence[hoptim.Study]) -> Figure:
    """Draw the best value so far by step of several studies, and the mean of those that repeat one another.

    Studies of one space, optimizer and size are repetitions, by their seeds. They have one colour, a thin
    line each, a thick one for their mean, and a band of one standard deviation (of n - 1) on both sides, at
    the steps that each of them has reached.

    The legend has each study's folder, with as much of the path above it as tells it from the others, and
    its best value.

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
    tables = [read(study) for study in studies]
    figure = sheet(*_SIZE, "")
    ax = figure.add_subplot()
    style.steps_axis(ax, max(tables, key=lambda table: int(table.step.max())))
    ax.set_ylabel("best value so far")
    curves = [table.best_so_far for table in tables]
    finite = np.concatenate([y for _, y in curves])
    scale = scale_of(finite, log=suits_log(finite)) if len(finite) else Scale(0.0, 1.0, False)
    style.value_axis(ax, scale)
    labels = names([study.path for study in studies])
    for i, group in enumerate(repetitions(studies)):
        shared: dict[str, Any] = {"color": style.SERIES[i % len(style.SERIES)], "drawstyle": "steps-post"}
        width = 1.6 if len(group) == 1 else 0.8
        for k, row in enumerate(group, i // len(style.SERIES)):
            steps, y = curves[row]
            best = f"best {y[-1]:.4g}" if len(y) else "no finite value"
            label = f"{best}, {shortened(labels[row], _LETTERS)}"  # one that begins with _ would be hidden
            ax.plot(steps, y, _DASHES[k % len(_DASHES)], linewidth=width, label=label, **shared)
        found = [curves[row] for row in group if len(curves[row][0])]
        if len(found) > 1:
            label = f"mean of {len(found)} as {shortened(labels[group[0]], _LETTERS)}"
            _draw_mean(ax, found, scale, shared | {"label": label})
    style.legend(figure, [ax])
    return figure


def repetitions(studies: Sequence[hoptim.Study]) -> list[list[int]]:
    """Return the studies, by their place among all, in groups of one space, optimizer and size."""
    groups: dict[str, list[int]] = {}
    for i, study in enumerate(studies):
        settings = [study.space.to_json(), study.optimizer.describe(), study.size]
        groups.setdefault(json.dumps(settings), []).append(i)
    return list(groups.values())


def mean(curves: Sequence[Curve]) -> tuple[Rows, Floats, Floats]:
    """Return steps `(s,)` that all curves have reached, and there their mean and standard deviation.

    Args:
        curves: Steps and values of each, from its first step on, each step's value that of the last one; at
            least two.
    """
    first = max(int(steps[0]) for steps, _ in curves)
    last = min(int(steps[-1]) for steps, _ in curves)
    common = np.arange(first, last + 1)
    at = np.array([y[np.searchsorted(steps, common, side="right") - 1] for steps, y in curves])
    with np.errstate(over="ignore", invalid="ignore"):
        return common, np.mean(at, axis=0), np.std(at, axis=0, ddof=1)


def _draw_mean(ax: Any, curves: Sequence[Curve], scale: Scale, look: dict[str, Any]) -> None:
    """Draw the mean of curves and their spread."""
    steps, y, deviation = mean(curves)
    ax.plot(steps, y, linewidth=2.4, **look)
    with np.errstate(invalid="ignore"):
        low, high = scale.clip(y - deviation), scale.clip(y + deviation)
    band = {"color": look["color"], "alpha": 0.2, "linewidth": 0, "label": "standard deviation"}
    ax.fill_between(steps, low, high, step="post", **band)
