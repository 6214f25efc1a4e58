"""Numbers of trials by step: values and step sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

import hoptim
from hoptim.analysis.names import name_of
from hoptim.analysis.trial_table import Floats, TrialTable
from hoptim.plot import style
from hoptim.plot.reading import read
from hoptim.plot.scale import scale_of, value_scale

_SIZE = (6.4, 4.0)  # inches


def values(study: hoptim.Study, trial: hoptim.FinishedTrial | int | None = None) -> Figure:
    """Draw all members' values by step: the winner's line, the best so far, and failed trials.

    The axis is logarithmic if positive values span more than a decade, most of them at its lower end. It
    shows the good values and each step's median; a title counts the values beyond.

    Args:
        study: Study to read once, running or finished.
        trial: Trial whose line is highlighted, or its number. Default: `study.best`, if there is one.

    Returns:
        Figure with one panel.

    Raises:
        NoResult: No trial has finished yet.
        ArgumentError: `trial` is none of the study's finished trials.
    """
    return style.panel(_SIZE, name_of(study.path), read(study, trial), draw_values)


def step_sizes(study: hoptim.Study, trial: hoptim.FinishedTrial | int | None = None) -> Figure:
    """Draw all members' step sizes of ROMUL by step: the winner's line and each step's median.

    Args:
        study: Study to read once, running or finished.
        trial: Trial whose line is highlighted, or its number. Default: `study.best`, if there is one.

    Returns:
        Figure with one panel.

    Raises:
        NoResult: No trial has finished yet.
        ArgumentError: The optimizer adapts no step size, or `trial` is none of the study's finished
            trials.
    """
    table = read(study, trial)
    if not has_step_sizes(table):
        raise hoptim.ArgumentError(
            f"The trials of {study!r} have no step size: {type(study.optimizer).__name__} notes no "
            "'sigma' in its memos, as hoptim.ROMUL does."
        )
    return style.panel(_SIZE, name_of(study.path), table, draw_step_sizes)


def has_step_sizes(table: TrialTable) -> bool:
    """Tell whether any trial has a step size that can be drawn."""
    return bool(np.any(_step_size(table) > 0))


def _step_size(table: TrialTable) -> Floats:
    """Return ROMUL's step sizes `(n,)`; NaN where the memo records none."""
    return table.column(lambda trial: hoptim.ROMUL.step_size(trial.memo))


def draw_values(ax: Any, table: TrialTable) -> None:
    """Draw values by step into axes."""
    y = table.value
    failed = table.failed
    style.steps_axis(ax, table)
    ax.set_ylabel("value")
    if np.isfinite(y).any():
        scale = value_scale(table)
        style.value_axis(ax, scale)
        style.draw_lines(ax, table, y, others=scale.clip(y))
        style.draw_summary(ax, *table.best_so_far, "--", label="best so far", drawstyle="steps-post")
        if outside := scale.outside(y):
            side = "above" if table.sign > 0 else "below"
            values = int(table.valued.sum())
            ax.set_title(f"{outside} of {values} values lie {side}", fontsize="small", loc="right")
    if failed.any():
        edge = np.full(len(y), 1.0 if table.sign > 0 else 0.0)
        style.mark_failed(ax, table, edge, failed, transform=ax.get_xaxis_transform())


def draw_step_sizes(ax: Any, table: TrialTable) -> None:
    """Draw step sizes by step into axes."""
    sigma = _step_size(table)
    y = np.where(sigma > 0, sigma, np.nan)  # the axis is logarithmic
    style.steps_axis(ax, table)
    ax.set_ylabel("step size")
    style.value_axis(ax, scale_of(y[np.isfinite(y)], log=True))
    style.draw_lines(ax, table, y)
    style.draw_summary(ax, *table.by_step(y, np.median), "-.", label="median of the step")
