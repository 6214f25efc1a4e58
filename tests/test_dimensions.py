"""One hyperparameter: exact round trips, bounds that hold, factors that always move, bad bounds refused."""

import copy
import json
import math
import sys
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from hoptim import Choice, Dimension, Float, Int, Ordinal, Space, SpaceError

LARGEST = 2**40
coordinates = st.floats(0, 1)
factors = st.one_of(st.sampled_from([0.5, 0.8, 0.999, 1.001, 1.25, 2.0]), st.floats(1e-6, 1e6))
finite = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.one_of(st.text(max_size=3), st.integers(), finite, st.booleans(), st.none())
lists = st.lists(scalars, min_size=1, max_size=12, unique_by=lambda v: (type(v) is str, v))


@st.composite
def float_dimensions(draw):
    """A Float of any range that it accepts: tiny, huge, negative, subnormal, logarithmic."""
    log, low = draw(st.booleans()), draw(finite)
    high = draw(st.one_of(finite, st.just(math.nextafter(low, math.inf))))
    assume(low < high and math.isfinite(high - low))
    if log:
        assume(low > 0 and math.log(low) < math.log(high) and high < 1e308)
    return Float(low, high, log=log)


@st.composite
def int_dimensions(draw):
    """An Int of any range that it accepts, often of two or three values."""
    log = draw(st.booleans())
    low = draw(st.integers(1 if log else -LARGEST, LARGEST - 1))
    width = draw(st.one_of(st.integers(1, 3), st.integers(1, 2 * LARGEST)))
    return Int(low, min(low + width, LARGEST), log=log)


numeric = st.one_of(float_dimensions(), int_dimensions())
listed = st.builds(lambda kind, values: kind(values), st.sampled_from([Choice, Ordinal]), lists)


def close(dimension: Float, value: float) -> Any:
    """What a Float can be expected to keep of a value: relative in log, else of the larger bound."""
    largest = value if dimension.log else max(abs(dimension.low), abs(dimension.high))
    return pytest.approx(value, rel=0, abs=max(1e-12 * abs(largest), 5e-324))


def scaled(dimension: Dimension, u: float, factor: float) -> Any:
    """The value after a factor, for those that a factor moves."""
    moved = dimension.scale(u, factor)
    assert moved is not None
    return dimension.decode(moved)


@given(dimension=float_dimensions(), u=coordinates)
@settings(max_examples=150)
def test_float_round_trip_is_close(dimension, u):
    """A Float's value survives encoding and decoding up to rounding."""
    value = dimension.decode(u)
    assert dimension.decode(dimension.encode(value)) == close(dimension, value)


@given(dimension=int_dimensions(), data=st.data())
@settings(max_examples=150)
def test_int_round_trip_is_exact(dimension, data):
    """Each whole number within the bounds survives encoding and decoding, up to 2**40 and in log."""
    value = data.draw(st.integers(dimension.low, dimension.high))
    for each in (value, dimension.low, dimension.high):
        assert dimension.decode(dimension.encode(each)) == each


@given(kind=st.sampled_from([Choice, Ordinal]), values=lists)
@settings(max_examples=60)
def test_listed_round_trip_is_exact(kind, values):
    """Each value of a list comes back as the very object that was given, and is its own name."""
    dimension = kind(values)
    for value in values:
        u = dimension.encode(value)
        assert dimension.decode(u) is value
        assert dimension.name(u) is value


@pytest.mark.parametrize("size", [1, 2, 3, 7, 49, 99, 1000])
def test_ordinals_of_any_length_round_trip(size):
    """No rounding of cells merges two neighbours, however many there are."""
    dimension = Ordinal(range(size))
    assert [dimension.decode(dimension.encode(i)) for i in range(size)] == list(range(size))


