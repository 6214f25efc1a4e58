"""One decision: from the records so far to a member's next trial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hoptim.errors import OptimizerError
from hoptim.optimizer import EMPTY, Optimizer, Proposal, View
from hoptim.population import Population
from hoptim.settings import plain
from hoptim.space import Space
from hoptim.state import OpenTrial, State
from hoptim.trial import FinishedTrial


@dataclass
class Decide:
    """Asks the optimizer; a function of the study's settings and state, so journals replay.

    Args:
        space: The hyperparameters.
        optimizer: Who proposes.
        start: Known first configurations by member.
    """

    space: Space
    optimizer: Optimizer
    start: Sequence[Mapping[str, Any]] = ()
    _cache: dict[int, tuple[list[int], Population]] = field(default_factory=dict, repr=False)

    def __call__(self, state: State, member: int, number: int) -> dict[str, Any]:
        """Fields of the record that proposes trial `number` for a member."""
        step = len(state.members[member]) - 1
        population = self._population(state, step)
        view = View(
            self.space, state.size, population, self.start,
            _history=lambda: gather(state.history(), len(self.space), state.sign),
            _running=lambda: gather(state.open.values(), len(self.space), state.sign),
        )  # fmt: skip
        rng = np.random.default_rng([state.seed, number])
        proposal = self.optimizer.propose(view, member, rng)
        self._check(proposal, state)
        fields: dict[str, Any] = {
            "parent": proposal.parent,
            "params": self.space.names(proposal.x),
            "x": proposal.x.tolist(),
        }
        if proposal.memo is not None:
            fields["memo"] = plain(proposal.memo, f"The memo of {self.optimizer!r}")
        return fields

    def _population(self, state: State, step: int) -> Population:
        """The trials compared after `step`; kept, since most asks of a step compare the same."""
        level = state.level(step)
        numbers = [trial.number for trial in level]
        known = self._cache.get(step)
        if known is not None and known[0] == numbers:
            return known[1]
        population = gather(level, len(self.space), state.sign)
        self._cache.pop(step - 2, None)
        self._cache[step] = (numbers, population)
        return population

    def _check(self, proposal: Proposal, state: State) -> None:
        parent, x = proposal.parent, np.asarray(proposal.x)
        if x.shape != (len(self.space),) or not np.isfinite(x).all():
            self._refuse(f"x must be {len(self.space)} finite numbers, found {proposal.x!r}")
        if not self.space.contains(x):
            self._refuse(f"x leaves the bounds: {proposal.x!r}")
        if parent is None:
            return
        found = state.finished.get(parent)
        if found is None or not found.finite:
            self._refuse(f"parent {parent!r} is no healthy finished trial")
        if state.stateful and parent not in state.saved:
            self._refuse(f"the checkpoint of parent {parent} was dropped; keep it with Study(keep=...)")

    def _refuse(self, why: str) -> None:
        raise OptimizerError(f"{self.optimizer!r} made a proposal that cannot be trained: {why}.")


def gather(trials: Iterable[FinishedTrial | OpenTrial], d: int, sign: int) -> Population:
    """Trials as arrays, with losses that are lower when better.

    Args:
        trials: Finished or open ones.
        d: Number of dimensions.
        sign: -1 when higher values are better, else 1.
    """
    rows = list(trials)
    if not rows:
        return EMPTY
    integers = np.array([(t.number, t.member, t.step, t.age) for t in rows], dtype=np.int64)
    values = [t.value if isinstance(t, FinishedTrial) else np.nan for t in rows]
    return Population(
        *np.ascontiguousarray(integers.T),
        x=np.array([t.x for t in rows], dtype=float).reshape(len(rows), d),
        loss=sign * np.array(values, dtype=float),
        memo=[t.memo for t in rows],
    )


