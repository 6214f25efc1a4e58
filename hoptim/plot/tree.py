"""The family tree: whose weights went on, and whose died out."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

import hoptim
from hoptim.plot import style
from hoptim.plot.descent import Descent
from hoptim.plot.history import Floats, History

_SIZE = (8.0, 5.0)  # inches
_COLOURS = ("#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")  # of the largest families
_OTHERS = "#5C5C5C"
_DOTS = 60  # more would merge
_APART = 0.07  # of the height: the least between two labels


def family_tree(study: hoptim.Study, trial: hoptim.FinishedTrial | int | None = None) -> Figure:
    """Who continued whose weights: a line from each trial to those that went on from it.

    Heights carry no number: at each step, relatives lie together, the winner's line on top. Coloured
    lines lead to the members' latest trials, a colour for each founder, which began with fresh
    weights; grey ones died out. Of many branches, those are drawn that lasted longest.

    Args:
        study: May be running.
        trial: Whose line stands out, a trial or its number; None is `study.best`, if there is one.

    Returns:
        One panel.

    Raises:
        NoResult: No trial has finished yet.
        ArgumentError: `trial` is none of the study's finished trials.
    """
    return style.panel(_SIZE, History.of(study, trial), draw)


def draw(ax: Any, history: History) -> None:
    """Draw the tree into axes."""
    descent = Descent(history)
    y = descent.position
    style.steps_axis(ax, history)
    height = float(np.nanmax(y))
    ax.set_ylim(height + 0.5 + 0.02 * height, -0.5 - 0.02 * height)
    _draw_dead(ax, descent)
    _draw_families(ax, descent)
    failed = ~np.isfinite(history.value) & descent.shown
    if failed.any():
        style.mark_failed(ax, history, y, failed)
    _draw_chosen(ax, history, y)
    if descent.least > 1:
        ax.set_xlabel(f"step (branches under {descent.least} steps left out)", fontsize="small")
    founders = int(np.sum(history.parent < 0))
    alive = len(descent.families)
    ax.set_title(f"Founders with living descendants: {alive} of {founders}", fontsize="small")


def _draw_dead(ax: Any, descent: Descent) -> None:
    """Branches that died out; exploits are thinner."""
    history, y = descent.history, descent.position
    dead = descent.alive == 0
    for which, width in ((history.copied, 0.4), (history.stayed, 0.8)):
        style.add_lines(ax, history.edges(y, dead & which), color=style.FAINT, linewidths=width, alpha=0.6)
    style.draw_dots(ax, history, y, dead & history.lonely)


def _draw_families(ax: Any, descent: Descent) -> None:
    """Lineages of the living, in their founders' colours, and how many there are of each."""
    history, y = descent.history, descent.position
    ticks: dict[float, str] = {}
    for i, founder in enumerate(descent.families):
        family = (history.founder == founder) & (descent.alive > 0)
        colour = _COLOURS[i] if i < len(_COLOURS) else _OTHERS
        style.add_lines(ax, history.edges(y, family & (history.parent >= 0)), color=colour, linewidths=1.2)
        living = family & descent.survivors & descent.shown
        if not living.any():
            continue
        ax.plot(history.step[living], y[living], ".", color=colour, markersize=4, label="_living")
        middle = float(np.mean(y[living]))
        if all(abs(middle - other) > _APART * float(np.nanmax(y)) for other in ticks):
            ticks[middle] = f"{_founder_name(history, founder)}: {descent.alive[founder]}"
    ax.yaxis.tick_right()
    ax.yaxis.set_label_position("right")
    ax.set_yticks(list(ticks), list(ticks.values()), fontsize="small")
    ax.set_ylabel("founder: living descendants", fontsize="small")


def _draw_chosen(ax: Any, history: History, y: Floats) -> None:
    """The chosen line, and on it where its weights moved to another member."""
    if not len(history.line):
        return
    style.draw_chosen(ax, history, y, linewidth=2.5)
    moves = history.line[history.copied[history.line]]
    shown = moves if len(moves) <= _DOTS else moves[:0]
    ax.plot(
        history.step[shown], y[shown], color=style.CHOSEN, linestyle="none", markersize=3.5,
        marker="o" if len(shown) else "none", markerfacecolor="white", zorder=5,
        label=f"{len(moves)} exploit{'s' * (len(moves) != 1)} on its line",
    )  # fmt: skip


def _founder_name(history: History, founder: int) -> str:
    """Which member began with fresh weights, and when if it was not at once."""
    step = int(history.step[founder])
    return f"member {history.member[founder]}" + (f" at step {step}" if step else "")
