"""The fold of records: what is due, what is kept, what contradicts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoptim.errors import StudyDamaged
from hoptim.stopping import Stopped
from hoptim.store.published import Published
from hoptim.store.seeds import trial_seed
from hoptim.store.shape import StudyShape
from hoptim.store.state import State
from tests.builders import named


class Log:
    """Builds records one by one and folds them."""

    def __init__(self, size=3, steps=4, sign=1, format=2, names=None):
        self.state = State(StudyShape(size, steps, 0, sign, names))
        self.put("create", format=format)

    def put(self, op, **fields):
        """Fold one record; gives its number."""
        n = self.state.n
        self.state.apply({"n": n, "id": f"id{n}", "op": op, "time": float(n), **fields})
        return n

    def ask(self, member, parent=None, **more):
        """Claim a member's next trial; gives number and token."""
        if member in self.state.open:
            number = self.state.open[member].number
            return number, self.put("ask", trial=number, worker="w")
        number = self.state.count
        step = len(self.state.members[member])
        fields = {"parent": parent, "params": {"x": 0.5}, "x": [0.5], "worker": "w", **more}
        return number, self.put("ask", trial=number, member=member, step=step, **fields)

    def told(self, member, value=1.0, parent=None, saved=False, **more):
        """A member's next trial from claim to end."""
        number, token = self.ask(member, parent, **more)
        saved = saved or (self.state.stateful and math.isfinite(float(value)))
        self.put("tell", trial=number, token=token, value=value, **(named(number, token) if saved else {}))
        return number


def due_in_turn(log, lead, prefer=None):
    """The members that a lone worker would train, one after another, until all is done."""
    order = []
    while (member := log.state.due(lead, prefer)) is not None:
        log.told(member)
        order.append(member)
        prefer = member
    return order


def test_one_worker_goes_through_the_population_step_by_step():
    """The lowest step comes first; among equals the member trained last, then the lowest number."""
    assert due_in_turn(Log(3, 3), lead=1) == [0, 1, 2, 2, 0, 1, 1, 0, 2]


@given(st.integers(0, 3), st.lists(st.integers(0, 3), max_size=30))
def test_nobody_gets_further_ahead_than_lead(lead, holders):
    """However workers interleave, no trial is more than `lead` steps ahead of the slowest member."""
    log, claims = Log(4, 5), []
    for choice in holders:
        member = log.state.due(lead, None)
        if member is not None:
            slowest = min(len(trials) for trials in log.state.members)
            assert len(log.state.members[member]) - slowest <= lead
            claims.append(log.ask(member))
        if claims and choice:
            number, token = claims.pop(choice % len(claims))
            log.put("tell", trial=number, token=token, value=1.0)


def test_a_member_that_is_held_is_not_due():
    """While somebody holds a member's trial it is due to nobody, and again once released."""
    log = Log(1, 2)
    number, token = log.ask(0)
    assert log.state.due(1, None) is None
    log.put("release", trial=number, token=token)
    assert log.state.due(1, None) == 0
    assert log.ask(0)[0] == number


def test_failures_and_interruptions_are_counted_apart():
    """A failed attempt raises `attempt`; releases and reclaims raise `interruptions`, unused ones not."""
    log = Log()
    number, token = log.ask(0)
    log.put("release", trial=number, token=token)
    _, token = log.ask(0)
    log.put("release", trial=number, token=token, unused=True)
    _, token = log.ask(0)
    log.put("reclaim", trial=number, token=token, final=False)
    _, token = log.ask(0)
    log.put("fail", trial=number, token=token, why="boom", final=False)
    trial = log.state.open[0]
    assert (trial.interruptions, trial.attempt, list(trial.reasons)) == (2, 2, ["boom"])


@pytest.mark.parametrize("op", ["fail", "reclaim"])
def test_a_final_failure_ends_the_step_as_not_finite(op):
    """A final failure counts as the member's step, with a value that never ranks and its reason."""
    log = Log(1, 1)
    number, token = log.ask(0)
    log.put(op, trial=number, token=token, final=True, why="boom")
    (ended,) = log.state.members[0]
    assert math.isnan(ended.value)
    assert ended.failed is not None
    assert log.state.done
    assert log.state.best_ever is None


