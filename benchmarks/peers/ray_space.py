"""A space as Ray Tune's schedulers take it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ray import tune
from ray.tune.schedulers import PopulationBasedTraining
from ray.tune.schedulers.pb2 import PB2

import hoptim
from peers.task import CannotPlay


class Mutated:
    """The space of PBT, whose factors ignore bounds: an explore function clips to them."""

    def __init__(self, space: Mapping[str, hoptim.Dimension]) -> None:
        self.dims = space
        self.domains = {name: _domain(dim) for name, dim in space.items()}

    def scheduler(self, **settings: Any) -> Any:
        """Return a PBT scheduler."""
        return PopulationBasedTraining(
            hyperparam_mutations=dict(self.domains), custom_explore_fn=self._clip, **settings
        )

    def encode(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return Ray's configuration."""
        return dict(params)

    decode = encode

    def _clip(self, config: dict[str, Any]) -> dict[str, Any]:
        for name, dim in self.dims.items():
            if isinstance(dim, hoptim.Float | hoptim.Int):
                config[name] = min(max(config[name], dim.low), dim.high)
        return config


class BoundedByGP:
    """The space of PB2: bounded floats, by their logarithm where the space is logarithmic."""

    def __init__(self, space: Mapping[str, hoptim.Dimension]) -> None:
        self.dims: dict[str, hoptim.Float] = {}
        for name, dim in space.items():
            if not isinstance(dim, hoptim.Float):
                raise CannotPlay(f"floats only, {name} is {type(dim).__name__}")
            self.dims[name] = dim
        self._bounds = {
            name: [self._in(name, dim.low), self._in(name, dim.high)] for name, dim in self.dims.items()
        }
        self.domains = {name: tune.uniform(*bounds) for name, bounds in self._bounds.items()}

    def scheduler(self, **settings: Any) -> Any:
        """Return a PB2 scheduler."""
        return PB2(hyperparam_bounds=dict(self._bounds), **settings)

    def encode(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return Ray's configuration."""
        return {name: self._in(name, value) for name, value in params.items()}

    def decode(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return hyperparameters, clipped since rounding to 32 bits may leave the bounds."""
        values = {name: math.exp(u) if self.dims[name].log else float(u) for name, u in config.items()}
        return {n: min(max(value, self.dims[n].low), self.dims[n].high) for n, value in values.items()}

    def _in(self, name: str, value: float) -> float:
        return math.log(value) if self.dims[name].log else value


def _domain(dim: hoptim.Dimension) -> Any:
    if isinstance(dim, hoptim.Choice | hoptim.Ordinal):
        return list(dim.values)
    end = int(isinstance(dim, hoptim.Int))  # Ray's whole numbers exclude the upper bound
    names = ("lograndint", "randint") if end else ("loguniform", "uniform")
    return getattr(tune, names[not dim.log])(dim.low, dim.high + end)  # type: ignore[attr-defined]


SPACES: Mapping[str, type[Mutated] | type[BoundedByGP]] = {  # by the name of the scheduler
    "PBT": Mutated,
    "PB2": BoundedByGP,
}
