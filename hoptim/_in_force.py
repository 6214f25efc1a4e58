"""Values that training really uses, compared with the hyperparameters that were asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from hoptim._arguments import number_of
from hoptim._text import shown
from hoptim.errors import ArgumentError, NotApplied

_ROUNDING = 1e-6  # relative; that of float32 is less
_LOW_PRECISION = {"float16": (2.0**-10, 2.0**-24), "bfloat16": (2.0**-7, 2.0**-133)}  # eps, least number
_ABSENT = object()


def require_in_force(number: int, asked: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Raise an error unless all values found are those asked for.

    Args:
        number: Number of the trial, for messages.
        asked: Hyperparameters of the trial.
        found: Values in force, any subset; nested as `asked` is, or by dotted name. Those of a type of
            low precision may differ by its rounding, other numbers by a relative 1e-6.

    Raises:
        NotApplied: Values that differ; the message names each.
        ArgumentError: A name that is no hyperparameter.
    """
    unknown, wrong = [], []
    for name, value, wanted in _pairs(asked, found, ""):
        if wanted is _ABSENT:
            unknown.append(name)
        elif not _same(value, wanted):
            wrong.append(f"{name} is {shown(value)}, asked for {shown(wanted)}")
    if unknown:
        raise ArgumentError(
            f"Trial {number}: {shown(unknown)} are no hyperparameters; it has {list(asked)}. One with a "
            "condition (when=) is there only while that holds."
        )
    if wrong:
        raise NotApplied(
            f"Trial {number} does not train with its hyperparameters: {'; '.join(wrong)}. Apply "
            "trial.params after the checkpoint is loaded."
        )


def _pairs(asked: Any, found: Mapping[Any, Any], prefix: str) -> Iterator[tuple[Any, Any, Any]]:
    """Yield name, value found and value asked for, of what is within dicts and lists too."""
    for key, value in found.items():
        name = f"{prefix}{key}" if prefix else key
        wanted = _reached(asked, key)
        parts = _parts(wanted, value)
        if parts and not _same(value, wanted):
            yield from _pairs(wanted, parts, f"{name}.")
        else:
            yield name, value, wanted


def _parts(wanted: Any, found: Any) -> Mapping[Any, Any] | None:
    """Return values by name or position where both are dicts, or lists of the same length."""
    with suppress(Exception):  # whatever the values' own code raises: they are compared as a whole
        if isinstance(wanted, dict) and isinstance(found, Mapping):
            return dict(found)
        items = isinstance(found, (list, tuple)) or getattr(found, "ndim", None) == 1  # of an array, typed
        if isinstance(wanted, (list, tuple)) and items and len(wanted) == len(found):
            return {str(i): item for i, item in enumerate(found)}
    return None


def _reached(asked: Any, name: Any) -> Any:
    """Return what has a name, dotted or not."""
    below = dict(enumerate(asked)) if isinstance(asked, (list, tuple)) else asked
    if isinstance(below, Mapping):
        if isinstance(asked, Mapping) and name in asked:
            return asked[name]
        for key in below:
            if name == str(key):
                return below[key]
            if isinstance(name, str) and name.startswith(f"{key}."):
                inner = _reached(below[key], name[len(str(key)) + 1 :])
                if inner is not _ABSENT:
                    return inner
    return _ABSENT


def _same(found: Any, asked: Any) -> bool:
    try:
        if isinstance(asked, (int, float)) and not isinstance(asked, bool):
            return _close(number_of("a value", found), asked, getattr(found, "dtype", None))
        return found is asked or _equal(found, asked)
    except Exception:  # whatever the values' own code raises
        return False


def _close(found: float, asked: float, dtype: Any) -> bool:
    """Tell whether a number is the one asked for, up to the rounding of its type, of any library."""
    name = getattr(dtype, "name", None) or str(dtype).rpartition(".")[2]  # torch.float16 has no name
    eps, least = _LOW_PRECISION.get(name, (0.0, 0.0))
    least = least if found else 0.0  # what was rounded to nothing is not in force
    return math.isclose(found, asked, rel_tol=max(_ROUNDING, 4 * eps), abs_tol=least)


def _equal(found: Any, asked: Any) -> bool:
    equal = found == asked
    if getattr(equal, "shape", ()) == ():
        return bool(equal)
    return bool(found.shape == asked.shape and equal.all())  # arrays; one number would equal many
