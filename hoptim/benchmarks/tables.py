"""Results as text tables and as JSON values."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any

import numpy as np

import hoptim
from hoptim.benchmarks.run_options import RunOptions


def aligned(cells: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as lines, the first column aligned left and all others right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join([first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))])
        for first, *rest in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def mean_and_spread(mean: float, spread: float) -> str:
    """Return a mean with its standard deviation or standard error in brackets, to three decimals."""
    return f"{mean:.3f} ({spread:.3f})"


def document(options: RunOptions, **results: Any) -> dict[str, Any]:
    """Return results as JSON values, after the options and versions that they depend on."""
    settings = {name: getattr(options, name) for name in options.reported}
    return {"settings": {**settings, **versions()}, **results}


def versions() -> dict[str, str]:
    """Return the versions of hoptim, numpy and Python, on which results may depend."""
    return {"hoptim": hoptim.__version__, "numpy": np.__version__, "python": platform.python_version()}
