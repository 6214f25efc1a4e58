"""Nested spaces: dicts and lists of dimensions, constants, and their way through files and back."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hoptim
from hoptim import Choice, Float, Int, Ordinal, Space, SpaceError, remote
from tests.builders import records

NORM = object()
LR = Float(1e-4, 1.0, log=True)
FLAT: dict[str, Any] = {"lr": LR, "width": Int(1, 8), "norm": Choice({"layer": NORM, "none": None})}
NESTED: dict[str, Any] = {
    "opt": {"lr": LR, "name": "sgd"},
    "layers": [{"width": Int(1, 8)}, {"width": Int(1, 8), "skip": True}],
    "betas": (Float(0.0, 1.0), 0.999),
    "norm": Choice({"layer": NORM, "none": None}),
    "epochs": 5,
    "extra": {},
}
DOTTED: dict[str, Any] = {"opt.lr": LR, "width.": Int(1, 8), "norm": Choice({"layer": NORM, "none": None})}
SPACES = pytest.mark.parametrize("space", [FLAT, NESTED, DOTTED], ids=["flat", "nested", "dotted keys"])


def study(path: Any = None, space: Any = NESTED, **changes: Any) -> hoptim.Study:
    """A small study."""
    arguments: dict[str, Any] = {"size": 3, "steps": 3, "mode": "min", **changes}
    return hoptim.Study(path, space=space, **arguments)


def rate(params: Any) -> float:
    """The learning rate, wherever a space has it."""
    return float(params["opt"]["lr"] if "opt" in params else params.get("lr", params.get("opt.lr")))


def train(study: hoptim.Study) -> hoptim.Study:
    """Run a study to its end."""
    for trial in study:
        trial.tell(rate(trial.params), params=trial.params)
    return study


def shape(value: Any) -> Any:
    """A value with its dicts, lists and tuples, and the names of dimensions' types in place of the rest."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(shape, value))
    return "leaf"


@SPACES
def test_params_have_the_shape_of_the_space(space):
    """A trial's params have the dicts, lists and constants of the space; records have dotted names."""
    found = train(study(space=space)).best.params
    assert shape(found) == shape(space)
    if space is NESTED:
        constants = (found["opt"]["name"], found["layers"][1]["skip"], found["betas"][1], found["epochs"])
        assert constants == ("sgd", True, 0.999, 5)
        names = ["opt.lr", "layers.0.width", "layers.1.width", "betas.0", "norm"]
        assert list(study(space=space).space.dimensions) == names


@SPACES
def test_a_study_is_found_whole(space, tmp_path):
    """`check` reads the names of records as those of the space, whatever its shape."""
    assert train(study(tmp_path / "s", space=space)).check().findings == ()


@SPACES
def test_a_space_round_trips(space, tmp_path):
    """Coordinates, records and JSON of a space lead back to the same hyperparameters."""
    made = Space(space)
    x = made.draw(np.random.default_rng(0))
    params = made.decode(x)
    assert made.named(made.names(x)) == params == made.named(made.record(params))
    assert made.names(made.encode(params)) == pytest.approx(made.names(x))
    again = Space.from_json(json.loads(json.dumps(made.to_json())))
    assert again == made
    assert again.names(x) == made.names(x)
    assert again.to_json() == made.to_json()


@SPACES
def test_a_study_reopens(space, tmp_path):
    """A study gives the same params by its path and its space as by the call that made it, in any order."""
    made = train(study(tmp_path, space))
    backwards = dict(reversed(space.items()))
    for again in (hoptim.load(tmp_path, space=space), study(tmp_path, backwards)):
        assert [trial.params for trial in again.trials] == [trial.params for trial in made.trials]
        assert list(again.space.dimensions) == list(made.space.dimensions)
    by_path = hoptim.load(tmp_path)
    assert by_path.space == made.space
    plain = [made.space.plain(trial.params) for trial in made.trials]
    assert [by_path.space.plain(trial.params) for trial in by_path.trials] == plain


