"""Workers of unequal speed: a slow one leaves to the others what they end sooner, and never for long."""

from __future__ import annotations

import gc
import math
import time

import pytest

import hoptim
from hoptim.store.locking.patience import ENDLESS
from hoptim.store.pace import Pace
from tests.builders import loss, recompute, study
from tests.simulated.install import installed
from tests.simulated.judge import FOLDER
from tests.simulated.system import System
from tests.simulated.world import World
from tests.test_state import Log


def seconds(speeds, size=8, steps=10, lead=1, leave_after=math.inf):
    """Virtual seconds that workers take for a study.

    Args:
        speeds: Seconds of a trial of each worker.
        size: Number of members.
        steps: Trials of each.
        lead: Steps that a member may be ahead of the slowest.
        leave_after: Trials after which each worker but the last leaves.
    """
    gc.collect()
    gc.disable()  # a finalizer would close descriptors of one process in the turn of another
    world = World(0)
    world.faults.left, world.nfs = 0, False
    ends, left = [], []

    def work(each):
        def script(process):
            made = hoptim.Study(
                FOLDER, space={"x": hoptim.Float(0.0, 1.0)}, optimizer=hoptim.RandomSearch(), mode="min",
                size=size, steps=steps, lead=lead,
            )  # fmt: skip
            for trials, trial in enumerate(made, 1):
                time.sleep(each)
                trial.tell(trial.params["x"])
                if trials >= leave_after and each != speeds[-1]:
                    left.append(process)
                    break
            made._session.store.leave()
            ends.append(world.now)
            process.exiting = True

        return script

    with installed(System(world)):
        try:
            for each in speeds:
                world.spawn(work(each), 1e-3 * len(world.tasks))
            world.run(lambda cut: None)
        finally:
            world.end()
            gc.enable()
    assert len(ends) == len(speeds)
    return max(ends)


CREWS = [((1, 1, 1, 10), 1), ((1, 1, 1, 10), 5), ((1, 2, 4, 8), 1), ((1, 2, 4, 8), 5), ((1, 10), 1)]


@pytest.mark.parametrize(("speeds", "lead"), CREWS)
def test_a_slow_worker_costs_one_of_its_trials_at_most(speeds, lead):
    """A study takes no longer with the slowest worker than without it, but for one trial of that worker."""
    assert seconds(speeds, lead=lead) <= seconds(speeds[:-1], lead=lead) + speeds[-1]


def test_a_slow_worker_helps_where_it_can():
    """With many members a slow worker takes its share, at whose end the others still train."""
    assert seconds((1, 1, 1, 5), size=32) < 0.98 * seconds((1, 1, 1), size=32)


def test_a_slow_worker_goes_on_when_the_fast_ones_have_left():
    """Once it waited in vain, a lone worker trains as if it had always been alone."""
    trials = 8 * 10 - 2 * 20
    assert seconds((1, 1, 5), leave_after=20) <= (trials + 2) * 5


def test_equal_workers_leave_nothing_to_each_other():
    """Three workers of the same speed take what is due, and the study takes no longer for the rule."""
    assert seconds((1, 1, 1), size=6) == pytest.approx(6 * 10 / 3, rel=0.01)


class Clock:
    """Clocks that stand still, but for what the test lets go by."""

    def __init__(self, patch):
        self.now = 1e9
        patch.setattr(time, "time", lambda: self.now)
        patch.setattr(time, "monotonic", lambda: self.now)

    def pass_by(self, seconds):
        """Let time go by."""
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    """The clocks of this process."""
    return Clock(monkeypatch)


class Crew:
    """A slow worker and a fast one, each an opened study, and the clocks that they share."""

    def __init__(self, path, clock, **changes):
        self.clock = clock
        self.slow, self.fast = study(path, **changes), study(path, **changes)

    def train(self, who, seconds, times=1):
        """Let a worker train some trials one after another."""
        for _ in range(times):
            trial = who.ask(timeout=0)
            self.clock.pass_by(seconds)
            trial.tell(loss(trial))

    def begin(self, times):
        """Let the slow one train a trial of 10 s, during which the fast one trains some of 1 s."""
        trial = self.slow.ask(timeout=0)
        self.train(self.fast, 1, times)
        self.clock.pass_by(10 - times)
        trial.tell(loss(trial))

    def leaves(self):
        """Tell whether the slow one leaves what is due to the fast one; else it claims it."""
        return self.slow._session.claim(ENDLESS) is None


