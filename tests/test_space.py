"""Several hyperparameters: what is drawn, perturbed, refused, and how a space is written down."""

import json
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoptim import Choice, Dimension, Float, Int, Ordinal, Space, SpaceError

FACTORS = (0.8, 1.25)
seeds = st.integers(0, 2**32 - 1)


def mixed(**changes: Dimension) -> Space:
    """A space with each kind of dimension, none with an init."""
    dimensions: dict[str, Dimension] = {
        "lr": Float(1e-5, 1e-1, log=True),
        "shift": Float(-1.0, 1.0),
        "batch": Int(8, 512, log=True),
        "offset": Int(-5, 5),
        "act": Choice(["relu", "gelu", "tanh"]),
        "width": Ordinal([32, 64, 128, 256]),
        "depth": Int(1, 8, inherit=True),
        "norm": Choice({"layer": object(), "none": object()}, inherit=True),
    }
    return Space({**dimensions, **changes})


def generator(seed: int = 0) -> np.random.Generator:
    """A generator of its own."""
    return np.random.default_rng(seed)


def circle() -> dict[str, object]:
    """A dict within itself."""
    found: dict[str, object] = {}
    found["again"] = found
    return found


def five_errors(p: float, n: int) -> float:
    """Five binomial standard errors of a frequency: a sound test fails once in a million."""
    return 5 * math.sqrt(p * (1 - p) / n)


@given(seed=seeds)
@settings(max_examples=60)
def test_draws_are_values_of_the_space(seed):
    """A draw is contained, decodes, and its names lead back to the same coordinates' values."""
    space = mixed()
    x = space.draw(generator(seed))
    assert space.contains(x.tolist())
    assert space.named(space.names(x)) == space.decode(x)


@given(seed=seeds)
@settings(max_examples=60)
def test_encode_undoes_decode(seed):
    """A set of hyperparameters survives encoding and decoding."""
    space = mixed()
    params = space.decode(space.draw(generator(seed)))
    again = space.decode(space.encode(params))
    for name, value in params.items():
        assert again[name] == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value)


def test_values_are_plain():
    """What a training script gets are float, int and the caller's own objects, never numpy's."""
    norm = object()
    space = mixed(norm=Choice({"layer": norm}), act=Choice([None, "a"]))
    params = space.decode(np.zeros(len(space)))
    assert [type(params[name]) for name in ("lr", "shift", "batch", "width")] == [float, float, int, int]
    assert params["norm"] is norm
    assert params["act"] is None


def test_names_are_json_where_values_are_objects():
    """The recorded form names a mapped object, so it can be written and read."""
    space = mixed()
    names = space.names(np.zeros(len(space)))
    assert names["norm"] == "layer"
    assert json.loads(json.dumps(names)) == names


def test_draws_ignore_init():
    """A fresh draw knows no init: an init is only for first trials."""
    plain, begun = Space({"x": Float(0.0, 1.0)}), Space({"x": Float(0.0, 1.0, init=0.5)})
    assert plain.draw(generator()).tolist() == begun.draw(generator()).tolist()


@given(seed=seeds)
@settings(max_examples=20)
def test_first_takes_what_is_given_then_init_then_a_draw(seed):
    """A first trial has the start entry where it names a value, else the init, else a draw."""
    space = mixed(lr=Float(1e-5, 1e-1, log=True, init=1e-3), offset=Int(-5, 5, init=2))
    found = space.decode(space.first(generator(seed), {"offset": -4, "act": "tanh"}))
    drawn = space.decode(space.draw(generator(seed)))
    assert found == {**drawn, "lr": pytest.approx(1e-3), "offset": -4, "act": "tanh"}


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ([0.0, 0.0], True),
        ([1.0, 2.0], True),
        ([1.0, 3.0], False),
        ([0.5, -1.0], False),
        ([math.nextafter(1.0, 2.0), 0.0], False),
        ([-5e-324, 0.0], False),
        ([math.nan, 0.0], False),
        ([math.inf, 0.0], False),
        ([0.5], False),
        ([0.5, 0.0, 0.0], False),
    ],
)
def test_contains_what_can_be_decoded(x, expected):
    """Coordinates must be as many as dimensions, in [0, 1] or an index."""
    assert Space({"x": Float(0.0, 1.0), "c": Choice(["a", "b", "c"])}).contains(x) == expected


