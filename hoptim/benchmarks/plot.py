"""The pictures of the ROMUL paper, drawn from rows that were measured here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import hoptim
from hoptim.benchmarks.rosenbrock import RANGE, START, Row, Run, loss

try:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
except ImportError as error:
    raise hoptim.MissingExtra(
        "Pictures need matplotlib, which is not installed: pip install 'hoptim[plot]'."
    ) from error

# Okabe and Ito's palette, which people see apart whatever their colour vision.
_COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#D55E00", "#CC79A7")
_BAND = (25, 75)  # percentiles of the runs


def check_format(path: Path) -> None:
    """Raise `ArgumentError` unless a file's name ends as a kind of picture that can be drawn."""
    kinds = sorted(FigureCanvasAgg.get_supported_filetypes())
    if path.suffix[1:].lower() not in kinds:
        raise hoptim.ArgumentError(f"A picture's name must end in one of {kinds}, found {str(path)!r}.")


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw Figures 1 and 2 into one file.

    Args:
        rows: Those of Table 3.
        path: The file.
    """
    figure = Figure(figsize=(12, 7.5), layout="constrained")
    axes = figure.subplots(2, 3).ravel()
    for row, ax, colour in zip(rows, axes, _COLOURS, strict=False):
        _draw_winner(ax, row, colour)
    _draw_losses(axes[-1], rows)
    figure.savefig(path, dpi=150)


def typical(row: Row) -> Run:
    """The run whose final loss is the median, the lower of two."""
    order = np.argsort(row.final_losses, kind="stable")
    return row.runs[order[(len(order) - 1) // 2]]


def _draw_winner(ax: Any, row: Row, colour: str) -> None:
    grid = np.meshgrid(np.linspace(*RANGE, 401), np.linspace(*RANGE, 401))
    ax.contourf(*grid, np.log10(loss(grid) + 1e-9), levels=np.arange(-3, 4, 0.5), cmap="Greys", alpha=0.5, extend="both")
    x, y = typical(row).lineage.T
    ax.plot(x, y, "-o", color=colour, markersize=3, linewidth=1)
    ax.plot(*START, "s", color="black")
    ax.plot(1, 1, "*", color="black", markersize=10)
    ax.set(title=row.name, xlabel="$x_1$", ylabel="$x_2$", aspect="equal")


def _draw_losses(ax: Any, rows: Sequence[Row]) -> None:
    for row, colour in zip(rows, _COLOURS, strict=False):
        curves = np.array([run.best for run in row.runs])
        steps = np.arange(curves.shape[1])
        ax.fill_between(steps, *np.percentile(curves, _BAND, axis=0), color=colour, alpha=0.2, linewidth=0)
        ax.plot(steps, np.median(curves, axis=0), color=colour, label=row.name)
    ax.set(yscale="log", xlabel="step", ylabel="best loss so far", title="median and middle half of the runs")
    ax.legend()