@SPACES
def test_a_schedule_round_trips(space, tmp_path):
    """A schedule survives JSON and CSV, and Fixed trains with exactly its hyperparameters."""
    made = train(study(space=space))
    schedule = made.schedule()
    for name in ("s.json", "s.csv"):
        schedule.save(tmp_path / name)
        again = hoptim.Schedule.load(tmp_path / name, space)
        assert [it.params for it in again] == [it.params for it in schedule]
    assert schedule.series(next(iter(made.space.dimensions))) == [rate(it.params) for it in schedule]
    for by_age in (schedule, [made.space.plain(it.params) for it in schedule]):
        fixed = train(study(space=space, size=1, optimizer=hoptim.Fixed(by_age)))
        assert [trial.params for trial in fixed.trials] == [it.params for it in schedule]


@pytest.mark.parametrize(
    "start",
    [
        {"opt": {"lr": 0.25}, "layers": [{"width": 3}], "epochs": 5},
        {"opt.lr": 0.25, "layers.0.width": 3},
        {"opt": {"lr": np.float32(0.25)}, "layers": {"0": {"width": np.int64(3)}}},
    ],
)
def test_start_is_nested_or_dotted(start, tmp_path):
    """First configurations may be nested or dotted, in part, and are recorded alike."""
    made = study(tmp_path, start=[start])
    assert made.ask().params["opt"]["lr"] == pytest.approx(0.25)
    (first,) = [r["params"] for r in records(tmp_path) if r["op"] == "ask"]
    assert (first["opt.lr"], first["layers.0.width"]) == (pytest.approx(0.25), 3)
    study(tmp_path, start=[{"opt.lr": 0.25, "layers.0.width": 3}])


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"opt": {"lrr": 1}}, r"\['opt\.lrr'\] are no hyperparameters of this study"),
        ({"opt": 1}, "'opt' must be a mapping from name to value, found 1"),
        ({"layers": 1}, "'layers' must be a list, found 1"),
        ({"layers": [{}, {}, {"width": 1}]}, r"\['layers\.2'\] are no hyperparameters"),
        ({"epochs": 6}, "'epochs' is the constant 5 of the space, found 6"),
        ({"opt": {"lr": 0.1}, "opt.lr": 0.1}, "'opt.lr' is given twice"),
        ({"opt": {"lr": 7}}, "'opt.lr': .*within the bounds, found 7"),
        ({("a",): 1}, "are no hyperparameters"),
    ],
)
def test_bad_params_are_refused(given, why):
    """What does not fit the space is refused with its dotted name."""
    with pytest.raises(SpaceError, match=why):
        Space(NESTED).record(given)


def test_check_compares_nested_and_dotted():
    """`check` and `tell(params=)` take any part of the hyperparameters, nested or dotted."""
    trial = study().ask()
    lr, width = trial.params["opt"]["lr"], trial.params["layers"][0]["width"]
    trial.check(**trial.params)
    trial.check(opt={"lr": lr}, **{"layers.0.width": width, "betas.1": 0.999})
    trial.check(betas=np.array(trial.params["betas"], dtype=np.float16))
    trial.check(betas=list(trial.params["betas"]), layers=[{"width": width}, {"skip": True}])
    with pytest.raises(hoptim.NotApplied, match=rf"opt\.lr is 7, asked for {lr}.*layers\.0\.width is 99"):
        trial.check(opt={"lr": 7}, layers=[{"width": 99}, {"skip": True}])
    with pytest.raises(hoptim.NotApplied, match="epochs is 6, asked for 5"):
        trial.tell(1.0, params={"epochs": 6})
    with pytest.raises(hoptim.ArgumentError, match=r"\['opt\.lrr'\] are no hyperparameters"):
        trial.check(opt={"lrr": 1})
    trial.tell(1.0, params={"opt": {"lr": lr}})


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"epochs": 6}, r"space\.epochs\.value: recorded 5, asked for 6"),
        ({"opt": {"lr": LR}}, r"space\.opt\.name: recorded .*sgd.*, asked for null"),
        ({"layers": [{"width": Int(1, 8)}, {"width": Int(1, 9), "skip": True}]},
         r"space\.layers\.1\.width\.high: recorded 8, asked for 9"),
    ],
)  # fmt: skip
def test_constants_and_nesting_identify_a_study(change, line, tmp_path):
    """Another constant or another dimension within is a mismatch, named by its dotted name."""
    study(tmp_path)
    with pytest.raises(hoptim.StudyMismatch, match=line):
        study(tmp_path, {**NESTED, **change})


