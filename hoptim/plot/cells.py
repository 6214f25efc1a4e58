"""Numbers in the cells of a matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hoptim.analysis.trial_table import Floats
from hoptim.plot import style

_STRONG = 0.35  # of the most, above which a cell's text has the colour of the background


def write_cells(ax: Any, x: Floats, numbers: Floats, most: float, text: Callable[[float], str]) -> None:
    """Write a text into each cell of a matrix that is drawn in `style.shades`, such that it can be read.

    Args:
        ax: Axes to write into.
        x: Abscissas of the columns `(c,)`.
        numbers: Numbers that are drawn as greys `(r, c)`; row i is at the ordinate i.
        most: Number that is drawn strongest.
        text: Function that returns the text of a number.
    """
    for (row, column), number in np.ndenumerate(numbers):
        colour = style.ground_colour() if number > _STRONG * most else style.text_colour()
        ax.text(x[column], row, text(number), ha="center", va="center", fontsize="x-small", color=colour)
