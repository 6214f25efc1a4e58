"""The contract of optimizers: ours keep it, and the class that checks it catches each way to break it."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
import random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from hoptim import (
    ROMUL,
    ArgumentError,
    Float,
    Initiator,
    Optimizer,
    OptimizerError,
    Population,
    Proposal,
    Space,
    TruncationSelection,
    View,
)
from hoptim.testing import OptimizerConformance, Row, population

OURS = [ROMUL, Initiator, TruncationSelection]


class BuiltIn(OptimizerConformance):
    """What our own optimizers keep besides the contract."""

    def test_is_rebuilt_from_its_description(self):
        """Its class and the settings read back from JSON make an equal optimizer."""
        settings = json.loads(json.dumps(self.make().describe()))
        assert settings.pop("name") == type(self.make()).__name__
        assert type(self.make())(**settings) == self.make()


class TestROMUL(BuiltIn):
    """ROMUL as it comes."""

    def make(self) -> Optimizer:
        return ROMUL()


class TestROMULWithOtherSettings(BuiltIn):
    """ROMUL with large steps."""

    def make(self) -> Optimizer:
        return ROMUL(0.5, step=0.4, rate=2.0, bounds=(1e-3, 0.4), resample_choice=1.0, burn_in=2)


class TestInitiator(BuiltIn):
    """Initiator as it comes."""

    def make(self) -> Optimizer:
        return Initiator()


class TestInitiatorWithOtherSettings(BuiltIn):
    """Initiator with large factors."""

    def make(self) -> Optimizer:
        return Initiator(factors=(0.1, 10.0), resample=0.0, burn_in=2)


class TestTruncationSelection(BuiltIn):
    """Truncation selection as it comes."""

    def make(self) -> Optimizer:
        return TruncationSelection()


class TestTruncationSelectionWithOtherSettings(BuiltIn):
    """Truncation selection of half."""

    def make(self) -> Optimizer:
        return TruncationSelection(fraction=0.5, factors=(0.1, 10.0), resample=1.0, burn_in=1)


@dataclass(frozen=True)
class Twisted(Optimizer):
    """Keeps the contract but for one twist, which is found by its name."""

    twist: str = "none"

    def propose(self, view, member, rng):
        return TWISTS[self.twist](Initiator().propose(view, member, rng), view, member, rng)


@dataclass
class Thawed(Twisted):  # type: ignore[misc]
    """Can be changed."""


Thawed.__dataclass_params__ = replace_params = None  # type: ignore
def view(steps: list[int], size: int | None = None, start: Any = ()) -> View:
    """A view of members that have finished these steps."""
    rows = [Row(i, i, step, 0, [0.5], 1.0) for i, step in enumerate(steps)]
    return View(Space({"x": Float(0.0, 1.0)}), size or len(steps), population(rows), start)


@pytest.mark.parametrize(
    ("steps", "size", "expected"),
    [
        ([0], 1, False),
        ([0, 0], 2, True),
        ([0], 2, False),
        ([0, 0], 3, True),
        ([0, 0], 4, True),
        ([0, 0], 5, False),
        ([0, 0, 0], 5, True),
        ([3, 2, 2, 2], 4, False),
        ([3, 3, 2, 2], 4, True),
        ([2, 3, 3], 3, True),
    ],
)
def test_half_of_the_members_must_have_finished_the_step(steps, size, expected):
    """Nobody exploits before half of the members, and at least two, have finished the asker's step."""
    assert view(steps, size).may_exploit(0, burn_in=0) is expected


@pytest.mark.parametrize(("burn_in", "expected"), [(0, True), (3, True), (4, False), (10, False)])
def test_trials_of_the_first_steps_do_not_exploit(burn_in, expected):
    """The trial of step s may exploit from s = burn_in on: after step 2 that of step 3 is asked for."""
    assert view([2, 2]).may_exploit(0, burn_in) is expected


