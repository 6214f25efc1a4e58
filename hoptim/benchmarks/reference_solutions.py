"""What is known of the horizon problems without any search: good schedules, constants, and greed.

All of it is computed here; nothing is quoted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hoptim.benchmarks import quadratic
from hoptim.benchmarks.deceptive import Deceptive
from hoptim.benchmarks.losses import Losses
from hoptim.benchmarks.problem import Floats, Problem
from hoptim.benchmarks.quadratic import NoisyQuadratic
from hoptim.benchmarks.regularisation import Regularisation

Schedule = Callable[[float], Floats]  # of a scale, a value for each step
_RATES = np.linspace(0.0, 0.6, 13)  # of dropout, for constants and for where a decay begins
_CHOICES = np.linspace(0.0, 0.8, 9)  # of which greed takes the best


@dataclass(frozen=True, eq=False)
class Answer(Losses):
    """A schedule and what it comes to.

    Attributes:
        name: What it is.
        schedule: The hyperparameter by step; by decision where somebody decided `(decisions,)`.
        losses: Final losses by seed, one where nothing is random.
    """

    name: str
    schedule: Floats
    losses: tuple[float, ...]


Known = dict[str, list[Answer]]  # of one seed: by kind, those of which the best counts


def follow(problem: Problem, schedule: Sequence[float] | Floats, seed: int = 0) -> float:
    """The final loss of a schedule, a value for each step.

    >>> round(follow(NoisyQuadratic(), 0.49 * (1 - np.arange(300) / 300)), 3)
    0.204
    """
    (name,) = problem.space
    state, loss = problem.begin(seed), np.inf
    for step, value in enumerate(schedule):
        state, loss = problem.train(state, {name: float(value)}, 1, _seed(seed, step))
    return loss


def look_ahead(
    problem: Problem, choices: Sequence[float] | Floats, interval: int = 1, seed: int = 0
) -> Answer:
    """Greed itself: every `interval` steps all choices are tried, and the one with the lowest loss is kept.

    >>> greedy = look_ahead(Deceptive(), (0.0, 0.5, 1.0))
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
        best = int(np.argmin([found for _, found in tried]))
        state, loss = tried[best]
        chosen.append(float(choices[best]))
    return Answer("greedy choice", np.array(chosen), (loss,))


def noisy_quadratic(seed: int) -> Known:
    """The best linear decay, the best constant, and the learning rate that is best for the next step."""
    problem = NoisyQuadratic()
    state, rates, loss = problem.begin(seed), [], np.inf
    for _ in range(problem.steps):
        rates.append(quadratic.greedy(state))
        state, loss = problem.train(state, {"a": rates[-1]}, 1, seed)
    kinds = _kinds(problem)
    return {
        **{name: [_best(problem, name, make, 0.01, 1.0)] for name, make in kinds.items()},
        "greedy": [Answer("greedy choice", np.array(rates), (loss,))],
    }


def deceptive(seed: int) -> Known:
    """The line that h should follow, the best constant, the constant 1, and 0, which is greed's choice."""
    problem = Deceptive()
    decay, constant = _kinds(problem).values()
    schedules = {"h = 1 - t/T": decay(1.0), "h = 1": constant(1.0), "greedy choice, h = 0": constant(0.0)}
    found = {name: [Answer(name, h, (follow(problem, h, seed),))] for name, h in schedules.items()}
    return found | {"best constant": [_best(problem, "best constant", constant, 0.6, 1.0)]}


def regularisation(seed: int) -> Known:
    """Linear decays and constants, of which those that are best over all seeds count, and greed."""
    problem = Regularisation()
    found = {
        kind: [Answer(f"{kind} {p:.2f}", make(p), (follow(problem, make(p), seed),)) for p in _RATES]
        for kind, make in _kinds(problem).items()
    }
    return found | {"greedy": [look_ahead(problem, _CHOICES, seed=seed)]}


def together(found: Sequence[Known]) -> tuple[Answer, ...]:
    """The answer of each kind that is best in the mean of all seeds, the lowest loss first."""
    best = []
    for kind in found[0]:
        over_seeds = (
            Answer(same[0].name, same[0].schedule, tuple(answer.losses[0] for answer in same))
            for same in zip(*(known[kind] for known in found), strict=True)
        )
        best.append(min(over_seeds, key=lambda answer: answer.mean))
    return tuple(sorted(best, key=lambda answer: answer.mean))


def _kinds(problem: Problem) -> dict[str, Schedule]:
    """Schedules that a number scales."""
    line = 1 - np.arange(problem.steps) / problem.steps
    return {
        "best linear decay": lambda scale: scale * line,
        "best constant": lambda scale: np.full(problem.steps, scale),
    }


def _best(problem: Problem, name: str, schedule: Schedule, low: float, high: float) -> Answer:
    """The best scale of a schedule, between bounds in which the loss has one minimum."""
    from scipy.optimize import minimize_scalar  # slow to import

    found = minimize_scalar(
        lambda scale: follow(problem, schedule(scale)), bounds=(low, high), method="bounded"
    )
    return Answer(f"{name} {found.x:.2f}", schedule(found.x), (float(found.fun),))


def _seed(*numbers: int) -> int:
    """A seed of its own for each step of each run."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
