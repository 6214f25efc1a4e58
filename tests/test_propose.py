"""From records to the next trial: what an optimizer is shown, and which answers are refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoptim import (
    ROMUL,
    ArgumentError,
    Choice,
    Float,
    Optimizer,
    OptimizerError,
    Proposal,
    Space,
    View,
)
from hoptim.session.propose import Proposer
from hoptim.store.shape import StudyShape
from hoptim.store.state import State

SPACE = Space({"x": Float(0.0, 10.0), "c": Choice({"one": object(), "two": object()})})
X = [0.5, 1.0]


@dataclass(frozen=True)
class Scripted(Optimizer):
    """Answers with what it is given and keeps what it was asked."""

    answer: Any = None

    def propose(self, view: View, member: int, rng: np.random.Generator) -> Proposal:
        asked.append((view, member, rng))
        return self.answer  # type: ignore[no-any-return]


asked: list[tuple[View, int, np.random.Generator]] = []


class Told:
    """A state made of records, one ask and one tell for each trial."""

    def __init__(self, size: int = 2, sign: int = 1, seed: int = 0) -> None:
        self.state = State(StudyShape(size, 100, seed, sign))
        self.state.apply({"op": "create", "format": 1})

    def ask(self, member: int, parent: int | None = None, memo: Any = None) -> int:
        """Propose and claim a member's next trial."""
        number, step = self.state.count, len(self.state.members[member])
        self.state.apply({
            "op": "ask", "member": member, "trial": number, "step": step, "parent": parent, "memo": memo,
            "params": {"x": 5.0, "c": "two"}, "x": X, "worker": "w", "time": 0.0,
        })  # fmt: skip
        return number

    def tell(self, number: int, value: float, saved: bool = False) -> None:
        """End a claimed trial with a value."""
        token = next(trial.token for trial in self.state.open.values() if trial.number == number)
        self.state.apply({
            "op": "tell", "trial": number, "token": token, "value": value, "saved": saved, "id": "i",
            "time": 1.0,
        })  # fmt: skip

    def add(self, *values: float, parents: dict[int, int] | None = None, saved: bool = False) -> Told:
        """One more finished trial for each member, in order."""
        for member, value in enumerate(values):
            parent = None if parents is None else parents.get(member)
            self.tell(self.ask(member, parent, {"m": member}), value, saved)
        return self


def good(**changes: Any) -> Proposal:
    """A proposal that can be trained."""
    return replace(Proposal(None, np.array(X), {"sigma": 0.1}), **changes)


def decide(answer: Any, told: Told | None = None, member: int = 0) -> dict[str, Any]:
    """The fields of the record that an answer leads to."""
    state = (told or Told().add(1.0, 2.0)).state
    return Proposer(SPACE, Scripted(answer))(state, member, state.count)


def shown(told: Told, member: int = 0) -> View:
    """What the optimizer was shown when a member asked."""
    decide(good(), told, member)
    return asked[-1][0]


def test_a_proposal_becomes_fields_of_a_record():
    """The record has parent, names of the values, coordinates and memo, all plain JSON."""
    assert decide(good(parent=1)) == {
        "parent": 1,
        "params": {"x": 5.0, "c": "two"},
        "x": X,
        "memo": {"sigma": 0.1},
    }


def test_no_memo_leaves_no_field():
    """An optimizer that remembers nothing writes nothing."""
    assert "memo" not in decide(good(memo=None))


def test_only_what_is_to_be_retained_says_so():
    """The flag is in the record when it is set, and else the record is what it always was."""
    assert decide(good(retain=True))["retain"] is True
    assert "retain" not in decide(good())


@pytest.mark.parametrize("retain", [1, None, "yes", np.True_])
def test_retain_is_true_or_false(retain):
    """Anything else is refused, for JSON would hold something else."""
    with pytest.raises(OptimizerError, match=r"(?s)^Scripted\(.* retain must be True or False, found"):
        decide(good(retain=retain))


def test_params_are_recorded_as_given():
    """Values whose coordinates decode to something else in the last bit are trained as they are."""
    space = Space({"a": Float(1e-4, 1.0, log=True), "b": Float(0.0, 10.0)})
    x = space.encode(given := {"a": 0.1, "b": 0.7})
    assert space.names(x) != given
    answer = Proposal(None, x, params={"b": np.float64(0.7), "a": 0.1})
    fields = Proposer(space, Scripted(answer))(Told().state, 0, 0)
    assert (fields["params"], list(fields["params"])) == (given, ["a", "b"])
    assert [type(value) for value in fields["params"].values()] == [float, float]


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"x": 5.1, "c": "two"}, r"x must be the coordinates of its params, \[0\.51, 1\.0\], found"),
        ({"x": 5.0, "c": "one"}, "x must be the coordinates of its params"),
        ({"x": 5.0}, r"its params do not fit the space: Hyperparameters lack \['c'\]"),
        ({"x": 50.0, "c": "two"}, "its params do not fit the space: Hyperparameter 'x'"),
        ({"x": 5.0, "c": "two", "z": 1}, r"its params do not fit the space: \['z'\] are no"),
    ],
)
def test_params_that_are_not_what_x_stands_for_are_refused(params, why):
    """Children inherit x, so it must stand for what was trained."""
    with pytest.raises(OptimizerError, match=rf"(?s)^Scripted\(.* cannot be trained: {why}"):
        decide(good(params=params))


