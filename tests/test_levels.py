"""The populations that asks compare, kept up to date by what ended: the same as gathered anew."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoptim.session.levels import Levels
from hoptim.session.propose import gather
from hoptim.session.table import Table
from hoptim.store.state import State
from tests.test_history import columns
from tests.test_propose import Told

events = st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans()), max_size=90)


@given(events=events, sign=st.sampled_from([1, -1]), lost=st.sets(st.integers(0, 20)))
@settings(max_examples=60, deadline=None)
def test_they_are_what_would_be_gathered_anew(events, sign, lost):
    """Whoever ends, is asked after or loses a checkpoint, rows and ranking are those of a new look."""
    told, levels = Told(size=5, sign=sign), Levels(2)
    for i, (member, ends, looks) in enumerate(events):
        if member in told.state.open and ends:
            told.tell(told.state.open[member].number, [float(i % 7), np.nan][i % 5 == 0])
        elif member not in told.state.open:
            told.ask(member, memo={"i": i})
        if i in lost & told.state.finished.keys():
            told.state.gone.add(i)
        if looks:
            step = len(told.state.members[member]) - 1
            kept, anew = levels(told.state, step), gather(told.state.level(step), told.state, 2)
            assert repr(columns(kept)) == repr(columns(anew))  # nan is not nan
            assert kept.ranking.tolist() == anew.ranking.tolist()
            assert [kept.row(m) for m in range(5)] == [anew.row(m) for m in range(5)]


def trained(size: int, steps: int = 1) -> Told:
    """A study in which all members have finished some steps."""
    told = Told(size=size)
    for _ in range(steps):
        told.add(*map(float, range(size)))
    return told


def written(told: Told, levels: Levels, monkeypatch: pytest.MonkeyPatch, ends: int) -> list[int]:
    """The members whose rows are written while trials end and others ask after the first step, in turns."""
    found: list[int] = []

    def put(self: Table, row: int, trial: Any) -> None:
        found.append(row)
        original(self, row, trial)

    original = Table.put
    monkeypatch.setattr(Table, "put", put)
    for member in range(ends):
        told.tell(told.ask(member), 0.5)
        levels(told.state, 0)
    return found


@pytest.mark.parametrize("size", [8, 256])
def test_an_ask_looks_at_the_rows_that_changed(size, monkeypatch):
    """However many members there are, a trial that ended costs one row of each level that it belongs to."""
    told, levels = trained(size), Levels(2)
    levels(told.state, 0)
    looked: list[int] = []
    monkeypatch.setattr(State, "level", lambda state, step: looked.append(step) or [])
    assert written(told, levels, monkeypatch, ends=4) == [0, 1, 2, 3]  # of the level of step 1
    assert len(levels(told.state, 1)) == size
    assert not looked


def test_the_same_trials_are_the_same_population():
    """Asks between which nothing of their level has changed share arrays and ranking."""
    told, levels = trained(4), Levels(2)
    first = levels(told.state, 0)
    told.tell(told.ask(0), 9.0)
    assert levels(told.state, 0) is first


def test_what_was_given_out_stays_as_it_was():
    """A population that somebody holds does not change when a member's row does."""
    told, levels = trained(4), Levels(2)
    told.tell(told.ask(0), 7.0)
    first = levels(told.state, 1)
    before, ranked = columns(first), first.ranking.tolist()
    told.tell(told.ask(1), -1.0)
    assert levels(told.state, 1).loss.tolist() == [7.0, -1.0, 2.0, 3.0]
    assert (columns(first), first.ranking.tolist()) == (before, ranked)


def test_levels_that_no_ask_can_come_back_to_are_forgotten():
    """Once the slowest member has finished a step, what was compared before is let go."""
    told, levels = trained(3), Levels(2)
    for step in range(6):
        levels(told.state, step)
        told.add(1.0, 2.0, 3.0)
    levels(told.state, 6)
    assert len(vars(levels)["_tables"]) <= 3
