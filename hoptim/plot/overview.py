"""All pictures of a study on one page."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

import hoptim
from hoptim.plot import curves, schedules, style, tree
from hoptim.plot.trial_table import TrialTable


def overview(study: hoptim.Study, trial: hoptim.FinishedTrial | int | None = None) -> Figure:
    """Draw values, step sizes if the optimizer has them, the family tree and all hyperparameters.

    Args:
        study: Study to read once, running or finished.
        trial: Trial whose line is highlighted, or its number. Default: `study.best`, if there is one.

    Returns:
        Figure with values, step sizes and the tree above, and below a panel for each hyperparameter. It
        needs at least 8 x 8 inches.

    Raises:
        NoResult: No trial has finished yet.
        ArgumentError: `trial` is none of the study's finished trials.
    """
    table = TrialTable.of(study, trial)
    rows, columns = schedules.grid(len(study.space))
    figure = style.figure(max(3.2 * columns, 10), 6.5 + 2.0 * rows)
    parts: Any = figure.subfigures(3, 1, height_ratios=[3, 3.5, 2.0 * rows])
    above, middle, below = parts
    draws = [curves.draw_values]
    if curves.has_step_sizes(table):
        draws.append(curves.draw_step_sizes)
    axes = list(above.subplots(1, len(draws), squeeze=False).flat)
    for draw, ax in zip(draws, axes, strict=True):
        draw(ax, table)
    tree.draw(middle.subplots(), table)
    style.legend(figure, [*axes, *middle.axes, *schedules.draw(below, table, study.space)])
    return figure
