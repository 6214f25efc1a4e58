"""All pictures of a study on one page."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

import hoptim
from hoptim.plot import curves, schedules, style, tree
from hoptim.plot.history import History


def overview(study: hoptim.Study, trial: hoptim.FinishedTrial | int | None = None) -> Figure:
    """Values, step sizes if the optimizer has them, the family tree and all hyperparameters.

    Args:
        study: May be running.
        trial: Whose line stands out, a trial or its number; None is `study.best`, if there is one.

    Returns:
        Values, step sizes and the tree above, and below a panel for each hyperparameter. It wants at
        least 8 x 8 inches.

    Raises:
        NoResult: No trial has finished yet.
        ArgumentError: `trial` is none of the study's finished trials.
    """
    history = History.of(study, trial)
    rows, columns = schedules.grid(len(study.space))
    figure = style.figure(max(3.2 * columns, 10), 6.5 + 2.0 * rows)
    parts: Any = figure.subfigures(3, 1, height_ratios=[3, 3.5, 2.0 * rows])
    above, middle, below = parts
    draws = [curves.draw_values]
    if curves.has_step_sizes(history):
        draws.append(curves.draw_step_sizes)
    axes = list(above.subplots(1, len(draws), squeeze=False).flat)
    for draw, ax in zip(draws, axes, strict=True):
        draw(ax, history)
    tree.draw(middle.subplots(), history)
    style.legend(figure, [*axes, *middle.axes, *schedules.draw(below, history, study.space)])
    return figure
