"""The history that is gathered once: the same, trial by trial, as gathered anew."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hoptim import Population
from hoptim.session.history import History
from hoptim.session.propose import gather
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord
from tests.test_propose import Told


def columns(trials: Population) -> list[Any]:
    """All that there is to it."""
    arrays = (trials.number, trials.member, trials.step, trials.age, trials.parent, trials.x, trials.loss)
    return [[(array.dtype, array.tolist()) for array in arrays], list(trials.memo)]


def in_order(state: State) -> list[TrialRecord]:
    """The finished trials in the order of their numbers."""
    return [state.finished[number] for number in sorted(state.finished)]


@given(
    events=st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans()), max_size=90),
    sign=st.sampled_from([1, -1]),
)
@settings(max_examples=60, deadline=None)
def test_it_is_what_would_be_gathered_anew(events, sign):
    """Trials that end in any order, looked at in between or not, are there in the order of numbers."""
    told, history = Told(size=5, sign=sign), History(2)
    for i, (member, ends, looks) in enumerate(events):
        if member in told.state.open and ends:
            told.tell(told.state.open[member].number, float(i % 7))
        elif member not in told.state.open:
            last = told.state.members[member][-1:]
            told.ask(member, last[0].number if last and i % 3 else None, {"i": i})
        if looks:
            assert columns(history(told.state)) == columns(gather(in_order(told.state), told.state, 2))
    assert columns(history(told.state)) == columns(gather(in_order(told.state), told.state, 2))


def test_what_was_given_out_stays_as_it_was():
    """An earlier history does not grow or change with a later one, and nobody can write into it."""
    told, history = Told(), History(2)
    told.add(1.0, 2.0)
    first = history(told.state)
    before = columns(first)
    history(told.add(3.0, 4.0).state)
    assert columns(first) == before
    assert not any(a.flags.writeable for a in (first.number, first.parent, first.x, first.loss))


def test_another_state_begins_anew():
    """A journal that was read anew may be shorter, and tells of other values."""
    history = History(2)
    history(Told().add(1.0, 2.0).add(3.0, 4.0).state)
    assert history(Told().add(9.0).state).loss.tolist() == [9.0]
    assert np.array_equal(history(Told().state).number, [])
