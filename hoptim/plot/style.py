"""Colours, axes, lines and legends that all pictures share; the report has the same colours.

They are Okabe and Ito's: blue for the winner, vermillion for failures, grey for all members, and others for
families and studies. Widths differ too, so that lines can be told apart in a grey print.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

import hoptim
from hoptim.analysis.trial_table import Floats, Mask, Rows, TrialTable
from hoptim.plot.scale import Scale
from hoptim.plot.sheet import sheet

HIGHLIGHT = "#0072B2"  # blue, the darkest
FAILED = "#D55E00"  # vermillion
FAINT = "#8C8C8C"
SERIES = ("#E69F00", "#009E73", "#CC79A7", "#56B4E9")  # families, or studies
MEMBERS = "a member's weights"
COPIES = "copied from another member"
ALONE = "fresh weights that none continued"
_MANY = 5000  # lines; more of them are one picture inside of a .pdf or .svg
_SMALL = "small"
_ENTRY = 3.2  # inches of a legend, for one label


def panel(
    size: tuple[float, float], title: str, table: TrialTable, draw: Callable[[Any, TrialTable], None]
) -> Figure:
    """Return a figure of one panel with a title above and a legend below.

    Args:
        size: Width and height in inches.
        title: Name of the study.
        table: Trials to draw.
        draw: Function that draws them into axes.
    """
    drawn = sheet(*size, title)
    ax = drawn.add_subplot()
    draw(ax, table)
    legend(drawn, [ax])
    return drawn


def text_colour() -> Any:
    """Return the colour of text, which suits the background that the user has set."""
    return matplotlib.rcParams["text.color"]


def ground_colour() -> str:
    """Return the colour that is behind text, black or white."""
    return "black" if sum(to_rgb(text_colour())) > 1.5 else "white"


def shades() -> LinearSegmentedColormap:
    """Return the greys of numbers: the larger one is, the more it stands out from the background."""
    ends = np.array([to_rgb(ground_colour()), to_rgb(text_colour())])
    return LinearSegmentedColormap.from_list("shades", [[0.85, 0.15] @ ends, [0.15, 0.85] @ ends])


def line_name(trial: hoptim.FinishedTrial, table: TrialTable) -> str:
    """Return the name of a trial's line in the legend."""
    prefix = "winner: " if trial is table.best else ""
    return f"{prefix}trial {trial.number}, value {trial.value:.4g}"


def whole_ticks() -> MaxNLocator:
    """Return round ticks at whole numbers."""
    return MaxNLocator(nbins="auto", integer=True, steps=[1, 2, 5, 10])


def steps_axis(ax: Any, table: TrialTable) -> None:
    """Lay out the axis of steps."""
    last = int(table.step.max())
    margin = max(0.02 * last, 0.4)
    ax.set_xlim(-margin, last + margin)
    ax.xaxis.set_major_locator(whole_ticks())
    ax.set_xlabel("step")
    ax.tick_params(labelsize=_SMALL)


def value_axis(ax: Any, scale: Scale, whole: bool = False) -> None:
    """Lay out the vertical axis; with whole=True it has ticks at whole numbers alone."""
    if scale.log:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(_Decades())
        ax.yaxis.set_minor_locator(_Logs(subs=tuple(range(2, 10))))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: "" if whole and y % 1 else f"{y:g}"))
    elif whole:
        ax.yaxis.set_major_locator(whole_ticks())
    ax.set_ylim(scale.low, scale.high)


def draw_lines(ax: Any, table: TrialTable, y: Floats, others: Floats | None = None) -> None:
    """Draw a faint line from each trial's parent to the trial, and the highlighted line on top.

    Lines of exploits, which come from another member, are fainter still.

    Args:
        ax: Axes to draw into.
        table: Trials to draw.
        y: Ordinates `(n,)`; NaN draws nothing.
        others: Ordinates `(n,)` for all but the highlighted line. Default: `y`.
    """
    others = y if others is None else others
    alpha = opacity(table)
    for which, width, part, label in ((table.stayed, 0.8, 1.0, MEMBERS), (table.copied, 0.4, 0.5, COPIES)):
        faint = {"color": FAINT, "linewidths": width, "alpha": part * alpha}
        add_lines(ax, table, others, which, label=label, **faint)
    draw_dots(ax, table, others, table.isolated, ALONE)
    draw_highlighted(ax, table, y)