def test_age_follows_the_weights_not_the_member():
    """A trial's age is its parent's and one, whoever's the parent was; 0 without a parent."""
    log = Log(2, 3)
    a = log.told(0)
    b = log.told(0, parent=a)
    c = log.told(1)
    d = log.told(1, parent=b)
    assert [log.state.finished[n].age for n in (a, b, c, d)] == [0, 1, 0, 2]


def test_the_level_of_a_step_has_nobody_who_trained_longer():
    """Per member its trial with the largest step up to the one asked after; absent before its first."""
    log = Log(3, 4)
    first, other = log.told(0), log.told(1)
    second = log.told(0, parent=first)
    numbers = lambda step: [t.number for t in log.state.level(step)]  # noqa: E731
    assert (numbers(-1), numbers(0), numbers(1)) == ([], [first, other], [second, other])


def test_the_first_finite_value_decides_whether_there_are_checkpoints():
    """A study is stateful or stateless by its first finite tell; what is not finite decides nothing."""
    log = Log()
    log.told(0, value="nan")
    assert log.state.stateful is None
    log.told(1, saved=True)
    assert log.state.stateful is True
    log = Log()
    log.told(0)
    assert log.state.stateful is False


@pytest.mark.parametrize(("sign", "best"), [(1, 1.0), (-1, 3.0)])
def test_the_best_ever_follows_the_mode_and_the_first_of_equals(sign, best):
    """best_ever is the lowest or highest finite value; the earliest of equal ones; -inf never."""
    log = Log(6, 1, sign)
    numbers = [log.told(m, value) for m, value in enumerate([2.0, "inf", best, best, "-inf", "nan"])]
    assert log.state.best_ever.number == numbers[2]


def test_what_may_still_be_loaded_is_not_droppable():
    """Kept are the levels that asks may still choose from, parents of open trials, and the best ever."""
    log = Log(2, 9)
    a0, b0 = log.told(0, 0.1, saved=True), log.told(1, 5.0, saved=True)
    a1 = log.told(0, 2.0, parent=a0, saved=True)
    assert log.state.unreferenced(None) == []  # member 1 may still ask after step 0
    b1, token = log.ask(1, parent=b0)
    assert log.state.unreferenced(None) == []  # b0 is a parent in use, a0 the best ever
    log.put("tell", trial=b1, token=token, value=3.0, **named(b1, token))
    assert log.state.unreferenced(None) == [b0]
    assert log.state.unreferenced(lambda entry: entry.number == b0) == []
    a2, token = log.ask(0, parent=a1)
    log.put("tell", trial=a2, token=token, value=0.05, drops=[b0], **named(a2, token))
    b2, _ = log.ask(1, parent=a2)
    # b1 stays: until b2 ends it is what member 0 would find of its neighbour
    assert log.state.unreferenced(None) == [a0, a1]
    assert b2 not in log.state.saved


@pytest.mark.parametrize("end", [None, "reclaim", "release"])
def test_the_parent_of_an_open_trial_stays(end):
    """A trial in hand, taken back or handed back will be loaded from its parent, however far others are."""
    log = Log(2, 9)
    a0, b0 = log.told(0, 5.0, saved=True), log.told(1, 0.1, saved=True)
    b1, token = log.ask(1, parent=a0)
    log.told(0, 4.0, parent=a0, saved=True)
    log.told(0, 3.0, parent=b0, saved=True)
    if end is not None:
        log.put(end, trial=b1, token=token, **({"final": False} if end == "reclaim" else {}))
    assert a0 not in log.state.unreferenced(None)
    _, token = (b1, token) if end is None else log.ask(1)
    log.put("tell", trial=b1, token=token, value=6.0, **named(b1, token))
    assert a0 in log.state.unreferenced(None)


