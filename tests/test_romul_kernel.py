"""ROMUL's arithmetic: known numbers, one row like a whole population, mirrors at 0 and 1."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoptim.optimizers import _romul_kernel

BOUNDS = (1e-4, 0.5)

dyadic = st.integers(-(2**20), 2**20).map(lambda n: n / 1024)  # sums and differences are exact


@pytest.mark.parametrize(
    ("sigma", "z", "expected"),
    [
        (0.1, 0.0, 0.1),
        (0.1, 1.0, 0.12),
        (0.12, -1.0, 0.1),
        (0.1, 2.0, 0.144),
        (0.49, 1.0, 0.5),
        (1.1e-4, -1.0, 1e-4),
    ],
)
def test_adapt_by_hand(sigma, z, expected):
    """Sigma is multiplied by 1.2 to the power of z and clipped."""
    found = _romul_kernel.adapt(np.float64(sigma), math.log(1.2), z, BOUNDS)
    assert found == pytest.approx(expected, rel=1e-12)


@given(sigma=st.floats(1e-4, 0.5), tau=st.floats(0, 10), z=st.floats(-40, 40))
@settings(max_examples=60)
def test_adapt_stays_within_its_bounds(sigma, tau, z):
    """However far the normal number is out, sigma stays within the bounds."""
    assert BOUNDS[0] <= _romul_kernel.adapt(sigma, tau, z, BOUNDS) <= BOUNDS[1]


@given(sigma=st.floats(1e-4, 0.5), tau=st.floats(0, 10))
@settings(max_examples=30)
def test_adapt_keeps_sigma_without_a_deviation(sigma, tau):
    """A normal number of exactly 0 leaves sigma as it was, to the last bit."""
    assert _romul_kernel.adapt(sigma, tau, 0.0, BOUNDS) == sigma


@pytest.mark.parametrize(
    ("u", "sigma", "z", "expected"),
    [
        ([0.5, 0.5], 0.1, [1.0, -2.0], [0.6, 0.3]),
        ([0.95, 0.05], 0.1, [1.0, -1.0], [0.95, 0.05]),
        ([0.9, 0.2], 0.5, [2.0, -1.0], [0.1, 0.3]),
        ([1.0, 0.0], 0.25, [0.0, 0.0], [1.0, 0.0]),
    ],
)
def test_step_by_hand(u, sigma, z, expected):
    """A coordinate moves by sigma times its own normal number and is mirrored at 0 and 1."""
    found = _romul_kernel.step(np.array(u), np.float64(sigma), np.array(z))
    assert found == pytest.approx(expected, abs=1e-12)


def test_plain_floats_give_what_arrays_give():
    """A trial's own sigma and coordinates are, to the last bit, those of numpy over a whole population."""
    rng = np.random.default_rng(0)
    u, sigma = rng.random((64, 5)), rng.uniform(*BOUNDS, 64)
    z, normal = rng.standard_normal((64, 5)) * 5, rng.standard_normal(64)
    sigmas = np.minimum(np.maximum(sigma * np.exp(0.2 * normal), BOUNDS[0]), BOUNDS[1])
    moved = 1 - np.abs((u + sigma[:, np.newaxis] * z) % 2 - 1)
    for i in range(64):
        assert _romul_kernel.adapt(sigma.item(i), 0.2, normal.item(i), BOUNDS) == sigmas[i]
        each = zip(u[i].tolist(), z[i].tolist(), strict=True)
        assert [_romul_kernel.step(a, sigma.item(i), b) for a, b in each] == moved[i].tolist()


@pytest.mark.parametrize("z", [-9.0, 9.0])
def test_sigma_is_a_float_also_at_a_bound_that_is_a_whole_number(z):
    """What is recorded is a float, as the next trial's step size must be."""
    assert type(_romul_kernel.adapt(1.5, 1.0, z, (1, 2))) is float


def test_step_leaves_its_arguments_alone():
    """Neither the parent's coordinates nor the normal numbers are written to."""
    u, z = np.array([0.5, 0.9]), np.array([3.0, -9.0])
    _romul_kernel.step(u, np.float64(0.5), z)
    assert (u.tolist(), z.tolist()) == ([0.5, 0.9], [3.0, -9.0])


@pytest.mark.parametrize(
    ("u", "expected"),
    [
        (0.0, 0.0),
        (0.25, 0.25),
        (1.0, 1.0),
        (1.25, 0.75),
        (2.0, 0.0),
        (-0.25, 0.25),
        (-1.5, 0.5),
        (3.0, 1.0),
    ],
)
def test_reflect_by_hand(u, expected):
    """The triangle wave goes up from 0 to 1 and down again."""
    assert _romul_kernel.reflect(u) == expected


@given(u=dyadic, periods=st.integers(-1000, 1000))
@settings(max_examples=60)
def test_reflect_has_period_two_and_is_even(u, periods):
    """Two mirrors repeat after twice their distance, and 0 is one of them."""
    assert _romul_kernel.reflect(u) == _romul_kernel.reflect(u + 2 * periods) == _romul_kernel.reflect(-u)


@given(u=st.floats(0, 1))
@settings(max_examples=60)
def test_reflect_keeps_what_is_inside(u):
    """A coordinate in [0, 1] stays where it is, up to rounding."""
    assert _romul_kernel.reflect(u) == pytest.approx(u, abs=2**-53)


@given(u=st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=200)
def test_reflect_stays_inside_for_any_number(u):
    """Any finite number, however large or small, comes back into [0, 1]."""
    assert 0 <= _romul_kernel.reflect(u) <= 1