def test_a_fork_with_other_constants_keeps_the_generation(tmp_path):
    """A fork with another constant begins with the very hyperparameters of the old study."""
    old = train(study(tmp_path / "old"))
    new = hoptim.fork(tmp_path / "old", tmp_path / "new", space={**NESTED, "epochs": 9}, steps=4)
    for before, after in zip(old.results().latest, new.trials, strict=True):
        assert after.params == {**before.params, "epochs": 9}
        assert after.x == before.x


def test_a_fork_takes_values_over_by_dotted_name(tmp_path):
    """From a flat to a nested space, values come over by their dotted names."""
    old = train(study(tmp_path / "old", {"opt.lr": LR}))
    new = hoptim.fork(tmp_path / "old", tmp_path / "new", space={"n": Int(1, 3), "opt": {"lr": LR}})
    values = [trial.params["opt"]["lr"] for trial in new.trials]
    assert values == pytest.approx([trial.params["opt.lr"] for trial in old.results().latest])


def test_a_fork_with_another_order_keeps_values_and_coordinates_together(tmp_path):
    """The same dimensions in another order have their own coordinates in the fork."""
    ends = {"p": Float(0.0, 1.0), "q": Float(0.0, 1.0)}
    for trial in study(tmp_path / "old", ends):
        trial.tell(trial.params["p"])
    new = hoptim.fork(tmp_path / "old", tmp_path / "new", space=dict(reversed(ends.items())), steps=4)
    for trial in new.trials:
        assert trial.x == pytest.approx((trial.params["q"], trial.params["p"]))


def test_commands_print_nested_params(tmp_path, capsys):
    """`ask` and `best` give nested JSON with constants; tables, and a shell, have dotted names."""
    pytest.importorskip("click", reason="the command line needs the extra 'cli'")
    from hoptim.__main__ import main

    made = train(study(tmp_path))
    study(tmp_path, steps=4)

    def output(*words: str) -> str:
        assert main(list(words)) == 0
        return str(capsys.readouterr().out)

    best = json.loads(output("best", str(tmp_path), "--json"))["params"]
    asked = json.loads(output("ask", str(tmp_path)))["params"]
    assert best == made.space.plain(made.best.params)
    assert shape(asked) == shape({**NESTED, "betas": [0, 0]})
    assert remote.ask(tmp_path)["params"]["epochs"] == 5
    shell = output("ask", str(tmp_path), "--shell")
    assert "param_epochs=5\n" in shell
    assert "param_layers_0_width=" in shell
    head = output("export", str(tmp_path)).splitlines()[0]
    assert "params.opt.lr,params.layers.0.width,params.layers.1.width,params.betas.0,params.norm" in head
    assert "opt.lr" in output("best", str(tmp_path))


leaves = st.one_of(
    st.sampled_from([Float(0.0, 1.0), Int(1, 5), Choice(["a", None]), Ordinal([1, 2, 3])]),
    st.integers(), st.booleans(), st.none(), st.text(max_size=3),
    st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
keys = st.text(alphabet="ab.", min_size=1, max_size=2)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.dictionaries(keys, inner, max_size=3),
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
    ),
    max_leaves=8,
)


@given(tree=st.dictionaries(keys, trees, min_size=1, max_size=3), seed=st.integers(0, 99))
@settings(max_examples=100)
def test_any_nested_structure_comes_back(tree, seed):
    """Whatever space is accepted, params have its shape, and JSON and dotted names lead back to them."""
    try:
        space = Space(tree)
    except SpaceError as error:
        refused = ("Write '", "Two hyperparameters would be named", "not constants alone")
        assert any(reason in str(error) for reason in refused)  # noqa: PT017 - most trees are accepted
        return
    x = space.draw(np.random.default_rng(seed))
    params = space.decode(x)
    assert shape(params) == shape(tree)
    assert space.flat(params).keys() == space.dimensions.keys()
    assert space.named(space.record(params)) == params
    assert space.named(space.record(space.record(params))) == params
    again = Space.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space
    assert again.names(x) == space.names(x)
    assert json.loads(json.dumps(space.plain(params))) == again.decode(x)
