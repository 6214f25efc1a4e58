"""Checks of arguments that users pass."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from hoptim._text import json_number, said, shown
from hoptim.errors import ArgumentError

LARGEST_COUNT = 2**63 - 1  # of steps and the like; arrays hold no more
MOST_MEMBERS = 1_000_000  # more is a slip, or a hand at work in study.json
LARGEST_SEED = 2**1024  # a hash of any kind; text holds no number of over 4,300 digits


def whole_of(name: str, value: Any, low: int, high: int = LARGEST_COUNT) -> int:
    """Return a whole number of any library as a plain int.

    Args:
        name: Name of the argument.
        value: Value that the user gave.
        low: Smallest value that can work.
        high: Largest value that can work. Default: 2**63 - 1.

    Raises:
        ArgumentError: No whole number, or outside of its range.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except Exception:  # an object's own code may raise anything
        number = None
    if number is None or number < low:
        raise ArgumentError(f"{name} must be a whole number of at least {low}, found {shown(value)}.")
    if number > high:
        raise ArgumentError(f"{name} must be at most {high}, found {shown(value)}.")
    return number


def seed_of(value: Any) -> int:
    """Return a seed as a plain int; raise `ArgumentError` unless it is a whole number of at least 0."""
    return whole_of("seed", value, 0, LARGEST_SEED)


def number_of(what: str, value: Any) -> float:
    """Return a number of any library as a plain float; raise `ArgumentError` if it is none."""
    try:
        complex_array = getattr(getattr(value, "dtype", None), "kind", None) == "c"  # would lose a part
        text = isinstance(value, (str, bytes, bytearray))
        if not (text or complex_array):
            return float(value)
    except OverflowError:
        raise ArgumentError(
            f"{what} must be a number that a float can hold, found {shown(value)}."
        ) from None
    except Exception as error:  # an object's own code may raise anything
        raise ArgumentError(f"{what} must be a number, found {shown(value)}.") from error
    raise ArgumentError(f"{what} must be a number, found {shown(value)}.")


def moment_of(what: str, value: Any) -> float:
    """Return seconds as a plain float; raise `ArgumentError` for what is no number, NaN too."""
    seconds = number_of(what, value)
    if math.isnan(seconds):
        raise ArgumentError(f"{what} must be a number of seconds, found {shown(value)}.")
    return seconds


def truth_of(name: str, value: Any) -> bool:
    """Return a truth value of any library as a plain bool; raise `ArgumentError` if it has none."""
    try:
        return bool(value)
    except Exception as error:  # an array has none
        raise ArgumentError(f"{name} must be True or False, found {shown(value)}.") from error


def mapping_of(what: str, value: Any) -> dict[Any, Any]:
    """Return a mapping as a plain dict; raise `ArgumentError` if it is none."""
    try:
        if isinstance(value, Mapping):
            return dict(value)
    except Exception as error:  # an object's own code may raise anything
        raise ArgumentError(f"{what} cannot be read: {said(error)}.") from error
    raise ArgumentError(f"{what} must be a mapping from name to value, found {shown(value)}.")


def sign_of(mode: str) -> int:
    """Return 1 for mode "min" and -1 for "max", so that sign * value is lower for a better value.

    Raises:
        ArgumentError: Another mode.
    """
    if not isinstance(mode, str) or mode not in ("min", "max"):
        raise ArgumentError(f"mode must be 'min' or 'max', found {shown(mode)}.")
    return 1 if mode == "min" else -1


def plain(value: Any, what: str) -> Any:
    """Return a value as JSON gives it back; raise `ArgumentError` if JSON cannot hold it."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except Exception as error:  # too deep, a circle, or what an object's own code raises
        raise ArgumentError(f"{what} must be plain JSON values: {said(error)}.") from error


def json_metric(value: Any) -> Any:
    """Return a metric for JSON, with `json_number` of all numbers in it.

    Args:
        value: Plain JSON, except that numbers may not be finite.
    """
    if isinstance(value, dict):
        return {name: json_metric(each) for name, each in value.items()}
    return [json_metric(each) for each in value] if isinstance(value, list) else json_number(value)


def settings_before(kind: type) -> dict[str, Any]:
    """Return the settings that a study recorded by an earlier version may lack, as they were then.

    A later version that adds a field to an optimizer or a dimension declares the value that means the
    behaviour before it: `field(default=..., metadata={"before": ...})`.

    Args:
        kind: A dataclass.
    """
    return {f.name: f.metadata["before"] for f in fields(kind) if "before" in f.metadata}
