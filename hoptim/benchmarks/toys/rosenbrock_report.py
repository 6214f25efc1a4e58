"""Table 3 and Figures 1 to 3 of the ROMUL paper, from results measured here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from hoptim.benchmarks import pictures
from hoptim.benchmarks.benchmark import Benchmark, BenchmarkResult
from hoptim.benchmarks.runner import Progress
from hoptim.benchmarks.scores import median_run
from hoptim.benchmarks.tables import aligned, document, mean_and_spread
from hoptim.benchmarks.toys.rosenbrock import RANGE, START, RosenbrockOptions, RosenbrockRow, loss, measure


def run(options: RosenbrockOptions, progress: Progress | None = None) -> BenchmarkResult:
    """Measure Table 3, or Figure 3 if the options name dimensions."""
    rows = measure(options, progress)
    table, draw = (table3, draw_table3) if options.dims is None else (figure3, draw_figure3)
    return BenchmarkResult(
        f"Rosenbrock, log10 of the final loss: {options.summary}\n\n{table(rows)}",
        document(options, rows=[_to_json(row) for row in rows]),
        partial(draw, rows),
    )


ROSENBROCK = Benchmark(
    name="rosenbrock",
    summary="Table 3 and Figures 1 to 3 of the ROMUL paper",
    description="Measures how close optimizers come to the minimum of Rosenbrock's function when the "
    "hyperparameters are the point itself, beside the figures of Table 3 of the ROMUL paper.",
    options=RosenbrockOptions,
    run=run,
    json="write the table and each run's final loss to FILE",
    plot="draw Figures 1 and 2 of the paper, with --dims Figure 3 (needs matplotlib)",
)


def table3(rows: Sequence[RosenbrockRow]) -> str:
    """Return a line for each row of Table 3, with published and measured results side by side."""
    cells: list[Sequence[str]] = [("", "published", "", "measured", "", "p against")]
    cells.append(("", *("mean", "std") * 2, "ROMUL"))
    for row in rows:
        paper = () if row.published is None else astuple(row.published)
        p = "" if row.p_value is None else f"{row.p_value:.1e}"
        cells.append((row.name, *map("{:g}".format, paper), f"{row.mean:.3f}", f"{row.std:.3f}", p))
    return aligned(cells)


def figure3(rows: Sequence[RosenbrockRow]) -> str:
    """Return a line for each number of dimensions, and what it says about the paper's claim."""
    by_dims = [(n, list(group)) for n, group in groupby(rows, key=lambda row: row.dims)]
    cells = [("dimensions", *(row.name for row in by_dims[0][1]))]
    for n, group in by_dims:
        cells.append((str(n), *(mean_and_spread(row.mean, row.standard_error) for row in group)))
    return f"{aligned(cells)}\n\nMeans, with standard errors in brackets.\n{_claim(by_dims)}"


def _claim(by_dims: Sequence[tuple[int, Sequence[RosenbrockRow]]]) -> str:
    """Return the paper's claim about Figure 3 and the dimensions in which others lead ROMUL here."""
    lines = [
        "The paper: ROMUL is best in most dimensions, and only Truncation Selection passes it, in 8 to 14."
    ]
    romul, *others = (row.name for row in by_dims[0][1])
    for name in others:
        leads = {n: _lead(name, group) for n, group in by_dims}
        listed = ", ".join(f"{n} ({z:.1f})" for n, z in leads.items() if z > 0) or "none"
        lines.append(f"Here: dimensions in which {name} has a lower mean than {romul}: {listed}")
    return "\n".join(lines) + "\nIn brackets: by how many standard errors of the difference."


def _lead(name: str, group: Sequence[RosenbrockRow]) -> float:
    """Return by how many standard errors of the difference a contender's mean is below ROMUL's."""
    romul, other = group[0], next(row for row in group if row.name == name)
    error = float(np.hypot(romul.standard_error, other.standard_error))
    return (romul.mean - other.mean) / error if error > 0 else 0.0


def _to_json(row: RosenbrockRow) -> dict[str, Any]:
    return {
        "name": row.name, "dims": row.dims, "published": row.published and asdict(row.published),
        "mean": row.mean, "std": row.std, "standard_error": row.standard_error,
        "p_value": row.p_value, "final_losses": row.final_losses,
    }  # fmt: skip


# -- pictures ------------------------------------------------------------------------------------------

_TABLE3_STYLES: tuple[dict[str, Any], ...] = (  # dashes distinguish lines that lie on each other
    {"color": pictures.BLUE, "linestyle": "--"},
    {"color": pictures.ORANGE, "linestyle": "-"},
    {"color": pictures.GREEN, "linestyle": "-."},
    {"color": pictures.VERMILION, "linestyle": "-", "linewidth": 2.5},
    {"color": pictures.PURPLE, "linestyle": ":", "linewidth": 2.5},
)
_FIGURE3_STYLES: dict[str, dict[str, Any]] = {  # the same colours for the same contenders
    "ROMUL": {"color": pictures.VERMILION, "linestyle": "-", "marker": "o", "linewidth": 2.5},
    "Truncation Selection": {"color": pictures.PURPLE, "linestyle": ":", "marker": "s", "linewidth": 2.5},
    "Initiator (0.8/1.2 mult. steps)": {"color": pictures.BLUE, "linestyle": "--", "marker": "^"},
}
_TICKS = (0, 0.5, 1, 1.5, 2)
_CLAIMED_DIMS = (8, 14)  # dimensions in which, according to the paper, truncation passes ROMUL


def draw_table3(rows: Sequence[RosenbrockRow], path: Path) -> None:
    """Draw the paper's Figures 1 and 2, from the rows of Table 3, into one file."""
    with pictures.open_picture(path, 12, 8) as figure:
        *maps, curves = figure.subplots(2, 3).flat
        for row, ax, style in zip(rows, maps, _TABLE3_STYLES, strict=True):
            _draw_winner(ax, row, style["color"])
        _draw_losses(curves, rows)
        figure.suptitle("Each contender's run with the median final loss, and the losses of all its runs")
        labels = maps[0].get_legend_handles_labels()
        figure.legend(*labels, loc="outside lower left", ncols=4, frameon=False)


def _draw_winner(ax: Any, row: RosenbrockRow, color: str) -> None:
    """Draw a map of the loss with the lineage of the median run."""
    run = row.runs[median_run(row.final_losses)]
    side = np.linspace(*RANGE, 401)
    heights = np.log10(loss(np.meshgrid(side, side)) + 1e-9)  # the minimum, 0, is a point of the grid
    ax.contour(
        side, side, heights, levels=np.arange(-3, 4, 0.5), cmap="Greys_r", linewidths=0.6, linestyles="-"
    )
    x, y = run.lineage.T
    ax.plot(x, y, "-o", color=color, markersize=3, linewidth=0.8, alpha=0.7, label="the winner's lineage")
    mark: dict[str, Any] = {"linestyle": "none", "markeredgecolor": "black", "clip_on": False}
    ax.plot(*START, "s", **mark, color="white", label="start")
    ax.plot(*run.point, "D", **mark, color="white", label="best of the run")
    ax.plot(1, 1, "*", **mark, color="yellow", markersize=12, label="minimum")
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal", xticks=_TICKS, yticks=_TICKS)
    ax.set_title(row.name, color=color)


def _draw_losses(ax: Any, rows: Sequence[RosenbrockRow]) -> None:
    """Draw the lowest loss so far by step: median and middle half of each row's runs."""
    for row, style in zip(rows, _TABLE3_STYLES, strict=True):
        losses = np.array([run.best for run in row.runs])
        steps = range(1, losses.shape[1] + 1)
        pictures.draw_band(ax, steps, losses, (25, 75), style["color"])
        ax.plot(steps, np.median(losses, axis=0), label=row.name, **style)
    ax.set(xscale="log", yscale="log", xlabel="steps", ylabel="best loss so far")
    ax.margins(y=0.15)  # room for the legend
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_title("Median and middle half of the runs")
    ax.legend(loc="lower left", fontsize="small")


def draw_figure3(rows: Sequence[RosenbrockRow], path: Path) -> None:
    """Draw the paper's Figure 3, final losses by number of dimensions, into a file."""
    with pictures.open_picture(path, 9, 5.5) as figure:
        ax = figure.subplots()
        ax.axvspan(*_CLAIMED_DIMS, color="0.9", linewidth=0)
        words = "the paper:\ntruncation\npasses ROMUL\nin 8 to 14"
        ax.text(
            np.sqrt(np.prod(_CLAIMED_DIMS)), 0.02, words, ha="center", transform=ax.get_xaxis_transform()
        )
        for name, style in _FIGURE3_STYLES.items():
            _draw_contender(ax, [row for row in rows if row.name == name], style)
        ax.set(xlabel="dimensions", ylabel="log10 of the final loss")
        pictures.set_log_ticks(ax, sorted({row.dims for row in rows}))
        ax.legend(loc="upper left", frameon=False)
        ax.set_title(
            f"Rosenbrock's function: mean of {len(rows[0].runs)} runs with twice its standard error, "
            "and the middle 80 % of the runs",
            fontsize="medium",
        )


def _draw_contender(ax: Any, rows: Sequence[RosenbrockRow], style: dict[str, Any]) -> None:
    dims = [row.dims for row in rows]
    pictures.draw_band(ax, dims, np.transpose([row.scores for row in rows]), (10, 90), style["color"])
    errors = [2 * row.standard_error for row in rows]
    ax.errorbar(dims, [row.mean for row in rows], yerr=errors, capsize=3, label=rows[0].name, **style)
