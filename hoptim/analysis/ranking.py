"""The one order of trials, from best to worst, that every part of hoptim uses to show them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from hoptim._arguments import sign_of


class Ranked(Protocol):
    """A trial with a value, as a user sees it or as the store records it."""

    @property
    def number(self) -> int:
        """Return the trial's number."""

    @property
    def member(self) -> int:
        """Return the member that trained it."""

    @property
    def value(self) -> float:
        """Return the value as told."""

    @property
    def finite(self) -> bool:
        """Tell whether the value is a finite number."""

    @property
    def valued(self) -> bool:
        """Tell whether it has a value, if only one that is not finite."""


_Trial = TypeVar("_Trial", bound=Ranked)


def best_first(trials: Iterable[_Trial], mode: str) -> list[_Trial]:
    """Sort trials as optimizers rank them, older ones first; then those not valued; failed ones last."""
    return sorted(trials, key=rank_key(mode))


def rank_key(mode: str) -> Callable[[Ranked], tuple[int, float, int]]:
    """Return the function by whose results trials are sorted in `best_first`; no two are equal."""
    sign = sign_of(mode)
    return lambda t: (0, sign * t.value, t.number) if t.finite else (1 + t.valued, 0.0, t.number)


def best(trials: Iterable[_Trial], mode: str) -> _Trial | None:
    """Return the first of `best_first`, or None if no trial has a finite value."""
    first = next(iter(best_first(trials, mode)), None)
    return first if first is not None and first.finite else None


def latest(trials: Iterable[_Trial]) -> list[_Trial]:
    """Return each member's latest of some trials that come in the order of their numbers."""
    return list({trial.member: trial for trial in trials}.values())
