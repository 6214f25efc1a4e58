"""The contract of optimizers: ours keep it, and the class that checks it catches each way to break it."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from hoptim import (
    ASHA,
    ROMUL,
    ArgumentError,
    Fixed,
    Float,
    Initiator,
    MixedHorizon,
    MultiFrequency,
    Optimizer,
    OptimizerError,
    Patient,
    Population,
    Proposal,
    RandomSearch,
    Space,
    TruncationSelection,
    View,
)
from hoptim.testing import OptimizerConformance, Row, population

Twist = Callable[..., Any]
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


class TestMultiFrequency(BuiltIn):
    """Sub-populations, some of which evolve after each step."""

    def make(self) -> Optimizer:
        return MultiFrequency(frequencies=(1, 2), resample=0.5)


class TestMixedHorizon(BuiltIn):
    """Two halves, one of which decides after each step."""

    def make(self) -> Optimizer:
        return MixedHorizon()


class TestPatient(OptimizerConformance):
    """Few decisions of ROMUL."""

    def make(self) -> Optimizer:
        return Patient(decisions=2)


class TestPatientWithAnotherOptimizer(TestPatient):
    """Many decisions of an optimizer without memos."""

    def make(self) -> Optimizer:
        return Patient(TruncationSelection(), decisions=100)


class TestRandomSearch(BuiltIn):
    """Random search as it comes."""

    rescues = False

    def make(self) -> Optimizer:
        return RandomSearch()


class TestRandomSearchWithALength(TestRandomSearch):
    """Random search whose members begin anew every other trial."""

    def make(self) -> Optimizer:
        return RandomSearch(length=2)


class TestASHA(BuiltIn):
    """ASHA with a rung after each trial."""

    rescues = False

    def make(self) -> Optimizer:
        return ASHA(max_resource=3, reduction_factor=2)


class TestASHAWithOtherSettings(TestASHA):
    """ASHA with later rungs."""

    def make(self) -> Optimizer:
        return ASHA(max_resource=7, min_resource=2, reduction_factor=3)


class TestFixed(BuiltIn):
    """A schedule of two intervals, some of its values not to be had from coordinates to the last bit."""

    rescues = False
    draws = False

    def make(self) -> Optimizer:
        first = {"lr": 0.003, "layers": 3, "act": "tanh", "norm": "none", "width": 64}
        return Fixed([first, {**first, "lr": 0.0007, "act": "relu"}])

    def spaces(self) -> list[Space]:
        mixed = super().spaces()[0].dimensions
        return [Space({name: mixed[name] for name in ("lr", "layers", "act", "norm", "width")})]


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
    """Keeps the contract but for one twist, found by its name."""

    twist: str = "none"

    def propose(self, view, member, rng):
        return TWISTS[self.twist](self, Initiator().propose(view, member, rng), view, member, rng)


@dataclass
class Thawed(Optimizer):
    """Its settings can be changed."""

    share: float = 0.25

    def propose(self, view, member, rng):
        return Initiator().propose(view, member, rng)


@dataclass(frozen=True)
class Opaque(Twisted):
    """Has a setting that JSON does not know."""

    other: Any = object


class Vague(Twisted):
    """Describes itself by what JSON turns into something else."""

    def describe(self) -> dict[str, Any]:
        return {"name": "Vague", "factors": (0.8, 1.25)}


class Unequal(Twisted):
    """Equals nothing but itself."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__


class Locked(Twisted):
    """Cannot be sent anywhere."""

    def __reduce__(self):
        raise TypeError("it holds a lock")


calls: list[int] = []


def counts(optimizer, p, view, member, rng):
    calls.append(1)
    return replace(p, memo=len(calls))


def remembers(optimizer, p, view, member, rng):
    object.__setattr__(optimizer, "last", p)
    return p


def seeds_numpy(optimizer, p, view, member, rng):
    np.random.seed(0)  # noqa: NPY002 - the fault to find
    return p


def uses_random(optimizer, p, view, member, rng):
    random.random()
    return p


def writes_losses(optimizer, p, view, member, rng):
    view.population.loss.setflags(write=True)
    view.population.loss[:] = 0.25
    return p


def writes_memos(optimizer, p, view, member, rng):
    for memo in view.population.memo:
        memo["seen"] = True
    return replace(p, memo={})


def keeps_own(optimizer, p, view, member, rng):
    row = view.population.row(member)
    return p if row is None else replace(p, parent=int(view.population.number[row]))


def gives_up_failures(optimizer, p, view, member, rng):
    row = view.population.row(member)
    failed = row is not None and not view.population.healthy[row]
    return Proposal(None, view.space.draw(rng)) if failed else p


