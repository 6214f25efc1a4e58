"""The population in parallel coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

import hoptim
from hoptim.analysis.names import name_of
from hoptim.analysis.ranking import best_first
from hoptim.analysis.scale import suits_log
from hoptim.analysis.trial_table import Floats
from hoptim.plot import style
from hoptim.plot.labels import shortened
from hoptim.plot.reading import read
from hoptim.plot.scale import Scale, scale_of
from hoptim.plot.sheet import sheet

_AXIS = 1.3  # inches
_HEIGHT = 4.2  # inches
_EACH = "a member's latest trial: the better, the stronger"
_NAMES = 8  # of an axis of listed values; of more, the first and the last


def parallel_coordinates(study: hoptim.Study, trial: hoptim.FinishedTrial | int | None = None) -> Figure:
    """Draw the members' latest trials as lines across their hyperparameters to the value.

    The better the value, the stronger the line. An axis goes from a hyperparameter's lower bound to the
    upper, in its scale, or through its listed values; a line is dotted past one that was not active.

    Args:
        study: Study to read once, running or finished.
        trial: Trial that is highlighted, or its number. Default: `study.best`, if there is one.

    Returns:
        Figure with one panel.

    Raises:
        NoResult: No trial has finished yet.
        ArgumentError: `trial` is none of the study's finished trials.
    """
    table = read(study, trial)
    latest = [table.trials[row] for row in table.latest]
    finite = np.array([each.value for each in latest if each.finite])
    scale = scale_of(finite, log=suits_log(finite)) if len(finite) else Scale(0.0, 1.0, False)
    dims = study.space.dimensions
    figure = sheet(max(_AXIS * (len(dims) + 1), 6.4), _HEIGHT, name_of(study.path))
    ax = figure.add_subplot()
    shades = style.shades()
    best_last = [each for each in best_first(latest, study.mode)[::-1] if each.valued]
    for i, each in enumerate(best_last, 1):
        label = _EACH if i == len(best_last) else "_"  # the legend shows the strongest
        look: dict[str, Any] = {"color": shades(i / len(best_last)), "label": label}
        if not each.finite:
            look = {"color": style.FAILED, "label": "a latest trial that failed"}
        _draw_line(ax, _heights(each, study.space, scale), ".-", linewidth=1, markersize=3, **look)
    if table.highlighted is not None:
        look = {"color": style.HIGHLIGHT, "label": style.line_name(table.highlighted, table)}
        y = _heights(table.highlighted, study.space, scale)
        _draw_line(ax, y, "o-", linewidth=2, markersize=5, **look)
    for i, dim in enumerate(dims.values()):
        _draw_axis(ax, i, _ticks(dim))
    _draw_axis(ax, len(dims), [(0.0, f"{scale.low:.4g}"), (1.0, f"{scale.high:.4g}")])
    names = [*(shortened(name) for name in dims), "value (log)" if scale.log else "value"]
    ax.set_xticks(range(len(names)), names, parse_math=False)
    ax.tick_params(length=0, pad=6)
    ax.set_yticks([])
    ax.set(xlim=(-0.5, len(dims) + 0.3), ylim=(-0.06, 1.06))
    ax.spines[:].set_visible(False)
    style.legend(figure, [ax])
    return figure


def _draw_line(ax: Any, y: Floats, form: str, color: Any, linewidth: float, **look: Any) -> None:
    """Draw a trial's line, dotted where it has no place on an axis, so that it leads to its value."""
    known = np.flatnonzero(np.isfinite(y))
    ax.plot(range(len(y)), y, form, color=color, linewidth=linewidth, **look)
    if known[-1] - known[0] >= len(known):
        ax.plot(known, y[known], ":", color=color, linewidth=0.6 * linewidth, label="_")


def _heights(trial: hoptim.FinishedTrial, space: hoptim.Space, scale: Scale) -> Floats:
    """Return the places of a trial on all axes `(d + 1,)`, from 0 to 1; NaN where it has none."""
    flat = space.flat(trial.params)
    found = [
        dim.encode(flat[name]) / _top(dim) if name in flat else np.nan
        for name, dim in space.dimensions.items()
    ]
    ends = np.array([scale.low, scale.high, trial.value])
    low, high, value = (np.log(ends) if scale.log else ends).tolist()
    places: Floats = np.clip(np.array([*found, (value - low) / (high - low)]), 0.0, 1.0)
    return places


def _top(dim: hoptim.Dimension) -> float:
    """Return the coordinate at the upper end of an axis."""
    return 1.0 if dim.ordered else max(len(dim.to_json()["values"]) - 1.0, 1.0)


def _ticks(dim: hoptim.Dimension) -> list[tuple[float, str]]:
    """Return places and texts on the axis of a hyperparameter."""
    if isinstance(dim, (hoptim.Float, hoptim.Int)):
        return [(dim.encode(value), f"{value:g}") for value in (dim.low, dim.high)]
    names: Sequence[Any] = dim.to_json()["values"]
    shown = names if len(names) <= _NAMES else [names[0], names[-1]]
    return [(dim.encode(dim.named(name)) / _top(dim), shortened(name, 10)) for name in shown]


def _draw_axis(ax: Any, x: int, ticks: Sequence[tuple[float, str]]) -> None:
    """Draw an upright line with texts to its left."""
    ax.axvline(x, 0.05, 0.95, color=style.text_colour(), linewidth=0.8, zorder=1)
    ground = matplotlib.rcParams["axes.facecolor"]
    for y, text in ticks:
        ax.text(
            x - 0.04, y, text, ha="right", va="center", fontsize="x-small", parse_math=False, zorder=6,
            bbox={"facecolor": ground, "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
        )  # fmt: skip
