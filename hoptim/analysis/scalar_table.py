"""A table of JSON scalars as CSV, from which each comes back exactly."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from typing import Any


def written(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV.

    Args:
        header: Names of the columns.
        rows: JSON scalars of each row.
    """
    import csv  # seldom needed

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def read(text: str, header: list[str]) -> list[list[Any]]:
    """Return the rows of a table that `written` wrote.

    Args:
        text: The table.
        header: Names that its columns must have.

    Raises:
        ValueError: It is no such table.
    """
    import csv  # seldom needed

    try:
        found, *rows = csv.reader(io.StringIO(text))
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if found != header:
        raise ValueError(f"its columns are {found}, expected {header}")
    return [[_value(cell) for cell in row] for row in rows]


def _cell(value: Any) -> str:
    """Return a JSON scalar as text; a string in quotes only if it could be taken for another scalar."""
    if isinstance(value, str):
        try:
            json.loads(value.encode())
        except UnicodeEncodeError:  # half a surrogate; as JSON it is plain ASCII
            pass
        except (ValueError, RecursionError):
            return value
    return json.dumps(value)


def _value(cell: str) -> Any:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell
