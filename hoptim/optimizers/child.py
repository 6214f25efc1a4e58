"""A member's next trial from a donor: the rule of ties, which all optimizers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hoptim.optimizers.base import Perturbation, Proposal, View

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import NDArray


def child(view: View, row: int, donor: int, x: NDArray[np.float64], memo: Any = None) -> Proposal:
    """Return a member's next trial from a donor that is at least as good, with its weights if it is better.

    An equal's weights are not copied: the member keeps its own and their inherited dimensions, and
    takes only the other hyperparameters.

    Args:
        view: State of the study.
        row: Row of the member in the population.
        donor: Row of the donor, healthy; may be the member's own.
        x: Coordinates `(d,)` made from the donor's.
        memo: Memo of the proposal. Default: None.
    """
    population = view.population
    if donor != row and population.loss.item(donor) == population.loss.item(row):
        return Proposal(
            population.number.item(row), np.where(view.space.inherited, population.x[row], x), memo
        )
    return Proposal(population.number.item(donor), x, memo)


def perturbed(
    view: View, row: int, donor: int | None, by: Perturbation, rng: np.random.Generator
) -> Proposal:
    """Return a member's `child` with a donor's perturbed hyperparameters; without a donor, a fresh draw."""
    if donor is None:
        return Proposal(None, view.space.draw(rng))
    x = view.space.perturb(view.population.x[donor], by.factors, by.resample, rng)
    return child(view, row, donor, x)
