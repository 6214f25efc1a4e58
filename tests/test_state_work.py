"""What the state keeps up to date with each record: the same as by definition, without a walk."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoptim.store.state import State
from hoptim.store.tally import Tally
from hoptim.store.trial_record import TrialRecord
from hoptim.store.turns import Turns
from tests.builders import named
from tests.test_state import Log
from tests.work import instructions

EVENTS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 999)), max_size=80)


def due(state: State, lead: int, prefer: int | None) -> int | None:
    """The member to train next, by definition."""
    steps = [len(trials) for trials in state.members]
    limit = min(min(steps) + lead, state.steps - 1)
    free = [
        (step, member != prefer, member)
        for member, step in enumerate(steps)
        if step <= limit and (member not in state.open or state.open[member].worker is None)
    ]
    return min(free)[2] if free else None


def unreferenced(state: State, keep: Callable[[TrialRecord], bool] | None) -> list[int]:
    """The trials whose checkpoint can no longer be loaded, by definition."""
    asking = [
        state.open[member].step if member in state.open else len(trials) - 1
        for member, trials in enumerate(state.members)
    ]
    floor = max(min(asking), 0)
    needed = {trial.parent for trial in state.open.values()} | state.retained
    if state.best_ever is not None:
        needed.add(state.best_ever.number)
    for trials in state.members:
        needed.update(trial.number for trial in trials[min(floor, len(trials) - 1) :])
    spare = [number for number in state.saved if number not in needed]
    return [number for number in spare if keep is None or not keep(state.finished[number])]


def play(log: Log, events: list[tuple[int, int]]) -> Iterator[int]:
    """Fold random records that hoptim could write; gives the kind of event after each."""
    held: list[tuple[int, int]] = []
    for what, roll in events:
        if what < 5:
            member = log.state.due(roll % 3, [None, 0, 1, 2][roll % 4])
            if member is None:
                continue
            known = member in log.state.open
            parents = [None, *log.state.saved]
            parent = None if known else parents[roll % len(parents)]
            held.append(log.ask(member, parent, **({} if known or roll % 4 else {"retain": True})))
        elif what == 11 and log.state.saved:
            log.put("drop", drops=[[*log.state.saved][roll % len(log.state.saved)]])
        elif what == 10:
            log.put("extend", steps=log.state.steps + 1)
        elif held:
            number, token = held.pop(roll % len(held))
            ended = {"trial": number, "token": token}
            if what < 8:
                value = [float(roll % 7), float(roll % 5), "nan"][what - 5]
                log.put("tell", **ended, value=value, **({} if value == "nan" else named(number, token)))
            elif what == 8:
                log.put("fail", **ended, why="w", final=roll % 2 == 0)
            else:
                end = [
                    ("release", {}),
                    ("release", {"unused": True}),
                    ("reclaim", {"final": roll % 2 == 0}),
                ]
                op, more = end[roll % 3]
                log.put(op, **ended, **more)
        yield what


@given(EVENTS)
def test_the_next_member_is_the_one_by_definition(events):
    """After any records, whatever the lead and the member preferred, the same member is due."""
    log = Log(4, 3)
    for _ in play(log, events):
        for lead in (0, 1, 5):
            for prefer in (None, 0, 3):
                assert log.state.due(lead, prefer) == due(log.state, lead, prefer)
        assert log.state.slowest == min(map(len, log.state.members))
        assert log.state.done == all(len(trials) >= log.state.steps for trials in log.state.members)


@given(EVENTS, st.sampled_from([None, lambda trial: trial.number % 3 == 0]))
def test_unreferenced_checkpoints_are_those_by_definition(events, keep):
    """Looked at after each record or now and then, dropped or not, the same checkpoints are unneeded."""
    log = Log(3, 4)
    for what in play(log, events):
        if what % 2:
            assert log.state.unreferenced(keep) == unreferenced(log.state, keep)
        if what == 7:
            log.state.drop(log.state.unreferenced(keep)[:2])
    assert log.state.unreferenced(keep) == unreferenced(log.state, keep)


@given(EVENTS)
def test_counts_are_those_of_all_trials(events):
    """Failures, failed attempts and interruptions are counted as they would be over the history."""
    log = Log(3, 4)
    for _ in play(log, events):
        pass
    ended, every = [*log.state.finished.values()], [*log.state.finished.values(), *log.state.open.values()]
    counts = log.state.counts
    assert counts.failed == sum(not trial.finite for trial in ended)
    assert counts.attempts == sum(len(trial.reasons) + (trial.failed is not None) for trial in every)
    assert counts.interruptions == sum(trial.interruptions for trial in every)


@given(EVENTS)
def test_open_trials_are_found_by_number_and_worker(events):
    """By member, number and worker the same trials are open; one with its worker until it has ended."""
    log = Log(4, 3)
    for _ in play(log, events):
        opened = log.state.open
        assert all(opened.numbered(trial.number) is trial for trial in opened.values())
        held = [trial for trial in opened.values() if trial.worker is not None]
        assert opened.held_by("w") == sorted(held, key=lambda trial: trial.number)
        assert [*opened.workers] == (["w"] if held else [])


def test_what_is_kept_is_asked_about_with_each_tell():
    """A `keep=` of the last steps lets a checkpoint go once it is further back than they are."""
    log = Log(1, 99)

    def is_of_late(trial: TrialRecord) -> bool:
        return trial.step >= len(log.state.members[0]) - 4

    spare = []
    for _ in range(8):
        log.told(0, value=5.0, saved=True)
        spare.append(log.state.unreferenced(is_of_late))
    # The best of equals is the first, which stays.
    assert spare == [[], [], [], [], [], [1], [1, 2], [1, 2, 3]]


def grown(members: int, steps: int = 2) -> Log:
    """A study of some members, all in the middle of a step: half of them have ended it, a tenth is held."""
    log = Log(members, 99)
    for _ in range(steps):
        for member in range(members):
            log.told(member, parent=[*log.state.saved][-1] if log.state.saved else None, saved=True)
            log.state.drop(log.state.unreferenced(None))
    for member in range(members // 2):
        log.told(member, saved=True)
    for member in range(members // 2, members * 6 // 10):
        log.ask(member)
    return log


def round_of(log: Log) -> None:
    """What one ask and tell make of the state, the choices included."""
    member = log.state.due(1, 0)
    assert member is not None
    number, token = log.ask(member, [*log.state.saved][-1])
    assert log.state.held(number, token) is not None
    log.put("tell", trial=number, token=token, value=2.0, **named(number, token))
    log.state.drop(log.state.unreferenced(None))
    assert not log.state.done


@pytest.mark.parametrize("more", [{"members": 1000, "steps": 2}, {"members": 20, "steps": 90}])
def test_a_round_does_no_more_with_more_members_or_trials(more):
    """50 times the members, or 45 times the history, cost an ask and a tell but a deeper heap."""
    work = []
    for log in (grown(members=20, steps=2), grown(**more)):
        round_of(log)  # removes from the queue what is no longer in force
        work.append(instructions(lambda log=log: [round_of(log) for _ in range(5)]))
    assert work[1] < 1.2 * work[0]


def test_turns_forget_what_is_no_longer_in_force():
    """However often trials are handed back or taken out of turn, the queue stays within a few members."""
    turns = Turns([0] * 5)
    for _ in range(1000):
        turns.take(4)
        turns.put_back(4)
    for member in (4, 3, 2, 1) * 300:
        turns.take(member)
        turns.end(member)
    assert len(turns._queue) <= 2 * 5 + 65
    assert turns.next(10**9, None) == 0
    turns.take(0)
    assert (turns.next(299, 3), turns.next(10**9, 3), turns.slowest) == (None, 3, 0)


def test_a_tally_says_when_the_last_has_advanced():
    """The least rises with the last member that was at it, by one; new members put it back to zero."""
    tally = Tally([0, 0])
    assert [tally.advance(step) for step in (0, 1, 0, 1)] == [False, False, True, True]
    assert tally.least == 2
    tally.add(0)
    assert tally.least == 2
    tally.add(1)
    assert tally.least == 0
    assert tally.advance(0)