def test_what_is_retained_stays_until_a_trial_has_continued_from_it():
    """However far its member went on, a retained trial is there until its child has ended."""
    log = Log(1, 9)
    log.told(0, 0.1, saved=True)
    waits = log.told(0, 2.0, retain=True)
    other = log.told(0, 3.0)
    log.told(0, 4.0)
    assert waits not in log.state.unreferenced(None)
    assert other in log.state.unreferenced(None)
    number, token = log.ask(0, parent=waits)
    assert waits not in log.state.unreferenced(None)
    log.put("tell", trial=number, token=token, value=5.0, **named(number, token))
    assert waits in log.state.unreferenced(None)


@pytest.mark.parametrize("value", ["nan", "-inf"])
def test_what_failed_is_not_retained(value):
    """A trial without a finite value has no checkpoint to keep."""
    log = Log(1, 9)
    log.told(0, saved=True)
    log.told(0, value, retain=True)
    assert log.state.retained == set()


def test_a_stateless_study_retains_nothing():
    """Where there are no checkpoints there are none to keep."""
    log = Log(1, 9)
    log.told(0, retain=True)
    assert log.state.retained == set()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 99)), max_size=60))
def test_kept_checkpoints_are_bounded_and_cover_every_choice(events):
    """members x (lead + 1) + 2 x running + 1 at most are kept, and all that a decision may name."""
    log, held, lead = Log(4, 12), [], 1
    for what, roll in events:
        member = log.state.due(lead, None)
        if what and member is not None:
            level = log.state.level(len(log.state.members[member]) - 1)
            choices = [t.number for t in level]
            assert set(choices) <= set(log.state.saved)
            held.append(log.ask(member, choices[roll % len(choices)] if choices else None))
        elif held:
            number, token = held.pop(roll % len(held))
            log.put("tell", trial=number, token=token, value=float(roll), **named(number, token))
            log.state.drop(log.state.unreferenced(None))
        assert len(log.state.saved) <= 4 * (lead + 1) + 2 * len(held) + 1


def test_steps_can_only_grow():
    """An extension opens new steps; one that is none contradicts."""
    log = Log(1, 1)
    log.told(0)
    assert log.state.done
    log.put("extend", steps=3)
    assert (log.state.done, log.state.due(1, None)) == (False, 0)
    with pytest.raises(StudyDamaged):
        log.put("extend", steps=3)


