"""Keeping, a variant of ROMUL that was measured: it is ROMUL but for the members that are kept."""

from __future__ import annotations

import numpy as np
import pytest

import hoptim
from hoptim.testing import OptimizerConformance, Row, population

pytest.importorskip("torch")
import romul_language


class TestKeeping(OptimizerConformance):
    """ROMUL whose best member continues as it is."""

    def make(self) -> hoptim.Optimizer:
        return romul_language.Keeping(keep=1)


def test_the_best_keep_their_hyperparameters_and_the_others_are_those_of_romul():
    """As many as are to be kept, with their own weights, hyperparameters and step size."""
    rows = [Row(n, n, 0, 0, [0.1 * n], float(-n), {"sigma": 0.1}) for n in range(8)]
    now = hoptim.View(hoptim.Space({"x": hoptim.Float(0.0, 1.0)}), 8, population(rows))
    for member in range(8):
        made, plain = (
            optimizer.propose(now, member, np.random.default_rng(1))
            for optimizer in (romul_language.Keeping(keep=3), hoptim.ROMUL())
        )
        if member >= 5:
            assert (made.parent, made.x.tolist(), made.memo) == (member, [0.1 * member], {"sigma": 0.1})
        else:
            assert (made.parent, made.x.tolist(), made.memo) == (plain.parent, plain.x.tolist(), plain.memo)
