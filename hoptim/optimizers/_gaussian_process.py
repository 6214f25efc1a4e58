"""A Gaussian process whose function changes with time, as pure functions of arrays.

An input is a row `(t, x_1, ..., x_d)`. Functions of successive times are a Markov chain,
f_t+1 = sqrt(1 - epsilon) f_t + sqrt(epsilon) g_t+1 with independent g, whose covariance is
(Parker-Holder et al. 2020, arXiv 2002.02518, after Bogunovic et al. 2016, arXiv 1601.06650)

    k((t, x), (t', x')) = variance (1 - epsilon)^(|t - t'| / 2) exp(-|x - x'|^2 / (2 length^2))

Values y are seen with normal noise. Hyperparameters are theta = log(variance, length, epsilon, noise).
Equation numbers and symbols are those of Rasmussen & Williams 2006, 'Gaussian Processes for Machine
Learning'.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Bounds and starts of exp(theta), for values of unit variance over x in [0, 1]: our reconstruction.
_BOUNDS = ((0.05, 20.0), (0.05, 5.0), (1e-4, 0.5), (1e-3, 1.0))
_STARTS = ((1.0, 0.3, 0.05, 0.1), (1.0, 1.0, 0.01, 0.5))
_ITERATIONS = 12


class Posterior(NamedTuple):
    """The process given n values.

    Attributes:
        inputs: Inputs `(n, 1 + d)` of the values.
        theta: Hyperparameters `(4,)`.
        lower: Cholesky factor `(n, n)` of K + noise I.
        alpha: Solution `(n,)` of (K + noise I) alpha = y.
        y: Values `(n,)`.
    """

    inputs: Floats
    theta: Floats
    lower: Floats
    alpha: Floats
    y: Floats

    def at(self, inputs: Floats) -> tuple[Floats, Floats]:
        """Return means and standard deviations `(m,)` at inputs `(m, 1 + d)` (eq. 2.25, 2.26)."""
        from scipy.linalg import solve_triangular

        k = covariance(self.inputs, inputs, self.theta)
        v = solve_triangular(self.lower, k, lower=True, check_finite=False)
        variance = math.exp(self.theta[0]) - (v**2).sum(axis=0)
        return k.T @ self.alpha, np.sqrt(np.maximum(variance, 0.0))

    def hallucinated(self, inputs: Floats) -> Posterior:
        """Return the process as if the values at inputs `(m, 1 + d)` had been its means.

        The mean stays and the variance shrinks there (Desautels et al. 2014, section 4.1).
        """
        mean, _ = self.at(inputs)
        return condition(np.vstack([self.inputs, inputs]), np.concatenate([self.y, mean]), self.theta)


def condition(inputs: Floats, y: Floats, theta: Floats) -> Posterior:
    """Return the process given values y `(n,)` at inputs `(n, 1 + d)`."""
    from scipy.linalg import cho_solve, cholesky

    k = covariance(inputs, inputs, theta) + math.exp(theta[3]) * np.eye(len(y))
    lower = cholesky(k, lower=True, check_finite=False)
    return Posterior(inputs, theta, lower, cho_solve((lower, True), y, check_finite=False), y)


def fit(inputs: Floats, y: Floats) -> Floats:
    """Return the hyperparameters `(4,)` of largest likelihood that a few fixed starts lead to."""
    from scipy.optimize import minimize

    between = distances(inputs, inputs)
    found = [
        minimize(
            negative_log_likelihood, np.log(start), args=(between, y), jac=True, method="L-BFGS-B",
            bounds=np.log(_BOUNDS), options={"maxiter": _ITERATIONS},
        )
        for start in _STARTS
    ]  # fmt: skip
    theta: Floats = min(found, key=lambda result: float(result.fun)).x
    return theta


def negative_log_likelihood(
    theta: Floats, between: tuple[Floats, Floats], y: Floats
) -> tuple[float, Floats]:
    """Return -log p(y | theta) (eq. 2.30) and its gradient `(4,)` (eq. 5.9).

    Args:
        theta: Hyperparameters `(4,)`.
        between: The `distances` of the inputs, two arrays `(n, n)`.
        y: Values `(n,)`.
    """
    from scipy.linalg.lapack import dpotri

    lags, squares = between
    _, length, epsilon, noise = np.exp(theta)
    k = _kernel(lags, squares, theta)
    lower = np.linalg.cholesky(k + noise * np.eye(len(y)))
    half = dpotri(lower, lower=True)[0]  # the lower triangle; half the time of solving for an identity
    inverse = half + np.tril(half, -1).T
    alpha = inverse @ y
    value = 0.5 * y @ alpha + np.log(np.diag(lower)).sum() + 0.5 * len(y) * math.log(2 * math.pi)
    weights = inverse - np.outer(alpha, alpha)
    by_k = weights * k
    slopes = [
        by_k.sum(),
        np.vdot(by_k, squares) / length**2,
        -np.vdot(by_k, lags) * epsilon / (2 * (1 - epsilon)),
        noise * np.trace(weights),
    ]
    return float(value), 0.5 * np.array(slopes)


def covariance(a: Floats, b: Floats, theta: Floats) -> Floats:
    """Return the covariances `(n, m)` of the function at inputs `(n, 1 + d)` and `(m, 1 + d)`."""
    return _kernel(*distances(a, b), theta)


def distances(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return |t - t'| and |x - x'|^2, each `(n, m)`, between inputs `(n, 1 + d)` and `(m, 1 + d)`."""
    x, z = a[:, 1:], b[:, 1:]
    squares = (x**2).sum(axis=1)[:, None] + (z**2).sum(axis=1) - 2 * x @ z.T
    return np.abs(a[:, :1] - b[:, 0]), np.maximum(squares, 0.0)


def _kernel(lags: Floats, squares: Floats, theta: Floats) -> Floats:
    log_variance, log_length, log_epsilon, _ = theta
    forgotten = 0.5 * math.log1p(-math.exp(log_epsilon))
    k: Floats = np.exp(log_variance + forgotten * lags - 0.5 * math.exp(-2 * log_length) * squares)
    return k
