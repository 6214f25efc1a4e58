"""A hyperparameter as optimizers and records see it: coordinates and JSON scalars of its values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Self

from hoptim._arguments import settings_before
from hoptim._text import shown
from hoptim.errors import SpaceError

Scalar = str | int | float | bool | None


class Dimension(ABC):
    """One hyperparameter; `Float`, `Int`, `Choice` and `Ordinal` are the four kinds.

    An optimizer sees a value as its *coordinate*, a float: in [0, 1] for ordered kinds, an index for
    `Choice`. `init` is the value of first trials; with `inherit=True` the value is drawn once and inherited
    unchanged with the weights (for architecture).
    """

    init: Any
    inherit: bool
    ordered = True

    @property
    def has_init(self) -> bool:
        """Tell whether first trials have the value `init`, rather than a draw."""
        return self.init is not None

    @abstractmethod
    def encode(self, value: Any) -> float:
        """Return the coordinate of a value; raise `SpaceError` if it is no value of this dimension."""

    @abstractmethod
    def decode(self, u: float) -> Any:
        """Return the value of a coordinate, always inside the bounds, of the type that the user gave."""

    @abstractmethod
    def scale(self, u: float, factor: float) -> float | None:
        """Return the coordinate after multiplying the value by `factor`; None if it must be drawn anew."""

    def draw(self, uniform: float) -> float:
        """Return the coordinate of a uniform number in [0, 1)."""
        return uniform

    def name(self, u: float) -> Scalar:
        """Return the JSON scalar that records the value of a coordinate."""
        return self.decode(u)  # type: ignore[no-any-return]

    def named(self, name: Scalar) -> Any:
        """Return the value that a JSON scalar records."""
        return name

    def record(self, value: Any) -> Scalar:
        """Return the JSON scalar that records a value; raise `SpaceError` if it is no such value."""
        return self.name(self.encode(value))

    def to_json(self) -> dict[str, Any]:
        """Return type and settings as plain JSON; `from_json` reads back what is beside the type."""
        settings = {f.name: getattr(self, f.name) for f in fields(self) if f.init}  # type: ignore[arg-type]
        return {"type": type(self).__name__, **settings}

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> Self:
        """Return the dimension of this type with settings as `to_json` gave them."""
        return cls(**{**settings_before(cls), **settings})

    def _reject(self, why: str) -> SpaceError:
        return SpaceError(f"{shown(self)}: {why}.")

    def _check_init(self) -> None:
        if not isinstance(self.inherit, bool):
            raise self._reject(f"inherit must be True or False, found {shown(self.inherit)}")
        if self.has_init:
            object.__setattr__(self, "init", self.named(self.record(self.init)))
