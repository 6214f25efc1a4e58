"""How lines look: Okabe and Ito's colours, thick before thin, so that grey prints tell them apart too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from hoptim.plot.history import Floats, History, Mask, winner
from hoptim.plot.scale import Scale

CHOSEN = "#0072B2"  # blue, the darkest
FAILED = "#D55E00"
FAINT = "#8C8C8C"
_MANY = 5000  # lines; more of them are one picture inside of a .pdf or .svg
_SMALL = "small"


def figure(width: float, height: float) -> Figure:
    """An empty figure of some inches, which keeps its parts apart at any size."""
    return Figure(figsize=(width, height), layout="constrained")


def panel(
    size: tuple[float, float], history: History, draw: Callable[[Any, History], None], columns: int = 1
) -> Figure:
    """A figure of one panel that is drawn into its axes, with a legend of some columns below."""
    drawn = figure(*size)
    ax = drawn.add_subplot()
    draw(ax, history)
    legend(drawn, [ax], columns)
    return drawn


def text() -> Any:
    """The colour of text, which suits the background that the user has set."""
    return matplotlib.rcParams["text.color"]


def name_of(history: History) -> str:
    """What the chosen line is called in a legend."""
    chosen = history.trials[history.line[-1]]
    is_best = chosen is winner(history.trials, history.mode)
    return f"{'winner: ' if is_best else ''}trial {chosen.number}, value {chosen.value:.4g}"


def steps_axis(ax: Any, history: History) -> None:
    """Lay out the axis of steps."""
    last = int(history.step.max())
    margin = max(0.02 * last, 0.4)
    ax.set_xlim(-margin, last + margin)
    ax.xaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True, steps=[1, 2, 5, 10]))
    ax.set_xlabel("step")
    ax.tick_params(labelsize=_SMALL)


def value_axis(ax: Any, scale: Scale, whole: bool = False) -> None:
    """Lay out the axis of something else."""
    if scale.log:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(_Decades())
        ax.yaxis.set_minor_locator(_Logs(subs=tuple(range(2, 10))))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: "" if whole and y % 1 else f"{y:g}"))
    elif whole:
        ax.yaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True, steps=[1, 2, 5, 10]))
    ax.set_ylim(scale.low, scale.high)


def draw_lines(ax: Any, history: History, y: Floats, faint: Floats | None = None) -> None:
    """Draw each trial's line from the one whose weights it continued, and the chosen trial's on top.

    A member's own line is faint and breaks where it copies another; the line from the other's trial
    is fainter.

    Args:
        ax: Where.
        history: The trials.
        y: Their ordinates `(n,)`; NaN draws nothing.
        faint: Other ordinates for all but the chosen line.
    """
    faint = y if faint is None else faint
    alpha = strength(history)
    for which, width, part in ((history.copied, 0.4, 0.5), (history.stayed, 0.8, 1.0)):
        add_lines(ax, history.edges(faint, which), color=FAINT, linewidths=width, alpha=part * alpha)
    draw_dots(ax, history, faint, history.lonely)
    draw_chosen(ax, history, y)


def draw_dots(ax: Any, history: History, y: Floats, which: Mask | None = None) -> None:
    """Draw a faint dot for each trial, or for some."""
    x, y = (history.step, y) if which is None else (history.step[which], y[which])
    ax.plot(
        x, y, ".", color=FAINT, markersize=3, markeredgewidth=0, alpha=strength(history),
        rasterized=len(x) > _MANY, label="_dots",
    )  # fmt: skip


def draw_chosen(ax: Any, history: History, y: Floats, **style: Any) -> None:
    """Draw the line of the chosen trial, which ends in a dot."""
    if len(line := history.line):
        usual = {
            "color": CHOSEN, "linewidth": 2, "markersize": 5, "markevery": [-1], "zorder": 4,
            "label": name_of(history),
        }  # fmt: skip
        ax.plot(history.step[line], y[line], "-o", **{**usual, **style})


def strength(history: History) -> float:
    """How opaque members are: the fewer, the more."""
    return float(np.clip(8 / len(history.latest), 0.2, 0.7))


def add_lines(ax: Any, edges: Floats, **style: Any) -> None:
    """Add many short lines `(k, 2, 2)`; those with an end that is not finite are left out."""
    edges = edges[np.isfinite(edges).all(axis=(1, 2))]
    lines: Any = edges
    ax.add_collection(LineCollection(lines, rasterized=len(edges) > _MANY, **style), autolim=False)


def mark_failed(ax: Any, history: History, y: Floats, which: Mask, **style: Any) -> None:
    """Mark failed trials by crosses; all are counted, drawn or not."""
    failed = int(np.sum(~np.isfinite(history.value)))
    ax.plot(
        history.step[which], y[which], "x", color=FAILED, markersize=3, zorder=3, clip_on=False,
        label=f"{failed} failed", **style,
    )  # fmt: skip


def legend(figure: Any, axes: list[Any], columns: int = 2) -> None:
    """One legend below everything for what the axes show."""
    entries: dict[str, Any] = {}
    for ax in axes:
        handles, labels = ax.get_legend_handles_labels()
        entries = dict(zip(labels, handles, strict=True)) | entries  # the first of equal names
    if entries:
        figure.legend(
            entries.values(), entries.keys(), loc="outside lower center", ncols=columns, frameon=False,
            fontsize=_SMALL,
        )  # fmt: skip


class _Logs(LogLocator):  # type: ignore[misc, unused-ignore]
    """Ticks of a logarithmic axis, which may reach up to the largest float."""

    def tick_values(self, vmin: Any, vmax: Any) -> Any:
        with np.errstate(over="ignore", under="ignore"):  # a decade beyond what is shown
            ticks: Any = super().tick_values(vmin, vmax)
            return ticks


class _Decades(_Logs):
    """As many ticks in each decade as there is room for."""

    def __call__(self) -> Any:
        axis: Any = self.axis
        low, high = axis.get_view_interval()
        room = axis.get_tick_space() / (np.log10(high) - np.log10(low))
        self.set_params(
            numticks=max(axis.get_tick_space(), 2),
            subs=(1.0, 2.0, 5.0) if room >= 3 else (1.0, 3.0) if room >= 2 else (1.0,),
        )
        return super().__call__()
