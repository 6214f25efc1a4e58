"""Arithmetic of ROMUL for one trial; the normal numbers z are arguments, so a test can choose them.

The symbols are those of Beyer & Schwefel 2002, 'Evolution strategies', section 4.2, with primes for
the child; u is a coordinate in [0, 1] and sigma is in the same unit. That the step is reflected at the
bounds and that sigma is bounded is our reconstruction.
"""

from __future__ import annotations

import numpy as np


def adapt(sigma: float, tau: float, z: float, bounds: tuple[float, float]) -> float:
    """Return sigma' = clip(sigma exp(tau z), bounds): log-normal self-adaptation of the step size."""
    low, high = bounds
    return float(min(max(sigma * float(np.exp(tau * z)), low), high))  # math.exp may differ in the last bit


def step(u: float, sigma: float, z: float) -> float:
    """Return u' = reflect(u + sigma z): an isotropic Gaussian step that stays in [0, 1]."""
    return reflect(u + sigma * z)


def reflect(u: float) -> float:
    """Return 1 - |(u mod 2) - 1|: the triangle wave of period 2 that mirrors u at 0 and 1."""
    return 1 - abs(u % 2 - 1)