@pytest.fixture
def crew(tmp_path, clock):
    """A crew that has begun a study of four members."""
    crew = Crew(tmp_path / "s", clock)
    crew.begin(times=6)
    return crew


def test_what_is_due_is_left_for_the_time_of_one_trial_at_most(crew):
    """A fast worker that stands idle comes first; if it does not come, the slow one takes the trial."""
    assert crew.leaves()
    crew.clock.pass_by(9)
    assert crew.leaves()
    crew.clock.pass_by(2)
    assert not crew.leaves()


def test_the_wait_begins_anew_with_another_trial(crew):
    """While others take what was left to them, the slow one goes on waiting, for however long."""
    for _ in range(3):
        crew.clock.pass_by(8)
        assert crew.leaves()
        crew.train(crew.fast, 1)
    assert crew.leaves()


def test_who_waited_in_vain_waits_no_more(crew):
    """A trial during which nobody else ended one shows a worker that it is alone."""
    assert crew.leaves()
    crew.clock.pass_by(11)
    crew.train(crew.slow, 10)
    assert not crew.leaves()


def test_an_ask_with_a_timeout_gets_what_is_due(crew):
    """A script that asks and does not want to wait gets a trial, however slow it is."""
    assert crew.leaves()
    assert crew.slow.ask(timeout=0) is not None


def test_what_is_left_is_the_same_trial_as_ever(crew, tmp_path):
    """A worker that waits changes who trains a trial, and nothing of what is proposed."""
    assert crew.leaves()
    due = crew.slow._session.store.state.due(1, None)
    trial = crew.fast.ask(timeout=0)
    assert trial.member == due
    trial.tell(loss(trial))
    while (trial := crew.slow.ask(timeout=0)) is not None:
        trial.tell(loss(trial))
    assert recompute(tmp_path / "s") == 4 * 5


def test_the_last_trial_goes_to_who_ends_it_first(tmp_path, clock):
    """At the end of a run the slow worker leaves the one trial that is due to a fast one that is idle."""
    crew = Crew(tmp_path / "s", clock, size=2, steps=2)
    crew.begin(times=2)
    assert crew.leaves()
    crew.train(crew.fast, 1)
    assert crew.slow.done


@pytest.mark.parametrize(
    ("second", "slower", "left"), [(1.0, 1.15, False), (1.0, 1.3, True), (0.03, 1.3, False)]
)
def test_what_is_short_or_nearly_as_fast_is_not_left(tmp_path, clock, second, slower, left):
    """Almost equal workers do not trade places, nor is a wait worth it for a trial of less than 0.05 s."""
    crew = Crew(tmp_path / "s", clock, size=2, steps=2)
    theirs = crew.fast.ask(timeout=0)
    clock.pass_by(0.9 * second)
    mine = crew.slow.ask(timeout=0)
    clock.pass_by(0.1 * second)
    theirs.tell(loss(theirs))
    crew.train(crew.fast, second)
    clock.pass_by((slower - 1.1) * second)
    mine.tell(loss(mine))
    assert crew.leaves() is left


def test_a_decision_looks_at_the_trials_since_the_last_one():
    """Before its first claim a process looks at no trial of the past, and later at each new one once."""
    log, pace, looked = Log(4, 200), Pace(), []
    ended_since = log.state.ended_since
    log.state.ended_since = lambda count: [looked.append(trial) or trial for trial in ended_since(count)]
    for trials in range(200):
        log.told(log.state.due(1, None))
        assert not pace.leaves(log.state, log.state.due(1, None), 1, "me")
        if trials == 100:
            pace.begin(log.state)
    assert [trial.number for trial in looked] == list(range(101, 200))
