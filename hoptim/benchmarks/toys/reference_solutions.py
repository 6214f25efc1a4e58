"""Reference solutions of the horizon problems: good schedules, best constants and greedy choices.

All are computed here without a population; none is quoted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from hoptim.benchmarks.problem import TrainingProblem
from hoptim.benchmarks.scores import Floats, ScoreStatistics
from hoptim.benchmarks.toys import quadratic
from hoptim.benchmarks.toys.deceptive import Deceptive
from hoptim.benchmarks.toys.quadratic import NoisyQuadratic
from hoptim.benchmarks.toys.regularisation import Regularisation

Schedule = Callable[[float], Floats]  # from a scale to a value for each step
_RATES = np.linspace(0.0, 0.6, 13)  # dropout rates of constants, and initial ones of decays
_CHOICES = np.linspace(0.0, 0.8, 9)  # dropout rates of the greedy search


@dataclass(frozen=True, eq=False)
class ReferenceSolution(ScoreStatistics):
    """A schedule and its final losses.

    Attributes:
        name: Name in tables.
        schedule: Value of the hyperparameter by step `(steps,)`, or by decision `(decisions,)`.
        scores: Final losses by seed; a single one if the problem is deterministic.
    """

    name: str
    schedule: Floats
    scores: tuple[float, ...]


Candidates = dict[str, list[ReferenceSolution]]  # of one seed, by kind; the best of each kind counts


def final_loss(problem: TrainingProblem, schedule: Sequence[float] | Floats, seed: int = 0) -> float:
    """Return the final loss of a schedule with a value for each step.

    >>> round(final_loss(NoisyQuadratic(), 0.49 * (1 - np.arange(300) / 300)), 3)
    0.204
    """
    (name,) = problem.space
    state, loss = problem.begin(seed), np.inf
    for step, value in enumerate(schedule):
        state, loss = problem.train(state, {name: float(value)}, 1, _seed(seed, step))
    return loss


def greedy_search(
    problem: TrainingProblem, choices: Sequence[float] | Floats, interval: int = 1, seed: int = 0
) -> ReferenceSolution:
    """Try all choices every `interval` steps, each time keeping the one with the lowest loss.

    >>> greedy = greedy_search(Deceptive(), (0.0, 0.5, 1.0))
    >>> set(greedy.schedule.tolist())
    {0.0}
    """
    (name,) = problem.space
    state, chosen, loss = problem.begin(seed), [], np.inf
    for step in range(0, problem.steps, interval):
        seeds = (_seed(seed, step, number) for number in range(len(choices)))
        tried = [
            problem.train(state, {name: float(c)}, interval, s) for c, s in zip(choices, seeds, strict=True)
        ]
        best = int(np.argmin([candidate for _, candidate in tried]))
        state, loss = tried[best]
        chosen.append(float(choices[best]))
    return ReferenceSolution("greedy choice", np.array(chosen), (loss,))


def noisy_quadratic(seed: int) -> Candidates:
    """Return the best linear decay, the best constant, and the best learning rate for the next step."""
    problem = NoisyQuadratic()
    state, rates, loss = problem.begin(seed), [], np.inf
    for _ in range(problem.steps):
        rates.append(quadratic.greedy(state))
        state, loss = problem.train(state, {"a": rates[-1]}, 1, seed)
    kinds = _kinds(problem)
    return {
        **{name: [_best(problem, name, make, 0.01, 1.0)] for name, make in kinds.items()},
        "greedy": [ReferenceSolution("greedy choice", np.array(rates), (loss,))],
    }


def deceptive(seed: int) -> Candidates:
    """Return the line that h should follow, the best constant, and the constants 1 and 0 (greedy)."""
    problem = Deceptive()
    decay, constant = _kinds(problem).values()
    schedules = {"h = 1 - t/T": decay(1.0), "h = 1": constant(1.0), "greedy choice, h = 0": constant(0.0)}
    solutions = {
        name: [ReferenceSolution(name, h, (final_loss(problem, h, seed),))] for name, h in schedules.items()
    }
    return solutions | {"best constant": [_best(problem, "best constant", constant, 0.6, 1.0)]}


def regularisation(seed: int) -> Candidates:
    """Return linear decays and constants, of which the best over all seeds count, and a greedy search."""
    problem = Regularisation()
    solutions = {
        kind: [
            ReferenceSolution(f"{kind} {p:.2f}", make(p), (final_loss(problem, make(p), seed),))
            for p in _RATES
        ]
        for kind, make in _kinds(problem).items()
    }
    return solutions | {"greedy": [greedy_search(problem, _CHOICES, seed=seed)]}


def best_over_seeds(by_seed: Sequence[Candidates]) -> tuple[ReferenceSolution, ...]:
    """Return the candidate of each kind with the lowest mean over all seeds, sorted by mean."""
    best = []
    for kind in by_seed[0]:
        over_seeds = (
            ReferenceSolution(same[0].name, same[0].schedule, tuple(one.scores[0] for one in same))
            for same in zip(*(candidates[kind] for candidates in by_seed), strict=True)
        )
        best.append(min(over_seeds, key=attrgetter("mean")))
    return tuple(sorted(best, key=attrgetter("mean")))


def _kinds(problem: TrainingProblem) -> dict[str, Schedule]:
    """Return the families of schedules that have a scale."""
    line = 1 - np.arange(problem.steps) / problem.steps
    return {
        "best linear decay": lambda scale: scale * line,
        "best constant": lambda scale: np.full(problem.steps, scale),
    }


def _best(
    problem: TrainingProblem, name: str, schedule: Schedule, low: float, high: float
) -> ReferenceSolution:
    """Return a schedule at its best scale, between bounds in which the loss has one minimum."""
    from scipy.optimize import minimize_scalar  # slow to import

    best = minimize_scalar(
        lambda scale: final_loss(problem, schedule(scale)), bounds=(low, high), method="bounded"
    )
    return ReferenceSolution(f"{name} {best.x:.2f}", schedule(best.x), (float(best.fun),))


def _seed(*numbers: int) -> int:
    """Return a seed that differs by step and run."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
