"""One hyperparameter: its bounds, its scale, and the internal coordinate of a value."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

from hoptim._arguments import number_of
from hoptim._text import shown
from hoptim.errors import ArgumentError, SpaceError

_LARGEST_INT = 2**40  # beyond it two neighbours may have the same logarithmic coordinate

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
        """Return type and settings as plain JSON; `Space.from_json` reads it back."""
        settings = {f.name: getattr(self, f.name) for f in fields(self) if f.init}  # type: ignore[arg-type]
        return {"type": type(self).__name__, **settings}

    def _reject(self, why: str) -> SpaceError:
        return SpaceError(f"{shown(self)}: {why}.")

    def _check_init(self) -> None:
        if not isinstance(self.inherit, bool):
            raise self._reject(f"inherit must be True or False, found {shown(self.inherit)}")
        if self.init is not None:
            object.__setattr__(self, "init", self.named(self.record(self.init)))


def _number(dimension: Dimension, name: str, value: Any, kind: type) -> Any:
    """Return a value, of any library, as a finite `kind`; raise `SpaceError` for bools and strings."""
    if isinstance(value, bool):
        raise dimension._reject(f"{name} must be a number, found {value}")
    try:
        number = number_of(name, value)
    except ArgumentError as error:
        raise SpaceError(f"{shown(dimension)}: {error}") from error
    if not math.isfinite(number):
        raise dimension._reject(f"{name} must be finite, found {shown(value)}")
    if kind is int:
        if number != int(number) or abs(number) > _LARGEST_INT:
            raise dimension._reject(f"{name} must be a whole number up to 2**40, found {shown(value)}")
        return int(number)
    return number


class _Numeric(Dimension):
    """A number with bounds, and a coordinate linear in the value or its log: `Float` and `Int`."""

    low: Any
    high: Any
    log: bool
    _kind: type
    _start: float  # value, or log value, at coordinate 0, at 1, and the difference
    _stop: float
    _length: float

    def _prepare(self, kind: type, margin: float) -> None:
        if not isinstance(self.log, bool):
            raise self._reject(f"log must be True or False, found {shown(self.log)}")
        for name in ("low", "high"):
            object.__setattr__(self, name, _number(self, name, getattr(self, name), kind))
        if self.low >= self.high:
            raise self._reject("low must be below high; leave a constant out of the space")
        if self.log and self.low <= 0:
            raise self._reject("log=True needs low above 0")
        ends = (self.low - margin, self.high + margin)
        start, stop = (math.log(ends[0]), math.log(ends[1])) if self.log else ends
        if not 0 < stop - start < math.inf:
            raise self._reject("the range from low to high must be a finite number above 0")
        object.__setattr__(self, "_kind", kind)
        object.__setattr__(self, "_start", start)
        object.__setattr__(self, "_stop", stop)
        object.__setattr__(self, "_length", stop - start)
        self._check_init()

    def _place(self, value: float) -> float:
        u = ((math.log(value) if self.log else value) - self._start) / self._length
        return min(max(u, 0.0), 1.0)

    def _value(self, u: float) -> float:
        value = min(self._start + u * self._length, self._stop)  # exp of more could overflow
        return math.exp(value) if self.log else value

    def encode(self, value: Any) -> float:
        number = _number(self, "a value", value, self._kind)
        if not self.low <= number <= self.high:
            raise self._reject(f"a value must lie within the bounds, found {shown(value)}")
        return self._place(number)

    def record(self, value: Any) -> Scalar:
        self.encode(value)
        return _number(self, "a value", value, self._kind)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Float(_Numeric):
    """A real number between `low` and `high`.

    Args:
        low: Smallest value, inclusive.
        high: Largest value, inclusive.
        log: True to draw and step in the logarithm, as for learning rates. Default: False.
        init: Value of every member's first trial. Default: None, drawn.
        inherit: True to draw it once and inherit it unchanged with the weights. Default: False.

    Raises:
        SpaceError: low >= high, a bound is not finite, log=True with low <= 0, or init is out of bounds.

    >>> Float(1e-4, 1e-1, log=True).decode(0.0)
    0.0001
    """

    low: float
    high: float
    log: bool = False
    init: float | None = None
    inherit: bool = False

    def __post_init__(self) -> None:
        self._prepare(float, margin=0)

    def decode(self, u: float) -> float:
        if u <= 0:  # exactly, though exp(log(low)) is often not low
            return self.low
        return self.high if u >= 1 else min(max(self._value(u), self.low), self.high)

    def scale(self, u: float, factor: float) -> float | None:
        value = self.decode(u)
        if value == 0:  # a factor would never leave it
            return None
        return self._place(min(max(value * factor, self.low), self.high))


@dataclass(frozen=True)
class Int(_Numeric):
    """A whole number between `low` and `high`, both included.

    Children inherit the unrounded coordinate, so steps below one add up.

    Args:
        low: Smallest value.
        high: Largest value, at most 2**40.
        log: True to draw and step in the logarithm, as for batch sizes. Default: False.
        init: Value of every member's first trial. Default: None, drawn.
        inherit: True to draw it once and inherit it unchanged with the weights. Default: False.

    Raises:
        SpaceError: A bound is not a whole number, or the reasons of `Float`.

    >>> Int(1, 8).decode(1.0)
    8
    """

    low: int
    high: int
    log: bool = False
    init: int | None = None
    inherit: bool = False

    def __post_init__(self) -> None:
        self._prepare(int, margin=0.5)

    def decode(self, u: float) -> int:
        return min(max(math.floor(self._value(u) + 0.5), self.low), self.high)

    def scale(self, u: float, factor: float) -> float | None:
        value = self.decode(u)
        if value == 0:
            return None
        scaled = math.floor(min(max(value * factor, self.low), self.high) + 0.5)
        if scaled == value and factor != 1:  # rounding must not keep it in place
            scaled += 1 if (factor > 1) == (value > 0) else -1
        return self._place(min(max(scaled, self.low), self.high))


class _Listed(Dimension):
    """A list of JSON scalars, or names for any objects: `Choice` and `Ordinal`."""

    values: Any
    _names: list[Scalar]
    _objects: list[Any]

    def __post_init__(self) -> None:
        if isinstance(self.values, Mapping):
            names, objects = list(self.values), list(self.values.values())
            if not all(isinstance(name, str) for name in names):
                raise self._reject("the names of a mapping must be strings")
        elif isinstance(self.values, Sequence) and not isinstance(self.values, (str, bytes)):
            names = objects = list(self.values)
        else:
            raise self._reject("values must be a list of scalars, or a mapping of name to object")
        self._check_names(names)
        object.__setattr__(self, "_names", names)
        object.__setattr__(self, "_objects", objects)
        self._check_init()

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
        with suppress(Exception):  # whatever an object's own code raises: it is none of those listed
            value = value.item() if getattr(value, "ndim", None) == 0 else value
        if isinstance(value, (str, int, float)):
            for listed in (self._names, self._objects):
                for i, known in enumerate(listed):
                    if isinstance(known, (str, int, float)) and known == value:
                        return i
        raise self._reject(f"a value must be one of those listed, found {shown(value)}")

    def named(self, name: Scalar) -> Any:
        return self._objects[self._names.index(name)]

    def to_json(self) -> dict[str, Any]:
        init = None if self.init is None else self._names[self._index(self.init)]
        return {**super().to_json(), "values": self._names, "init": init}


@dataclass(frozen=True)
class Choice(_Listed):
    """One of several values without order.

    Args:
        values: JSON scalars, or a mapping from a name, which is recorded, to any object.
        init: Value of every member's first trial. Default: None, drawn.
        inherit: True to draw it once and inherit it unchanged with the weights. Default: False.

    Raises:
        SpaceError: `values` are empty, not distinct or no JSON scalars, or `init` is not among them.

    >>> Choice(["relu", "gelu"]).decode(1.0)
    'gelu'
    """

    values: Any
    init: Any = None
    inherit: bool = False
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
        values: JSON scalars in order, or a mapping from a name, which is recorded, to any object.
        init: Value of every member's first trial. Default: None, drawn.
        inherit: True to draw it once and inherit it unchanged with the weights. Default: False.

    Raises:
        SpaceError: The reasons of `Choice`.

    >>> Ordinal([32, 64, 128]).decode(0.5)
    64
    """

    values: Any
    init: Any = None
    inherit: bool = False

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
