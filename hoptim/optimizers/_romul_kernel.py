"""The arithmetic of ROMUL on arrays; draws nothing, so a test can pass its normals.

Everything broadcasts: a whole population, u `(n, d)` with sigma `(n,)`, or one row, u `(d,)` with a
scalar sigma. Symbols are those of Beyer & Schwefel 2002, 'Evolution strategies', section 4.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def adapt(sigma: ArrayLike, tau: float, z: ArrayLike, bounds: tuple[float, float]) -> Floats:
    """sigma' = clip(sigma exp(tau z), bounds), the log-normal self-adaptation of the step size."""
    low, high = bounds
    return np.minimum(np.maximum(np.multiply(sigma, np.exp(np.multiply(tau, z))), low), high)


def step(u: ArrayLike, sigma: ArrayLike, z: ArrayLike) -> Floats:
    """u' = reflect(u + sigma z): an isotropic Gaussian step that stays in [0, 1]."""
    return reflect(np.add(u, np.multiply(np.asarray(sigma)[..., np.newaxis], z)))


def reflect(u: ArrayLike) -> Floats:
    """u folded into [0, 1] by a triangle wave of period 2, as between two mirrors."""
    return np.subtract(1, np.abs(np.subtract(np.mod(u, 2), 1)))
