"""Hyperparameters with a condition: in `params` only while it holds, and a gap wherever they are shown."""

from __future__ import annotations

import dataclasses
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hoptim
from hoptim import Choice, Float, Int, Ordinal, Proposal, Schedule, Space, SpaceError, remote
from hoptim.optimizers.base import Optimizer, View
from hoptim.report.data import data_of
from hoptim.space.dimension import Dimension
from tests import reader
from tests.builders import append, recompute, records
from tests.golden.make import killed_with_a_trial

RELU = object()
SPACE: dict[str, Any] = {
    "optimizer": Choice(["sgd", "adam"]),
    "sgd": {"momentum": Float(0.0, 0.9, when={"optimizer": "sgd"})},
    "adam": {
        "beta": Float(0.5, 0.999, when={"optimizer": ["adam"], "adam.amsgrad": True}),
        "amsgrad": Choice([False, True], when={"optimizer": "adam"}),
    },
    "lr": Float(1e-4, 1.0, log=True),
}
NAMES = ["optimizer", "sgd.momentum", "adam.beta", "adam.amsgrad", "lr"]
SGD = {"optimizer": "sgd", "sgd": {"momentum": 0.5}, "adam": {}, "lr": 0.1}
ADAM = {"optimizer": "adam", "sgd": {}, "adam": {"beta": 0.75, "amsgrad": True}, "lr": 0.1}
PLAIN_ADAM = {"optimizer": "adam", "sgd": {}, "adam": {"amsgrad": False}, "lr": 0.1}
EACH = pytest.mark.parametrize("params", [SGD, ADAM, PLAIN_ADAM], ids=["sgd", "adam", "plain adam"])
OPTIMIZERS: list[Optimizer] = [
    hoptim.ROMUL(resample_choice=0.6), hoptim.TruncationSelection(0.5, resample=0.6), hoptim.MixedHorizon(),
    hoptim.PB2(0.5, resample_choice=0.6), hoptim.RandomSearch(), hoptim.Initiator(),
]  # fmt: skip


def study(path: Any = None, **changes: Any) -> hoptim.Study:
    """A small study whose exploits change the optimizer often."""
    arguments: dict[str, Any] = {
        "space": SPACE, "optimizer": hoptim.ROMUL(resample_choice=0.5), "size": 5, "steps": 6,
        "mode": "min",
    }  # fmt: skip
    return hoptim.Study(path, **{**arguments, **changes})


def train(made: hoptim.Study, until: int | None = None) -> hoptim.Study:
    """Train until so many trials have ended; None goes to the end."""
    while not made.done and (until is None or len(made.trials) < until):
        trial = made.ask(timeout=0)
        assert trial is not None
        trial.tell(trial.number % 5 + trial.seed % 7 / 10, params=trial.params)
    return made


def trained(path: Any = None, **changes: Any) -> hoptim.Study:
    """The same, trained to its end, with trials of both kinds."""
    made = train(study(path, **changes))
    assert {len(made.space.flat(trial.params)) for trial in made.trials} >= {3, 4}
    return made


def like(params: Any, wanted: Any) -> bool:
    """Whether hyperparameters have the same shape, and numbers up to rounding."""
    flat = Space(SPACE).flat
    same = flat(params) == pytest.approx(flat(wanted))
    return bool(
        same and [len(params[k]) for k in ("sgd", "adam")] == [len(wanted[k]) for k in ("sgd", "adam")]
    )


def opposite(trial: hoptim.Trial) -> str:
    """The name of a hyperparameter that a trial lacks."""
    return "sgd.momentum" if trial.params["optimizer"] == "adam" else "adam.amsgrad"


# -- the law


