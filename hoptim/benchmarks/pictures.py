"""Colours and shapes that the pictures of all benchmarks share.

Only `open_picture` needs matplotlib, so that a benchmark's module can be imported without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

# The palette of Okabe and Ito, whose colours are distinct for all kinds of colour vision.
BLACK, BLUE, GREEN, ORANGE = "#000000", "#0072B2", "#009E73", "#E69F00"
PURPLE, SKY, VERMILION = "#CC79A7", "#56B4E9", "#D55E00"
GREY = "#595959"

STYLES: tuple[dict[str, Any], ...] = (  # of lines; distinct in grey, too
    {"color": BLUE, "marker": "o", "linestyle": "-"},
    {"color": VERMILION, "marker": "s", "linestyle": "--"},
    {"color": GREEN, "marker": "^", "linestyle": "-."},
    {"color": BLACK, "marker": "D", "linestyle": "-", "linewidth": 2.5},
    {"color": PURPLE, "marker": "v", "linestyle": ":"},
    {"color": ORANGE, "marker": "X", "linestyle": "-"},
    {"color": SKY, "marker": "P", "linestyle": "--"},
    {"color": BLACK, "marker": "*", "linestyle": ":"},
    {"color": GREEN, "marker": "d", "linestyle": ":"},
)


@contextmanager
def open_picture(path: Path, width: float, height: float) -> Iterator[Any]:
    """Yield an empty matplotlib figure, in inches, and save it when the block ends.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    from hoptim.plot import Figure, save

    figure = Figure(figsize=(width, height), layout="constrained")
    yield figure
    save(figure, path)


def draw_band(ax: Any, x: Sequence[float], runs: Any, percentiles: tuple[float, float], color: str) -> None:
    """Shade the range between two percentiles of the runs `(runs, x)`."""
    low, high = np.percentile(runs, percentiles, axis=0)
    ax.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)


def set_log_ticks(ax: Any, ticks: Sequence[int]) -> None:
    """Scale the x axis by logarithms, with these ticks and no others."""
    ax.set_xscale("log")
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.set_xticks([], minor=True)
