"""Tests of the contract of an optimizer."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Iterator
from functools import partial
from itertools import product

import numpy as np

from hoptim.optimizers._conformance import Ask, Loss, Simulation, as_json, population, rows
from hoptim.optimizers.base import Optimizer, Proposal, View
from hoptim.optimizers.population import Population, Row
from hoptim.space.listed import Choice, Ordinal
from hoptim.space.numeric import Float, Int
from hoptim.space.space import Space

_FAILURES = (np.nan, np.inf, -np.inf)
_LOSSES: tuple[Loss, ...] = (
    lambda rng: rng.normal(),
    lambda rng: 1.0,
    lambda rng: rng.choice([*_FAILURES, 0.0, rng.normal(), rng.normal()]),
    lambda rng: rng.choice(_FAILURES),
    lambda rng: rng.choice([-1e308, 0.0, -0.0, 5e-324, 1e308]),
)


class OptimizerConformance:
    """Tests of the contract of `hoptim.Optimizer` in hundreds of situations.

    Derive a class whose name starts with `Test`, define `make`, and let pytest collect it.

    Attributes:
        rescues: True if a failed member continues from a healthy trial, as in population based training.
            Default: True; False for an optimizer with independent members.
        draws: True if first trials come from `start`, `init` or a draw, and fresh ones from a draw.
            Default: True; False for an optimizer that has values of its own.

    >>> import hoptim
    >>> class TestMine(OptimizerConformance):
    ...     def make(self):
    ...         return hoptim.ROMUL(step=0.05)
    >>> TestMine().test_parents_are_healthy()  # as pytest does
    """

    rescues = True
    draws = True

    def make(self) -> Optimizer:
        """Return a new optimizer to test; called often, equal each time."""
        raise NotImplementedError

    def spaces(self) -> list[Space]:
        """Return the spaces to test in; override it for an optimizer that does not support all kinds."""
        mixed = {
            "lr": Float(1e-5, 1e-1, log=True, init=1e-3), "shift": Float(-1.0, 1.0, init=0.0),
            "layers": Int(1, 8, inherit=True), "batch": Int(8, 512, log=True, init=32),
            "act": Choice(["relu", "gelu", "tanh"], init="gelu"),
            "norm": Choice({"layer": object(), "none": object()}, inherit=True),
            "width": Ordinal([32, 64, 128], init=64),
        }  # fmt: skip
        return [Space(mixed), Space({"x": Float(0.0, 1.0)}), Space({"act": Choice(["relu", "gelu"])})]

    def test_is_frozen_and_described_by_json(self) -> None:
        """Require a frozen dataclass whose settings survive JSON unchanged."""
        described, again = self.make().describe(), self.make().describe()
        assert as_json(described) == described == again, (
            f"describe() must give plain JSON, the same each time, found {described}, then {again}."
        )

    def test_pickles(self) -> None:
        """Require that it pickles to an equal optimizer, to be sent to other processes."""
        optimizer = self.make()
        arrived, _ = copy.deepcopy(optimizer), pickle.dumps(optimizer)  # no pickle is loaded here
        assert arrived == optimizer, f"{optimizer!r} must pickle to an equal object, found {arrived!r}."

    def test_is_a_function_of_its_arguments(self) -> None:
        """Require purity: the same arguments give the same proposal."""
        for ask in self._asks():
            self._must_repeat(ask, ask.propose(), "Purity: the same arguments must give the same proposal")

    def test_changes_nothing(self) -> None:
        """Require purity: attributes, the view and the global random generators stay unchanged."""
        for ask in self._asks():
            before, _ = ask.surroundings(), ask.proposal
            changed = [what for what, now in ask.surroundings().items() if now != before[what]]
            assert not changed, ask.broke(f"Purity: {changed} must stay unchanged")

    def test_stays_in_bounds(self) -> None:
        """Require bounds: x is an array `(d,)` in [0, 1], or of whole indices for unordered dimensions."""
        for ask in self._asks():
            x, dims = ask.proposal.x, ask.view.space.dimensions.values()
            array = isinstance(x, np.ndarray) and x.dtype == np.float64 and x.shape == (len(dims),)
            assert array, ask.broke(f"Bounds: x must be an array of {len(dims)} floats")
            assert ask.view.space.contains(x.tolist()), ask.broke(
                "Bounds: x must be in [0, 1], or an index"
            )
            whole = all(dim.ordered or u == int(u) for dim, u in zip(dims, x, strict=True))
            assert whole, ask.broke("Bounds: the coordinate of a Choice must be a whole index")
            given = ask.proposal.params
            exact = given is None or np.array_equal(ask.view.space.encode(given), x)
            assert exact, ask.broke("Bounds: x must be the coordinates of params")

    def test_parents_are_healthy(self) -> None:
        """Require a parent that is None or a healthy trial, of the population or retained."""
        for ask in self._asks():
            parent = ask.proposal.parent
            if parent is not None:
                known = type(parent) is int and parent in ask.parents
                assert known, ask.broke("Parents: must be None or the number (int) of a healthy trial")

    def test_ties_keep_their_own_weights(self) -> None:
        """Require that no healthy member continues from another one of the same loss, unless retained."""
        for ask in self._asks():
            now, row, parent = ask.view.population, ask.row, ask.proposal.parent
            if row is not None and now.healthy[row] and parent not in ask.retained:
                equals = set(now.number[now.loss == now.loss[row]].tolist()) - {int(now.number[row])}
                assert parent not in equals, ask.broke("Ties: an equal's weights must not be copied")

    def test_failures_are_all_alike(self) -> None:
        """Require that losses of nan, inf and -inf give the same proposal."""
        for ask, other in product(self._asks(), _FAILURES):
            again = ask.propose(partial(_failing, other=other))
            self._must_repeat(ask, again, f"Failures: must not differ from a loss of {other}")

    def test_failed_members_are_rescued(self) -> None:
        """Require a healthy parent for the member of a failed trial, if there is one."""
        for ask in self._asks() if self.rescues else ():
            now, row = ask.view.population, ask.row
            if row is not None and not now.healthy[row] and now.healthy.any():
                assert ask.proposal.parent is not None, ask.broke("Failures: a member must be rescued")

    def test_draws_anew_when_nobody_is_healthy(self) -> None:
        """Require a fresh draw, not `init` or `start`, if no trial is healthy."""
        for space in self.spaces():
            start, tried = [space.decode(space.first(np.random.default_rng(0)))], []
            for number in range(40):
                ask = Ask(self.make(), View(space, 1, Population.empty(), start), 0, number)
                lost = ask.propose(partial(_only, ask.finished(np.nan)))
                assert lost.parent is None, f"Failures: there must be no parent, found {lost.parent}."
                tried.append(lost.x.tolist())
            moved = not self.draws or all(len(set(column)) > 1 for column in zip(*tried, strict=True))
            assert moved, f"Failures: if no trial is healthy, all must be drawn anew, found {tried}."

    def test_inherited_dimensions_stay(self) -> None:
        """Require that inherited dimensions of a child equal its parent's to the last bit."""
        for ask in self._asks():
            now, fixed = ask.view.history, ask.view.space.inherited
            for x in now.x[now.number == ask.proposal.parent]:
                assert np.array_equal(ask.proposal.x[fixed], x[fixed]), ask.broke(
                    "Bounds: inherited must stay"
                )

    def test_order_of_rows_carries_no_meaning(self) -> None:
        """Require that the population's rows in another order give the same proposal."""
        for ask in self._asks():
            self._must_repeat(
                ask, ask.propose(_rolled, past=False), "Order: rows in another order must not matter"
            )

    def test_memos_are_plain_json(self) -> None:
        """Require that a memo survives JSON unchanged."""
        for ask in self._asks():
            assert as_json(ask.proposal.memo) == ask.proposal.memo, ask.broke("Memory: it must be JSON")

    def test_first_trials_honour_start_and_init(self) -> None:
        """Require first trials without a parent and with values of `start`, else `init`."""
        for ask in self._asks():
            if ask.row is None:
                assert ask.proposal.parent is None, ask.broke("First: there must be no parent yet")
                dims, start = ask.view.space.dimensions, ask.view.start[ask.member : ask.member + 1]
                given = {name: dim.init for name, dim in dims.items() if dim.has_init}
                given |= dict(*start)
                wanted = {name: dims[name].name(dims[name].encode(value)) for name, value in given.items()}
                found = ask.view.space.names(ask.proposal.x)
                honoured = found == {**found, **wanted} or not self.draws
                assert honoured, ask.broke(f"First: trials must hold {wanted}")

    def _asks(self) -> Iterator[Ask]:
        for i, (space, loss, size) in enumerate(product(self.spaces(), _LOSSES, (1, 2, 5))):
            simulation = Simulation(self.make(), space, size, loss, np.random.default_rng(i))
            yield from simulation.asks(3 * size)

    def _must_repeat(self, ask: Ask, other: Proposal, rule: str) -> None:
        first, second = (repr((p.parent, p.x.tolist(), p.memo, p.retain)) for p in (ask.proposal, other))
        assert first == second, ask.broke(f"{rule}, but another call gave {other}")


def _failing(trials: Population, other: float) -> Population:
    return dataclasses.replace(trials, loss=np.where(trials.healthy, trials.loss, other))


def _only(row: Row, trials: Population) -> Population:
    return population([row])


def _rolled(trials: Population) -> Population:
    return population([*rows(trials)[1:], *rows(trials)[:1]])