@st.composite
def dimensions(draw: st.DrawFn) -> dict[str, Dimension]:
    """Dimensions by dotted name, some with conditions on choices drawn before them, in any order."""
    found: dict[str, Dimension] = {}
    choices: list[str] = []
    for i in range(draw(st.integers(2, 7))):
        name = draw(st.sampled_from(["", "a.", "b.c."])) + str(i)
        when = None
        if choices and draw(st.integers(0, 3)) > 0:
            on = draw(st.lists(st.sampled_from(choices), min_size=1, max_size=2, unique=True))
            values = st.lists(st.sampled_from(["x", 1, None]), min_size=1, max_size=2, unique=True)
            when = {each: draw(values | st.sampled_from(["x", 1, None])) for each in on}
        inherit = draw(st.booleans())
        if draw(st.booleans()):
            choices.append(name)
            found[name] = Choice(["x", 1, None], inherit=inherit, when=when)
        else:
            kinds: list[Dimension] = [
                Float(0.0, 1.0, inherit=inherit, when=when), Int(1, 9, init=3, when=when),
                Ordinal([1, 2, 3], when=when), Choice({"u": 1, "v": []}, when=when),
            ]  # fmt: skip
            found[name] = draw(st.sampled_from(kinds))
    return {name: found[name] for name in draw(st.permutations(list(found)))}


def nested(flat: dict[str, Dimension]) -> dict[str, Any]:
    """Dimensions in dicts."""
    tree: dict[str, Any] = {}
    for name, dim in flat.items():
        *groups, last = name.split(".")
        node = tree
        for group in groups:
            node = node.setdefault(group, {})
        node[last] = dim
    return tree


def applies(name: str, flat: dict[str, Dimension], x: Any, order: list[str]) -> bool:
    """Whether a dimension is active, said in another way than the code."""
    when = flat[name].when or {}
    return all(
        applies(on, flat, x, order) and flat[on].name(x[order.index(on)]) in values
        for on, values in when.items()
    )


@given(flat=dimensions(), seed=st.integers(0, 2**32))
@settings(max_examples=150)
def test_params_have_exactly_the_active_names(flat, seed):
    """In any space, of any coordinates; and they lead back to these, through JSON too."""
    space = Space(nested(flat))
    order = list(space.dimensions)
    x = space.draw(np.random.default_rng(seed))
    active = [applies(name, flat, x, order) for name in order]
    wanted = [name for name, there in zip(order, active, strict=True) if there]
    params = space.decode(x)
    assert list(space.flat(params)) == list(space.names(x)) == wanted
    assert space.active(x).tolist() == active
    assert space.named(space.names(x)) == space.named(space.record(params)) == params
    again = space.encode(params)
    assert again[active] == pytest.approx(x[active], abs=0.2)  # a whole number stands for many coordinates
    assert space.names(again) == pytest.approx(space.names(x))
    back = Space.from_json(json.loads(json.dumps(space.to_json())))
    assert back == space
    assert back.names(x) == space.names(x)


@dataclasses.dataclass(frozen=True)
class Watched(Optimizer):
    """Another optimizer, and a note of all arrays that it sees."""

    optimizer: Optimizer
    seen = []  # type: ignore[var-annotated] # no field: a setting is JSON

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        """Note what there is to see."""
        rows = zip(view.history.number.tolist(), view.history.x.tolist(), strict=True)
        self.seen.append(dict(rows))
        return self.optimizer.propose(view, member, rng)


@given(
    flat=dimensions(),
    optimizer=st.sampled_from(OPTIMIZERS),
    stop=st.integers(0, 8),
    seed=st.integers(0, 99),
)
@settings(max_examples=30)
def test_a_killed_study_goes_on_with_the_same(flat, optimizer, stop, seed):
    """Records have what is active, and the rest where the parent had it; optimizers see all coordinates."""
    Watched.seen.clear()
    with tempfile.TemporaryDirectory() as folder:
        arguments: dict[str, Any] = {
            "space": nested(flat), "optimizer": Watched(optimizer), "size": 3, "steps": 4, "seed": seed,
        }  # fmt: skip
        made = train(study(folder, **arguments), until=stop)
        killed_with_a_trial(made)
        made = train(study(folder, **arguments))
        assert reader.judge(Path(folder, "journal.jsonl"), [])[0] == []
        assert reader.judge_params(folder) == []
        recorded = {r["trial"]: r["x"] for r in records(folder) if r["op"] == "ask" and "x" in r}
        assert Watched.seen
        assert all(recorded[number] == x for seen in Watched.seen for number, x in seen.items())
        assert [list(trial.x) for trial in made.trials] == [recorded[t.number] for t in made.trials]
        without = {name: dataclasses.replace(dim, when=None) for name, dim in flat.items()}
        twin = train(study(**{**arguments, "space": nested(without)}), until=3)
        assert all(list(trial.x) == recorded[trial.number] for trial in twin.trials if trial.step == 0)
        assert made.check().findings == ()


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda each: type(each).__name__)
def test_a_journal_can_be_recomputed(optimizer, tmp_path):
    """Each proposal is the same again from the records before it; what is not active stays where it was."""
    trained(tmp_path / "s", optimizer=optimizer, steps=8, size=6)
    assert recompute(tmp_path / "s") == 48
    assert reader.judge_params(tmp_path / "s") == []


