"""Small pieces of HTML for notebooks: all text escaped, readable on light and dark pages."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hoptim._text import counted, printable, shown

_MOST = 20  # rows of a table
_WIDTH, _HEIGHT, _EDGE = 160, 24, 2  # of a picture, pixels
_POINTS = 320  # of a curve; more cannot be told apart


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def quiet(make: Callable[[Any], str]) -> Callable[[Any], str | None]:
    """Return a `_repr_html_` that gives None for any error, so that a notebook shows the plain repr.

    Args:
        make: Method that returns HTML.
    """

    @functools.wraps(make)
    def made(self: Any) -> str | None:
        try:
            return make(self)
        except Exception:  # a broken study, or whatever the code of a user's object raises
            return None

    return made


def page(title: str, facts: Mapping[str, object], *parts: str) -> Html:
    """Return what a notebook shows of one object.

    Args:
        title: First line.
        facts: Values by name; those that are None are left out.
        *parts: HTML below, such as tables and curves.
    """
    known = [(name, value) for name, value in facts.items() if value is not None]
    return Html(f"<div><strong>{text(title)}</strong>{table((), known)}{''.join(parts)}</div>")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Html:
    """Return rows as a table, all of which begin with a name; of many rows the first ones.

    Args:
        header: Names of the columns, none for a table without a head.
        rows: Cells of each row: numbers, text, other objects, or HTML.
    """
    listed = list(rows)
    lines = [_line("td", row) for row in listed[:_MOST]]
    if header:
        lines.insert(0, _line("th", header))
    left = len(listed) - _MOST
    more = f"<div>and {left} more</div>" if left > 0 else ""
    return Html(f'<table style="color:inherit">{"".join(lines)}</table>{more}' if listed else "")


def params(values: Mapping[str, object]) -> Html:
    """Return hyperparameters as a table."""
    return table(("hyperparameter", "value"), values.items())


def curve(values: Iterable[float]) -> Html:
    """Return numbers in their order as a line; those that are not finite are left out."""
    numbers = list(values)
    every = max(1, math.ceil(len(numbers) / _POINTS))
    points = [(i, y / 4) for i, y in enumerate(numbers[::every]) if math.isfinite(y)]  # no overflow below
    if len(points) < 2:
        return Html()
    heights = [y for _, y in points]
    low, high = min(heights), max(heights)
    across, up = (_WIDTH - 2 * _EDGE) / points[-1][0], (_HEIGHT - 2 * _EDGE) / ((high - low) or 1.0)
    line = " ".join(f"{_EDGE + i * across:.1f},{_HEIGHT - _EDGE - (y - low) * up:.1f}" for i, y in points)
    drawn = f'<polyline points="{line}" fill="none" stroke="currentColor"/>'
    return _picture(f"curve of {counted(len(points), 'value')}", drawn)


def bar(done: int, total: int) -> Html:
    """Return how much of a total is done, as a bar."""
    width = _WIDTH * done / max(total, 1)
    frame = f'<rect x="0.5" y="0.5" width="{_WIDTH - 1}" height="9" fill="none" stroke="currentColor"/>'
    filled = f'<rect width="{width:.1f}" height="10" fill="currentColor"/>'
    return _picture(f"{done} of {counted(total, 'trial')}", frame + filled, height=10)


def text(value: object) -> str:
    """Return a value as HTML: floats in few places, and nothing that is markup unless it is `Html`."""
    import html  # seldom needed

    if isinstance(value, Html):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    return html.escape(printable(value if isinstance(value, str) else shown(value)))


def _line(kind: str, cells: Iterable[object]) -> str:
    shown = (f'<{kind} style="text-align:left">{text(cell)}</{kind}>' for cell in cells)
    return f"<tr>{''.join(shown)}</tr>"


def _picture(title: str, inside: str, height: int = _HEIGHT) -> Html:
    size = f'width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
    return Html(f'<svg role="img" {size}><title>{text(title)}</title>{inside}</svg>')
