"""Summaries: each trial is added once, however many asks there are, and nothing else is looked at."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoptim import ASHA, PB2, Population, Space, Summary, View
from hoptim.optimizers._rungs import Rungs
from hoptim.session import news, summaries
from hoptim.session.history import History
from hoptim.session.propose import Proposer, gather
from hoptim.session.summaries import Summaries
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord
from hoptim.testing import Row, population
from tests.test_history import in_order
from tests.test_propose import SPACE, Told


class Diary(Summary):
    """Counts what it is given."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.counts: Counter[tuple[str, int]] = Counter()

    def begun(self, trial: Row) -> None:
        self.counts["begun", trial.number] += 1

    def ended(self, trial: Row) -> None:
        assert self.counts["begun", trial.number] == 1
        self.counts["ended", trial.number] += 1


def view(state: State) -> View:
    """A view that keeps nothing."""
    return View(
        SPACE, 4, Population.empty(), (), lambda: gather(in_order(state), state, 2),
        lambda: gather(state.open.values(), state, 2),
    )  # fmt: skip


@given(events=st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), max_size=60))
@settings(max_examples=40, deadline=None)
def test_each_trial_is_added_once_when_it_begins_and_once_when_it_ends(events):
    """Looked at in between or not, a summary is what one made anew of history and running trials is."""
    told, kept = Told(size=4), Summaries()
    for member, ends, looks in [*events, (0, True, True)]:
        if member in told.state.open and ends:
            told.tell(told.state.open[member].number, 1.0)
        elif member not in told.state.open:
            told.ask(member)
        if looks:
            assert kept(told.state, Diary).counts == view(told.state).summary(Diary).counts


def test_other_settings_make_another_summary():
    """A summary belongs to its class and settings, and another state begins it anew."""
    told, kept = Told().add(1.0, 2.0), Summaries()
    first = kept(told.state, Diary, "a")
    assert kept(told.state, Diary, "a") is first
    assert kept(told.state, Diary, "b").name == "b"
    told.state.gone.add(0)
    assert kept(told.state, Diary, "a") is not first


losses = st.sampled_from([0.0, 1.0, 2.0, 3.0, math.nan, math.inf])
trials = st.lists(st.tuples(st.integers(0, 5), losses, st.integers(-1, 30)), max_size=30)


@given(trials=trials, running=st.sets(st.integers(0, 30), max_size=4), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=150)
def test_rungs_promote_whom_a_look_at_the_whole_history_does(trials, running, seed):
    """In whatever order trials come, it is the best that pauses, if it is among the best of a rung."""
    rows = [Row(n, n, 0, age, [0.5], loss, None, parent) for n, (age, loss, parent) in enumerate(trials)]
    followed = [Row(100 + n, n, 0, 0, [0.5], math.nan, None, n) for n in running]
    rungs = Rungs((1, 2, 4), 2)
    for at in np.random.default_rng(seed).permutation(len(rows)):
        rungs.begun(rows[at])
        rungs.ended(rows[at])
    for row in followed:
        rungs.begun(row)
    found = rungs.promotable()
    assert (None if found is None else found.number) == by_arrays(population(rows), population(followed))


def by_arrays(history: Population, running: Population) -> int | None:
    """The same, with all trials as arrays."""
    rungs, trained = [1, 2, 4], history.age + 1
    rung = np.searchsorted(rungs, trained)
    arrived = (np.isin(trained, rungs) | ~history.healthy) & ~((history.parent < 0) & (history.age > 0))
    continued = np.isin(history.number, np.concatenate([history.parent, running.parent]))
    for k in (1, 0):
        here = arrived & (rung == k)
        best = history.ranking[here[history.ranking]][: np.count_nonzero(here) // 2]
        if len(paused := best[~continued[best]]):
            return int(history.number[paused[0]])
    return None


@pytest.mark.parametrize("length", [4, 64])
def test_asha_looks_at_new_trials_alone(length, monkeypatch):
    """However long a study is, an ask of ASHA reads no history, and sees what is new since the last."""
    told, propose = Told(), Proposer(Space(SPACE.dimensions), ASHA(16, reduction_factor=2))
    for _ in range(length):
        told.add(1.0, 2.0)
    assert_only_the_new_is_seen(told, propose, monkeypatch)


@pytest.mark.parametrize("length", [4, 64])
def test_pb2_looks_at_new_trials_alone(length, monkeypatch):
    """As ASHA does, where it has gains that differ to choose by."""
    told, propose = Told(), Proposer(Space(SPACE.dimensions), PB2())
    for step in range(length):
        last = {member: 2 * (step - 1) + member for member in range(2)} if step else None
        told.add(5.0 + step % 3, 1.0 + step % 2, parents=last)
    assert_only_the_new_is_seen(told, propose, monkeypatch)


def assert_only_the_new_is_seen(told: Told, propose: Proposer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check two asks of member 0, before and after another trial of it."""
    monkeypatch.setattr(History, "__call__", None)
    propose(told.state, 0, told.state.count)
    seen: list[int] = []

    def noted(trial: TrialRecord, state: State) -> Row:
        seen.append(trial.number)
        return news_row(trial, state)

    for module in (news, summaries):
        monkeypatch.setattr(module, "row_of", noted)
    told.add(3.0)
    propose(told.state, 0, told.state.count)
    # for the level of its step, and for the summary
    assert seen.count(told.state.count - 1) == len(seen) <= 2


news_row = news.row_of