def test_the_independent_reader_sees_what_is_wrong(tmp_path):
    """A record with too much, with too little, or with a coordinate that moved, is found."""
    trained(tmp_path / "s")
    assert reader.judge_params(tmp_path / "s") == []
    spaced = json.loads((tmp_path / "s" / "study.json").read_text())
    spaced["identity"]["space"]["sgd"]["momentum"]["when"] = {"optimizer": ["adam"]}
    (tmp_path / "s" / "study.json").write_text(json.dumps(spaced))
    wrong = reader.judge_params(tmp_path / "s")
    assert any("has" in each for each in wrong)
    assert any("moves" in each for each in wrong)


def test_what_is_not_active_stays_and_comes_back():
    """An optimizer that moves each coordinate finds those that are not active as they were."""

    @dataclasses.dataclass(frozen=True)
    class Turns(Optimizer):
        def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
            row = view.population.row(member)
            if row is None:
                return Proposal(None, np.array([0.0, 0.1, 0.2, 0.0, 0.3]))
            x = view.population.x[row].copy()
            x[0] = 1 - x[0]
            x[[1, 2, 4]] += 0.1
            return Proposal(int(view.population.number[row]), x)

    made = train(study(optimizer=Turns(), size=1, steps=4))
    x = np.array([trial.x for trial in made.trials])
    assert x[:, 0].tolist() == [0, 1, 0, 1]
    assert x[:, 1] == pytest.approx([0.1, 0.1, 0.2, 0.2])
    assert x[:, 2] == pytest.approx([0.2] * 4)  # amsgrad is False
    assert x[:, 4] == pytest.approx([0.3, 0.4, 0.5, 0.6])
    assert [list(made.space.flat(trial.params)) for trial in made.trials[:2]] == [
        ["optimizer", "sgd.momentum", "lr"], ["optimizer", "adam.amsgrad", "lr"],
    ]  # fmt: skip


# -- what a space says


def test_a_space_without_conditions_is_recorded_as_ever():
    """Its JSON has no `when`; that of a condition has names and lists."""
    assert "when" not in json.dumps(Space({"x": Float(0, 1), "c": Choice([1, 2])}).to_json())
    found = Space(SPACE).to_json()
    assert found["sgd"]["momentum"]["when"] == {"optimizer": ["sgd"]}
    assert found["adam"]["beta"]["when"] == {"optimizer": ["adam"], "adam.amsgrad": [True]}


@EACH
def test_a_full_set_is_what_is_active(params):
    """It is encoded, decoded and recorded; dicts stay if they are empty."""
    space = Space(SPACE)
    assert space.names(space.encode(params)) == pytest.approx(space.flat(params))
    assert space.plain(params) == params
    assert space.named(space.record(params)) == params


def test_numpy_values_and_dicts_within():
    """Values of numpy's are taken, and a dict in a list may hold what has a condition."""
    space = Space(
        {"kind": Choice(["a", "b"]), "list": [{"x": Float(0, 1, when={"kind": np.array(["a"])})}]}
    )
    assert space.dimensions["list.0.x"].when == {"kind": ["a"]}
    assert space.decode([1.0, 0.5]) == {"kind": "b", "list": [{}]}