def oldest(view):
    past = view.history
    return int(past.number[past.healthy][0])


def first_of_equals(optimizer, p, view, member, rng):
    now = view.population
    if p.parent is None:
        return p
    row = int(np.argmin(np.where(now.healthy, now.loss, np.inf)))
    return Proposal(int(now.number[row]), now.x[row])


def child(change: Twist) -> Twist:
    """A twist of proposals that have a parent."""
    return lambda o, p, view, member, rng: p if p.parent is None else replace(p, **change(p, view, rng))


def fresh(change: Twist) -> Twist:
    """A twist of proposals that have none."""
    return lambda o, p, view, member, rng: (
        p if p.parent is not None else replace(p, x=change(view, member, rng))
    )


def first(change: Twist) -> Twist:
    """A twist of first trials."""
    return lambda o, p, view, member, rng: p if len(view.population) else replace(p, **change(view, rng))


def always(change: Twist) -> Twist:
    """A twist of all proposals."""
    return lambda o, p, view, member, rng: replace(p, **change(p, view))


TWISTS: dict[str, Twist] = {
    "none": lambda o, p, view, member, rng: p,
    "draws of its own": always(lambda p, view: {"x": view.space.draw(np.random.default_rng())}),
    "counts calls": counts,
    "remembers": remembers,
    "seeds numpy": seeds_numpy,
    "uses random": uses_random,
    "writes losses": writes_losses,
    "writes memos": writes_memos,
    "too large": always(lambda p, view: {"x": p.x + 0.5}),
    "nan": always(lambda p, view: {"x": p.x * np.nan}),
    "too short": always(lambda p, view: {"x": p.x[1:]}),
    "a list": always(lambda p, view: {"x": p.x.tolist()}),
    "single precision": always(lambda p, view: {"x": p.x.astype(np.float32)}),
    "between choices": always(lambda p, view: {"x": np.where(view.space.switched, 0.5, p.x)}),
    "other params": always(lambda p, view: {"params": view.space.decode(1 - p.x // 1)}),
    "an older parent": child(lambda p, view, rng: {"parent": oldest(view)}),
    "unknown parent": child(lambda p, view, rng: {"parent": 10**6}),
    "numpy parent": child(lambda p, view, rng: {"parent": np.int64(p.parent)}),
    "keeps its own": keeps_own,
    "counts -inf": always(lambda p, view: {"memo": int(np.sum(view.population.loss == -np.inf))}),
    "gives up failures": gives_up_failures,
    "fresh from start": fresh(lambda view, member, rng: view.first(member, rng)),
    "fresh from init": fresh(lambda view, member, rng: view.space.first(rng)),
    "rebuilds": child(lambda p, view, rng: {"x": view.space.draw(rng)}),
    "first of equals": first_of_equals,
    "a tuple": always(lambda p, view: {"memo": (1, 2)}),
    "nan in memo": always(lambda p, view: {"memo": {"sigma": math.nan}}),
    "ignores init": first(lambda view, rng: {"x": view.space.draw(rng)}),
    "ignores start": first(lambda view, rng: {"x": view.space.first(rng)}),
    "first has parent": first(lambda view, rng: {"parent": 0}),
}
BROKEN: list[tuple[str, type[Twisted] | type[Thawed] | str, str]] = [
    ("is_frozen_and_described_by_json", Thawed, "must be a frozen dataclass"),
    ("is_frozen_and_described_by_json", Opaque, "must be plain JSON values"),
    ("is_frozen_and_described_by_json", Vague, r"describe\(\) must give plain JSON"),
    ("pickles", Unequal, "must pickle to an equal object"),
    ("pickles", Locked, "it holds a lock"),
    ("is_a_function_of_its_arguments", "draws of its own", "Purity: the same arguments"),
    ("is_a_function_of_its_arguments", "counts calls", "Purity: the same arguments"),
    ("changes_nothing", "remembers", r"Purity: \['its attributes'\] must stay"),
    ("changes_nothing", "seeds numpy", r"Purity: \['global generators'\] must stay"),
    ("changes_nothing", "uses random", r"Purity: \['global generators'\] must stay"),
    ("changes_nothing", "writes losses", r"Purity: \['the view'\] must stay"),
    ("changes_nothing", "writes memos", r"Purity: \['the view'\] must stay"),
    ("stays_in_bounds", "too large", r"Bounds: x must be in \[0, 1\]"),
    ("stays_in_bounds", "nan", r"Bounds: x must be in \[0, 1\]"),
    ("stays_in_bounds", "too short", "Bounds: x must be an array of 7 floats"),
    ("stays_in_bounds", "a list", "Bounds: x must be an array of 7 floats"),
    ("stays_in_bounds", "single precision", "Bounds: x must be an array of 7 floats"),
    ("stays_in_bounds", "between choices", "Bounds: the coordinate of a Choice"),
    ("stays_in_bounds", "other params", "Bounds: x must be the coordinates of params"),
    ("parents_are_healthy", "unknown parent", "Parents: .*parent=1000000"),
    ("parents_are_healthy", "an older parent", "Parents: must be None or the number"),
    ("parents_are_healthy", "numpy parent", r"Parents: .*parent=np.int64\("),
    ("parents_are_healthy", "keeps its own", "Parents: must be None or the number"),
    ("ties_keep_their_own_weights", "first of equals", "Ties: an equal's weights must not be copied"),
    ("failures_are_all_alike", "counts -inf", "Failures: must not differ from a loss of"),
    ("failed_members_are_rescued", "gives up failures", "Failures: a member must be rescued"),
    ("draws_anew_when_nobody_is_healthy", "keeps its own", "Failures: there must be no parent, found 0"),
    ("draws_anew_when_nobody_is_healthy", "fresh from start", "Failures: if no trial is healthy, all must"),
    ("draws_anew_when_nobody_is_healthy", "fresh from init", "Failures: if no trial is healthy, all must"),
    ("inherited_dimensions_stay", "rebuilds", "Bounds: inherited must stay"),
    ("order_of_rows_carries_no_meaning", "first of equals", "Order: rows in another order"),
    ("memos_are_plain_json", "a tuple", "Memory: it must be JSON"),
    ("memos_are_plain_json", "nan in memo", "Memory: it must be JSON"),
    ("first_trials_honour_start_and_init", "ignores init", "First: trials must hold"),
    ("first_trials_honour_start_and_init", "ignores start", "First: trials must hold"),
    ("first_trials_honour_start_and_init", "first has parent", "First: there must be no parent yet"),
]
CHECKS = [name for name, _ in inspect.getmembers(OptimizerConformance) if name.startswith("test_")]


def conformance(kind: type[Optimizer] | str) -> OptimizerConformance:
    """The checks for a class of optimizers, or for a twist."""

    class Conformance(OptimizerConformance):
        def make(self) -> Optimizer:
            return Twisted(kind) if isinstance(kind, str) else kind()

    return Conformance()


@pytest.mark.parametrize(("check", "kind", "message"), BROKEN)
def test_a_broken_optimizer_is_caught(check, kind, message):
    """Each way to break the contract fails the check of its clause, and the message says which."""
    errors = (OptimizerError, TypeError) if isinstance(kind, type) else ()
    with pytest.raises((AssertionError, *errors), match=message):
        getattr(conformance(kind), f"test_{check}")()


@pytest.mark.parametrize("check", CHECKS)
def test_without_a_twist_each_check_passes(check):
    """The optimizer behind the twists is sound, so it is the twist that is caught."""
    getattr(conformance("none"), check)()


def test_each_check_catches_something():
    """No check of the conformance class is without an optimizer that fails it."""
    assert sorted({f"test_{check}" for check, _, _ in BROKEN}) == CHECKS


def test_each_twist_is_caught():
    """No twist is left out of the table."""
    assert {kind for _, kind, _ in BROKEN if isinstance(kind, str)} == TWISTS.keys() - {"none"}


def test_the_base_class_is_not_collected_and_asks_for_make():
    """pytest passes the base class over by its name, and a subclass without `make` is told so."""
    assert not OptimizerConformance.__name__.startswith("Test")
    with pytest.raises(NotImplementedError):
        OptimizerConformance().make()


def test_each_check_has_a_sentence():
    """Each check says in its docstring what it checks."""
    for check in CHECKS:
        assert (inspect.getdoc(getattr(OptimizerConformance, check)) or "").endswith(".")


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


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, object()])
def test_settings_that_are_no_json_are_refused(value):
    """A setting that JSON cannot hold exactly is refused when the optimizer is described."""
    with pytest.raises(OptimizerError, match=r"The settings of Opaque\(.* must be plain JSON values"):
        Opaque(other=value).describe()


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
    with pytest.raises(ArgumentError, match=r"ROMUL: (step|bounds|rate) must be"):
        ROMUL(**settings)


def test_settings_read_from_json_are_equal():
    """A pair given as a list is kept as a tuple, so a recorded optimizer equals the one written."""
    pair = [0.8, 1.25]
    assert Initiator(factors=pair) == Initiator(factors=(0.8, 1.25))
    assert hash(Initiator(factors=pair)) == hash(Initiator())
