"""Hyperparameters that are numbers, with bounds and a scale: `Float` and `Int`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from hoptim._arguments import number_of
from hoptim._text import shown
from hoptim.errors import ArgumentError, SpaceError
from hoptim.space.dimension import Dimension, Scalar, When

_LARGEST_INT = 2**40  # beyond it two neighbours may have the same logarithmic coordinate


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
        self._check_rest()

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
        when: Values of other hyperparameters, each a `Choice`, for which this one is active: a value or a
            list of values by name. Default: None, always.

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
    when: When = None

    def __post_init__(self) -> None:
        self._prepare(float, margin=0)

    def decode(self, u: float) -> float:
        if u <= 0:  # exactly, though exp(log(low)) is often not low
            return self.low
        return self.high if u >= 1 else min(max(self._value(u), self.low), self.high)

    name = decode

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
        when: Values of other hyperparameters, each a `Choice`, for which this one is active: a value or a
            list of values by name. Default: None, always.

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
    when: When = None

    def __post_init__(self) -> None:
        self._prepare(int, margin=0.5)

    def decode(self, u: float) -> int:
        return min(max(math.floor(self._value(u) + 0.5), self.low), self.high)

    name = decode

    def scale(self, u: float, factor: float) -> float | None:
        value = self.decode(u)
        if value == 0:
            return None
        scaled = math.floor(min(max(value * factor, self.low), self.high) + 0.5)
        if scaled == value and factor != 1:  # rounding must not keep it in place
            scaled += 1 if (factor > 1) == (value > 0) else -1
        return self._place(min(max(scaled, self.low), self.high))


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
