"""Patient: an optimizer made to decide seldom, on lasting effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hoptim._arguments import whole_of
from hoptim._text import shown
from hoptim.errors import ArgumentError, OptimizerError
from hoptim.optimizers.base import Optimizer, Proposal, View
from hoptim.optimizers.population import Population
from hoptim.optimizers.romul import ROMUL
from hoptim.space.space import Space

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_EARLY = 0.15  # share of a period after which a change's immediate effect has happened, and little else
_FEWEST = 3  # members needed for the regression
_KEY = "patient"  # name of our note in a memo
_WAIT = 2  # periods left, from which on immediate effects count as much as lasting ones


@dataclass(frozen=True)
class Patient(Optimizer):
    """A wrapper against short-sightedness: another optimizer decides seldom, and on lasting effects.

    Lowering a hyperparameter such as the learning rate or dropout lowers the loss at once. That gain can be
    had at any later time, while the slower learning that it costs cannot be made up for; an optimizer that
    decides after every trial always takes the gain first. This method is our own, not a paper's:

    * **Few decisions.** The run is cut into `decisions` periods. Within a period every member continues its
      own weights and hyperparameters. In the last period the decisions come closer, each half as
      far from the end as the one before, because near the end immediate gains are the ones that count.
    * **Lasting effects.** Early in each period a regression of the change of the loss on the change of
      the hyperparameters, both since the trial before the period, estimates the immediate effect of each
      hyperparameter. At the end of the period that effect is subtracted from each member's loss before the
      optimizer ranks them, as if all had had the same hyperparameters. In the last two periods it is not.

    Ties are those of the losses that the optimizer ranks: of two equal values the one that owes more to its
    hyperparameters is the worse. While no value changes there is no effect, so equal values tie.

    Where what is best now stays best it is too slow. Of what the best method gains over random search it
    then leaves 0.30 (Jaderberg's toy), 0.65 (a rate that rises and falls), 0.76 (a value that moves) or
    0.67 (Rosenbrock's function in 8 dimensions), and nothing on nine of ten problems where greed loses
    (16 members, 20 runs, `python -m hoptim.benchmarks regret`). `MixedHorizon` is for when it is not known
    which of the two a problem is.

    With fewer than two trials in a period it decides as the optimizer alone, after every trial. It needs
    to know where the run ends: extending a study starts a new plan.

    Args:
        optimizer: Search algorithm that makes the decisions. Default: ROMUL().
        decisions: Periods in a run. Default: 10; from 8 to 14 little changes on three problems, 6 and 20
            are worse on one (`benchmarks/results/patience.txt`).

    Raises:
        ArgumentError: `optimizer` is no Optimizer, or `decisions` is below 1.

    >>> import hoptim
    >>> Patient(hoptim.Initiator(), decisions=8).optimizer == hoptim.Initiator()
    True
    """

    optimizer: Optimizer = field(default_factory=ROMUL)
    decisions: int = 10

    def __post_init__(self) -> None:
        if not isinstance(self.optimizer, Optimizer):
            raise ArgumentError(
                f"Patient: optimizer must be an Optimizer such as hoptim.ROMUL(), found "
                f"{shown(self.optimizer)}."
            )
        object.__setattr__(self, "decisions", whole_of("Patient: decisions", self.decisions, 1))

    def check_space(self, space: Space) -> None:
        self.optimizer.check_space(space)

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        population = view.population
        row = population.row(member)
        if row is None:
            return self._decided(view, member, rng, population)
        done = int(population.step[row]) + 1
        since = range(done, done - int(population.span[row]), -1)  # a decision that was missed is due now
        if population.healthy[row] and not any(self._decides(step, view.steps) for step in since):
            return self._continued(view, row, since)
        return self._decided(view, member, rng, self._adjusted(view, row, view.steps - done))

    def _adjusted(self, view: View, row: int, left: int) -> Population:
        """Return the population as it is to be ranked when `left` steps remain."""
        if left < _WAIT * self._period(view.steps):
            return view.population
        begun = _note(view.population.memo[row])["begun"]
        return _lasting(view.population, begun, tuple(view.space.stepped.tolist()))

    def _period(self, steps: int) -> int:
        return max(1, round(steps / self.decisions))

    def _decides(self, done: int, steps: int) -> bool:
        period, left = self._period(steps), steps - done
        if left >= period:
            return done % period == 0
        return left in {period >> halvings for halvings in range(1, period.bit_length())}

    def _decided(self, view: View, member: int, rng: np.random.Generator, adjusted: Population) -> Proposal:
        """Return the optimizer's proposal, with the loss and x before it noted in its memo."""
        seen = replace(
            view,
            population=_unwrapped(adjusted),
            _history=lambda: _unwrapped(view.history),
            _running=lambda: _unwrapped(view.running),
            _summary=None,  # the study's has our memos
        )
        made = self.optimizer.propose(seen, member, rng)
        now, row = view.population, view.population.row(member)
        before = None
        for parent in () if made.parent is None else np.flatnonzero(now.number == made.parent):
            before = [float(now.loss[parent]), *now.x[parent].tolist()]
        note = {"begun": 0 if row is None else int(now.step[row]) + 1, "before": before, "early": None}
        return replace(made, memo=_outer(made.memo, note))

    def _continued(self, view: View, row: int, since: range) -> Proposal:
        """Return the member's own weights and hyperparameters; note the loss early in a period."""
        population = view.population
        memo = population.memo[row]
        note = _note(memo)
        if note["begun"] + max(1, round(_EARLY * self._period(view.steps))) in since:
            memo = {**memo, _KEY: {**note, "early": float(population.loss[row])}}
        return Proposal(int(population.number[row]), population.x[row], memo)


@lru_cache(maxsize=2)  # all members that decide after one step compare the same population
def _lasting(population: Population, begun: int, stepped: tuple[bool, ...]) -> Population:
    """Return the population with losses `(n,)` less the immediate effect of their hyperparameters.

    The effect is a ridge regression of the change of loss, from before the period to early in it, on the
    change of the `stepped` coordinates, over the members whose period had `begun` at that step. The penalty
    shrinks effects that few members tell of many hyperparameters. The population stays as it is if there
    are too few members or losses would overflow.
    """
    notes, ordered = [_note(memo) for memo in population.memo], np.array(stepped)
    rows = [
        r
        for r in np.argsort(population.number)  # a fixed order, so that sums agree to the last bit
        if notes[r]["begun"] == begun
        and None not in (notes[r]["early"], notes[r]["before"])
        and len(notes[r]["before"]) == 1 + population.x.shape[1]  # else the note is of a fork's old space
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


@lru_cache(maxsize=2)
def _unwrapped(trials: Population) -> Population:
    """Return the trials as the wrapped optimizer sees them, with its own memos."""
    return replace(trials, memo=[_inner(memo) for memo in trials.memo])


def _outer(memo: Any, note: Mapping[str, Any]) -> dict[str, Any]:
    """Join the optimizer's memo and our note; its own names stay at the top, where plots read them."""
    return {**memo, _KEY: note} if isinstance(memo, Mapping) else {_KEY: {**note, _KEY: memo}}


def _inner(memo: Mapping[str, Any]) -> Any:
    """Return the optimizer's memo from a joined one."""
    note = _note(memo)
    return note[_KEY] if _KEY in note else {name: value for name, value in memo.items() if name != _KEY}


def _note(memo: Any) -> Any:
    """Return the note that `Patient` made with a trial."""
    note = memo.get(_KEY) if isinstance(memo, Mapping) else None
    fields = note if isinstance(note, Mapping) else {}
    if not fields.keys() >= {"begun", "before", "early"} or type(fields["begun"]) is not int:
        raise OptimizerError(f"The memo of a trial must hold Patient's note, found {memo!r}.")
    return note