@given(seed=seeds, resample=st.sampled_from([0.0, 0.25, 1.0]), rounds=st.integers(1, 20))
@settings(max_examples=60)
def test_perturbing_never_leaves_the_space(seed, resample, rounds):
    """However often a trial is perturbed, its coordinates stay in the space."""
    space, rng = mixed(), generator(seed)
    x = space.draw(rng)
    for _ in range(rounds):
        x = space.perturb(x, FACTORS, resample, rng)
        assert space.contains(x.tolist())


@given(seed=seeds, resample=st.sampled_from([0.0, 1.0]))
@settings(max_examples=40)
def test_perturbing_leaves_its_argument_and_inherited_dimensions_alone(seed, resample):
    """The parent's coordinates are not written to, and inherited ones come over to the last bit."""
    space, rng = mixed(), generator(seed)
    x = space.draw(rng)
    before = x.tolist()
    child = space.perturb(x, FACTORS, resample, rng)
    assert x.tolist() == before
    assert child[space.inherited].tolist() == x[space.inherited].tolist()


@given(seed=seeds)
@settings(max_examples=40)
def test_without_resampling_each_value_moves_by_a_factor(seed):
    """With resample=0 a Float is multiplied, an Int and an Ordinal move, a Choice stays."""
    space, rng = mixed(shift=Float(1.0, 2.0), offset=Int(1, 9)), generator(seed)
    x = space.draw(rng)
    parent, child = space.decode(x), space.decode(space.perturb(x, FACTORS, 0.0, rng))
    for name, (low, high) in {"lr": (1e-5, 1e-1), "shift": (1.0, 2.0)}.items():
        possible = [min(max(parent[name] * factor, low), high) for factor in FACTORS]
        assert any(child[name] == pytest.approx(value, rel=1e-12) for value in possible)
    for name, ends in {"batch": (8, 512), "offset": (1, 9), "width": (32, 256)}.items():
        assert child[name] != parent[name] or parent[name] in ends
    assert child["act"] == parent["act"]


def test_factors_have_even_odds_and_fall_for_each_by_itself():
    """Each factor is used half of the time, and two hyperparameters agree half of the time."""
    space, rng, n = Space({"a": Float(0.1, 10.0), "b": Float(0.1, 10.0)}), generator(), 4000
    x = space.encode({"a": 1.0, "b": 1.0})
    ups = np.array([space.perturb(x, FACTORS, 0.0, rng) > x for _ in range(n)])
    error = five_errors(0.5, n)
    assert ups.mean(axis=0) == pytest.approx([0.5, 0.5], abs=error)
    assert np.mean(ups[:, 0] == ups[:, 1]) == pytest.approx(0.5, abs=error)


@pytest.mark.parametrize("resample", [0.0, 0.25, 1.0])
def test_resample_is_the_probability_of_a_fresh_draw(resample):
    """A value that is no multiple of the parent's turns up as often as `resample` says."""
    space, rng, n = Space({"x": Float(0.0, 10.0)}), generator(), 4000
    x = space.encode({"x": 1.0})
    values = [space.decode(space.perturb(x, FACTORS, resample, rng))["x"] for _ in range(n)]
    fresh = sum(value != pytest.approx(0.8) and value != pytest.approx(1.25) for value in values)
    assert fresh / n == pytest.approx(resample, abs=five_errors(resample, n))


def test_resampling_falls_for_each_by_itself():
    """Two Choices that are drawn anew half of the time change together a quarter of the time."""
    space, rng, n = Space({"a": Choice(range(100)), "b": Choice(range(100))}), generator(), 4000
    changed = np.array([space.perturb([0.0, 0.0], FACTORS, 0.5, rng) != 0 for _ in range(n)])
    p = (0.5 * 0.99) ** 2
    assert changed.all(axis=1).mean() == pytest.approx(p, abs=five_errors(p, n))


def test_choices_change_only_by_resampling():
    """A Choice of three takes another value two thirds of the times that it is drawn anew."""
    space, rng, n = Space({"c": Choice(["a", "b", "c"])}), generator(), 4000
    found = Counter(space.perturb([1.0], FACTORS, 0.25, rng)[0] for _ in range(n))
    for index, p in {0.0: 0.25 / 3, 1.0: 0.75 + 0.25 / 3, 2.0: 0.25 / 3}.items():
        assert found[index] / n == pytest.approx(p, abs=five_errors(p, n))


