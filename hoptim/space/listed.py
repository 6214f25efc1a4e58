"""Hyperparameters with a list of values, scalars or names for any objects: `Choice` and `Ordinal`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

from hoptim._arguments import python_of
from hoptim._text import shown
from hoptim.space.dimension import Dimension, Scalar, When


class _NotGiven(Enum):
    """Says that there is no `init`, since None may be a value; the same object after a pickle."""

    NOT_GIVEN = "not given"

    def __repr__(self) -> str:
        return "<not given>"


class _Listed(Dimension):
    """A list of JSON scalars, or names for any objects: `Choice` and `Ordinal`."""

    values: Any
    _names: list[Scalar]
    _objects: list[Any]

    def __post_init__(self) -> None:
        values = python_of(self.values)
        if isinstance(values, Mapping):
            names, objects = list(values), list(values.values())
            if not all(isinstance(name, str) for name in names):
                raise self._reject("the names of a mapping must be strings")
        elif isinstance(values, Sequence) and not isinstance(values, (str, bytes)):
            names = objects = [python_of(value) for value in values]
            if values is not self.values or any(n is not v for n, v in zip(names, values, strict=True)):
                object.__setattr__(self, "values", names)
        else:
            raise self._reject("values must be a list of scalars, or a mapping of name to object")
        self._check_names(names)
        object.__setattr__(self, "_names", names)
        object.__setattr__(self, "_objects", objects)
        if self.init is _NotGiven.NOT_GIVEN and not self._holds_none:
            object.__setattr__(self, "init", None)
        self._check_rest()

    def _check_names(self, names: list[Any]) -> None:
        if not names:
            raise self._reject("values must not be empty")
        for i, name in enumerate(names):
            if not isinstance(name, (str, int, float, bool, type(None))):
                raise self._reject(
                    f"values must be JSON scalars, found {shown(name)}; name it, as in "
                    "Choice({'name': ...})"
                )
            if isinstance(name, float) and not math.isfinite(name):
                raise self._reject(f"values must be finite, found {shown(name)}")
            if name in names[:i]:
                raise self._reject(f"values must differ, found {shown(name)} twice")

    def _index(self, value: Any) -> int:
        """Return the index of a value: the same object, else its name, else an equal scalar."""
        for i, known in enumerate(self._objects):
            if known is value:
                return i
        value = python_of(value)
        if isinstance(value, (str, int, float)):
            for listed in (self._names, self._objects):
                for i, known in enumerate(listed):
                    if isinstance(known, (str, int, float)) and known == value:
                        return i
        raise self._reject(f"a value must be one of those listed, found {shown(value)}")

    def named(self, name: Scalar) -> Any:
        return self._objects[self._names.index(name)]

    @property
    def has_init(self) -> bool:
        return self.init is not (_NotGiven.NOT_GIVEN if self._holds_none else None)

    @property
    def _holds_none(self) -> bool:
        return any(value is None for value in self._objects)

    def to_json(self) -> dict[str, Any]:
        name = self._names[self._index(self.init)] if self.has_init else None
        init = {"value": None} if self.has_init and name is None else name
        return {**super().to_json(), "values": self._names, "init": init}

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> Self:
        init = settings.get("init")
        given = {"init": init["value"] if isinstance(init, Mapping) else init}
        rest = {key: value for key, value in settings.items() if key != "init"}
        return super().from_json(rest if init is None else {**rest, **given})


@dataclass(frozen=True)
class Choice(_Listed):
    """One of several values without order.

    An object behind a name is never copied: each trial with that name has the same one in `params`. What a
    trial changes in it, later trials of this process find changed; copy it, or map names to functions that
    make it anew.

    Args:
        values: List or numpy array of JSON scalars, or a mapping from a name, which is recorded, to any
            object.
        init: Value of every member's first trial; None is one where it is among the values. Default: not
            given, drawn.
        inherit: True to draw it once and inherit it unchanged with the weights. Default: False.
        when: Values of other hyperparameters, each a `Choice`, for which this one is active: a value or a
            list of values by name. Default: None, always.

    Raises:
        SpaceError: `values` are empty, not distinct or no JSON scalars, or `init` is not among them.

    >>> Choice(["relu", "gelu"]).decode(1.0)
    'gelu'
    >>> sizes = Choice({"small": [16], "large": [64, 64]})
    >>> sizes.named("large") is sizes.named("large")
    True
    """

    values: Any
    init: Any = _NotGiven.NOT_GIVEN
    inherit: bool = False
    when: When = None
    ordered = False

    def encode(self, value: Any) -> float:
        return float(self._index(value))

    def decode(self, u: float) -> Any:
        return self._objects[int(u)]

    def name(self, u: float) -> Scalar:
        return self._names[int(u)]

    def draw(self, uniform: float) -> float:
        return float(int(uniform * len(self._names)))

    def scale(self, u: float, factor: float) -> float | None:
        return u


@dataclass(frozen=True)
class Ordinal(_Listed):
    """One of several values in order, such as layer widths; steps go to neighbours.

    Args:
        values: List or numpy array of JSON scalars in order, or a mapping from a name, which is recorded,
            to any object.
        init: Value of every member's first trial; None is one where it is among the values. Default: not
            given, drawn.
        inherit: True to draw it once and inherit it unchanged with the weights. Default: False.
        when: Values of other hyperparameters, each a `Choice`, for which this one is active: a value or a
            list of values by name. Default: None, always.

    Raises:
        SpaceError: The reasons of `Choice`.

    >>> Ordinal([32, 64, 128]).decode(0.5)
    64
    """

    values: Any
    init: Any = _NotGiven.NOT_GIVEN
    inherit: bool = False
    when: When = None

    def encode(self, value: Any) -> float:
        return (self._index(value) + 0.5) / len(self._names)

    def decode(self, u: float) -> Any:
        return self._objects[self._cell(u)]

    def name(self, u: float) -> Scalar:
        return self._names[self._cell(u)]

    def scale(self, u: float, factor: float) -> float | None:
        step = (factor > 1) - (factor < 1)
        cell = min(max(self._cell(u) + step, 0), len(self._names) - 1)
        return (cell + 0.5) / len(self._names)

    def _cell(self, u: float) -> int:
        return min(int(u * len(self._names)), len(self._names) - 1)
