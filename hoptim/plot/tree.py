"""The family tree: lineages that survive, and those that died out."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

import hoptim
from hoptim.analysis.names import name_of
from hoptim.analysis.trial_table import Floats, TrialTable
from hoptim.plot import style
from hoptim.plot.reading import read
from hoptim.plot.tree_layout import TreeLayout

_SIZE = (8.0, 5.0)  # inches
_OTHERS = "#5C5C5C"  # families beyond the largest
_NOW = "weights that members have now, by founder"
_DOTS = 60  # more of them on one line would merge
_APART = 0.07  # of the height: the least distance between two labels


def family_tree(study: hoptim.Study, trial: hoptim.FinishedTrial | int | None = None) -> Figure:
    """Draw the family tree: a line from each trial to those that continued its weights.

    Heights carry no number: at each step relatives lie together, the winner's line on top. Coloured
    lines lead to the members' latest trials, with a colour for each founder, which began with fresh
    weights; grey lines died out. Of many branches the longest are drawn.

    Args:
        study: Study to read once, running or finished.
        trial: Trial whose line is highlighted, or its number. Default: `study.best`, if there is one.

    Returns:
        Figure with one panel.

    Raises:
        NoResult: No trial has finished yet.
        ArgumentError: `trial` is none of the study's finished trials.
    """
    return style.panel(_SIZE, name_of(study.path), read(study, trial), draw)


def draw(ax: Any, table: TrialTable) -> None:
    """Draw the tree into axes."""
    layout = TreeLayout(table)
    y = layout.position
    style.steps_axis(ax, table)
    height = float(np.nanmax(y))
    ax.set_ylim(height + 0.5 + 0.02 * height, -0.5 - 0.02 * height)
    _draw_dead(ax, layout)
    _draw_families(ax, layout)
    failed = table.failed & layout.shown
    if failed.any():
        style.mark_failed(ax, table, y, failed)
    _draw_line(ax, table, y)
    if layout.min_length > 1:
        ax.set_xlabel(f"step (branches under {layout.min_length} steps left out)", fontsize="small")
    founders = int(np.sum(table.parent < 0))
    alive = len(layout.founders)
    ax.set_title(f"Founders with living descendants: {alive} of {founders}", fontsize="small")


def _draw_dead(ax: Any, layout: TreeLayout) -> None:
    """Draw the branches that died out, with exploits thinner."""
    table, y = layout.table, layout.position
    dead = layout.alive == 0
    for which, width in ((table.stayed, 0.8), (table.copied, 0.4)):
        faint = {"color": style.FAINT, "linewidths": width, "alpha": 0.6, "label": "weights that died out"}
        style.add_lines(ax, table, y, dead & which, **faint)
    style.draw_dots(ax, table, y, dead & table.isolated, style.ALONE)


def _draw_families(ax: Any, layout: TreeLayout) -> None:
    """Draw the surviving lineages in their founders' colours, and label each with its survivors."""
    table, y = layout.table, layout.position
    ticks: dict[float, str] = {}
    for i, founder in enumerate(layout.founders):
        family = (table.founder == founder) & (layout.alive > 0)
        colour = style.SERIES[i] if i < len(style.SERIES) else _OTHERS
        lines = {"color": colour, "linewidths": 1.2, "label": _NOW}
        style.add_lines(ax, table, y, family & (table.parent >= 0), **lines)
        living = family & layout.survivors & layout.shown
        if not living.any():
            continue
        ax.plot(
            table.step[living], y[living], ".", color=colour, markersize=4, label="a member's latest trial"
        )
        middle = float(np.mean(y[living]))
        if all(abs(middle - other) > _APART * float(np.nanmax(y)) for other in ticks):
            ticks[middle] = f"{_founder_name(table, founder)}: {layout.alive[founder]}"
    ax.yaxis.tick_right()
    ax.yaxis.set_label_position("right")
    ax.set_yticks(list(ticks), list(ticks.values()), fontsize="small")
    ax.set_ylabel("founder: living descendants", fontsize="small")


def _draw_line(ax: Any, table: TrialTable, y: Floats) -> None:
    """Draw the highlighted line, with a dot at each exploit."""
    if table.highlighted is None:
        return
    style.draw_highlighted(ax, table, y, linewidth=2.5)
    moves = table.line[table.copied[table.line]]
    shown = moves if len(moves) <= _DOTS else moves[:0]
    ax.plot(
        table.step[shown], y[shown], color=style.HIGHLIGHT, linestyle="none", markersize=3.5,
        marker="o" if len(shown) else "none", markerfacecolor="white", zorder=5,
        label=f"{len(moves)} exploit{'s' * (len(moves) != 1)} on its line",
    )  # fmt: skip


def _founder_name(table: TrialTable, founder: int) -> str:
    """Return a founder's member, and its step if that is not 0."""
    step = int(table.step[founder])
    return f"member {table.member[founder]}" + (f" at step {step}" if step else "")
