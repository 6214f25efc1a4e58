"""The paper's Figure 3, final losses by number of dimensions, beside what the paper says of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hoptim.benchmarks.rosenbrock import Row
from hoptim.plot import Figure, save

_STYLES: dict[str, dict[str, Any]] = {  # the colours that these contenders have in the other picture
    "ROMUL": {"color": "#D55E00", "linestyle": "-", "marker": "o", "linewidth": 2.5},
    "Truncation Selection": {"color": "#CC79A7", "linestyle": ":", "marker": "s", "linewidth": 2.5},
    "Initiator (0.8/1.2 mult. steps)": {"color": "#0072B2", "linestyle": "--", "marker": "^"},
}
_WINDOW = (8, 14)  # dimensions in which, the paper says, truncation passes ROMUL
_NEARLY_ALL = (10, 90)  # percentiles of the runs


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw the final losses by number of dimensions into a file.

    Args:
        rows: Those of Figure 3.
        path: The file.
    """
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    ax = figure.subplots()
    _draw_claim(ax)
    for name, style in _STYLES.items():
        own = [row for row in rows if row.name == name]
        _draw_contender(ax, name, own, style)
    ticks = sorted({row.dims for row in rows})
    ax.set(xscale="log", xlabel="dimensions", ylabel="log10 of the final loss")
    ax.set_xticks(ticks, [str(n) for n in ticks])
    ax.set_xticks([], minor=True)
    ax.legend(loc="upper left", frameon=False)
    ax.set_title(
        f"Rosenbrock's function: mean of {len(rows[0].runs)} runs with twice its standard error, "
        "and the middle 80 % of the runs",
        fontsize="medium",
    )
    save(figure, path)


def _draw_claim(ax: Any) -> None:
    ax.axvspan(*_WINDOW, color="0.9", linewidth=0)
    words = "the paper:\ntruncation\npasses ROMUL\nin 8 to 14"
    ax.text(np.sqrt(np.prod(_WINDOW)), 0.02, words, ha="center", transform=ax.get_xaxis_transform())


def _draw_contender(ax: Any, name: str, rows: Sequence[Row], style: dict[str, Any]) -> None:
    dims = [row.dims for row in rows]
    low, high = np.percentile([np.log10(row.final_losses) for row in rows], _NEARLY_ALL, axis=1)
    ax.fill_between(dims, low, high, color=style["color"], alpha=0.15, linewidth=0)
    errors = [2 * row.standard_error for row in rows]
    ax.errorbar(dims, [row.mean for row in rows], yerr=errors, capsize=3, label=name, **style)
