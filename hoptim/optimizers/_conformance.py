"""Simulated studies that ask an optimizer for trials; `hoptim.testing` checks its proposals."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from itertools import chain
from typing import Any

import numpy as np

from hoptim.optimizers.base import Optimizer, Proposal, View
from hoptim.optimizers.population import Population, Row
from hoptim.space.space import Space

Change = Callable[[Population], Population]
Loss = Callable[[np.random.Generator], float]

_STEPS = 4  # steps left in the study at each ask
_PROMPT = 0.7  # probability that a running trial ends before the next ask


def population(rows: Sequence[Row]) -> Population:
    """Return trials as an optimizer sees them, for tests of its own rules.

    >>> population([Row(0, 0, 0, 0, [0.5], loss=2.0), Row(1, 1, 0, 0, [0.1], loss=1.0)]).ranking
    array([1, 0])
    """
    return Population.of(rows)


def rows(trials: Population) -> list[Row]:
    """Return the trials of a population; the inverse of `population`."""
    return trials.rows()


@dataclasses.dataclass(frozen=True)
class Ask:
    """One ask for a trial, which a test may repeat.

    Attributes:
        optimizer: Optimizer under test.
        view: State of the study.
        member: Member that asks.
        number: Number of the trial to propose, from 0.
        retained: Trials proposed with `retain` and not continued yet. Default: none.
    """

    optimizer: Optimizer
    view: View
    member: int
    number: int
    retained: frozenset[int] = frozenset()

    def propose(self, change: Change | None = None, past: bool = True) -> Proposal:
        """Return the proposal, after a change of the view if one is given.

        Args:
            change: Function from the population to another one. Default: None, no change.
            past: True to change the history, too. Default: True.
        """
        view = self.view
        if change is not None:
            history = change(view.history) if past else view.history
            view = dataclasses.replace(view, population=change(view.population), _history=lambda: history)
        return self.optimizer.propose(view, self.member, np.random.default_rng([0, self.number]))

    @cached_property
    def proposal(self) -> Proposal:
        """Return the proposal to the unchanged view, made once."""
        return self.propose()

    @cached_property
    def row(self) -> int | None:
        """Return the member's own row of the population; None if it has none."""
        return self.view.population.row(self.member)

    @property
    def parents(self) -> set[int]:
        """Return the numbers of the trials that may be parents."""
        now, past = self.view.population, self.view.history
        return {*now.number[now.healthy].tolist(), *(self.retained & {*past.number[past.healthy].tolist()})}

    def finished(self, loss: float) -> Row:
        """Return the proposed trial as finished with a loss."""
        now, past, made = self.view.population, self.view.history, self.proposal
        step = 0 if self.row is None else int(now.step[self.row]) + 1
        age = 1 + max(past.age[past.number == made.parent].tolist(), default=-1)
        parent = made.parent if type(made.parent) is int else -1
        return Row(self.number, self.member, step, age, made.x.tolist(), loss, as_json(made.memo), parent)

    def surroundings(self) -> dict[str, object]:
        """Return a snapshot of all that `propose` must not change."""
        seen = [rows(trials) for trials in (self.view.population, self.view.history, self.view.running)]
        attributes = getattr(self.optimizer, "__dict__", {})
        return {
            "its attributes": repr(attributes), "the view": repr((seen, self.view.start)),
            "global generators": (_numpy_state(), random.getstate()),
        }  # fmt: skip

    def broke(self, rule: str) -> str:
        """Return the message that a rule was broken, with what was proposed."""
        seen = rows(self.view.population)
        return f"{rule}. Found {self.proposal} by {self.optimizer!r} for member {self.member} in {seen}."


class Simulation:
    """A small study without training, whose members ask in and out of step.

    Args:
        optimizer: Optimizer under test.
        space: Space of the study.
        size: Number of members.
        loss: Function from a generator to the loss of a trial that ends.
        rng: Generator of the order of events and of losses.
    """

    def __init__(
        self, optimizer: Optimizer, space: Space, size: int, loss: Loss, rng: np.random.Generator
    ) -> None:
        self._optimizer, self._space, self._loss, self._rng = optimizer, space, loss, rng
        self._start = [dict(list(space.decode(space.draw(rng)).items())[:3])]
        self._finished: list[list[Row]] = [[] for _ in range(size)]
        self._running: dict[int, Row] = {}
        self._retained: set[int] = set()

    def asks(self, n: int) -> Iterator[Ask]:
        """Yield n asks, one after another; each proposal is then trained."""
        for number in range(n):
            for member in [m for m in self._running if self._rng.random() < _PROMPT]:
                self._end(member)
            while not (due := self._due()):
                self._end(next(iter(self._running)))
            member = int(self._rng.choice(due))
            ask = Ask(self._optimizer, self._view(member), member, number, frozenset(self._retained))
            yield ask
            self._begin(ask)

    def _due(self) -> list[int]:
        steps = [len(trials) for trials in self._finished]
        return [m for m, step in enumerate(steps) if step <= min(steps) + 1 and m not in self._running]

    def _end(self, member: int) -> None:
        self._finished[member].append(self._running.pop(member)._replace(loss=self._loss(self._rng)))

    def _view(self, member: int) -> View:
        steps = len(self._finished[member])
        now = [trials[:steps][-1] for trials in self._finished if trials[:steps]]
        history = partial(population, sorted(chain(*self._finished)))
        running = partial(population, [*self._running.values()])
        longest = max(map(len, self._finished))
        return View(
            self._space,
            len(self._finished),
            population(now),
            self._start,
            history,
            running,
            _STEPS + longest,
        )

    def _begin(self, ask: Ask) -> None:
        made = ask.proposal
        self._running[ask.member] = ask.finished(np.nan)  # the loss comes with its end
        self._retained -= {made.parent}
        if made.retain:
            self._retained.add(ask.number)


def _numpy_state() -> list[Any]:
    state: Any = np.random.get_state()  # noqa: NPY002 - to see that it is left alone
    return [state[1].tolist(), *state[2:]]


def as_json(value: Any) -> Any:
    """Return a value as JSON gives it back; None if JSON cannot hold it."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        return None