CONTRADICTIONS = {
    "tell of nothing": ("tell", {"trial": 9, "token": 1, "value": 1.0}),
    "tell with an old token": ("tell", {"trial": 0, "token": 0, "value": 1.0}),
    "tell without a value": ("tell", {"trial": 0, "token": 1}),
    "tell of a text": ("tell", {"trial": 0, "token": 1, "value": "many"}),
    "ask of a held trial": ("ask", {"trial": 0, "worker": "w"}),
    "ask of an unknown trial": ("ask", {"trial": 5, "worker": "w"}),
    "second create": ("create", {"format": 1}),
    "drop of what is not there": ("tell", {"trial": 0, "token": 1, "value": 1.0, "drops": [0]}),
    "ask that retains perhaps": (
        "ask",
        {
            "trial": 1,
            "member": 1,
            "step": 0,
            "parent": None,
            "params": {"x": 0.5},
            "x": [0.5],
            "worker": "w",
            "retain": 1,
        },
    ),
    "ask that skips a step": (
        "ask",
        {"trial": 1, "member": 1, "step": 2, "parent": None, "params": {}, "x": [], "worker": "w"},
    ),
    "ask of a held member": (
        "ask",
        {"trial": 1, "member": 0, "step": 0, "parent": None, "params": {}, "x": [], "worker": "w"},
    ),
    "ask with an unfinished parent": (
        "ask",
        {"trial": 1, "member": 1, "step": 0, "parent": 0, "params": {}, "x": [], "worker": "w"},
    ),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_contradictions_are_refused_with_the_record(name):
    """A record that cannot follow is refused with its number, never folded in silence."""
    log = Log()
    log.ask(0)
    op, fields = CONTRADICTIONS[name]
    with pytest.raises(StudyDamaged, match=r"(?i)record 2"):
        log.put(op, **fields)


CHECKPOINTS = {
    "no object": "0.1-0123abcd",
    "of another trial": {"name": "1.1-0123abcd", "size": 1, "files": 1},
    "of another claim": {"name": "0.7-0123abcd", "size": 1, "files": 1},
    "without a nonce": {"name": "0.1", "size": 1, "files": 1},
    "of another folder": {"name": "../0.1-0123abcd", "size": 1, "files": 1},
    "without a size": {"name": "0.1-0123abcd", "files": 1},
    "of a size that is none": {"name": "0.1-0123abcd", "size": "1", "files": 1},
    "of a negative size": {"name": "0.1-0123abcd", "size": -1, "files": 1},
    "with a digest that is none": {"name": "0.1-0123abcd", "size": 1, "files": 1, "sha256": "x"},
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_tell_names_a_checkpoint_of_its_own_claim(name):
    """A name that could lead elsewhere, or an object that is none, is refused with the record."""
    log = Log()
    log.ask(0)
    with pytest.raises(StudyDamaged, match="Record 2"):
        log.put("tell", trial=0, token=1, value=1.0, checkpoint=CHECKPOINTS[name])


def test_format_1_goes_on_as_it_was():
    """Its tells name no checkpoint, the first says it for all; fields of format 2 mean nothing in it."""
    log = Log(format=1)
    for member in range(2):
        log.ask(member)
    log.put("tell", trial=0, token=1, value=1.0, saved=True, checkpoint="a field of somebody's")
    log.put("tell", trial=1, token=2, value=2.0)
    assert log.state.saved == {0: Published("0.1"), 1: Published("1.2")}
    number, token = log.ask(0)
    for fields in ({"value": None}, {"value": 1.0, "metrics": {"a": [1]}}):
        with pytest.raises(StudyDamaged):
            log.put("tell", trial=number, token=token, **fields)


def test_format_2_has_room_for_what_format_1_had_not():
    """A trial without a value, metrics of any JSON, params that leave out what does not apply, deaths."""
    log = Log(names=("x", "y"))
    number, token = log.ask(0, x=[0.5, 0.5])
    found = {"text": "a", "none": None, "list": [1, {"b": 2}], "truth": True, "n": 3, "far": "-inf"}
    log.put("tell", trial=number, token=token, value=None, metrics=found, **named(number, token))
    trial = log.state.finished[number]
    assert (trial.finite, log.state.best_ever, log.state.stateful) == (False, None, True)
    assert trial.metrics == found | {"far": -math.inf}
    assert list(log.state.saved) == [number]
    number, token = log.ask(1, x=[0.5, 0.5])
    log.put("reclaim", trial=number, token=token, final=False, died=True)
    assert (log.state.open[1].deaths, log.state.open[1].interruptions) == (1, 1)
    for params in ({"z": 1.0}, {"x": 1.0, "y": 1.0, "z": 1.0}):
        with pytest.raises(StudyDamaged, match="params"):
            log.ask(2, params=params, x=[0.5, 0.5])


def test_a_lost_checkpoint_is_dropped_by_a_record_of_its_own():
    """A record of nothing but drops takes checkpoints away; one that drops nothing is none."""
    log = Log()
    number = log.told(0, saved=True)
    log.put("drop", drops=[number])
    assert log.state.saved == {}
    for drops in ([], [number]):
        with pytest.raises(StudyDamaged):
            log.put("drop", drops=drops)


def test_a_stop_has_a_reason_and_an_end():
    """What is stopped says why, until a record takes it back."""
    log = Log()
    log.put("stop", why="a budget", by="anna@node7")
    assert log.state.stopped == Stopped("a budget", "anna@node7", log.state.time)
    log.put("stop", why=None)
    assert log.state.stopped is None


def test_seeds_depend_on_study_and_number_alone():
    """Seeds are 31-bit, differ between trials and studies, and never change between versions."""
    seeds = [trial_seed(seed, number) for seed in range(20) for number in range(50)]
    assert len(set(seeds)) == 1000
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert [trial_seed(0, n) for n in range(3)] == [
        1125671261,
        1496562513,
        234283640,
    ]
