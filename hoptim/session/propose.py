"""Proposing: from the records so far to a member's next trial."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from hoptim._arguments import plain
from hoptim._text import shown
from hoptim.errors import OptimizerError, SpaceError
from hoptim.optimizers.base import Optimizer, Proposal, View
from hoptim.optimizers.population import Population
from hoptim.session.history import History
from hoptim.session.levels import Levels
from hoptim.session.news import proceeds, row_of
from hoptim.session.summaries import Summaries
from hoptim.space.space import Space
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord

if TYPE_CHECKING:
    from hoptim.session.streams import Streams


@dataclass
class Proposer:
    """Asks the optimizer; a function of the study's settings and state, so journals replay.

    Args:
        space: Hyperparameters.
        optimizer: Search algorithm.
        start: Known first configurations by member. Default: none.
    """

    space: Space
    optimizer: Optimizer
    start: Sequence[Mapping[str, Any]] = ()
    _levels: Levels = field(init=False, repr=False)
    _history: History = field(init=False, repr=False)
    _summaries: Summaries = field(default_factory=Summaries, init=False, repr=False)

    def __post_init__(self) -> None:
        self._levels, self._history = Levels(len(self.space)), History(len(self.space))

    def __call__(self, state: State, member: int, number: int) -> dict[str, Any]:
        """Return the fields of the record that proposes trial `number` for a member."""
        own = state.members[member]
        if own and proceeds(own[-1], state):
            return self._proceeding(own[-1], state)
        population = self._levels(state, len(own) - 1)
        view = View(
            self.space, state.size, population, self.start,
            _history=lambda: self._history(state),
            _running=lambda: gather(running(state), state, len(self.space)),
            steps=state.steps,
            _summary=partial(self._summaries, state),
        )  # fmt: skip
        proposal = self.optimizer.propose(view, member, self._streams(state.seed, number))
        x = self._coordinates(proposal)
        self._check(proposal, state)
        params = self._params(proposal, x)
        parent = None if proposal.parent is None else state.finished[proposal.parent]
        return self._fields(proposal, self._carried(x, parent), params)

    def _proceeding(self, last: TrialRecord, state: State) -> dict[str, Any]:
        """Return the fields of a member's next trial after one that was not valued: no decision is made."""
        proposal = self.optimizer.proceed(row_of(last, state), self.space)
        x = self._coordinates(proposal)
        if proposal.parent != last.number:
            self._refuse(f"trial {last.number} has no value and goes on, found parent {proposal.parent}")
        same = proposal.params is None and x == last.x  # decoding could miss the last bit
        proposal.retain |= last.retain
        params = last.params if same else self._params(proposal, x)
        return self._fields(proposal, self._carried(x, last), params)

    def _fields(self, proposal: Proposal, x: list[float], params: dict[str, Any]) -> dict[str, Any]:
        fields = {"parent": proposal.parent, "params": params, "x": x}
        if proposal.memo is not None:
            fields["memo"] = _memo(proposal.memo, self.optimizer)
        if proposal.retain:
            fields["retain"] = True
        return fields

    @cached_property
    def _streams(self) -> Streams:
        from hoptim.session.streams import Streams  # imports numpy.random, which only who asks needs

        return Streams()

    def _coordinates(self, proposal: Any) -> list[float]:
        if not isinstance(proposal, Proposal):
            self._refuse(f"it must be a Proposal, found {shown(proposal)}")
        x, shape = proposal.x, (len(self.space),)
        floats = isinstance(x, np.ndarray) and x.dtype == np.float64 and x.shape == shape
        coordinates: list[float] = x.tolist() if floats else []
        if not self.space.contains(coordinates):
            self._refuse(f"x must be an array {shape} of floats within the bounds, found {shown(x)}")
        return coordinates

    def _carried(self, x: list[float], parent: TrialRecord | None) -> list[float]:
        """Return coordinates with the parent's for hyperparameters that are not active: these stay."""
        if parent is None or not self.space.conditional:
            return x
        active = self.space.active(x).tolist()
        return [u if moves else kept for u, moves, kept in zip(x, active, parent.x, strict=True)]

    def _params(self, proposal: Proposal, x: list[float]) -> dict[str, Any]:
        if proposal.params is None:
            return self.space.names(x)
        try:
            given, stands_for = self.space.record(proposal.params), self.space.encode(proposal.params)
        except SpaceError as error:
            self._refuse(f"its params do not fit the space: {error}")
        if (stands_for != np.array(x))[self.space.active(stands_for)].any():
            self._refuse(f"x must be the coordinates of its params, {stands_for.tolist()}, found {x}")
        return {name: given[name] for name in self.space.dimensions if name in given}

    def _check(self, proposal: Proposal, state: State) -> None:
        parent = proposal.parent
        if type(proposal.retain) is not bool:
            self._refuse(f"retain must be True or False, found {shown(proposal.retain)}")
        if parent is None:
            return
        if type(parent) is not int:  # numpy's are no JSON
            self._refuse(f"parent must be a plain int or None, found {shown(parent)}; write int(...)")
        found = state.finished.get(parent)
        if found is None or not found.finite:
            self._refuse(f"parent {shown(parent)} is no healthy finished trial")
        if state.stateful and parent not in state.saved:
            self._refuse(
                f"the checkpoint of parent {parent} was dropped; propose such a trial with retain=True, "
                "or keep it with Study(keep=...)"
            )

    def _refuse(self, why: str) -> NoReturn:
        raise OptimizerError(f"{shown(self.optimizer)} made a proposal that cannot be trained: {why}.")


def _memo(memo: Any, optimizer: Optimizer) -> Any:
    """Return a memo as it comes back from JSON, at once where that is plain to see."""
    if type(memo) is dict and all(
        type(k) is str and type(v) is float and math.isfinite(v) for k, v in memo.items()
    ):
        return dict(memo)
    return plain(memo, f"The memo of {optimizer!r}")


def running(state: State) -> list[TrialRecord]:
    """Return the trials whose value is awaited: open ones, and ended ones that go on without a value."""
    ended = (own[-1] for member, own in enumerate(state.members) if own and member not in state.open)
    return [*state.open.values(), *(trial for trial in ended if proceeds(trial, state))]


def gather(trials: Iterable[TrialRecord], state: State, d: int) -> Population:
    """Return trials of a state as arrays.

    Args:
        trials: Finished or open ones.
        state: State that they are of.
        d: Number of dimensions.
    """
    return Population.of([row_of(trial, state) for trial in trials], d)