@pytest.mark.parametrize("kind", [Choice, Ordinal])
def test_mapped_objects_come_back_themselves(kind):
    """A mapping hands out the caller's own objects and records their names."""
    objects = {"relu": object(), "sizes": (3, 3), "table": np.zeros(2)}
    dimension = kind(objects)
    for name, value in objects.items():
        u = dimension.encode(name)
        assert dimension.decode(u) is value
        assert (dimension.name(u), dimension.named(name)) == (name, value)


@pytest.mark.parametrize("kind", [Choice, Ordinal])
@pytest.mark.parametrize(
    ("objects", "value", "name"),
    [
        ({"a": np.zeros(2), "b": np.ones(2)}, None, "b"),
        ({"a": np.float32(0.1), "b": np.float32(0.2)}, None, "b"),
        ({"small": 1000, "large": 2000}, int("2000"), "large"),
        ({"a": "x", "b": "y"}, "y", "b"),
    ],
)
def test_mapped_objects_are_found_again(kind, objects, value, name):
    """A mapped object encodes to its own name: arrays, names of others, numbers equal to one."""
    dimension = kind(objects)
    assert dimension.record(objects[name] if value is None else value) == name


@given(dimension=numeric, u=coordinates, moves=st.lists(factors, max_size=30))
@settings(max_examples=150)
def test_no_number_of_factors_leaves_the_bounds(dimension, u, moves):
    """Any coordinate decodes within the bounds, and so does whatever factors make of it."""
    for factor in moves:
        assert dimension.low <= dimension.decode(u) <= dimension.high
        moved = dimension.scale(u, factor)
        u = dimension.draw(0.5) if moved is None else moved
        assert 0 <= u <= 1
    assert dimension.low <= dimension.decode(u) <= dimension.high


@given(dimension=numeric)
@example(dimension=Float(1e-4, 1e-1, log=True))
@settings(max_examples=60)
def test_the_ends_of_the_coordinate_are_the_bounds(dimension):
    """0 and 1 stand for exactly low and high, also in log, where exp and log alone would miss them."""
    assert (dimension.decode(0.0), dimension.decode(1.0)) == (dimension.low, dimension.high)


@pytest.mark.parametrize(
    ("low", "high", "log"),
    [
        (1.0, math.nextafter(1.0, 2.0), False),
        (-1e300, 1e300, False),
        (0.0, 5e-324, False),
        (5e-324, 1.0, True),
        (5e-324, 1e-323, True),
        (2.0, sys.float_info.max, True),
        (1.9273494899250236e-39, sys.float_info.max, True),
    ],
)
def test_extreme_floats_decode_within_their_bounds(low, high, log):
    """Ranges at the edge of what a float can hold stay within their bounds at 0, 1 and between."""
    dimension = Float(low, high, log=log)
    values = [dimension.decode(u) for u in (0.0, 5e-324, 0.5, 1 - 2**-53, 1.0)]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (low, high)


@given(dimension=float_dimensions(), u=coordinates, factor=factors)
@settings(max_examples=150)
def test_a_factor_multiplies_the_value(dimension, u, factor):
    """A Float's decoded value, not its log nor its coordinate, is multiplied, then clipped."""
    value = dimension.decode(u)
    assume(value != 0)
    expected = min(max(value * factor, dimension.low), dimension.high)
    assert scaled(dimension, u, factor) == close(dimension, expected)


