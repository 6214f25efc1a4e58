"""A dimension as Syne Tune takes it."""

from __future__ import annotations

from typing import Any

from syne_tune import config_space

import hoptim


def domain(dim: hoptim.Dimension) -> Any:
    """Return the domain of a dimension."""
    if isinstance(dim, hoptim.Choice):
        return config_space.choice(list(dim.values))
    if isinstance(dim, hoptim.Ordinal):
        return config_space.ordinal(list(dim.values))
    names = ("lograndint", "randint") if isinstance(dim, hoptim.Int) else ("loguniform", "uniform")
    return getattr(config_space, names[not dim.log])(dim.low, dim.high)  # type: ignore[attr-defined]