@pytest.mark.parametrize(
    ("memo", "recorded"),
    [((1, 2), [1, 2]), ({1: "a"}, {"1": "a"}), ({"a": np.float64(0.5)}, {"a": 0.5}), ([], []), (0, 0)],
)
def test_a_memo_is_recorded_as_it_comes_back(memo, recorded):
    """The memo is already what a reader of the journal will find, so replay shows the same."""
    found = decide(good(memo=memo))["memo"]
    assert found == recorded
    assert type(found) is type(recorded)


def test_a_recorded_memo_is_a_copy():
    """Changing the memo afterwards does not change the record."""
    memo = {"sigma": 0.1}
    found = decide(good(memo=memo))
    memo["sigma"] = 0.2
    assert found["memo"] == {"sigma": 0.1}


@given(seed=st.integers(0, 2**64), number=st.integers(0, 10**6))
@settings(max_examples=50)
def test_the_generator_is_made_of_seed_and_number(seed, number):
    """The stream is that of `np.random.default_rng([seed, number])`, whatever else is recorded."""
    Proposer(SPACE, Scripted(good()))(Told(seed=seed).add(1.0).state, 0, number)
    _, _, rng = asked[-1]
    expected = np.random.default_rng([seed, number])
    assert rng.random(4).tolist() == expected.random(4).tolist()
    assert rng.standard_normal(4).tolist() == expected.standard_normal(4).tolist()


@pytest.mark.parametrize(
    "x",
    [
        np.array([1.5, 0.0]),
        np.array([-0.1, 0.0]),
        np.array([0.5, 2.0]),
        np.array([0.5, -1.0]),
        np.array([math.nan, 0.0]),
        np.array([0.5, math.nan]),
        np.array([math.inf, 0.0]),
        np.array([0.5]),
        np.array([0.5, 0.0, 0.0]),
        np.array([[0.5, 0.0]]),
        np.array([[0.5], [0.0]]),
        np.array(0.5),
        np.array([]),
        np.array(["0.5", "0.0"]),
        np.array([None, 0.0]),
        np.array([0.5j, 0.0]),
        [0.5, 0.0],
        0.5,
        None,
    ],
)
def test_bad_coordinates_are_refused(x):
    """x must be d numbers that the space can decode; the message names the optimizer and x."""
    with pytest.raises(
        OptimizerError, match=r"(?s)^Scripted\(.* made a proposal that cannot be trained: x must"
    ):
        decide(good(x=x))


@pytest.mark.parametrize("parent", [2, 99, -1, 1.0, "1", True, False, np.int64(1), [1], (1,), {}])
def test_unknown_parents_are_refused(parent):
    """A parent must be the number of a finished trial, as a plain int that JSON can hold."""
    why = "is no healthy finished trial" if type(parent) is int else "must be a plain int or None"
    with pytest.raises(OptimizerError, match=rf"(?s)^Scripted\(.* parent .*{why}"):
        decide(good(parent=parent))


@pytest.mark.parametrize("failure", [math.nan, math.inf, -math.inf])
def test_failed_parents_are_refused(failure):
    """A trial without a finite value cannot be continued."""
    with pytest.raises(OptimizerError, match=r"(?s)^Scripted\(.* parent 0 is no healthy finished trial"):
        decide(good(parent=0), Told().add(failure, 1.0))


def test_running_parents_are_refused():
    """A trial that has not finished cannot be continued."""
    told = Told().add(1.0, 2.0)
    running = told.ask(1)
    with pytest.raises(OptimizerError, match=f"parent {running} is no healthy finished trial"):
        decide(good(parent=running), told)


def test_parents_whose_checkpoint_was_dropped_are_refused():
    """In a study with checkpoints a parent must still have one; the message says how to keep it."""
    told = Told().add(1.0, 2.0, saved=True)
    assert decide(good(parent=1), told)["parent"] == 1
    del told.state.saved[1]
    with pytest.raises(
        OptimizerError, match=r"(?s)^Scripted\(.* checkpoint of parent 1 was dropped.*retain.*keep"
    ):
        decide(good(parent=1), told)


@pytest.mark.parametrize(
    "memo",
    [math.nan, {"sigma": math.nan}, {"sigma": math.inf}, [object()], {"a": np.zeros(2)}, {1, 2}, b"a"],
)
def test_bad_memos_are_refused(memo):
    """A memo must be plain JSON with finite numbers; the message names the optimizer."""
    with pytest.raises((OptimizerError, ArgumentError), match=r"Scripted\(.*must be plain JSON"):
        decide(good(memo=memo))