@pytest.mark.parametrize(
    ("space", "why"),
    [
        ({"x": Float(0, 1, when={"opt": 1})}, "'x': when= names 'opt', which is no hyperparameter"),
        ({"y": Float(0, 1), "x": Float(0, 1, when={"y": 1})}, "'y', which is a Float of this space"),
        ({"y": Ordinal([1]), "x": Float(0, 1, when={"y": 1})}, "'y', which is a Ordinal of this space"),
        ({"y": 1, "x": Float(0, 1, when={"y": 1})}, "'y', which is no hyperparameter of this space"),
        ({"x": Float(0, 1, when={"x": 1})}, "'x', which is a Float of this space"),
        ({"a": {"c": Choice([1])}, "x": Int(0, 1, when={"c": 1})}, r"dotted name; there are \['a.c'\]"),
        ({"c": Choice([1, 2]), "x": Int(0, 1, when={"c": [1, 3]})}, r"to be 3, which is none of.*\[1, 2\]"),
        ({"c": Choice({"r": RELU}), "x": Int(0, 1, when={"c": "s"})}, "to be 's', which is none of"),
        ({"c": Choice({"r": 1}), "x": Int(0, 1, when={"c": 1})}, "to be 1, which is none of"),
        ({"c": Choice([1], when={"c": 1})}, "form a circle: 'c' -> 'c'"),
        (
            {"c": Choice([1], when={"d": 1}), "d": Choice([1], when={"c": 1})},
            "form a circle: '[cd]' -> '[cd]' -> '[cd]'.*leave out when= of one",
        ),
        ({"c": Choice([1]), "x": [Float(0, 1, when={"c": 1})]}, "'x.0' has a condition .* lies in a list"),
        ({"c": Choice([1]), "x": (Float(0, 1, when={"c": 1}),)}, "'x.0' has a condition .* lies in a list"),
    ],
)  # fmt: skip
def test_conditions_that_cannot_be_are_refused(space, why):
    """The error of the space says what is wrong, and what to write."""
    with pytest.raises(SpaceError, match=why):
        Space(space)


@pytest.mark.parametrize(
    "when", ["sgd", {}, {1: "sgd"}, {"c": []}, {"c": [RELU]}, {"c": {"a"}}, [("c", 1)], 0]
)
@pytest.mark.parametrize("kind", [Float, Int])
def test_what_is_no_condition_is_refused(kind, when):
    """The error of the dimension shows what a condition is."""
    with pytest.raises(SpaceError, match="when must"):
        kind(0, 1, when=when)


def test_full_sets_with_too_much_or_too_little_are_refused():
    """The error says which, and when it would be active."""
    space = Space(SPACE)
    with pytest.raises(SpaceError, match=r"lack.*'adam.amsgrad'"):
        space.encode({"optimizer": "adam", "lr": 0.1})
    with pytest.raises(
        SpaceError, match=r"'sgd.momentum' is active only when 'optimizer' is 'sgd'.*leave it"
    ):
        space.encode({**PLAIN_ADAM, "sgd": {"momentum": 0.5}})
    with pytest.raises(SpaceError, match=r"Hyperparameter 'optimizer'.*found 'lion'"):
        space.encode({"optimizer": "lion", "lr": 0.1})


# -- a study


def test_start_may_leave_out_what_is_not_active():
    """A first configuration with a value for what is not active, or may not be, is refused at once."""
    made = study(start=[{"optimizer": "adam", "adam.amsgrad": True, "adam.beta": 0.75}, SGD])
    first, second = made.ask(timeout=0), made.ask(timeout=0)
    assert first.params["adam"] == pytest.approx({"amsgrad": True, "beta": 0.75})
    assert like(second.params, SGD)
    for entry in ({"optimizer": "adam", "sgd": {"momentum": 0.5}}, {"adam.beta": 0.75}):
        with pytest.raises(SpaceError, match=r"is active only when.*or give that value as well"):
            study(start=[entry])
    with_init = {**SPACE, "optimizer": Choice(["sgd", "adam"], init="sgd")}
    study(space=with_init, start=[{"sgd": {"momentum": 0.5}}])
    with pytest.raises(SpaceError, match=r"'adam.amsgrad' is active only when"):
        study(space=with_init, start=[{"adam.amsgrad": True}])


def test_a_study_is_reopened_with_the_same_conditions(tmp_path):
    """By its path alone too; another condition is a difference."""
    made = trained(tmp_path / "s")
    assert [t.params for t in hoptim.load(tmp_path / "s").trials] == [t.params for t in made.trials]
    assert hoptim.load(tmp_path / "s").space == made.space
    study(tmp_path / "s")
    other = {**SPACE, "sgd": {"momentum": Float(0.0, 0.9, when={"optimizer": "adam"})}}
    with pytest.raises(hoptim.StudyMismatch, match="momentum"):
        study(tmp_path / "s", space=other)


