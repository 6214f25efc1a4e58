"""A hyperparameter as optimizers and records see it: coordinates and JSON scalars of its values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Self

from hoptim._arguments import python_of, settings_before
from hoptim._text import shown
from hoptim.errors import SpaceError

Scalar = str | int | float | bool | None
When = Mapping[str, Any] | None  # as a user gives it: values or lists of values by name of a Choice
_SCALARS = (str, int, float, bool, type(None))


class Dimension(ABC):
    """One hyperparameter; `Float`, `Int`, `Choice` and `Ordinal` are the four kinds.

    An optimizer sees a value as its *coordinate*, a float: in [0, 1] for ordered kinds, an index for
    `Choice`. `init` is the value of first trials; with `inherit=True` the value is drawn once and inherited
    unchanged with the weights (for architecture). With `when` it is *active* only while other
    hyperparameters have certain values: only then it is in `params`, and only then it moves.
    """

    init: Any
    inherit: bool
    when: Any
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
        if self.when is None:  # so that a space without conditions is recorded as before there were any
            del settings["when"]
        return {"type": type(self).__name__, **settings}

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> Self:
        """Return the dimension of this type with settings as `to_json` gave them."""
        return cls(**{**settings_before(cls), **settings})

    def _reject(self, why: str) -> SpaceError:
        return SpaceError(f"{shown(self)}: {why}.")

    @property
    def resting(self) -> float:
        """Return the coordinate of a value that nobody gave: of `init`, else of the middle."""
        return self.encode(self.init) if self.has_init else self.draw(0.5)

    def _check_rest(self) -> None:
        if not isinstance(self.inherit, bool):
            raise self._reject(f"inherit must be True or False, found {shown(self.inherit)}")
        if self.has_init:
            object.__setattr__(self, "init", self.named(self.record(self.init)))
        if self.when is not None:
            object.__setattr__(self, "when", self._condition(self.when))

    def _condition(self, when: Any) -> dict[str, list[Scalar]]:
        """Return a condition with a list of values for each name; raise `SpaceError` if it is none."""
        if not isinstance(when, Mapping) or not when or not all(isinstance(name, str) for name in when):
            raise self._reject(
                "when must be a mapping from the name of a Choice to the value, or a list of the values, "
                "for which this hyperparameter is active, as in when={'optimizer': 'sgd'}, found "
                f"{shown(when)}"
            )
        found = {}
        for name, given in when.items():
            values = python_of(given)
            several = isinstance(values, Sequence) and not isinstance(values, (str, bytes))
            found[name] = [python_of(value) for value in (values if several else [values])]
            if not found[name] or not all(isinstance(value, _SCALARS) for value in found[name]):
                raise self._reject(
                    f"when must have a value of {shown(name)}, or a list of its values, found "
                    f"{shown(given)}; an object is given by its name"
                )
        return found


def of(name: str, call: Callable[[Any], Any], value: Any) -> Any:
    """Call a dimension's method; an error names the dimension."""
    try:
        return call(value)
    except SpaceError as error:
        raise SpaceError(f"Hyperparameter {shown(name)}: {error}") from None