@pytest.mark.parametrize(
    ("dimension", "value", "factor", "expected"),
    [
        (Float(0.0, 1.0), 0.5, 0.8, 0.4),
        (Float(0.0, 1.0), 0.9, 1.25, 1.0),
        (Float(1e-4, 1e-1, log=True), 1e-3, 1.25, 1.25e-3),
        (Float(-2.0, 2.0), -1.0, 1.25, -1.25),
        (Float(-2.0, 2.0), -1.9, 1.25, -2.0),
        (Float(-4.0, -2.0), -2.2, 0.8, -2.0),
        (Int(1, 100), 50, 1.25, 63),
        (Int(1, 100), 10, 0.8, 8),
        (Int(1, 100), 2, 1.25, 3),
        (Int(1, 100), 2, 0.8, 1),
        (Int(1, 100), 1, 0.8, 1),
        (Int(1, 100), 100, 1.25, 100),
        (Int(-5, 5), 1, 0.8, 0),
        (Int(-5, 5), -1, 0.8, 0),
        (Int(-5, 5), -1, 1.25, -2),
        (Int(-5, 5), -5, 1.25, -5),
        (Int(-5, -2), -2, 0.8, -2),
        (Int(1, 2**40, log=True), 2**40, 0.5, 2**39),
        (Int(1, 8), 4, 1.0, 4),
    ],
)
def test_factors_by_hand(dimension, value, factor, expected):
    """The rule in numbers: multiply, round, move whole numbers by one at least, clip."""
    assert scaled(dimension, dimension.encode(value), factor) == pytest.approx(expected, rel=1e-12)


@given(dimension=int_dimensions(), at=coordinates, factor=factors.filter(lambda factor: factor != 1))
@example(dimension=Int(-2, -1), at=1.0, factor=0.5)
@settings(max_examples=150)
def test_ints_always_move(dimension, at, factor):
    """A factor above 1 takes an Int away from 0, one below towards it, unless a bound is in the way."""
    value = dimension.decode(at)
    assume(value != 0)
    found = scaled(dimension, at, factor)
    if (factor > 1) == (value > 0):
        assert found > value or found == value == dimension.high
    else:
        assert found < value or found == value == dimension.low


@pytest.mark.parametrize("dimension", [Float(-1.0, 1.0), Float(0.0, 1.0), Int(-5, 5), Int(0, 3)])
def test_zero_is_drawn_anew(dimension):
    """A value of exactly 0, which no factor would move, asks for a fresh draw."""
    assert dimension.scale(dimension.encode(0), 1.25) is None


def test_ordinals_move_to_their_neighbours():
    """A factor above 1 takes the next value, one below the previous, and the ends stay put."""
    dimension = Ordinal(["xs", "s", "m", "l"])
    cells = [dimension.encode(value) for value in dimension.values]
    assert [scaled(dimension, u, 1.25) for u in cells] == ["s", "m", "l", "l"]
    assert [scaled(dimension, u, 0.8) for u in cells] == ["xs", "xs", "s", "m"]


def test_an_ordinal_zero_moves_like_any_other():
    """An Ordinal's values are not multiplied, so 0 among them is no trap and is not drawn anew."""
    dimension = Ordinal([0, 10, 20])
    assert scaled(dimension, dimension.encode(0), 1.25) == 10


def test_choices_do_not_move_by_factors():
    """A Choice has no order, so a factor leaves it alone."""
    dimension = Choice(["a", "b", "c"])
    assert [dimension.scale(u, 1.25) for u in (0.0, 1.0, 2.0)] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    "dimension", [Int(1, 5), Int(-2, 2), Ordinal([1, 2, 4, 8]), Choice(["a", "b", "c"])]
)
def test_draws_are_even_over_values(dimension):
    """Evenly spread uniforms hit each value equally often, the first and the last included."""
    n = len(getattr(dimension, "values", range(5)))
    drawn = Counter(dimension.decode(dimension.draw((i + 0.5) / (n * 50))) for i in range(n * 50))
    assert sorted(drawn.values()) == [50] * n


@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2**-53])
@pytest.mark.parametrize("size", [1, 2, 3, 10, 1000])
def test_draws_at_the_ends_are_values(uniform, size):
    """The smallest and the largest uniform number give a value too."""
    for dimension in (Choice(range(size)), Ordinal(range(size))):
        assert dimension.decode(dimension.draw(uniform)) == int(uniform * size)


@pytest.mark.parametrize("dimension", [Float(1e-4, 1.0, log=True), Int(1, 1000, log=True)])
def test_logarithmic_draws_are_even_in_the_logarithm(dimension):
    """Half of all draws lie below the geometric mean of the coordinate's two ends."""
    margin = 0.5 if isinstance(dimension, Int) else 0.0
    middle = math.sqrt((dimension.low - margin) * (dimension.high + margin))
    assert dimension.decode(dimension.draw(0.4)) < middle < dimension.decode(dimension.draw(0.6))


