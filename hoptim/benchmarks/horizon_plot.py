"""Pictures of short-sightedness: losses by interval, and the schedules that they come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from hoptim.benchmarks.horizon import METHODS, Cell, Found
from hoptim.benchmarks.problem import Floats
from hoptim.benchmarks.reference_solutions import Answer
from hoptim.plot import Figure, save

# Okabe and Ito's palette, from dark to light; markers and dashes tell the lines apart in grey, too.
_STYLES: tuple[dict[str, Any], ...] = (
    {"color": "#0072B2", "marker": "o", "linestyle": "-"},
    {"color": "#D55E00", "marker": "s", "linestyle": "--"},
    {"color": "#009E73", "marker": "^", "linestyle": "-."},
    {"color": "#000000", "marker": "D", "linestyle": "-", "linewidth": 2.5},
    {"color": "#CC79A7", "marker": "v", "linestyle": ":"},
    {"color": "#E69F00", "marker": "X", "linestyle": "-"},
    {"color": "#56B4E9", "marker": "P", "linestyle": "--"},
)
_KNOWN = "#595959"
_APART = 0.075  # of the axes' height, between two labels
_WIDTH, _HEIGHT = 5.2, 3.2  # of a panel, in inches


def draw(found: Sequence[Found], path: Path) -> None:
    """Draw a column for each problem: losses by interval above, schedules below.

    Args:
        found: What was measured.
        path: The file.
    """
    figure = Figure(figsize=(_WIDTH * len(found), 2 * _HEIGHT), layout="constrained")
    above, below = figure.subplots(2, len(found), squeeze=False)
    for one, losses, schedules in zip(found, above, below, strict=True):
        _draw_losses(losses, one)
        _draw_schedules(schedules, one)
    figure.legend(
        *above[0].get_legend_handles_labels(), loc="outside upper left", ncols=len(METHODS), frameon=False
    )
    save(figure, path)


def _style(method: str) -> dict[str, Any]:
    return _STYLES[[*METHODS].index(method) % len(_STYLES)]


def _draw_losses(ax: Any, found: Found) -> None:
    for number, name in enumerate(METHODS):
        row = found.row(name)
        shift = 1.03 ** (number - (len(METHODS) - 1) / 2)  # so that bars do not hide each other
        ax.errorbar(
            [cell.interval * shift for cell in row], [cell.mean for cell in row],
            [cell.std for cell in row], capsize=3, label=name, **_style(name),
        )  # fmt: skip
    ax.set(xscale="log", xlabel="steps between decisions", ylabel="final loss", title=found.problem.name)
    ax.xaxis.set_major_locator(FixedLocator(found.intervals))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter("{x:g}")
    _draw_known(ax, (found.drawn, *found.answers))


def _draw_known(ax: Any, known: Sequence[Cell | Answer]) -> None:
    """Lines across, with their names to the right, moved apart where they would touch."""
    known = sorted(known, key=lambda one: one.mean)
    for one in known:
        ax.axhline(one.mean, color=_KNOWN, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)
    low, high = ax.get_ylim()
    places = _spread_out((np.array([one.mean for one in known]) - low) / (high - low))
    for one, place in zip(known, places, strict=True):
        ax.annotate(
            f"{one.name}: {one.mean:.3f}", (1, one.mean), (1.03, place),
            xycoords=("axes fraction", "data"), textcoords="axes fraction", va="center",
            fontsize="small", color=_KNOWN, arrowprops={"arrowstyle": "-", "color": _KNOWN, "lw": 0.6},
        )  # fmt: skip


def _spread_out(places: Floats) -> Floats:
    """Ascending places, at least `_APART` from each other and near to where they were."""
    steps = _APART * np.arange(len(places))
    upwards = np.maximum.accumulate(places - steps) + steps
    downwards = np.minimum.accumulate((places - steps)[::-1])[::-1] + steps
    spread: Floats = (upwards + downwards) / 2
    return spread


def _draw_schedules(ax: Any, found: Found) -> None:
    """Winners of the worst method at the shortest interval and of the best of all, beside what is known.

    The names are where those of the losses are, to the right.
    """
    worst = max((found.row(name)[0] for name in METHODS), key=lambda cell: cell.mean)
    first, last = found.answers[0], next(a for a in found.answers if a.name.startswith("greedy"))
    _stairs(ax, found, first.schedule, first.name, color=_KNOWN, linewidth=4, alpha=0.5)
    _stairs(ax, found, last.schedule, last.name, color=_KNOWN, linewidth=1.5, linestyle=":")
    for cell, line in ((worst, "--"), (found.best(), "-")):
        winner = np.array([next(iter(params.values())) for params in cell.typical.schedule])
        colour = _style(cell.name)["color"]
        _stairs(ax, found, winner, f"{cell.name}, every {cell.interval}", linestyle=line, color=colour)
    ax.set(xlabel="step", ylabel=next(iter(found.problem.space)))
    ax.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def _stairs(ax: Any, found: Found, values: Floats, label: str, **style: Any) -> None:
    """A value for each decision, over the steps that it was in force."""
    edges = np.linspace(0, found.problem.steps, len(values) + 1)
    ax.stairs(values, edges, baseline=None, label=label, **style)
