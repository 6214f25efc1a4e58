"""Which of some trials is better: the one order that everybody uses who shows trials to people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Ranked(Protocol):
    """A trial with a value, finished or as the store knows it."""

    @property
    def number(self) -> int:
        """Of the trial."""

    @property
    def value(self) -> float:
        """As it was told."""

    @property
    def finite(self) -> bool:
        """Whether the value is a finite number."""


_Trial = TypeVar("_Trial", bound=Ranked)


def best_first(trials: Iterable[_Trial], mode: str) -> list[_Trial]:
    """Trials in the order in which optimizers rank them: failed ones last, the older of equals first."""
    sign = 1 if mode == "min" else -1
    return sorted(trials, key=lambda t: (not t.finite, sign * t.value if t.finite else 0, t.number))


def best(trials: Iterable[_Trial], mode: str) -> _Trial | None:
    """The first of `best_first` if its value is finite, else None."""
    first = next(iter(best_first(trials, mode)), None)
    return first if first is not None and first.finite else None
