"""All pictures of a study on one page."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

import hoptim
from hoptim.analysis.names import name_of
from hoptim.plot import curves, schedules, style, tree
from hoptim.plot.reading import read
from hoptim.plot.sheet import sheet

_HEIGHTS = {curves.draw_values: 2.6, curves.draw_step_sizes: 1.6, tree.draw: 3.4}  # inches
_PANEL = 2.0  # inches, the height of a hyperparameter's
_REST = 1.4  # inches, for title and legend


def overview(study: hoptim.Study, trial: hoptim.FinishedTrial | int | None = None) -> Figure:
    """Draw values, step sizes if the optimizer has them, the family tree and all hyperparameters.

    Args:
        study: Study to read once, running or finished.
        trial: Trial whose line is highlighted, or its number. Default: `study.best`, if there is one.

    Returns:
        Figure with values, step sizes and the tree one above the other, so that a step is at one place
        in all of them, and below a panel for each hyperparameter. It needs at least 8 x 8 inches.

    Raises:
        NoResult: No trial has finished yet.
        ArgumentError: `trial` is none of the study's finished trials.
    """
    table = read(study, trial)
    draws = [curves.draw_values, tree.draw]
    if curves.has_step_sizes(table):
        draws.insert(1, curves.draw_step_sizes)
    rows, columns = schedules.grid(len(study.space))
    heights = [*(_HEIGHTS[draw] for draw in draws), *[_PANEL] * rows]
    figure = sheet(max(3.2 * columns, 10), sum(heights) + _REST, name_of(study.path))
    places = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    axes: list[Any] = []
    for i, draw in enumerate(draws):
        axes.append(figure.add_subplot(places[i, :], sharex=axes[0] if axes else None))
        draw(axes[i], table)
    for ax in axes[:-1]:
        ax.set_xlabel("")  # said below, where the same steps are
    below = [places[len(draws) + i, j] for i in range(rows) for j in range(columns)]
    style.legend(figure, [*axes, *schedules.draw(figure, table, study.space, below)])
    return figure
