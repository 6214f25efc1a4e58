"""Checks of what users pass."""

from __future__ import annotations

import json
from typing import Any

from hoptim.errors import ArgumentError


def check_whole(name: str, value: Any, low: int) -> None:
    """Raise `ArgumentError` unless a value is a whole number of at least `low`, of any library."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < low:
        raise ArgumentError(f"{name} must be a whole number of at least {low}, found {value!r}.")


def number_of(what: str, value: Any) -> float:
    """A number of any library as a plain float; raises `ArgumentError` with what it is otherwise."""
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise ArgumentError(f"{what} must be a number, found {value!r}.") from None


def plain(value: Any, what: str) -> Any:
    """A value as it comes back from JSON; raises `ArgumentError` when it is none."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{what} must be plain JSON values: {error}.") from error
