"""The hyperparameters that members were trained with, by step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import hoptim
from hoptim.analysis.names import name_of
from hoptim.analysis.param_column import param_column
from hoptim.analysis.trial_table import Floats, TrialTable
from hoptim.plot import style
from hoptim.plot.labels import LETTERS, shortened
from hoptim.plot.reading import read
from hoptim.plot.scale import scale_of
from hoptim.plot.sheet import sheet

_COLUMNS = 4
_PANEL = (3.2, 2.2)  # inches
_LABELS = 12  # of a categorical axis
_SPREAD = 0.6  # of a category's height, over which members lie, so that one sees how many there are


def hyperparameters(study: hoptim.Study, trial: hoptim.FinishedTrial | int | None = None) -> Figure:
    """Draw all members' schedules: each hyperparameter by step, with the winner's line highlighted.

    The winner's line shows what its weights were really trained with, through every exploit back to
    fresh weights. Other lines go from a trial to those that continued its weights.

    Args:
        study: Study to read once, running or finished.
        trial: Trial whose line is highlighted, or its number. Default: `study.best`, if there is one.

    Returns:
        Figure with a panel for each hyperparameter.

    Raises:
        NoResult: No trial has finished yet.
        ArgumentError: `trial` is none of the study's finished trials.
    """
    table = read(study, trial)
    rows, columns = grid(len(study.space))
    figure = sheet(max(columns * _PANEL[0], 5), max(rows * _PANEL[1], 3) + 0.7, name_of(study.path))
    places = figure.add_gridspec(rows, columns)
    axes = draw(figure, table, study.space, [places[divmod(i, columns)] for i in range(len(study.space))])
    style.legend(figure, axes)
    return figure


def grid(count: int) -> tuple[int, int]:
    """Return the rows and columns of a grid for a number of panels."""
    columns = min(_COLUMNS, math.ceil(math.sqrt(count)))
    return math.ceil(count / columns), columns


def draw(figure: Any, table: TrialTable, space: hoptim.Space, places: Sequence[Any]) -> list[Any]:
    """Draw a panel for each hyperparameter into places of a figure, row by row, and return their axes."""
    columns = grid(len(space))[1]
    axes, flat = [], [space.flat(trial.params) for trial in table.trials]
    for i, (name, dim) in enumerate(space.dimensions.items()):
        ax = figure.add_subplot(places[i])
        ax.set_title(shortened(name, 2 * LETTERS), parse_math=False, fontsize="medium")
        _draw_panel(ax, table, np.array(param_column(name, dim, flat), dtype=float), dim)
        if i + columns < len(space):
            ax.set_xlabel("")  # said by the panel below
        axes.append(ax)
    return axes


def _draw_panel(ax: Any, table: TrialTable, y: Floats, dim: hoptim.Dimension) -> None:
    style.steps_axis(ax, table)
    if isinstance(dim, (hoptim.Float, hoptim.Int)):
        _draw_numbers(ax, table, y, dim)
    else:
        _draw_names(ax, table, y, dim.to_json()["values"])


def _draw_numbers(ax: Any, table: TrialTable, y: Floats, dim: hoptim.Float | hoptim.Int) -> None:
    whole = isinstance(dim, hoptim.Int)
    there = y[np.isfinite(y)]
    shown = there if len(there) else np.array([dim.low, dim.high], dtype=float)  # it was never active
    scale = scale_of(shown, log=dim.log, margin=0.3 if whole else 0.0)
    style.value_axis(ax, scale, whole=whole)
    for bound in (dim.low, dim.high):
        if scale.low <= bound <= scale.high:
            ax.axhline(bound, color=style.FAINT, linewidth=0.8, linestyle=":", label="a bound of the space")
    style.draw_lines(ax, table, y)


def _draw_names(ax: Any, table: TrialTable, y: Floats, names: list[Any]) -> None:
    members = table.member / max(int(table.member.max()), 1) - 0.5
    style.draw_dots(ax, table, y + _SPREAD * members, table.step >= 0, style.MEMBERS)
    style.draw_highlighted(ax, table, y, linewidth=0.6, markersize=2.5, markevery=None)
    every = math.ceil(len(names) / _LABELS)
    shown = names[::every]
    ax.set_yticks(np.arange(len(names))[::every], [shortened(name) for name in shown], parse_math=False)
    ax.set_ylim(-0.5, len(names) - 0.5)
