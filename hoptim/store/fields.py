"""Checks of the fields of records, which anybody may have written."""

from __future__ import annotations

import math
import re
from collections.abc import Set as AbstractSet
from typing import Any

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


def worker_name(value: Any) -> str:
    """Return a value; raise `ValueError` unless it is the name of a worker."""
    if not _WORKER.fullmatch(value):
        raise ValueError(f"{value!r} is no name of a worker")
    return str(value)


def check_params(params: Any, x: Any, names: AbstractSet[str] | None) -> None:
    """Raise `ValueError` unless hyperparameters and coordinates fit a space.

    Args:
        params: Hyperparameters by name.
        x: Coordinates, one for each, `(d,)`.
        names: Names of the hyperparameters; None accepts any.
    """
    if type(params) is not dict or names not in (None, params.keys()):
        raise ValueError(f"params are {params!r}")
    if type(x) is not list or len(x) != len(params) or not all(map(_is_finite, x)):
        raise ValueError(f"x is {x!r}")


def _is_finite(value: Any) -> bool:
    return type(value) in (float, int) and math.isfinite(value)