def test_zero_is_no_trap():
    """A value of exactly 0 is drawn anew even with resample=0, evenly over all values."""
    space, rng, n = Space({"k": Int(-5, 5)}), generator(), 4400
    x = space.encode({"k": 0})
    found = Counter(space.decode(space.perturb(x, FACTORS, 0.0, rng))["k"] for _ in range(n))
    assert sorted(found) == list(range(-5, 6))
    assert max(abs(count / n - 1 / 11) for count in found.values()) < five_errors(1 / 11, n)


@pytest.mark.parametrize("resample", [0.0, 0.5])
def test_perturbing_uses_as_many_random_numbers_whatever_happens(resample):
    """Each perturbation moves the generator alike, so dimensions do not disturb each other."""
    rngs = [generator(), generator()]
    for rng, value in zip(rngs, (0.0, 0.5), strict=True):
        mixed().perturb([value] * 8, FACTORS, resample, rng)
    assert rngs[0].random() == rngs[1].random()


@pytest.mark.parametrize("probability", [0.0, 0.25, 1.0])
def test_redraw_changes_choices_alone(probability):
    """Unordered dimensions are drawn anew with the probability, all others keep their coordinate."""
    space, rng, n = mixed(), generator(), 3000
    x = space.draw(rng)
    found = np.array([space.redraw(x, probability, rng) for _ in range(n)])
    changed = (found != x).mean(axis=0)
    p = probability * 2 / 3
    assert changed[~space.switched].tolist() == [0.0] * 7
    assert changed[space.switched] == pytest.approx([p], abs=five_errors(p, n))


def test_redraw_leaves_its_argument_alone():
    """The parent's coordinates are not written to."""
    x = np.array([1.0])
    Space({"c": Choice(["a", "b", "c"])}).redraw(x, 1.0, generator())
    assert x.tolist() == [1.0]


def test_masks_tell_the_kinds_apart():
    """Each dimension is inherited, takes steps, or is switched; never two of them."""
    space = mixed()
    masks = {"inherited": space.inherited, "stepped": space.stepped, "switched": space.switched}
    named = {
        kind: [n for n, m in zip(space.dimensions, mask, strict=True) if m] for kind, mask in masks.items()
    }
    assert named == {
        "inherited": ["depth", "norm"],
        "stepped": ["lr", "shift", "batch", "offset", "width"],
        "switched": ["act"],
    }


