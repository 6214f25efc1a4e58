"""The testbeds of the regret benchmark: problems, each with an interval between decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hoptim.benchmarks.problem import TrainingProblem
from hoptim.benchmarks.toys.changed import Idle, Noisy, Rounded
from hoptim.benchmarks.toys.deceptive import Deceptive
from hoptim.benchmarks.toys.jaderberg import Jaderberg
from hoptim.benchmarks.toys.logistic import Logistic, LogisticErrors
from hoptim.benchmarks.toys.momentum import Momentum
from hoptim.benchmarks.toys.moving import Jumps, Walk, Wave
from hoptim.benchmarks.toys.plateau import Plateau
from hoptim.benchmarks.toys.policy import PolicyGradient
from hoptim.benchmarks.toys.quadratic import NoisyQuadratic
from hoptim.benchmarks.toys.regularisation import Regularisation
from hoptim.benchmarks.toys.static import Mixed, Ripples, Rosenbrock
from hoptim.benchmarks.toys.triangle import Triangle


class Testbed(NamedTuple):
    """A problem as it is trained.

    Attributes:
        problem: Problem.
        interval: Steps of the problem between two decisions.
        log: True where scores span decades and are compared by their logarithms.
    """

    problem: TrainingProblem
    interval: int = 1
    log: bool = False


# Those that `MixedHorizon` was chosen on.
CHOSEN_ON: Mapping[str, Testbed] = {
    # What is best now is worse later.
    "quadratic": Testbed(NoisyQuadratic(), 3),
    "quadratic, 30 decisions": Testbed(NoisyQuadratic(), 10),
    "quadratic, little noise": Testbed(NoisyQuadratic(noise=0.05), 3, log=True),
    "quadratic, idle dimensions": Testbed(Idle(NoisyQuadratic()), 3),
    "quadratic, noisy evaluation": Testbed(Noisy(NoisyQuadratic()), 3),
    "quadratic, rounded": Testbed(Rounded(NoisyQuadratic()), 3),
    "deceptive": Testbed(Deceptive(), 10, log=True),
    "deceptive, 20 decisions": Testbed(Deceptive(), 50, log=True),
    "regularisation": Testbed(Regularisation()),
    "logistic regression": Testbed(Logistic()),
    # What is best now is best later.
    "jaderberg": Testbed(Jaderberg(), log=True),
    "triangle": Testbed(Triangle()),
    "wave": Testbed(Wave(), log=True),
    "jumps": Testbed(Jumps(), log=True),
    "plateau": Testbed(Plateau()),
    "rosenbrock, 2 dimensions": Testbed(Rosenbrock(2), log=True),
    "rosenbrock, 8 dimensions": Testbed(Rosenbrock(8), log=True),
    "rosenbrock, noisy evaluation": Testbed(Noisy(Rosenbrock(3), 0.3), log=True),
    "mixed": Testbed(Mixed(), log=True),
}

# Those that were written down before it was chosen and run once, when it was finished.
KEPT_ASIDE: Mapping[str, Testbed] = {
    "momentum": Testbed(Momentum(), 2),
    "policy gradient": Testbed(PolicyGradient()),
    "random walk": Testbed(Walk(), log=True),
    "logistic regression, errors": Testbed(LogisticErrors()),
    "ripples": Testbed(Ripples(), log=True),
}

TESTBEDS: Mapping[str, Testbed] = {**CHOSEN_ON, **KEPT_ASIDE}
