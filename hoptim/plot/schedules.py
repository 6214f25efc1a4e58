"""The hyperparameters that members were trained with, step by step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import hoptim
from hoptim.plot import style
from hoptim.plot.history import Floats, History
from hoptim.plot.scale import around

_COLUMNS = 4
_PANEL = (3.2, 2.2)  # inches
_LABELS = 12  # of a categorical axis
_LETTERS = 16  # of a label
_SPREAD = 0.6  # of a category's height, over which members lie, so that one sees how many there are


def hyperparameters(study: hoptim.Study, trial: hoptim.FinishedTrial | int | None = None) -> Figure:
    """Schedules: each hyperparameter by step, of all members, with the winner's line standing out.

    The winner's line is what its weights were really trained with: through every exploit back to
    fresh weights. Any other line goes from a trial to those that continued its weights.

    Args:
        study: May be running.
        trial: Whose line stands out, a trial or its number; None is `study.best`, if there is one.

    Returns:
        One panel for each hyperparameter.

    Raises:
        NoResult: No trial has finished yet.
        ArgumentError: `trial` is none of the study's finished trials.
    """
    history = History.of(study, trial)
    rows, columns = grid(len(study.space))
    figure = style.figure(max(columns * _PANEL[0], 5), max(rows * _PANEL[1], 3) + 0.4)
    axes = draw(figure, history, study.space)
    style.legend(figure, axes)
    return figure


def grid(count: int) -> tuple[int, int]:
    """Rows and columns of some panels."""
    columns = min(_COLUMNS, math.ceil(math.sqrt(count)))
    return math.ceil(count / columns), columns


def draw(figure: Any, history: History, space: hoptim.Space) -> list[Any]:
    """Draw all panels into a figure, or a part of one; the axes in the order of the space."""
    rows, columns = grid(len(space))
    places = figure.add_gridspec(rows, columns)
    axes = []
    for i, (name, dim) in enumerate(space.dimensions.items()):
        ax = figure.add_subplot(places[divmod(i, columns)])
        ax.set_title(shortened(name, 2 * _LETTERS), parse_math=False, fontsize="medium")
        _draw_panel(ax, history, name, dim)
        if i + columns < len(space):
            ax.set_xlabel("")  # said by the panel below
        axes.append(ax)
    return axes


def ordinates(history: History, name: str, dim: hoptim.Dimension) -> Floats:
    """A hyperparameter of each trial `(n,)`: the number itself, or the place among the listed values."""
    if isinstance(dim, (hoptim.Float, hoptim.Int)):
        return history.column(lambda trial: trial.params[name])
    place = {listed: i for i, listed in enumerate(dim.to_json()["values"])}
    return history.column(lambda trial: place[dim.record(trial.params[name])])


def shortened(label: object, letters: int = _LETTERS) -> str:
    """A label that leaves room for the picture."""
    whole = str(label)
    return whole if len(whole) <= letters else f"{whole[: letters - 1]}\N{HORIZONTAL ELLIPSIS}"


def _draw_panel(ax: Any, history: History, name: str, dim: hoptim.Dimension) -> None:
    y = ordinates(history, name, dim)
    style.steps_axis(ax, history)
    if isinstance(dim, (hoptim.Float, hoptim.Int)):
        _draw_numbers(ax, history, y, dim)
    else:
        _draw_names(ax, history, y, dim.to_json()["values"])


def _draw_numbers(ax: Any, history: History, y: Floats, dim: hoptim.Float | hoptim.Int) -> None:
    whole = isinstance(dim, hoptim.Int)
    scale = around(y, log=dim.log, least=0.3 if whole else 0.0)
    style.value_axis(ax, scale, whole=whole)
    for bound in (dim.low, dim.high):
        if scale.low <= bound <= scale.high:
            ax.axhline(bound, color=style.FAINT, linewidth=0.8, linestyle=":")
    style.draw_lines(ax, history, y)


def _draw_names(ax: Any, history: History, y: Floats, names: list[Any]) -> None:
    members = history.member / max(int(history.member.max()), 1) - 0.5
    style.draw_dots(ax, history, y + _SPREAD * members)
    style.draw_chosen(ax, history, y, linewidth=0.6, markersize=2.5, markevery=None)
    every = math.ceil(len(names) / _LABELS)
    shown = names[::every]
    ax.set_yticks(np.arange(len(names))[::every], [shortened(name) for name in shown], parse_math=False)
    ax.set_ylim(-0.5, len(names) - 0.5)