def draw_dots(ax: Any, table: TrialTable, y: Floats, which: Mask, label: str) -> None:
    """Draw a faint dot for each trial of a mask `(n,)`, unless it has no ordinate."""
    which = which & np.isfinite(y)
    if which.any():
        ax.plot(
            table.step[which], y[which], ".", color=FAINT, markersize=3, markeredgewidth=0,
            alpha=opacity(table), rasterized=int(which.sum()) > _MANY, label=label,
        )  # fmt: skip


def draw_highlighted(ax: Any, table: TrialTable, y: Floats, **style: Any) -> None:
    """Draw the line of the highlighted trial, if there is one, with a dot at its end."""
    if table.highlighted is not None:
        usual = {
            "color": HIGHLIGHT, "linewidth": 2, "markersize": 5, "markevery": [-1], "zorder": 4,
            "label": line_name(table.highlighted, table),
        }  # fmt: skip
        line = table.line[table.valued[table.line] | np.isfinite(y[table.line])]
        ax.plot(table.step[line], y[line], "-o", **{**usual, **style})


def draw_summary(ax: Any, steps: Rows, y: Floats, linestyle: str, **style: Any) -> None:
    """Draw one number of each step `(s,)` as a thin line over all others."""
    ax.plot(steps, y, linestyle, color=text_colour(), linewidth=1.2, zorder=5, **style)


def opacity(table: TrialTable) -> float:
    """Return the opacity of the members' lines: the more members, the lower."""
    return float(np.clip(8 / len(table.latest), 0.2, 0.7))


def add_lines(ax: Any, table: TrialTable, y: Floats, which: Mask, **style: Any) -> None:
    """Draw a line from its parent to each trial of a mask `(n,)`, unless an end is not finite.

    Many lines are drawn as one for each member, with gaps: matplotlib takes a time for each line, and a
    member's own lie side by side, so that they look the same.
    """
    edges = table.edges(y, which)
    finite = np.isfinite(edges).all(axis=(1, 2))
    edges, member = edges[finite], table.member[which][finite]
    if not len(edges):
        return
    lines: Any = edges
    if many := len(edges) > _MANY:
        order = np.argsort(member, kind="stable")
        gapped = np.concatenate([edges, np.full((len(edges), 1, 2), np.nan)], axis=1)[order]
        begins = np.unique(member[order], return_index=True)[1][1:]
        lines = [own.reshape(-1, 2) for own in np.split(gapped, begins)]
    ax.add_collection(LineCollection(lines, rasterized=many, **style), autolim=False)


def mark_failed(ax: Any, table: TrialTable, y: Floats, which: Mask, **style: Any) -> None:
    """Mark the failed trials of a mask `(n,)` by crosses; the label counts all that failed."""
    failed = int(np.sum(table.failed))
    ax.plot(
        table.step[which], y[which], "x", color=FAILED, markersize=3, zorder=3, clip_on=False,
        label=f"{failed} failed", **style,
    )  # fmt: skip


def legend(figure: Any, axes: list[Any]) -> None:
    """Add one legend below all axes of a figure, with each label once, as broad as there is room."""
    entries: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if not entries:
        return
    drawn = figure.legend(
        entries.values(), entries.keys(), loc="outside lower center", frameon=False, fontsize=_SMALL,
        ncols=max(1, int(figure.get_figwidth() / _ENTRY)), markerscale=1.4,
    )  # fmt: skip
    for text in drawn.get_texts():
        text.set_parse_math(False)  # a study's name may hold $
    for handle, source in zip(drawn.legend_handles, entries.values(), strict=True):
        if isinstance(source, LineCollection):  # one of many faint lines is hard to see
            handle.set(color=to_rgb(handle.get_color()), linewidth=1.5 * handle.get_linewidth())


class _Logs(LogLocator):  # type: ignore[misc, unused-ignore]
    """Ticks of a logarithmic axis, which may reach the largest float."""

    def tick_values(self, vmin: Any, vmax: Any) -> Any:
        with np.errstate(over="ignore", under="ignore"):  # a decade beyond what is shown
            ticks: Any = super().tick_values(vmin, vmax)
            return ticks


class _Decades(_Logs):
    """Labelled ticks of a logarithmic axis: 1, 2 or 3 in each decade, as there is room."""

    def __call__(self) -> Any:
        axis: Any = self.axis
        low, high = axis.get_view_interval()
        room = axis.get_tick_space() / (np.log10(high) - np.log10(low))
        self.set_params(
            numticks=max(axis.get_tick_space(), 2),
            subs=(1.0, 2.0, 5.0) if room >= 3 else (1.0, 3.0) if room >= 2 else (1.0,),
        )
        return super().__call__()