@given(u=coordinates, dimension=st.one_of(numeric, listed.filter(lambda d: d.ordered)))
@settings(max_examples=60)
def test_draws_keep_the_unrounded_coordinate(u, dimension):
    """An ordered draw is the uniform number itself, so small steps from it are not lost."""
    assert dimension.draw(u) == u


@given(u=coordinates)
@settings(max_examples=30)
def test_numbers_are_plain(u):
    """Values are exactly float and int, also when bounds and init came from numpy."""
    real = Float(np.float32(0.5), np.int64(2), init=np.float64(1.0))
    whole = Int(np.int32(1), np.float64(9.0), init=np.int64(3))
    assert {type(v) for v in (real.decode(u), real.low, real.high, real.init)} == {float}
    assert {type(v) for v in (whole.decode(u), whole.low, whole.high, whole.init)} == {int}


def test_other_numbers_are_bounds_too():
    """Fractions and decimals stand for their values."""
    assert Float(Fraction(1, 4), Decimal("0.5")) == Float(0.25, 0.5)


def test_numpy_scalars_encode_like_their_values():
    """A value out of a numpy array is found among listed values."""
    assert Choice([1, 2]).encode(np.int64(2)) == 1.0
    assert Ordinal(["a", "b"]).record(np.str_("b")) == "b"


@pytest.mark.parametrize("value", [0.1, 1e-3, 0.7, 1 / 3])
@pytest.mark.parametrize("log", [False, True])
def test_an_init_is_kept_as_given(value, log):
    """An init shows the number that the caller wrote, not one that went through a logarithm."""
    assert Float(1e-4, 1.0, log=log, init=value).init == value


@given(low=st.floats(1e-6, 1), ratio=st.floats(1.1, 1e6), at=coordinates, log=st.booleans())
@settings(max_examples=100)
def test_an_init_survives_json(low, ratio, at, log):
    """A dimension read back from its JSON has the very same init."""
    dimension = Float(low, low * ratio, log=log, init=low + at * (low * ratio - low))
    settings_ = json.loads(json.dumps(dimension.to_json()))
    settings_.pop("type")
    assert Float(**settings_) == dimension


@pytest.mark.parametrize(
    ("dimension", "init"),
    [
        (Float(0.0, 1.0, init=1), 1.0),
        (Int(1, 8, init=8), 8),
        (Choice(["a", "b"], init="b"), "b"),
        (Ordinal([1, 2], init=1), 1),
        (Choice({"pair": (1, 2), "one": 1}, init="pair"), (1, 2)),
        (Float(0.0, 1.0), None),
    ],
)
def test_init_is_a_value(dimension, init):
    """`init` reads back as a value, a mapped one as the object behind its name."""
    assert dimension.init == init


