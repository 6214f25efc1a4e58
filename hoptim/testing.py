"""Tests that any optimizer must pass, for pytest to collect from a class of one's own."""

from __future__ import annotations

import dataclasses
import json
import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import chain, product
from typing import Any, NamedTuple

import numpy as np

from hoptim.dimension import Choice, Float, Int, Ordinal
from hoptim.errors import OptimizerError
from hoptim.optimizer import Optimizer, Proposal, View
from hoptim.population import Population
from hoptim.space import Space

_SIZES = (1, 2, 5)
_FAILURES = (np.nan, np.inf, -np.inf)
_LOSSES: tuple[Callable[[np.random.Generator], float], ...] = (
    lambda rng: rng.normal(),
    lambda rng: 1.0,
    lambda rng: rng.choice([*_FAILURES, 0.0, rng.normal(), rng.normal()]),
    lambda rng: rng.choice(_FAILURES),
    lambda rng: rng.choice([-1e308, 0.0, -0.0, 5e-324, 1e308]),
)


class Row(NamedTuple):
    """One trial of a population, in the words of `hoptim.Population`."""

    number: int
    member: int
    step: int
    age: int
    x: Sequence[float]
    loss: float
    memo: Any = None


def population(rows: Sequence[Row]) -> Population:
    """Trials as an optimizer sees them, to test rules of its own.

    >>> population([Row(0, 0, 0, 0, [0.5], loss=2.0), Row(1, 1, 0, 0, [0.1], loss=1.0)]).ranking
    array([1, 0])
    """
    if not rows:
        return Population.empty()
    *counts, x, loss, memo = zip(*rows, strict=True)
    number, member, step, age = (np.array(count, dtype=np.int64) for count in counts)
    return Population(number, member, step, age, np.array(x, dtype=float), np.array(loss, dtype=float), memo)


class OptimizerConformance:
    """The contract of `hoptim.Optimizer`, put to the test in hundreds of situations.

    Derive a class whose name starts with `Test`, fill in `make`, and let pytest collect it.

    >>> import hoptim
    >>> class TestMine(OptimizerConformance):
    ...     def make(self):
    ...         return hoptim.ROMUL(step=0.05)
    >>> TestMine().test_parents_are_healthy()  # as pytest does
    """

    def make(self) -> Optimizer:
        """A new optimizer to test; called often, equal each time."""
        raise NotImplementedError

    def spaces(self) -> list[Space]:
        """Spaces to test in; override it for an optimizer that cannot deal with all kinds."""
        mixed = Space({
            "lr": Float(1e-5, 1e-1, log=True, init=1e-3),
            "shift": Float(-1.0, 1.0, init=0.0),
            "layers": Int(1, 8, inherit=True),
            "batch": Int(8, 512, log=True, init=32),
            "act": Choice(["relu", "gelu", "tanh"], init="gelu"),
            "norm": Choice({"layer": object(), "none": object()}, inherit=True),
            "width": Ordinal([32, 64, 128], init=64),
        })  # fmt: skip
        return [mixed, Space({"x": Float(0.0, 1.0)}), Space({"act": Choice(["relu", "gelu"])})]

    def test_is_frozen_and_described_by_json(self) -> None:
        """It is a frozen dataclass whose settings come back from JSON as they were."""
        try:
            described, again = self.make().describe(), self.make().describe()
        except OptimizerError as error:
            raise AssertionError(str(error)) from error
        same = _json(described) == described == again
        _must(same, f"describe() must be plain JSON and stay, found {described}, {again}")

    def test_pickles(self) -> None:
        """It travels to other processes and arrives as an equal optimizer."""
        optimizer = self.make()
        try:
            arrived = pickle.loads(pickle.dumps(optimizer))
        except (AttributeError, TypeError, pickle.PicklingError) as error:
            raise AssertionError(f"{optimizer!r} must pickle: {error}.") from error
        _must(arrived == optimizer, f"{optimizer!r} must pickle to an equal object, found {arrived!r}")

    def test_is_a_function_of_its_arguments(self) -> None:
        """Purity: the same arguments give the same proposal, and no attribute is written."""
        for ask in self._asks():
            before, proposal = ask.attributes, ask.proposal
            ask.must(before == ask.attributes, f"Purity: attributes must stay {before}")
            ask.must_equal(ask.propose(), "Purity: the same arguments must give the same proposal")
            ask.must(proposal is not ask.propose(), "Purity: each proposal must be a new object")

    def test_leaves_global_generators_alone(self) -> None:
        """Purity: the global generators of numpy and Python are neither read nor moved."""
        kept = np.random.get_state(), random.getstate()  # noqa: NPY002 - the very thing to protect
        try:
            for ask in self._asks():
                untouched = _after_seeding(1, lambda: None)
                after = _after_seeding(1, ask.propose)
                ask.must(after == untouched, "Purity: a global generator must not be used")
        finally:
            np.random.set_state(kept[0])  # noqa: NPY002
            random.setstate(kept[1])