@pytest.mark.parametrize("answer", [None, (None, X), {"parent": None, "x": X}, np.array(X)])
def test_answers_that_are_no_proposal_are_refused(answer):
    """An optimizer that returns something else is told what it should return."""
    with pytest.raises(OptimizerError, match=r"(?s)^Scripted\(.*must be a Proposal, found"):
        decide(answer)


@pytest.mark.parametrize(("sign", "losses"), [(1, [3.0, -1.0]), (-1, [-3.0, 1.0])])
def test_only_the_view_negates_values_to_be_maximised(sign, losses):
    """Losses in the view are lower when better, and the recorded values keep the user's sign."""
    told = Told(sign=sign).add(3.0, -1.0)
    assert shown(told).population.loss.tolist() == losses
    assert shown(told).history.loss.tolist() == losses
    assert [trial.value for trial in told.state.finished.values()] == [3.0, -1.0]


@pytest.mark.parametrize("sign", [1, -1])
def test_failures_stay_failures_in_either_mode(sign):
    """A value that is not finite is unhealthy whether values are minimised or maximised."""
    seen = shown(Told(size=4, sign=sign).add(math.inf, -math.inf, math.nan, 1.0))
    assert seen.population.healthy.tolist() == [False, False, False, True]


def test_the_view_has_what_was_recorded():
    """Numbers, members, steps, ages, coordinates and memos are those of the records."""
    seen = shown(Told().add(1.0, 2.0).add(3.0, 4.0, parents={0: 1}), member=1)
    now = seen.population
    assert (seen.space, seen.size) == (SPACE, 2)
    assert (now.number.tolist(), now.member.tolist(), now.step.tolist()) == ([2, 3], [0, 1], [1, 1])
    assert (now.age.tolist(), now.x.tolist(), list(now.memo)) == ([1, 0], [X, X], [{"m": 0}, {"m": 1}])
    assert now.parent.tolist() == [1, -1]
    assert seen.history.parent.tolist() == [-1, -1, 1, -1]


def test_a_late_asker_is_not_compared_with_later_steps():
    """The population has, per member, the finished trial with the largest step up to the asker's."""
    told = Told(size=3).add(1.0, 2.0)
    told.add(0.5).tell(told.ask(0), 0.25)
    assert shown(told, member=1).population.number.tolist() == [0, 1]
    assert shown(told, member=0).population.number.tolist() == [3, 1]
    assert len(shown(told, member=2).population) == 0


def test_history_has_all_finished_trials_and_running_the_others():
    """History is in the order of numbers, and running trials have no loss yet."""
    told = Told(size=3)
    numbers = [told.ask(member) for member in (2, 0, 1)]
    told.tell(numbers[2], 5.0)
    told.tell(numbers[0], 4.0)
    seen = shown(told, member=1)
    assert (seen.history.number.tolist(), seen.history.loss.tolist()) == ([0, 2], [4.0, 5.0])
    assert (seen.running.number.tolist(), seen.running.member.tolist()) == ([1], [0])
    assert np.isnan(seen.running.loss).all()
    told.ask(2, parent=numbers[2])
    assert shown(told, member=1).running.parent.tolist() == [-1, numbers[2]]


def test_populations_of_nobody_have_as_many_dimensions():
    """Before anything has finished, coordinates are an array (0, d)."""
    assert shown(Told()).population.x.shape == (0, 2)


def test_the_view_has_the_start():
    """Known first configurations come with the view."""
    Proposer(SPACE, Scripted(good()), [{"x": 2.5}])(Told().state, 0, 0)
    assert asked[-1][0].start == [{"x": 2.5}]


def proposals(
    decide: Callable[[State, int, int], dict[str, Any]], events: list[tuple[int, int]]
) -> list[dict[str, Any]]:
    """What is proposed when members ask in this order and tell these values."""
    told, made = Told(size=3, seed=7), []
    for member, value in events:
        made.append(fields := decide(told.state, member, told.state.count))
        told.tell(told.ask(member, fields["parent"], fields["memo"]), float(value))
    return made


@given(events=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=20))
@settings(max_examples=40)
def test_what_is_kept_between_asks_changes_nothing(events):
    """One object that has answered before proposes what a new one does for each ask."""

    def anew(state: State, member: int, number: int) -> dict[str, Any]:
        return Proposer(SPACE, ROMUL())(state, member, number)

    kept, expected = Proposer(SPACE, ROMUL()), proposals(anew, events)
    assert proposals(kept, events) == expected
    assert proposals(kept, events) == expected


def test_what_is_kept_does_not_outlive_its_records():
    """After a journal was read anew with another value for the same trial, the new value counts."""
    kept = Proposer(SPACE, Scripted(good()))
    for value in (1.0, 9.0):
        kept(Told().add(value, 5.0).state, 0, 2)
        assert asked[-1][0].population.loss.tolist() == [value, 5.0]
