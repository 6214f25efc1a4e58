"""Checks of the fields of records, which anybody may have written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any

DEEPEST = 64  # objects and lists in one another in a metric
_LAST_SECOND = 253_370_764_800  # of the year 9999, in UTC at least
_MOST_CHOICES = 2**24
_NUMBERS = (float, int)
_WORKER = re.compile(r"[A-Za-z0-9-]{1,32}(\.[0-9a-f]{1,16}){0,2}")  # a plain file name, nowhere else


def whole(value: Any) -> int:
    """Return a value; raise `TypeError` unless it is a whole number."""
    if type(value) is not int:
        raise TypeError(f"{value!r} is no whole number")
    return value


def truth(value: Any) -> bool:
    """Return a value; raise `TypeError` unless it is true or false."""
    if type(value) is not bool:
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def moment(value: Any) -> float:
    """Return seconds since 1970; raise `TypeError` or `ValueError` unless calendars have them."""
    if type(value) not in (float, int):
        raise TypeError(f"{value!r} is no time")
    if not 0 <= value < _LAST_SECOND:
        raise ValueError(f"{value} is a time of no calendar")
    return float(value)


@lru_cache  # a few workers write all records
def worker_name(value: Any) -> str:
    """Return a value; raise `ValueError` unless it is the name of a worker."""
    if not _WORKER.fullmatch(value):
        raise ValueError(f"{value!r} is no name of a worker")
    return str(value)


def number(value: Any, or_none: bool) -> float:
    """Return a value that was told; what is not finite is a string in JSON.

    Args:
        value: Value of the field.
        or_none: True where null stands for a trial that was trained and not valued.
    """
    return math.nan if value is None and or_none else float(value)


def is_healthy(value: Any) -> bool:
    """Return whether a trial ends with weights that may be continued: with a finite value, or with none.

    Args:
        value: Value as it is recorded.
    """
    return value is None or math.isfinite(float(value))


def metrics(record: Mapping[str, Any], any_json: bool) -> dict[str, Any]:
    """Return the metrics of a tell, with numbers that are not finite as such.

    Args:
        record: The record.
        any_json: True where a metric may be any JSON and not a number alone.
    """
    if "metrics" not in record:
        return {}
    found = record["metrics"]
    if type(found) is not dict:
        raise TypeError(f"metrics are {found!r}")
    return {name: _metric(value) if any_json else float(value) for name, value in found.items()}


def _metric(value: Any) -> Any:
    return float(value) if type(value) is int else _with_numbers(value, 0)


def _with_numbers(value: Any, depth: int) -> Any:
    """Return JSON with the numbers that it has no word for."""
    if depth > DEEPEST:
        raise ValueError(f"a metric is nested more than {DEEPEST} times")
    if type(value) is dict:
        return {name: _with_numbers(each, depth + 1) for name, each in value.items()}
    if type(value) is list:
        return [_with_numbers(each, depth + 1) for each in value]
    return float(value) if value in ("nan", "inf", "-inf") else value


def check_params(params: Any, x: Any, names: AbstractSet[str] | None, partial: bool) -> None:
    """Raise `ValueError` unless hyperparameters and coordinates fit a space.

    Args:
        params: Hyperparameters by name.
        x: Coordinates, one for each of the space, `(d,)`.
        names: Names of the hyperparameters; None accepts any.
        partial: True where those that do not apply are left out of `params`.
    """
    if type(params) is not dict or not (names is None or _fits(params, names, partial)):
        raise ValueError(f"params are {params!r}")
    if type(x) is not list or len(x) != len(params if names is None else names):
        raise ValueError(f"x is {x!r}")
    for value in x:  # in [0, 1] or an index; a study.json has no room for more choices
        if type(value) not in _NUMBERS or not 0 <= value < _MOST_CHOICES:
            raise ValueError(f"x is {x!r}")


def _fits(params: Mapping[str, Any], names: AbstractSet[str], partial: bool) -> bool:
    return params.keys() <= names if partial else params.keys() == names