@pytest.mark.parametrize("kind", [Float, Int])
@pytest.mark.parametrize(
    ("settings_", "why"),
    [
        ({"low": 2, "high": 1}, "low must be below high"),
        ({"low": 2, "high": 2}, "low must be below high"),
        ({"low": 0, "high": 1, "log": True}, "log=True needs low above 0"),
        ({"low": -1, "high": 1, "log": True}, "log=True needs low above 0"),
        ({"low": math.nan, "high": 1}, "low must be finite, found nan"),
        ({"low": 0, "high": math.inf}, "high must be finite, found inf"),
        ({"low": False, "high": 1}, "low must be a number, found False"),
        ({"low": 0, "high": "1"}, "high must be a number, found '1'"),
        ({"low": None, "high": 1}, "low must be a number, found None"),
        ({"low": (0, 1), "high": 2}, r"low must be a number, found \(0, 1\)"),
        ({"low": 1j, "high": 2}, "low must be a number, found 1j"),
        ({"low": np.zeros(2), "high": 2}, r"low must be a number, found array"),
        ({"low": 0, "high": 10**400}, "high must be a number that a float can hold, found 1000"),
        ({"low": 0, "high": 1, "init": 2}, "within the bounds, found 2"),
        ({"low": 0, "high": 1, "init": math.nan}, "must be finite, found nan"),
        ({"low": 0, "high": 1, "init": True}, "must be a number, found True"),
        ({"low": 0, "high": 1, "init": "0"}, "must be a number, found '0'"),
        ({"low": 1, "high": 2, "log": 1.5}, "log must be True or False, found 1.5"),
        ({"low": 1, "high": 2, "inherit": "no"}, "inherit must be True or False, found 'no'"),
    ],
)
def test_bad_numbers_are_refused(kind, settings_, why):
    """Bounds, init and flags that cannot work are refused at once; the message shows all settings."""
    with pytest.raises(SpaceError, match=why) as caught:
        kind(**settings_)
    assert str(caught.value).startswith(f"{kind.__name__}(low=")


@pytest.mark.parametrize(
    ("low", "high", "why"),
    [
        (0, 2.5, "high must be a whole number"),
        (0, LARGEST + 1, "high must be a whole number up to 2\\*\\*40"),
        (-LARGEST - 1, 0, "low must be a whole number up to 2\\*\\*40"),
    ],
)
def test_bad_ints_are_refused(low, high, why):
    """An Int's bounds are whole and small enough to be told apart."""
    with pytest.raises(SpaceError, match=why):
        Int(low, high)


def test_a_whole_init_is_asked_for():
    """An Int does not round the init that it was given."""
    with pytest.raises(SpaceError, match="a value must be a whole number"):
        Int(0, 5, init=2.5)


@pytest.mark.parametrize(
    ("low", "high", "log"),
    [(-1e308, 1e308, False), (1e300, math.nextafter(1e300, math.inf), True)],
)
def test_ranges_without_a_length_are_refused(low, high, log):
    """A range whose length is no finite number above 0 is refused, not divided by."""
    with pytest.raises(SpaceError, match="the range from low to high"):
        Float(low, high, log=log)


@pytest.mark.parametrize("kind", [Choice, Ordinal])
@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([], "must not be empty"),
        ({}, "must not be empty"),
        ([1, 2, 1], "values must differ, found 1 twice"),
        ([1, 1.0], "found 1.0 twice"),
        ([1, True], "found True twice"),
        ([(1, 2)], r"values must be JSON scalars, found \(1, 2\); name it"),
        ([[1]], "must be JSON scalars"),
        ([b"a"], "must be JSON scalars"),
        ([math.nan], "must be finite, found nan"),
        ([math.inf, 1.0], "must be finite, found inf"),
        ({1, 2}, "must be a list of scalars, or a mapping"),
        ("abc", "must be a list of scalars, or a mapping"),
        (3, "must be a list of scalars, or a mapping"),
        ({1: "a"}, "names of a mapping must be strings"),
    ],
)
def test_bad_lists_are_refused(kind, values, why):
    """Values that are empty, doubled, unordered or no JSON are refused, with the way out."""
    with pytest.raises(SpaceError, match=why) as caught:
        kind(values)
    assert str(caught.value).startswith(f"{kind.__name__}(values=")


@pytest.mark.parametrize("kind", [Choice, Ordinal])
@pytest.mark.parametrize("init", ["c", 1, ["a"], np.array(["a", "b"])])
def test_an_init_that_is_no_value_is_refused(kind, init):
    """`init` must be among the values."""
    with pytest.raises(SpaceError, match="a value must be one of those listed"):
        kind(["a", "b"], init=init)


@pytest.mark.parametrize(
    "value", [-0.1, 1.1, math.nan, "0.5", None, True, [0.5], pytest.param(10**400, id="huge")]
)
def test_values_outside_are_not_encoded(value):
    """`encode` and `record` take only what lies within the bounds."""
    for method in (Float(0.0, 1.0).encode, Float(0.0, 1.0).record):
        with pytest.raises(SpaceError, match="a value must"):
            method(value)


