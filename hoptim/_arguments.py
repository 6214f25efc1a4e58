"""Checks of arguments that users pass."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from hoptim.errors import ArgumentError


def check_whole(name: str, value: Any, low: int) -> None:
    """Raise `ArgumentError` unless a value is a whole number of at least `low`, of any library."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < low:
        raise ArgumentError(f"{name} must be a whole number of at least {low}, found {value!r}.")


def number_of(what: str, value: Any) -> float:
    """Return a number of any library as a plain float; raise `ArgumentError` if it is none."""
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise ArgumentError(f"{what} must be a number, found {value!r}.") from None


def sign_of(mode: str) -> int:
    """Return 1 for mode "min" and -1 for "max", so that sign * value is lower for a better value.

    Raises:
        ArgumentError: Another mode.
    """
    if mode not in ("min", "max"):
        raise ArgumentError(f"mode must be 'min' or 'max', found {mode!r}.")
    return 1 if mode == "min" else -1


def plain(value: Any, what: str) -> Any:
    """Return a value as JSON gives it back; raise `ArgumentError` if JSON cannot hold it."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{what} must be plain JSON values: {error}.") from error


def settings_before(kind: type) -> dict[str, Any]:
    """Return the settings that a study recorded by an earlier version may lack, as they were then.

    A later version that adds a field to an optimizer or a dimension declares the value that means the
    behaviour before it: `field(default=..., metadata={"before": ...})`.

    Args:
        kind: A dataclass.
    """
    return {f.name: f.metadata["before"] for f in fields(kind) if "before" in f.metadata}
