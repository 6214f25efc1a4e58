"""Tests that any optimizer must pass, for pytest to collect from a class of one's own."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hoptim.dimension import Choice, Float, Int, Ordinal
from hoptim.errors import OptimizerError
from hoptim.optimizer import Optimizer, Proposal, View
from hoptim.population import Population
from hoptim.space import Space

_FAILURES = (np.nan, np.inf, -np.inf)
_LOSSES: tuple[Callable[[np.random.Generator], float], ...] = (
    lambda rng: rng.normal(),
    lambda rng: 1.0,
    lambda rng: rng.choice([*_FAILURES, 0.0, rng.normal(), rng.normal()]),
    lambda rng: rng.choice(_FAILURES),
    lambda rng: rng.choice([-1e308, 0.0, -0.0, 5e-324, 1e308]),
)
_SIZES = (1, 2, 7)


class Row(NamedTuple):
    """One trial of a population, by the names of `hoptim.Population`."""

    number: int
    member: int
    step: int
    age: int
    x: Sequence[float]
    loss: float
    memo: Any = None


def population(rows: Sequence[Row]) -> Population:
    """Trials as an optimizer sees them, for tests of rules of its own.

    >>> population([Row(0, 0, 0, 0, [0.5], loss=2.0), Row(1, 1, 0, 0, [0.1], loss=1.0)]).best(0.5)
    array([1])
    """
    if not rows:
        return Population.empty()
    *counts, x, loss, memo = zip(*rows, strict=True)
    number, member, step, age = (np.array(count, dtype=np.int64) for count in counts)
    return Population(number, member, step, age, np.array(x, float), np.array(loss, float), memo)


class OptimizerConformance:
    """The contract of `hoptim.Optimizer`, put to the test in a few hundred situations.

    Derive a class whose name starts with `Test`, fill in `make`, and let pytest collect it.

    >>> import hoptim
    >>> class TestMyOptimizer(OptimizerConformance):
    ...     def make(self):
    ...         return hoptim.ROMUL(step=0.05)
    >>> TestMyOptimizer().test_parents_are_healthy()  # as pytest does
    """

    def make(self) -> Optimizer:
        """A new optimizer to test; called often, equal each time."""
        raise NotImplementedError

    def spaces(self) -> list[Space]:
        """Spaces to test in; override it for an optimizer that cannot deal with all kinds."""
        mixed = {
            "lr": Float(1e-5, 1e-1, log=True, init=1e-3),
            "shift": Float(-1.0, 1.0, init=0.0),
            "batch": Int(8, 512, log=True, init=32),
            "depth": Int(1, 8, inherit=True),
            "act": Choice(["relu", "gelu", "tanh"], init="gelu"),
            "norm": Choice({"layer": object(), "none": object()}, inherit=True),
            "width": Ordinal([32, 64, 128], init=64),
        }
        return [Space(mixed), Space({"x": Float(0.0, 1.0)}), Space({"act": Choice(["relu", "gelu"])})]

    def test_is_described_by_plain_json(self) -> None:
        """`describe()` gives the class's name and its settings as they come back from JSON."""
        optimizer = self.make()
        try:
            described = optimizer.describe()
        except OptimizerError as error:
            raise AssertionError(str(error)) from error
        _must(_json(described) == described, f"describe() must be plain JSON, found {described!r}")
        again = self.make().describe()
        _must(again == described, f"Equal optimizers must be described alike, found {described}, {again}")

    def test_is_frozen(self) -> None:
        """No setting can be changed."""
        optimizer = self.make()
        for field in dataclasses.fields(optimizer):  # type: ignore[arg-type]
            try:
                setattr(optimizer, field.name, getattr(optimizer, field.name))
            except AttributeError:
                continue
            raise AssertionError(f"{optimizer!r} must be frozen, but {field.name} could be set.")

    def test_pickles(self) -> None:
        """It travels to other processes and arrives as an equal optimizer."""
        optimizer = self.make()
        try:
            arrived = pickle.loads(pickle.dumps(optimizer))
        except Exception as error:
            raise AssertionError(f"{optimizer!r} must pickle: {error!r}.") from error
        _must(arrived == optimizer, f"{optimizer!r} must pickle to an equal object, found {arrived!r}")

    def test_is_a_function_of_its_arguments(self) -> None:
        """Purity: the same arguments give the same proposal, and no attribute is written."""
        for ask in self._asks():
            before = dict(vars(ask.optimizer))
            first, second = ask.propose(), ask.propose()
            ask.must_equal("Purity: the same arguments must give the same proposal", first, second)
            fresh = dataclasses.replace(ask, optimizer=self.make()).propose()
            ask.must_equal("Purity: what was proposed before must not matter", first, fresh)
            after = vars(ask.optimizer)
            same = before.keys() == after.keys() and all(before[name] is after[name] for name in before)
            ask.must(same, f"Purity: no attribute may be written, found {before}, then {after}")

    def test_leaves_global_generators_alone(self) -> None:
        """Purity: neither numpy's nor Python's global generator is read or moved."""
        before = np.random.get_state(), random.getstate()  # noqa: NPY002 - the very thing to protect
        try:
            for ask in self._asks():
                first, moved = ask.propose_seeded(1)
                second, also = ask.propose_seeded(2)
                ask.must_equal("Purity: global generators must not matter", first, second)
                ask.must(not (moved or also), "Purity: global generators must not be used")
        finally:
            np.random.set_state(before[0])  # noqa: NPY002
            random.setstate(before[1])

    def test_leaves_the_view_alone(self) -> None:
        """Purity: arrays, memos and start of the view are the same after a proposal."""
        for ask in self._asks():
            before = _contents(ask.view)
            ask.propose()
            after = _contents(ask.view)
            ask.must(before == after, f"Purity: the view must not be changed, from {before} to {after}")

    def test_stays_in_bounds(self) -> None:
        """Bounds: x is an array (d,) of numbers in [0, 1], or indices where unordered."""
        for ask in self._asks():
            x, space = ask.propose().x, ask.view.space
            shaped = isinstance(x, np.ndarray) and x.dtype == np.float64 and x.shape == (len(space),)
            ask.must(shaped, f"Bounds: x must be a float array ({len(space)},), found {x!r}")
            ask.must(space.contains(x.tolist()), f"Bounds: x must be within [0, 1] or an index, found {x}")
            whole = all(d.ordered or u == int(u) for d, u in zip(space.dimensions.values(), x, strict=True))
            ask.must(whole, f"Bounds: a Choice's coordinate must be a whole index, found {x}")

    def test_parents_are_healthy(self) -> None:
        """Parents: None or the number of a trial in the population, which has a finite loss."""
        for ask in self._asks():
            parent, now = ask.propose().parent, ask.view.population
            known = parent is None or (type(parent) is int and parent in now.number)
            ask.must(known, f"Parents: must be None or a number in the population, found {parent!r}")
            healthy = parent is None or parent in now.number[now.healthy]
            ask.must(healthy, f"Failures: a failed trial must not be a parent, found {parent}")

    def test_failures_are_all_alike(self) -> None:
        """Failures: whether a loss is nan, inf or -inf makes no difference."""
        for ask in self._asks():
            now = ask.view.population
            for other in _FAILURES:
                changed = dataclasses.replace(now, loss=np.where(now.healthy, now.loss, other))
                ask.must_equal(f"Failures: must all count as {other}", ask.propose(), ask.propose(changed))

    def test_rescues_failed_members(self) -> None:
        """Failures: the member of a failed trial gets a healthy parent if there is one."""
        for ask in self._asks():
            now, row, parent = ask.view.population, ask.row, ask.propose().parent
            failed = row is not None and not now.healthy[row]
            rescued = parent in now.number[now.healthy] if now.healthy.any() else parent is None
            ask.must(not failed or rescued, f"Failures: a failed member must be rescued, found {parent}")

    def test_draws_anew_when_nobody_is_healthy(self) -> None:
        """Failures: with nobody healthy a member starts afresh and neither from init nor start."""
        for space in self.spaces():
            start = [space.decode(space.first(np.random.default_rng(0)))]
            first = View(space, 1, Population.empty(), start)
            asks = [_Ask(self.make(), first, 0, number) for number in range(40)]
            tried = [set() for _ in space.dimensions]  # type: list[set[float]]
            for ask in asks:
                row = Row(0, 0, 0, 0, ask.propose().x.tolist(), np.nan, _json(ask.propose().memo))
                lost = ask.propose(population([row]))
                ask.must(lost.parent is None, f"Failures: nobody can be a parent, found {lost.parent}")
                for seen, u in zip(tried, lost.x.tolist(), strict=True):
                    seen.add(u)
            stuck = [name for name, seen in zip(space.dimensions, tried, strict=True) if len(seen) == 1]
            _must(not stuck, f"Failures: {stuck} must be drawn anew, found one value in {len(asks)} draws")

    def test_hands_inherited_dimensions_on(self) -> None:
        """Bounds: inherited dimensions of a child equal its parent's to the last bit."""
        for ask in self._asks():
            proposal, now, fixed = ask.propose(), ask.view.population, ask.view.space.inherited
            for x in now.x[now.number == proposal.parent]:
                same = proposal.x[fixed].tolist() == x[fixed].tolist()
                ask.must(same, f"Bounds: inherited dimensions must stay {x[fixed]}, found {proposal.x[fixed]}")

    def test_order_of_rows_carries_no_meaning(self) -> None:
        """Order: the population's rows in another order give the same proposal."""
        for ask in self._asks():
            rows = np.random.default_rng(ask.number).permutation(len(ask.view.population))
            mixed = _reordered(ask.view.population, rows)
            ask.must_equal("Order: rows must carry no meaning", ask.propose(), ask.propose(mixed))

    def test_memos_are_plain_json(self) -> None:
        """Memory: a memo comes back from JSON as it was."""
        for ask in self._asks():
            memo = ask.propose().memo
            ask.must(_json(memo) == memo, f"Memory: a memo must be plain JSON, found {memo!r}")

    def test_first_trials_honour_start_and_init(self) -> None:
        """First trials have no parent and take their start entry, else init, else anything."""
        for ask in self._asks():
            if ask.row is None:
                space, proposal = ask.view.space, ask.propose()
                ask.must(proposal.parent is None, f"First: there is no parent yet, found {proposal.parent}")
                given = {name: dim.init for name, dim in space.dimensions.items() if dim.init is not None}
                given |= ask.view.start[ask.member] if ask.member < len(ask.view.start) else {}
                found = space.decode(proposal.x)
                for name, value in given.items():
                    same = space.dimensions[name].record(value) == space.names(proposal.x)[name]
                    ask.must(same, f"First: {name} must be {value!r}, found {found[name]!r}")

    def _asks(self) -> Iterator[_Ask]:
        ...
