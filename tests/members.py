"""Members that have told given losses, for tests of optimizers, and how often a choice is made evenly."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from hoptim import Choice, Float, Space, View
from hoptim.testing import Row, population

PLAIN = Space({"x": Float(0.5, 50.0), "c": Choice(["a", "b", "c"])})
BEGUN = Space({"x": Float(0.5, 50.0, init=7.0), "c": Choice(["a", "b", "c"], init="b")})


def view(losses: Sequence[float], step: int = 0, size: int | None = None, space: Space = PLAIN) -> View:
    """Members that have told these losses; member i is at x = 2 + i and took trial 10 + i."""
    rows = [
        Row(10 + i, i, step, step, space.encode({"x": 2.0 + i, "c": "b"}).tolist(), loss)
        for i, loss in enumerate(losses)
    ]
    return View(space, size or len(losses), population(rows))


def evenly(n: int, odds: float) -> object:
    """A count of n tries at these odds, give or take five standard errors."""
    return pytest.approx(n * odds, abs=5 * math.sqrt(n * odds * (1 - odds)))