def test_a_record_that_lacks_what_is_active_is_damage(tmp_path):
    """It is not shown as a trial without it, though records may lack what is not active."""
    study(tmp_path)
    asked = {"op": "ask", "trial": 0, "member": 0, "step": 0, "parent": None, "worker": "w"}
    append(tmp_path, {**asked, "params": {"optimizer": "sgd", "lr": 0.1}, "x": [0.0] * 5})
    append(tmp_path, {"op": "tell", "trial": 0, "token": 1, "value": 0.5, "id": "e" * 12})
    with pytest.raises(hoptim.StudyDamaged, match=r"Trial 0 is recorded.*'sgd.momentum'"):
        _ = hoptim.load(tmp_path).trials[0].params


def test_check_takes_what_is_there():
    """`check` and `tell(params=)` take a trial's own params, and say that others are not there."""
    trial = study().ask(timeout=0)
    trial.check(**trial.params)
    with pytest.raises(hoptim.ArgumentError, match="is there only while that holds"):
        trial.check(**{opposite(trial): 0.5})
    with pytest.raises(hoptim.ArgumentError, match="are no hyperparameters"):
        trial.tell(1.0, params={opposite(trial): 0.5})
    trial.tell(1.0, params=trial.params)


def test_given_params_are_trained_as_given():
    """A proposal with exact params has those that are active, whatever its coordinate of the others is."""

    @dataclasses.dataclass(frozen=True)
    class Exact(Optimizer):
        x: Any
        params: Any

        def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
            return Proposal(None, np.array(self.x), params=self.params)

    space = Space(SPACE)
    for rest in (0.0, 1.0):
        x = space.encode(SGD)
        x[~space.active(x)] = rest
        assert study(optimizer=Exact(x.tolist(), SGD)).ask(timeout=0).params == SGD
    wrong = {**SGD, "optimizer": "adam", "adam": {"amsgrad": False}}
    with pytest.raises(hoptim.OptimizerError, match=r"do not fit the space.*'sgd.momentum' is active only"):
        study(optimizer=Exact(x.tolist(), wrong)).ask(timeout=0)
    x[1] += 0.1
    with pytest.raises(hoptim.OptimizerError, match="must be the coordinates of its params"):
        study(optimizer=Exact(x.tolist(), SGD)).ask(timeout=0)


# -- schedules


def changing() -> Schedule:
    """A schedule in which the optimizer changes."""
    made = trained(steps=8, seed=3)
    found = [made.schedule(trial) for trial in made.trials]
    return next(each for each in reversed(found) if len(set(each.series("optimizer"))) > 1)


def test_a_schedule_goes_through_files(tmp_path):
    """JSON and CSV give back the same intervals; `series` has None where there was no value."""
    found = changing()
    assert Schedule.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert Schedule.from_csv(found.to_csv(), SPACE) == found
    for name in ("s.json", "s.csv"):
        found.save(tmp_path / name)
        assert Schedule.load(tmp_path / name, SPACE) == found
    momentum = [interval.params["sgd"].get("momentum") for interval in found]
    assert None in momentum
    assert found.series("sgd.momentum") == momentum
    assert "sgd.momentum" in found._repr_html_()
    broken = found.to_csv().replace("sgd,", "adam,").replace("adam,null", "adam,0.5")
    with pytest.raises(hoptim.ArgumentError, match="no schedule that hoptim wrote"):
        Schedule.from_csv(broken, SPACE)


def test_a_schedule_is_replayed():
    """`Fixed` trains by a schedule whose params come and go, exactly."""
    found = changing()
    again = train(study(optimizer=hoptim.Fixed(found), size=2, steps=len(found)))
    assert [interval.params for interval in again.schedule()] == [interval.params for interval in found]
    with pytest.raises(hoptim.OptimizerError, match=r"'sgd.momentum' is active only when"):
        study(optimizer=hoptim.Fixed({**PLAIN_ADAM, "sgd": {"momentum": 0.5}}))


