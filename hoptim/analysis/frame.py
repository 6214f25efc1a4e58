"""Flat rows as a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hoptim.analysis import flat_table
from hoptim.errors import MissingExtra

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_WHOLE, _REAL, _TEXT = "int64", "float64", "string"
_MAY_LACK = {_WHOLE: "Int64", "bool": "boolean"}  # the types of pandas that have a cell for "none"
_TYPES = {
    **dict.fromkeys(flat_table.FIELDS, _WHOLE),
    **dict.fromkeys(("age", "seed", "trial", "member", "step"), _WHOLE),
    **dict.fromkeys(("parent", "origin"), _MAY_LACK[_WHOLE]),
    **dict.fromkeys(("value", "asked", "claimed", "ended"), _REAL),
    **dict.fromkeys(("checkpoint", "failed", "worker"), _TEXT),
}


def frame(header: Iterable[str], rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Return rows as a DataFrame, whose columns have the same types whatever the rows lack.

    Args:
        header: Names of the columns.
        rows: Cells of each row by column; a row may lack any.

    Raises:
        MissingExtra: pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingExtra.of("DataFrames need pandas, which is not installed", "pandas") from error
    columns = {name: [flat_table.cell(row.get(name)) for row in rows] for name in header}
    return pandas.DataFrame({name: _column(name, cells) for name, cells in columns.items()})


def _column(name: str, cells: Sequence[Any]) -> Series:
    import pandas

    with suppress(OverflowError, TypeError, UnicodeError):  # more than 64 bits, or half a surrogate
        return pandas.Series(cells, dtype=_TYPES.get(name) or _type(cells))
    return pandas.Series(cells, dtype="object")


def _type(cells: Sequence[Any]) -> str:
    """Return the type of a column that holds hyperparameters or metrics."""
    kinds = {type(cell) for cell in cells}
    known = kinds - {type(None)}
    if known == {str}:
        return _TEXT
    if known in ({int}, {bool}):
        kind = _WHOLE if known == {int} else "bool"
        return kind if kinds == known else _MAY_LACK[kind]
    return _REAL if known <= {int, float} else "object"
