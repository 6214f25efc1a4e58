"""Tables and pictures of the horizon benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from hoptim.benchmarks import pictures
from hoptim.benchmarks.benchmark import Benchmark, BenchmarkResult
from hoptim.benchmarks.runner import Progress
from hoptim.benchmarks.scores import Floats
from hoptim.benchmarks.tables import aligned, document, mean_and_spread, versions
from hoptim.benchmarks.toys.horizon import METHODS, HorizonCell, HorizonOptions, HorizonResult, measure
from hoptim.benchmarks.toys.reference_solutions import ReferenceSolution

_NOTE = """Means, in brackets standard deviations over the runs; * is each method's best interval, ** the
best of all. A run delivers the best of its members' last trials; in random search each member keeps
its draw."""


def run(options: HorizonOptions, progress: Progress | None = None) -> BenchmarkResult:
    """Measure all methods at all intervals."""
    results = measure(options, progress)
    measured_with = ", ".join(f"{name} {version}" for name, version in versions().items())
    tables = "\n\n".join([*map(_table, results), _NOTE])
    return BenchmarkResult(
        f"Final loss by method and interval: {options.summary}\n{measured_with}\n\n{tables}",
        document(
            options,
            methods={name: optimizer.describe() for name, optimizer in METHODS.items()},
            problems=[_to_json(result) for result in results],
        ),
        partial(draw, results),
    )


HORIZON = Benchmark(
    name="horizon",
    summary="three problems on which greedy choices lose",
    description="Measures final losses by method and by the interval between decisions on three small "
    "problems with reference solutions, on which the best choice for the next steps is bad in the end.",
    options=HorizonOptions,
    run=run,
    json="write the tables and each run's final loss to FILE",
    plot="draw losses and schedules (needs matplotlib)",
)


def _table(result: HorizonResult) -> str:
    title = f"{result.problem.name}, {result.problem.steps} steps"
    cells: list[Sequence[str]] = [(title, *(f"every {interval}  " for interval in result.intervals))]
    for name, row in result.rows.items():
        best = min(row, key=attrgetter("mean"))
        marks = ["**" if cell is result.best else "* " if cell is best else "  " for cell in row]
        cells.append((name, *(_number(cell) + mark for cell, mark in zip(row, marks, strict=True))))
    blank = ("",) * (len(result.intervals) - 1)
    cells += [(one.name, f"{_number(one)}  ", *blank) for one in result.baselines]
    return aligned(cells)


def _number(one: HorizonCell | ReferenceSolution) -> str:
    return mean_and_spread(one.mean, one.std) if len(one.scores) > 1 else f"{one.mean:.3f}        "


def _to_json(result: HorizonResult) -> dict[str, Any]:
    return {
        "name": result.name, "steps": result.problem.steps,
        "cells": [{"method": c.name, "interval": c.interval, **_statistics(c)} for c in result.cells],
        "random_search": _statistics(result.random_search),
        "known": [{"name": one.name, **_statistics(one)} for one in result.references],
    }  # fmt: skip


def _statistics(one: HorizonCell | ReferenceSolution) -> dict[str, Any]:
    return {"mean": one.mean, "std": one.std, "final_losses": list(one.scores)}


# -- pictures ------------------------------------------------------------------------------------------

_GREY = "#595959"
_LABEL_HEIGHT = 0.075  # of the axes' height
_WIDTH, _HEIGHT = 5.2, 3.2  # of a panel, in inches


def draw(results: Sequence[HorizonResult], path: Path) -> None:
    """Draw a column for each problem into a file: losses by interval above, schedules below."""
    with pictures.open_picture(path, _WIDTH * len(results), 2 * _HEIGHT) as figure:
        above, below = figure.subplots(2, len(results), squeeze=False)
        for result, losses, schedules in zip(results, above, below, strict=True):
            _draw_losses(losses, result)
            _draw_schedules(schedules, result)
        lines, names = above[0].get_legend_handles_labels()
        figure.legend(lines, names, loc="outside upper left", ncols=len(names), frameon=False)


def _style(result: HorizonResult, method: str) -> dict[str, Any]:
    return pictures.STYLES[[*result.rows].index(method) % len(pictures.STYLES)]


def _draw_losses(ax: Any, result: HorizonResult) -> None:
    for number, (name, row) in enumerate(result.rows.items()):
        shift = 1.03 ** (number - (len(result.rows) - 1) / 2)  # so that error bars do not overlap
        ax.errorbar(
            [cell.interval * shift for cell in row], [cell.mean for cell in row],
            [cell.std for cell in row], capsize=3, label=name, **_style(result, name),
        )  # fmt: skip
    ax.set(xlabel="steps between decisions", ylabel="final loss", title=result.problem.name)
    pictures.set_log_ticks(ax, result.intervals)
    _draw_baselines(ax, sorted(result.baselines, key=attrgetter("mean")))


def _draw_baselines(ax: Any, baselines: Sequence[HorizonCell | ReferenceSolution]) -> None:
    """Draw horizontal lines with their names on the right, moved apart where they would overlap."""
    for one in baselines:
        ax.axhline(one.mean, color=_GREY, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)
    low, high = ax.get_ylim()
    places = _spread_out((np.array([one.mean for one in baselines]) - low) / (high - low))
    for one, place in zip(baselines, places, strict=True):
        ax.annotate(
            f"{one.name}: {one.mean:.3f}", (1, one.mean), (1.03, place),
            xycoords=("axes fraction", "data"), textcoords="axes fraction", va="center",
            fontsize="small", color=_GREY, arrowprops={"arrowstyle": "-", "color": _GREY, "lw": 0.6},
        )  # fmt: skip


def _spread_out(places: Floats) -> Floats:
    """Return ascending places at least a label's height apart, close to the given ones."""
    steps = _LABEL_HEIGHT * np.arange(len(places))
    upwards = np.maximum.accumulate(places - steps) + steps
    downwards = np.minimum.accumulate((places - steps)[::-1])[::-1] + steps
    spread: Floats = (upwards + downwards) / 2
    return spread


def _draw_schedules(ax: Any, result: HorizonResult) -> None:
    """Draw the winners of the worst method at the shortest interval and of the best cell, with references.

    The names are on the right, as those of the losses are.
    """
    worst = max((row[0] for row in result.rows.values()), key=attrgetter("mean"))
    first, last = result.references[0], next(r for r in result.references if r.name.startswith("greedy"))
    _draw_stairs(ax, result, first.schedule, first.name, color=_GREY, linewidth=4, alpha=0.5)
    _draw_stairs(ax, result, last.schedule, last.name, color=_GREY, linewidth=1.5, linestyle=":")
    for cell, line in ((worst, "--"), (result.best, "-")):
        winner = np.array([next(iter(params.values())) for params in cell.median_run.schedule])
        color = _style(result, cell.name)["color"]
        _draw_stairs(ax, result, winner, f"{cell.name}, every {cell.interval}", linestyle=line, color=color)
    ax.set(xlabel="step", ylabel=next(iter(result.problem.space)))
    ax.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def _draw_stairs(ax: Any, result: HorizonResult, values: Floats, label: str, **style: Any) -> None:
    """Draw the value of each decision over the steps until the next one."""
    edges = np.linspace(0, result.problem.steps, len(values) + 1)
    ax.stairs(values, edges, baseline=None, label=label, **style)
