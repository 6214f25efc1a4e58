"""The methods that are compared, a line each, and the intervals at which they decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

INTERVALS: Mapping[str, tuple[int, ...]] = {  # steps between two decisions of a population
    "rosenbrock": (1,),
    "mixed": (1,),
    "noisy quadratic": (1, 10, 30),
    "deceptive": (1, 10, 100),
    "regularisation": (1, 10, 30),
}


@dataclass(frozen=True)
class Method:
    """A row of the tables.

    Attributes:
        name: Name in tables, by which results are merged.
        peer: Name of the adapter `by_<peer>` and of its environment.
        arguments: Arguments of the adapter besides the problem.
        population: True if it decides while it trains; others try constants. Default: True.
    """

    name: str
    peer: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    population: bool = True


METHODS = (
    Method("hoptim Patient", "hoptim", {"optimizer": "Patient"}),
    Method("hoptim MultiFrequency", "hoptim", {"optimizer": "MultiFrequency"}),
    Method("hoptim ROMUL", "hoptim", {"optimizer": "ROMUL"}),
    Method("hoptim TruncationSelection", "hoptim", {"optimizer": "TruncationSelection"}),
    Method("hoptim Initiator", "hoptim", {"optimizer": "Initiator"}),
    Method("Ray PBT", "ray", {"scheduler": "PBT"}),
    Method("Ray PB2", "ray", {"scheduler": "PB2"}),
    Method("Syne Tune PBT", "syne_tune"),
    Method("Nevergrad DE", "nevergrad", {"optimizer": "DE"}, population=False),
    Method("Nevergrad CMA", "nevergrad", {"optimizer": "CMA"}, population=False),
    Method("Optuna TPE", "optuna", {"sampler": "TPESampler"}, population=False),
    Method("Optuna CmaEs", "optuna", {"sampler": "CmaEsSampler"}, population=False),
    Method("random search", "numpy", population=False),
)