@pytest.mark.parametrize(
    ("dimensions", "why"),
    [
        ({}, "must be a non-empty mapping"),
        ([], "must be a non-empty mapping"),
        (None, "must be a non-empty mapping"),
        ([("x", Float(0.0, 1.0))], "must be a non-empty mapping"),
        ({"lr"}, "must be a non-empty mapping"),
        ({"lr": (0, 1)}, r"found \(0, 1\)\. Write 'lr': hoptim\.Float\(0, 1\) or hoptim\.Int\(0, 1\) for"),
        ({"lr": [0.1, 1]}, r"Write 'lr': hoptim\.Float\(0\.1, 1\) for the range, or hoptim\.Choice"),
        ({"lr": [1, 0.1]}, r"hoptim\.Float\(0\.1, 1\) for the range, or hoptim\.Choice\(\[1, 0\.1\]\)"),
        ({"lr": [1, 2, 3]}, r"found \[1, 2, 3\]\. Write 'lr': hoptim\.Choice\(\[1, 2, 3\]\) for one of"),
        ({"lr": np.array([1, 2, 3])}, r"Write 'lr': hoptim\.Choice\(\[1, 2, 3\]\) for one of these"),
        ({"opt": {"lr": (0, 1)}}, r"Dimension 'opt\.lr' must be .* Write 'opt\.lr': hoptim\.Float"),
        ({"act": ["relu", "gelu"]}, r"Write 'act': hoptim\.Choice\(\['relu', 'gelu'\]\) for one of these"),
        ({"act": {"relu"}}, r"found {'relu'}\. Write hoptim\.Choice\(\[\.\.\.\]\) for one of its values"),
        ({"lr": Float}, "Dimension 'lr' must be a Float"),
        ({"x": Float(0.0, 1.0), "lr": math.nan}, r"'lr' must be .* constant \(text, a finite .* found nan"),
        ({"lr": 0.1, "seed": None}, "at least one Float, Int, Choice or Ordinal, not constants alone"),
        ({"opt": {}}, "at least one Float, Int, Choice or Ordinal"),
        ({"a.b": Float(0.0, 1.0), "a": {"b": Int(1, 2)}}, "Two hyperparameters would be named 'a.b'"),
        ({"a": [Float(0.0, 1.0)], "a.0": 3}, "Two hyperparameters would be named 'a.0'"),
        ({"opt": {1: Float(0.0, 1.0)}}, "name of a dimension must be a non-empty string, found 1"),
        (circle(), "A space has at most 32 levels"),
        ({1: Float(0.0, 1.0)}, "name of a dimension must be a non-empty string, found 1"),
        ({"": Float(0.0, 1.0)}, "name of a dimension must be a non-empty string, found ''"),
        ({None: Float(0.0, 1.0)}, "name of a dimension must be a non-empty string, found None"),
    ],
)
def test_bad_spaces_are_refused(dimensions, why):
    """A space that cannot work is refused when it is made, naming the dimension and the reason."""
    with pytest.raises(SpaceError, match=why):
        Space(dimensions)


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"x": 0.5}, r"lack \['k'\]"),
        ({"x": 0.5, "k": 1, "y": 2}, r"\['y'\] are no hyperparameters of this study; it has \['x', 'k'\]"),
        ({"x": 1.5, "k": 1}, "'x': .*within the bounds, found 1.5"),
        ({"x": 0.5, "k": 1.5}, "'k': .*whole number"),
    ],
)
def test_bad_params_are_refused(params, why):
    """Encoding names what is missing, unknown or out of bounds."""
    with pytest.raises(SpaceError, match=why):
        Space({"x": Float(0.0, 1.0), "k": Int(1, 3)}).encode(params)


def test_a_bad_first_value_names_its_dimension():
    """A start entry that is out of bounds is refused with the dimension's name."""
    with pytest.raises(SpaceError, match=r"'x': .*within the bounds, found 3"):
        Space({"x": Float(0.0, 1.0)}).first(generator(), {"x": 3})


def test_coordinates_of_another_length_are_refused():
    """Too many or too few coordinates are an error, not cut short."""
    for x in ([0.5], [0.5, 0.5, 0.5]):
        with pytest.raises(ValueError, match="zip"):
            Space({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)}).decode(x)


def test_json_round_trip():
    """A space read back from its JSON equals the one written and decodes to the same names."""
    space = mixed(lr=Float(1e-5, 1e-1, log=True, init=1e-3), norm=Choice({"a": object()}, init="a"))
    again = Space.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space
    x = space.draw(generator())
    assert again.names(x) == space.names(x)


def test_names_stand_for_themselves_without_their_objects():
    """A space read back has no objects, so a mapped value is its name there."""
    again = Space.from_json(Space({"act": Choice({"relu": object(), "gelu": object()})}).to_json())
    assert again.decode([1.0]) == {"act": "gelu"}


@pytest.mark.parametrize("settings_", [{"type": "Complex"}, {"type": 1}, 5])
def test_an_unknown_type_is_refused(settings_):
    """JSON of a kind that is not known is refused with the dimension's name."""
    with pytest.raises(SpaceError, match=r"Dimension 'z(\.type)?' has no known type"):
        Space.from_json({"z": settings_})


@pytest.mark.parametrize(
    ("other", "equal"),
    [
        ({"x": Float(0.0, 1.0)}, True),
        ({"x": Float(0, 1)}, True),
        ({"x": Float(0.0, 2.0)}, False),
        ({"x": Int(0, 1)}, False),
        ({"y": Float(0.0, 1.0)}, False),
        ({"x": Float(0.0, 1.0, init=0.5)}, False),
        ({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)}, False),
    ],
)
def test_spaces_are_equal_when_their_settings_are(other, equal):
    """Two spaces are equal when names, kinds and settings are."""
    assert (Space({"x": Float(0.0, 1.0)}) == Space(other)) is equal


def test_a_space_shows_its_dimensions():
    """The repr has each name and its settings."""
    assert repr(Space({"x": Float(0.0, 1.0)})).startswith("Space({'x': Float(low=0.0, high=1.0")
