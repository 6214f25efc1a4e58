"""A hyperparameter of many trials as one column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hoptim.space.dimension import Dimension


def param_column(name: str, dim: Dimension, flat: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return a number for each trial: the exact value, or the index of a listed one.

    Args:
        name: Dotted name of the hyperparameter.
        dim: Dimension of it.
        flat: Hyperparameters of each trial by dotted name.

    Returns:
        Numbers, None where the hyperparameter was not active.
    """
    values = [dim.record(params[name]) if name in params else None for params in flat]
    listed = dim.to_json().get("values")
    if listed is None:
        return values
    index = {value: i for i, value in enumerate(listed)}
    return [index[value] if name in params else None for value, params in zip(values, flat, strict=True)]
