"""Numbers that trials ended with or were made with, by step: values and step sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

import hoptim
from hoptim.plot import style
from hoptim.plot.history import History, step_size
from hoptim.plot.scale import around, of_values

_SIZE = (6.4, 4.0)  # inches


def values(study: hoptim.Study, trial: hoptim.FinishedTrial | int | None = None) -> Figure:
    """Values by step, of all members: the winner's line, the best so far, and what failed.

    The axis is logarithmic when positive values span more than two decades. It shows what is good,
    and each step's median; it says how many values have exploded beyond.

    Args:
        study: May be running.
        trial: Whose line stands out, a trial or its number; None is `study.best`, if there is one.

    Returns:
        One panel.

    Raises:
        NoResult: No trial has finished yet.
        ArgumentError: `trial` is none of the study's finished trials.
    """
    return style.panel(_SIZE, History.of(study, trial), draw_values, columns=2)


def step_sizes(study: hoptim.Study, trial: hoptim.FinishedTrial | int | None = None) -> Figure:
    """ROMUL's step size by step, of all members: the winner's line and each step's median.

    Args:
        study: May be running.
        trial: Whose line stands out, a trial or its number; None is `study.best`, if there is one.

    Returns:
        One panel.

    Raises:
        NoResult: No trial has finished yet.
        ArgumentError: The optimizer adapts no step size; `trial` is none of the study's finished
            trials.
    """
    history = History.of(study, trial)
    if not has_step_sizes(history):
        raise hoptim.ArgumentError(
            f"The trials of {study!r} have no step size: {type(study.optimizer).__name__} notes no "
            "'sigma' in its memos, as hoptim.ROMUL does."
        )
    return style.panel(_SIZE, history, draw_step_sizes)


def has_step_sizes(history: History) -> bool:
    """Whether any trial has a step size that can be drawn."""
    return bool(np.any(history.column(step_size) > 0))


def draw_values(ax: Any, history: History) -> None:
    """Draw values by step into axes."""
    y = history.value
    failed = ~np.isfinite(y)
    style.steps_axis(ax, history)
    ax.set_ylabel("value")
    if not failed.all():
        scale = of_values(history)
        style.value_axis(ax, scale)
        style.draw_lines(ax, history, y, faint=scale.clip(y))
        steps, best = history.best_so_far
        ax.step(
            steps,
            best,
            "--",
            where="post",
            color=style.text(),
            linewidth=1.2,
            zorder=5,
            label="best so far",
        )
        if outside := scale.outside(y):
            side = "above" if history.sign > 0 else "below"
            ax.set_title(f"{outside} of {len(y)} values lie {side}", fontsize="small", loc="right")
    if failed.any():
        edge = np.full(len(y), 1.0 if history.sign > 0 else 0.0)
        style.mark_failed(ax, history, edge, failed, transform=ax.get_xaxis_transform())


def draw_step_sizes(ax: Any, history: History) -> None:
    """Draw step sizes by step into axes."""
    y = history.column(step_size)
    y[y <= 0] = np.nan
    style.steps_axis(ax, history)
    ax.set_ylabel("step size")
    style.value_axis(ax, around(y[np.isfinite(y)], log=True))
    style.draw_lines(ax, history, y)
    steps, median = history.by_step(y, np.median)
    ax.plot(steps, median, "-.", color=style.text(), linewidth=1.2, zorder=5, label="median of the step")
