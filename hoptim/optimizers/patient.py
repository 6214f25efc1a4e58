"""Patience: few decisions, by what lasts, around any optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hoptim._arguments import check_whole
from hoptim.errors import ArgumentError, OptimizerError
from hoptim.optimizers.base import Optimizer, Proposal, View
from hoptim.optimizers.population import Population
from hoptim.optimizers.romul import ROMUL
from hoptim.space.space import Space

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_EARLY = 0.15  # of a period: when what a change does at once has happened, and little else
_FEWEST = 3  # members, of which to learn what happens at once
_KEY = "patient"  # of our note in a memo
_WAIT = 2  # periods left, from which on what happens at once counts as much as what lasts


@dataclass(frozen=True)
class Patient(Optimizer):
    """Answers short-sightedness: another optimizer decides seldom, and sees what lasts.

    Hyperparameters such as the learning rate or dropout lower the loss at once when they are lowered,
    and that gain is to be had at any later time, while what is learned slower meanwhile is lost.
    Deciding after every trial takes the gain first, always. This is our own answer; what it is made of:

    * **Few decisions.** The run is cut into `decisions` periods. Within one every member goes on with
      its own weights and hyperparameters. Over the last period the decisions come closer, each half as
      far from the end as the one before, since near the end what helps at once is what helps.
    * **What lasts.** Early in each period the population shows what a change of each hyperparameter did
      to the loss at once: a regression of the first change of the loss on the change of hyperparameters
      since the trial before. When the period ends, that much is taken off each member's loss before the
      optimizer ranks them, as if all had had the same hyperparameters. Not so in the last two periods.

    With fewer than two trials in a period it decides as the optimizer alone, after every trial. It needs
    to know where the run ends: extending a study begins a new plan.

    Args:
        optimizer: Who decides when it is time.
        decisions: Periods in a run. From 8 to 14 little changes on three problems; 6 and 20 are worse on
            one (`benchmarks/results/patience.txt`).

    Raises:
        ArgumentError: No optimizer, or fewer than 1 decision.

    >>> import hoptim
    >>> Patient(hoptim.Initiator(), decisions=8).optimizer == hoptim.Initiator()
    True
    """

    optimizer: Optimizer = field(default_factory=ROMUL)
    decisions: int = 10

    def __post_init__(self) -> None:
        if not isinstance(self.optimizer, Optimizer):
            raise ArgumentError(
                f"Patient: optimizer must be an Optimizer such as hoptim.ROMUL(), found {self.optimizer!r}."
            )
        check_whole("Patient: decisions", self.decisions, 1)
        object.__setattr__(self, "decisions", int(self.decisions))

    def check_space(self, space: Space) -> None:
        self.optimizer.check_space(space)

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        population = view.population
        row = population.row(member)
        if row is None:
            return self._begin(view, member, rng, population)
        done = int(population.step[row]) + 1
        if population.healthy[row] and not self._decides(done, view.steps):
            return self._go_on(view, row, done)
        return self._begin(view, member, rng, self._judged(view, row, view.steps - done))

    def _judged(self, view: View, row: int, left: int) -> Population:
        """The population as it is to be ranked with so many steps left."""
        if left < _WAIT * self._period(view.steps):
            return view.population
        return _lasting(view.population, row, view.space.stepped)

    def _period(self, steps: int) -> int:
        return max(1, round(steps / self.decisions))

    def _decides(self, done: int, steps: int) -> bool:
        period, left = self._period(steps), steps - done
        if left >= period:
            return done % period == 0
        return left in {period >> halvings for halvings in range(1, period.bit_length())}

    def _begin(self, view: View, member: int, rng: np.random.Generator, judged: Population) -> Proposal:
        """The optimizer's proposal, and what its first effect will be measured against."""
        seen = replace(
            view,
            population=_unwrapped(judged),
            _history=lambda: _unwrapped(view.history),
            _running=lambda: _unwrapped(view.running),
        )
        made = self.optimizer.propose(seen, member, rng)
        now, row = view.population, view.population.row(member)
        before = None
        for parent in () if made.parent is None else np.flatnonzero(now.number == made.parent):
            before = [float(now.loss[parent]), *now.x[parent].tolist()]
        note = {"begun": 0 if row is None else int(now.step[row]) + 1, "before": before, "early": None}
        return replace(made, memo=_outer(made.memo, note))

    def _go_on(self, view: View, row: int, done: int) -> Proposal:
        """The member's own weights and hyperparameters; notes the loss when it is early in a period."""
        population = view.population
        memo = population.memo[row]
        note = _note(memo)
        if done - note["begun"] == max(1, round(_EARLY * self._period(view.steps))):
            memo = {**memo, _KEY: {**note, "early": float(population.loss[row])}}
        return Proposal(int(population.number[row]), population.x[row], memo)


def _lasting(population: Population, row: int, ordered: NDArray[np.bool_]) -> Population:
    """The population with losses `(n,)` less what their hyperparameters did to them at once.

    A ridge regression: a change of loss, from before this period to early in it, on the change of the
    coordinates. The penalty shrinks what few members say of many hyperparameters.
    """
    notes = [_note(memo) for memo in population.memo]
    rows = [
        r
        for r in np.argsort(population.number)  # in one order, so that sums agree to the last bit
        if notes[r]["begun"] == notes[row]["begun"]
        and None not in (notes[r]["early"], notes[r]["before"])
        and len(notes[r]["before"]) == 1 + population.x.shape[1]  # else of a fork's old space
        and population.healthy[r]
    ]
    if len(rows) < _FEWEST:
        return population
    before = np.array([notes[r]["before"] for r in rows], dtype=float)
    early = np.array([notes[r]["early"] for r in rows], dtype=float)
    with np.errstate(all="ignore"):
        moved = (population.x[rows] - before[:, 1:])[:, ordered]
        moved, changed = moved - moved.mean(axis=0), early - before[:, 0]
        squares = moved.T @ moved
        penalty = np.trace(squares) / len(rows)
        if not 0 < penalty < np.inf:
            return population
        effect = np.linalg.solve(
            squares + penalty * np.eye(len(squares)), moved.T @ (changed - changed.mean())
        )
        at_once = (population.x[:, ordered] * effect).sum(axis=1)  # `@` would depend on the order of rows
        lasting = population.loss - at_once
    if not np.isfinite(lasting[population.healthy]).all():
        return population
    return replace(population, loss=np.where(population.healthy, lasting, population.loss))


def _unwrapped(trials: Population) -> Population:
    """The trials as the optimizer would see them without us."""
    return replace(trials, memo=[_inner(memo) for memo in trials.memo])


def _outer(memo: Any, note: Mapping[str, Any]) -> dict[str, Any]:
    """The optimizer's memo and ours; its own names stay where whoever looks at a run finds them."""
    return {**memo, _KEY: note} if isinstance(memo, Mapping) else {_KEY: {**note, _KEY: memo}}


def _inner(memo: Mapping[str, Any]) -> Any:
    """The optimizer's memo."""
    note = _note(memo)
    return note[_KEY] if _KEY in note else {name: value for name, value in memo.items() if name != _KEY}


def _note(memo: Any) -> Any:
    """What `Patient` noted with a trial."""
    note = memo.get(_KEY) if isinstance(memo, Mapping) else None
    if not isinstance(note, Mapping) or not note.keys() >= {"begun", "before", "early"}:
        raise OptimizerError(f"The memo of a trial should hold Patient's note, found {memo!r}.")
    return note