def test_what_is_inherited_may_come_and_go_in_a_fixed_schedule():
    """With the same value whenever it is active; another one is refused."""
    space = {"kind": Choice(["a", "b"]), "n": Int(1, 9, inherit=True, when={"kind": "a"})}
    a, b = {"kind": "a", "n": 3}, {"kind": "b"}
    train(study(space=space, optimizer=hoptim.Fixed([b, a, b, a]), size=1))
    with pytest.raises(hoptim.OptimizerError, match="at age 3 they differ from those before"):
        study(space=space, optimizer=hoptim.Fixed([a, b, b, {"kind": "a", "n": 4}]))


# -- tables, forks, lineages, other processes


def test_tables_have_a_gap():
    """A DataFrame has all columns, and no value where a hyperparameter was not active."""
    pytest.importorskip("pandas", reason="needs the extra 'pandas'")
    made = trained(steps=8, seed=3)
    found = made.to_pandas()
    assert [f"params.{name}" for name in NAMES] == [c for c in found.columns if c.startswith("params.")]
    sgd = found["params.optimizer"] == "sgd"
    assert (found["params.sgd.momentum"].notna() == sgd).all()
    assert (found["params.adam.amsgrad"].notna() == ~sgd).all()
    assert found["params.adam.amsgrad"].dtype == "boolean"
    assert found.attrs == {}
    schedule = made.schedule().to_pandas()
    assert (schedule["params.sgd.momentum"].notna() == (schedule["params.optimizer"] == "sgd")).all()


def test_a_report_has_a_gap():
    """Columns of the page have null where a hyperparameter was not active."""
    made = trained()
    columns = {param["name"]: param["column"] for param in data_of(made)["params"]}
    assert list(columns) == NAMES
    for name, column in columns.items():
        flat = [made.space.flat(trial.params) for trial in made.trials]
        assert [value is not None for value in column] == [name in each for each in flat]
    assert None in columns["adam.amsgrad"]


def test_lineage_status_and_top_show_it(tmp_path):
    """What looks at a study looks at one with conditions."""
    made = trained(tmp_path / "s")
    line = made.lineage().line
    assert [t.params for t in line] == [interval.params for interval in made.schedule()]
    assert made.lineage().exploits or len(made.family.exploits) > 0
    assert made.status().best.params == made.best.params
    assert made.top(3)
    assert "sgd" in made.best._repr_html_()
    assert made.check().findings == ()


def test_a_fork_carries_what_is_not_active(tmp_path):
    """The same space goes on as it was; in another one, values that are not active are not forgotten."""
    old = trained(tmp_path / "s")
    same = hoptim.fork(tmp_path / "s", tmp_path / "same")
    assert [list(t.x) for t in same.trials] == [list(t.x) for t in old.results().latest]
    train(same)
    always = {"optimizer": Choice(["sgd", "adam"]), "sgd": {"momentum": Float(0.0, 0.9)}}
    forked = hoptim.fork(tmp_path / "s", tmp_path / "always", space=always)
    for new, before in zip(forked.trials, old.results().latest, strict=True):
        assert new.params["optimizer"] == before.params["optimizer"]
        assert new.params["sgd"]["momentum"] == pytest.approx(0.9 * before.x[1])
    train(forked)
    back = hoptim.fork(tmp_path / "always", tmp_path / "back", space=SPACE)
    train(back)
    assert reader.judge_params(tmp_path / "back") == reader.judge_params(tmp_path / "same") == []
    assert back.check().findings == same.check().findings == ()


def test_trials_of_another_process_have_what_is_active(tmp_path):
    """What `hoptim ask` prints is nested as the space is, without what is not active."""
    study(tmp_path / "s", start=[PLAIN_ADAM])
    trial = remote.ask(tmp_path / "s", 60)
    assert trial is not None
    assert like(trial["params"], PLAIN_ADAM)
    remote.tell(tmp_path / "s", trial["number"], trial["token"], 0.5)
    assert like(hoptim.load(tmp_path / "s").trials[0].params, PLAIN_ADAM)


def test_a_trial_without_a_value_goes_on_with_the_same():
    """After `advance` a member has the same params and coordinates."""
    made = study(size=1)
    first = made.ask(timeout=0)
    first.advance()
    second = made.ask(timeout=0)
    assert second.params == first.params
    second.tell(math.nan)
    assert len({tuple(trial.x) for trial in made.trials}) == 1