@pytest.mark.parametrize(
    ("dimension", "expected"),
    [
        (
            Float(1e-4, 0.1, log=True),
            {"type": "Float", "low": 1e-4, "high": 0.1, "log": True, "init": None, "inherit": False},
        ),
        (
            Int(1, 8, init=2, inherit=True),
            {"type": "Int", "low": 1, "high": 8, "log": False, "init": 2, "inherit": True},
        ),
        (Choice(("a", "b")), {"type": "Choice", "values": ["a", "b"], "init": None, "inherit": False}),
        (
            Ordinal({"s": object(), "l": object()}, init="l"),
            {"type": "Ordinal", "values": ["s", "l"], "init": "l", "inherit": False},
        ),
    ],
)
def test_json_holds_all_settings(dimension, expected):
    """The JSON form has the type, each setting, and names where there are objects."""
    assert json.loads(json.dumps(dimension.to_json())) == expected


@pytest.mark.parametrize("kind", [Choice, Ordinal])
@pytest.mark.parametrize(
    ("values", "plain"),
    [
        (np.array([1, 2, 4]), [1, 2, 4]),
        (np.array([0.5, 0.25], dtype=np.float32), [0.5, 0.25]),
        (np.array(["relu", "gelu"]), ["relu", "gelu"]),
        ([np.int64(3), np.float32(0.5), np.str_("a"), np.bool_(False), None], [3, 0.5, "a", False, None]),
        ((np.array(7), 8), [7, 8]),
    ],
)
def test_listed_values_may_be_numpys(kind, values, plain):
    """Arrays and scalars of numpy's are listed as plain Python values, and written as such."""
    dimension = kind(values)
    found = [dimension.decode(dimension.encode(value)) for value in values]
    assert found == plain
    assert [type(value) for value in found] == [type(value) for value in plain]
    assert json.loads(json.dumps(dimension.to_json()))["values"] == plain


@pytest.mark.parametrize("values", [np.zeros((2, 2)), np.array([[1, 2]]), np.array(1)])
def test_arrays_that_are_no_list_are_refused(values):
    """An array of another number of axes than one is no list of values."""
    with pytest.raises(SpaceError, match="must be"):
        Choice(values)


@pytest.mark.parametrize("kind", [Choice, Ordinal])
def test_none_is_an_init_where_it_is_a_value(kind):
    """`init=None` is the value None if that is listed, also after JSON; else it is not given."""
    for dimension in (kind(["a", None], init=None), kind({"a": 1, "none": None}, init=None)):
        settings_ = json.loads(json.dumps(dimension.to_json()))
        assert (dimension.has_init, dimension.init) == (True, None)
        assert settings_.pop("type") == kind.__name__
        again = kind.from_json(settings_)
        assert (again.has_init, again.to_json()) == (True, dimension.to_json())
    for dimension in (kind(["a", None]), kind(["a"], init=None), kind(["a"]), kind({"none": None})):
        written = dimension.to_json()
        assert (dimension.has_init, written.pop("init"), written.pop("type")) == (
            False,
            None,
            kind.__name__,
        )
        assert not kind.from_json(written).has_init
    assert kind(["a"], init=None) == kind(["a"])
    assert copy.deepcopy(kind(["a", None])) == kind(["a", None]) != kind(["a", None], init=None)


def test_first_trials_honour_an_init_of_none():
    """A space takes None as a first value where it was asked for, and draws where it was not."""
    rng = np.random.default_rng(0)
    asked_for, drawn = Space({"a": Choice([1, 2, None], init=None)}), Space({"a": Choice([1, 2, None])})
    assert {asked_for.decode(asked_for.first(rng))["a"] for _ in range(20)} == {None}
    assert {drawn.decode(drawn.first(rng))["a"] for _ in range(50)} == {1, 2, None}
