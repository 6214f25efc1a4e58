"""Questions to an optimizer from small studies that go on with its answers; `hoptim.testing` puts them."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from hoptim.optimizers.base import Optimizer, Proposal, View
from hoptim.optimizers.population import Population
from hoptim.space.space import Space

Change = Callable[[Population], Population]
Loss = Callable[[np.random.Generator], float]

_STEPS = 4  # that are left when the next question is put
_PROMPT = 0.7  # share of the running trials that end before the next question


class Row(NamedTuple):
    """One trial of a population, in the words of `hoptim.Population`; parent -1 is none."""

    number: int
    member: int
    step: int
    age: int
    x: Sequence[float]
    loss: float
    memo: Any = None
    parent: int = -1


def population(rows: Sequence[Row]) -> Population:
    """Trials as an optimizer sees them, to test rules of its own.

    >>> population([Row(0, 0, 0, 0, [0.5], loss=2.0), Row(1, 1, 0, 0, [0.1], loss=1.0)]).ranking
    array([1, 0])
    """
    if not rows:
        return Population.empty()
    *counts, x, loss, memo, parents = zip(*rows, strict=True)
    number, member, step, age, parent = np.array([*counts, parents], dtype=np.int64)
    return Population(number, member, step, age, np.array(x, float), np.array(loss, float), memo, parent)


def rows(trials: Population) -> list[Row]:
    """The other way round."""
    columns = (trials.number, trials.member, trials.step, trials.age, trials.x, trials.loss)
    lists = (column.tolist() for column in columns)
    return [Row(*row) for row in zip(*lists, trials.memo, trials.parent.tolist(), strict=True)]


@dataclasses.dataclass(frozen=True)
class Question:
    """A question to an optimizer, to be put as often as a test likes.

    Attributes:
        optimizer: Who is asked.
        view: What it sees.
        member: For whom.
        number: Of the trial to propose.
        retained: Trials proposed with `retain` that nobody has continued yet.
    """

    optimizer: Optimizer
    view: View
    member: int
    number: int
    retained: frozenset[int] = frozenset()

    def propose(self, change: Change | None = None, past: bool = True) -> Proposal:
        """The answer, to another view where there is a change.

        Args:
            change: Makes other trials of the population's.
            past: Whether history is changed, too.
        """
        view = self.view
        if change is not None:
            history = change(view.history) if past else view.history
            view = dataclasses.replace(view, population=change(view.population), _history=lambda: history)
        return self.optimizer.propose(view, self.member, np.random.default_rng([0, self.number]))

    @cached_property
    def proposal(self) -> Proposal:
        """The first answer."""
        return self.propose()

    @cached_property
    def row(self) -> int | None:
        """The member's own row of the population."""
        return self.view.population.row(self.member)

    @property
    def parents(self) -> set[int]:
        """The trials that it may continue from."""
        now, past = self.view.population, self.view.history
        return {*now.number[now.healthy].tolist(), *(self.retained & {*past.number[past.healthy].tolist()})}

    def told(self, loss: float) -> Row:
        """The proposed trial, once it has ended."""
        now, past, made = self.view.population, self.view.history, self.proposal
        step = 0 if self.row is None else int(now.step[self.row]) + 1
        age = 1 + max(past.age[past.number == made.parent].tolist(), default=-1)
        parent = made.parent if type(made.parent) is int else -1
        return Row(self.number, self.member, step, age, made.x.tolist(), loss, as_json(made.memo), parent)

    def surroundings(self) -> dict[str, object]:
        """What an answer must not change."""
        seen = [rows(trials) for trials in (self.view.population, self.view.history, self.view.running)]
        attributes = getattr(self.optimizer, "__dict__", {})
        return {
            "its attributes": repr(attributes), "the view": repr((seen, self.view.start)),
            "global generators": (_words(), random.getstate()),
        }  # fmt: skip

    def says(self, rule: str) -> str:
        """A rule that was broken, and how."""
        seen = rows(self.view.population)
        return f"{rule}. Found {self.proposal} by {self.optimizer!r} for {self.member} in {seen}."


class Rehearsal:
    """A small study in which members go on in and out of step.

    Args:
        optimizer: Who decides.
        space: The hyperparameters.
        size: Number of members.
        loss: Of a trial that ends.
        rng: Decides who is next.
    """

    def __init__(
        self, optimizer: Optimizer, space: Space, size: int, loss: Loss, rng: np.random.Generator
    ) -> None:
        self._optimizer, self._space, self._loss, self._rng = optimizer, space, loss, rng
        self._start = [dict(list(space.decode(space.draw(rng)).items())[:3])]
        self._told: list[list[Row]] = [[] for _ in range(size)]
        self._running: dict[int, Row] = {}
        self._retained: set[int] = set()

    def questions(self, n: int) -> Iterator[Question]:
        """One question after another, each answered."""
        for number in range(n):
            for member in [m for m in self._running if self._rng.random() < _PROMPT]:
                self._end(member)
            while not (due := self._due()):
                self._end(next(iter(self._running)))
            member = int(self._rng.choice(due))
            question = Question(
                self._optimizer, self._view(member), member, number, frozenset(self._retained)
            )
            yield question
            self._go_on(question)

    def _due(self) -> list[int]:
        steps = [len(told) for told in self._told]
        return [m for m, step in enumerate(steps) if step <= min(steps) + 1 and m not in self._running]

    def _end(self, member: int) -> None:
        self._told[member].append(self._running.pop(member)._replace(loss=self._loss(self._rng)))

    def _view(self, member: int) -> View:
        steps = len(self._told[member])
        now = [told[:steps][-1] for told in self._told if told[:steps]]
        return View(
            self._space, len(self._told), population(now), self._start,
            partial(population, sorted(chain(*self._told))), partial(population, [*self._running.values()]),
            steps=_STEPS + max(map(len, self._told)),
        )  # fmt: skip

    def _go_on(self, question: Question) -> None:
        made = question.proposal
        self._running[question.member] = question.told(np.nan)
        self._retained -= {made.parent}
        if made.retain:
            self._retained.add(question.number)


def _words() -> list[Any]:
    state: Any = np.random.get_state()  # noqa: NPY002 - a witness
    return [state[1].tolist(), *state[2:]]


def as_json(value: Any) -> Any:
    """The value as it comes back from JSON, None where it does not."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        return None