@pytest.mark.parametrize(("member", "expected"), [(0, 0.25), (1, None), (2, None)])
def test_first_trials_start_where_told(member, expected):
    """The first members take their start entries, further ones and empty entries a draw."""
    drawn = view([]).space.draw(np.random.default_rng(0)).tolist()
    found = view([], size=3, start=[{"x": 0.25}, {}]).first(member, np.random.default_rng(0))
    assert found.tolist() == ([expected] if expected else drawn)


def test_history_and_running_are_made_once_and_only_when_read():
    """The view asks for them when an optimizer first reads them, and keeps them."""
    asked = []

    def gather() -> Population:
        asked.append(1)
        return Population.empty()

    made = dataclasses.replace(view([0]), _history=gather, _running=gather)
    assert asked == []
    assert made.history is made.history
    assert made.running is made.running
    assert len(asked) == 2


@pytest.mark.parametrize("kind", OURS)
def test_description_has_name_and_settings(kind):
    """An optimizer is described by its class's name and each of its settings."""
    names = [field.name for field in dataclasses.fields(kind)]
    assert list(kind().describe()) == ["name", *names]


@pytest.mark.parametrize("kind", [TruncationSelection, ROMUL])
@pytest.mark.parametrize("fraction", [0, -0.1, 0.51, math.nan, True, "0.2", None])
def test_bad_fractions_are_refused(kind, fraction):
    """More than half cannot donate to the rest, and nobody donates to nobody."""
    with pytest.raises(ArgumentError, match=rf"{kind.__name__}: fraction must be .* to 0.5, found"):
        kind(fraction=fraction)


@pytest.mark.parametrize(
    ("kind", "setting"),
    [(TruncationSelection, "resample"), (Initiator, "resample"), (ROMUL, "resample_choice")],
)
@pytest.mark.parametrize("value", [-0.01, 1.01, math.nan, False])
def test_bad_probabilities_are_refused(kind, setting, value):
    """A probability is a number from 0 to 1."""
    with pytest.raises(ArgumentError, match=f"{kind.__name__}: {setting} must be a number from 0 to 1"):
        kind(**{setting: value})


@pytest.mark.parametrize("kind", OURS)
@pytest.mark.parametrize("burn_in", [-1, math.nan, math.inf, "2", True])
def test_a_bad_burn_in_is_refused(kind, burn_in):
    """The steps without exploits are counted from 0 and end."""
    with pytest.raises(ArgumentError, match=f"{kind.__name__}: burn_in must be"):
        kind(burn_in=burn_in)


@pytest.mark.parametrize("kind", [TruncationSelection, Initiator])
@pytest.mark.parametrize(
    "factors",
    [1.2, (1.2,), (0.8, 1.0, 1.2), (0.0, 1.2), (-1.0, 1.2), (1.0, math.inf), (1.0, math.nan), "ab"],
)
def test_bad_factors_are_refused(kind, factors):
    """Factors are two finite numbers above 0."""
    with pytest.raises(ArgumentError, match=f"{kind.__name__}: factors must be two finite numbers above 0"):
        kind(factors=factors)


@pytest.mark.parametrize(
    "settings",
    [
        {"step": 0.0}, {"step": 1.0}, {"bounds": (0.2, 0.5)}, {"bounds": (0.5, 0.1)}, {"bounds": 0.5},
        {"bounds": (0.0, 0.5)}, {"rate": -0.1}, {"rate": math.nan}, {"rate": math.inf},
    ],
)  # fmt: skip
def test_bad_step_sizes_are_refused(settings):
    """The first step size lies within its bounds, and its rate is a finite number."""
    with pytest.raises(ArgumentError, match="ROMUL: (step|bounds|rate) must be"):
        ROMUL(**settings)


def test_settings_read_from_json_are_equal():
    """A pair given as a list is kept as a tuple, so a recorded optimizer equals the one written."""
    pair: Any = [0.8, 1.25]
    assert Initiator(factors=pair) == Initiator(factors=(0.8, 1.25))
    assert hash(Initiator(factors=pair)) == hash(Initiator())
