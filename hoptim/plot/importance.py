"""Hyperparameters that matter, by step."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import hoptim
from hoptim.analysis.importance import importance as importance_of
from hoptim.analysis.names import name_of
from hoptim.plot import style
from hoptim.plot.cells import write_cells
from hoptim.plot.labels import shortened
from hoptim.plot.reading import read
from hoptim.plot.sheet import sheet

_WIDTH = 7.2  # inches
_ROW = 0.42  # inches
_LETTERS = 24  # of a name


def importance(study: hoptim.Study) -> Figure:
    """Draw the importance of each hyperparameter by step, as a number between 0 and 1 and a grey.

    It is by how much a regression explains worse, without the hyperparameter, which of several trials that
    continued the same weights did better: a construction of our own, made from the exploits as
    `hoptim.analysis.importance.importance` says. It is about 0 for a hyperparameter that does nothing.

    Args:
        study: Study to read once, running or finished.

    Returns:
        Figure with a row for each hyperparameter and a column for each window of steps. A cell has a dash
        where the hyperparameter did not vary.

    Raises:
        NoResult: Too few trials continued the same weights.
    """
    found = importance_of(read(study).trials, study.space)
    if found is None:
        raise hoptim.NoResult(
            f"{study!r} has too few exploits to tell the importance of its hyperparameters: it is told by "
            "trials that continued the same weights, at least four for each hyperparameter and its square."
        )
    rows = len(found.names)
    shares = np.maximum(found.shares, 0.0).T
    figure = sheet(_WIDTH, 1.8 + _ROW * rows, name_of(study.path))
    ax = figure.add_subplot()
    edges, places = np.array(found.edges) - 0.5, np.arange(rows)
    shown = np.ma.masked_invalid(shares)
    grid = ax.pcolormesh(edges, np.arange(rows + 1) - 0.5, shown, cmap=style.shades(), vmin=0, vmax=1)
    grid.set_edgecolor(style.ground_colour())
    middles = (edges[1:] + edges[:-1]) / 2
    write_cells(
        ax, middles, shares, 1.0, lambda share: "\N{EN DASH}" if np.isnan(share) else f"{share:.2f}"
    )
    ax.invert_yaxis()
    ax.set_yticks(places, [shortened(name, _LETTERS) for name in found.names], parse_math=False)
    ax.set_xticks(edges[:-1], [str(first) for first in found.edges[:-1]])
    ax.set_xlabel("first step of each window")
    low, high = min(found.comparisons), max(found.comparisons)
    same = "; \N{EN DASH}: it did not vary" if np.isnan(shares).any() else ""
    ax.set_title(
        f"Share of the differences between trials of the same weights; {low} to {high} comparisons{same}",
        fontsize="small",
    )
    figure.colorbar(grid, label="importance")
    return figure
