"""The pictures of the ROMUL paper, drawn from rows that were measured here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hoptim.benchmarks.losses import typical
from hoptim.benchmarks.rosenbrock import RANGE, START, Row, loss
from hoptim.plot import Figure, save

# Okabe and Ito's palette, which people see apart whatever their colour vision; the dashes still tell
# two lines apart where one lies on the other.
_STYLES: tuple[dict[str, Any], ...] = (
    {"color": "#0072B2", "linestyle": "--"},
    {"color": "#E69F00", "linestyle": "-"},
    {"color": "#009E73", "linestyle": "-."},
    {"color": "#D55E00", "linestyle": "-", "linewidth": 2.5},
    {"color": "#CC79A7", "linestyle": ":", "linewidth": 2.5},
)
_TICKS = (0, 0.5, 1, 1.5, 2)
_MIDDLE = (25, 75)  # percentiles of the runs


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw the paper's Figures 1 and 2 into one file.

    Args:
        rows: Those of Table 3.
        path: The file.
    """
    figure = Figure(figsize=(12, 8), layout="constrained")
    *maps, curves = figure.subplots(2, 3).flat
    for row, ax, style in zip(rows, maps, _STYLES, strict=True):
        _draw_winner(ax, row, style["color"])
    _draw_losses(curves, rows)
    figure.suptitle("Each contender's run with the median final loss, and the losses of all its runs")
    figure.legend(*maps[0].get_legend_handles_labels(), loc="outside lower left", ncols=4, frameon=False)
    save(figure, path)


def _draw_winner(ax: Any, row: Row, colour: Any) -> None:
    run = row.runs[typical(row.final_losses)]
    side = np.linspace(*RANGE, 401)
    heights = np.log10(loss(np.meshgrid(side, side)) + 1e-9)  # the minimum lies on the grid
    ax.contour(
        side, side, heights, levels=np.arange(-3, 4, 0.5), cmap="Greys_r", linewidths=0.6, linestyles="-"
    )
    x, y = run.lineage.T
    ax.plot(x, y, "-o", color=colour, markersize=3, linewidth=0.8, alpha=0.7, label="the winner's lineage")
    mark: dict[str, Any] = {"linestyle": "none", "markeredgecolor": "black", "clip_on": False}
    ax.plot(*START, "s", **mark, color="white", label="start")
    ax.plot(*run.point, "D", **mark, color="white", label="best of the run")
    ax.plot(1, 1, "*", **mark, color="yellow", markersize=12, label="minimum")
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal", xticks=_TICKS, yticks=_TICKS)
    ax.set_title(row.name, color=colour)


def _draw_losses(ax: Any, rows: Sequence[Row]) -> None:
    for row, style in zip(rows, _STYLES, strict=True):
        losses = np.array([run.best for run in row.runs])
        steps = np.arange(1, losses.shape[1] + 1)
        low, high = np.percentile(losses, _MIDDLE, axis=0)
        ax.fill_between(steps, low, high, color=style["color"], alpha=0.15, linewidth=0)
        ax.plot(steps, np.median(losses, axis=0), label=row.name, **style)
    ax.set(xscale="log", yscale="log", xlabel="steps", ylabel="best loss so far")
    ax.margins(y=0.15)  # room for the legend
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_title("Median and middle half of the runs")
    ax.legend(loc="lower left", fontsize="small")
