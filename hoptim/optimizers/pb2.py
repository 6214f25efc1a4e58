"""PB2: population based training that chooses hyperparameters by a Gaussian process bandit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from hoptim.optimizers import _gaussian_process as gp
from hoptim.optimizers.base import Optimizer, Proposal, View, check_between
from hoptim.optimizers.truncation import TruncationSelection

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_WINDOW = 128  # latest trials in the model, so that an ask costs the same at any time
_PENDING = 64  # latest trials whose outcome is hallucinated
_CLIP = 2.0  # largest normalised change, in standard deviations, as in the authors' implementation
_C1, _C2 = 0.2, 0.4  # of beta, as in the authors' implementation
_CANDIDATES, _NEAR = 256, 64
_WIDTHS = (0.1, 0.03, 0.01)


@dataclass(frozen=True)
class PB2(Optimizer):
    """Population based bandits of Parker-Holder et al. 2020 (arXiv 2002.02518).

    Members exploit as in `TruncationSelection`, but the ordered hyperparameters x are not perturbed: a
    bandit chooses them. A Gaussian process whose function changes with time models what an interval gains,
    the loss of the parent less that of the child, by its step t and x. It is fitted by maximum
    likelihood, and the largest upper confidence bound is trained next:

        x = argmax mean(t, x) + sqrt(beta) deviation(t, x)      beta = 0.2 + max(0, log(0.4 n))

    where n is the number of gains. Trials whose outcome is not known are hallucinated: the mean stays and
    the deviation shrinks near them, so that members which decide together try different x. A `Choice` is
    drawn anew as in `TruncationSelection`, and all is as there before there are gains that differ.

    Our reconstruction: A member sees gains up to its own step, and later trials are hallucinated even if
    they have ended, so all members that decide after a step share one model. The model has the latest 128
    gains, not as many as the likelihood prefers, and the step and x alone, not the loss before. The
    largest bound is that of random candidates and of ever smaller random steps from the best.

    Args:
        fraction: Share of the healthy trials that are the k best or worst, rounded, in (0, 0.5]; k is at
            least 1. Default: 0.25, as in the authors' implementation.
        resample_choice: Probability that a `Choice` is drawn anew by an exploit. Default: 0.25.
        burn_in: Steps at the start during which healthy members keep their weights. Default: 0.

    Raises:
        ArgumentError: A setting is out of its range.

    >>> PB2(fraction=0.5).fraction
    0.5
    """

    fraction: float = 0.25
    resample_choice: float = 0.25
    burn_in: int = 0

    def __post_init__(self) -> None:
        check_between(self, "fraction", 1e-9, 0.5)
        check_between(self, "resample_choice", 0, 1)
        check_between(self, "burn_in", 0, math.inf)

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        truncation = TruncationSelection(self.fraction, resample=self.resample_choice, burn_in=self.burn_in)
        made = truncation.propose(view, member, rng)
        population, row = view.population, view.population.row(member)
        if row is None or made.parent is None:
            return made
        if made.parent == population.number[row] and np.array_equal(made.x, population.x[row]):
            return made  # it goes on with what it has
        chosen = _chosen(view, int(population.step[row]), rng)
        if chosen is None:
            return made
        x = made.x.copy()
        x[view.space.stepped] = chosen
        return replace(made, x=x)


def _chosen(view: View, step: int, rng: np.random.Generator) -> Floats | None:
    """Return ordered coordinates for the next step; None if there is nothing to choose them by."""
    inputs, gains = _gains(view, step)
    if not view.space.stepped.any() or not len(gains) or not np.ptp(gains):
        return None
    model = _model(inputs.tobytes(), gains.tobytes())
    pending = _pending(view, step)
    if len(pending):
        model = model.hallucinated(pending)
    beta = _C1 + max(0.0, math.log(_C2 * len(gains)))

    def bound(x: Floats) -> Floats:
        mean, deviation = model.at(_inputs(np.full(len(x), step + 1), x))
        return mean + math.sqrt(beta) * deviation

    return _maximised(bound, int(view.space.stepped.sum()), rng)


def _gains(view: View, step: int) -> tuple[Floats, Floats]:
    """Return inputs `(n, 1 + d)` and normalised gains `(n,)` of the latest trials up to a step."""
    past = view.history
    if not len(past):
        return np.empty((0, 1)), np.empty(0)
    parent = np.minimum(np.searchsorted(past.number, past.parent), len(past) - 1)
    with np.errstate(over="ignore", invalid="ignore"):
        gain = (past.loss[parent] - past.loss) / past.span
    known = (past.number[parent] == past.parent) & (past.step <= step) & np.isfinite(gain)
    rows = np.flatnonzero(known)[-_WINDOW:]
    return _inputs(past.step[rows], past.x[rows][:, view.space.stepped]), _normalised(gain[rows])


def _normalised(gain: Floats) -> Floats:
    """Return gains with mean 0 and standard deviation 1, clipped; all 0 if they are equal."""
    largest = np.abs(gain).max(initial=0.0)
    if not largest > 0 or not np.ptp(gain / largest):
        return np.zeros(len(gain))
    scaled = gain / largest  # so that no square overflows
    normalised: Floats = np.clip((scaled - scaled.mean()) / scaled.std(), -_CLIP, _CLIP)
    return normalised


def _pending(view: View, step: int) -> Floats:
    """Return inputs `(m, 1 + d)` of the latest trials whose outcome is not seen at a step."""
    past, running = view.history, view.running
    later, d = past.step > step, len(view.space)
    latest = np.argsort(np.concatenate([past.number[later], running.number]))[-_PENDING:]
    steps = np.concatenate([past.step[later], running.step])
    x = np.concatenate([past.x[later].reshape(-1, d), running.x.reshape(-1, d)])
    return _inputs(steps[latest], x[latest][:, view.space.stepped])


def _inputs(steps: NDArray[np.int64], x: Floats) -> Floats:
    return np.column_stack([steps, x])


@lru_cache(maxsize=2)  # all members that decide after one step have the same gains
def _model(inputs: bytes, gains: bytes) -> gp.Posterior:
    """Return the process that fits gains best, from the bytes of arrays."""
    y = np.frombuffer(gains)
    at = np.frombuffer(inputs).reshape(len(y), -1)
    return gp.condition(at, y, gp.fit(at, y))


def _maximised(bound: Callable[[Floats], Floats], d: int, rng: np.random.Generator) -> Floats:
    """Return the coordinates `(d,)` of an almost largest bound."""
    x = rng.random((_CANDIDATES, d))
    best: Floats = x[np.argmax(bound(x))]
    for width in _WIDTHS:
        near = np.clip(best + width * rng.standard_normal((_NEAR, d)), 0, 1)
        x = np.vstack([best, near])
        best = x[np.argmax(bound(x))]
    return best
