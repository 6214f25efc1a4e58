"""Trials up to a point in time: which are handed out, and which are left to the next job."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

import hoptim
from hoptim import ArgumentError, DeadlineNear
from tests.builders import loss, study, train


@pytest.fixture(params=["memory", "files"])
def path(request, tmp_path):
    """Where a study lives: in memory and in a directory."""
    return None if request.param == "memory" else tmp_path / "s"


class Clock:
    """Wall clock and monotonic clock that jump when the test says so."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.walled = self.lasted = 0.0
        wall, monotonic = time.time, time.monotonic
        patch.setattr(time, "time", lambda: wall() + self.walled)
        patch.setattr(time, "monotonic", lambda: monotonic() + self.lasted)

    def pass_by(self, seconds: float) -> None:
        """Let time go by."""
        self.walled += seconds
        self.lasted += seconds


@pytest.fixture
def clock(monkeypatch):
    """The clocks of this process."""
    return Clock(monkeypatch)


def job(made: hoptim.Study, clock: Clock, seconds: float, each: list[float]) -> int:
    """Train in a job of so many seconds, each trial as long as listed, the last for all others."""
    trained = 0
    for trial in made.until(time.time() + seconds, margin=0):
        clock.pass_by(each[min(trained, len(each) - 1)])
        trial.tell(loss(trial))
        trained += 1
    return trained


def test_no_trial_is_handed_out_that_would_end_too_late(path, clock):
    """Up to a deadline trials come while there is time for another one; then the loop just ends."""
    made = study(path, size=2, steps=30)
    now = time.time()
    assert list(made.until(now - 1, margin=0)) == []
    assert list(made.until(now + 20, margin=30)) == []
    assert job(made, clock, 75, [10]) == 7
    assert not made.done
    assert made._session.store.state.open == {}
    assert [t.number for t in train(made).trials] == list(range(60))


@pytest.mark.parametrize("stepped", [False, True])
@pytest.mark.parametrize("before", [0, 1, 5])
def test_one_exceptional_trial_does_not_keep_later_jobs_from_training(tmp_path, clock, stepped, before):
    """One took an hour, or the clock was set meanwhile: five later jobs of a minute each train as ever."""
    made = study(tmp_path / "s", steps=20)
    for number, trial in zip(range(before + 1), made, strict=False):
        clock.pass_by(3600 if number == before and not stepped else 10)
        clock.walled += 3600 if number == before and stepped else 0
        trial.tell(loss(trial))
    trained = [job(hoptim.load(tmp_path / "s"), clock, 60, [10]) for _ in range(5)]
    assert min(trained) >= 5


def test_a_step_of_the_clock_within_a_job_changes_nothing(path, clock):
    """Neither how long trials take nor how much time is left is read from a clock that was set."""
    made, trained = study(path, steps=20), 0
    for trial in made.until(time.time() + 75, margin=0):
        clock.pass_by(10)
        clock.walled += 3600 if trained == 2 else 0
        trial.tell(loss(trial))
        trained += 1
    assert trained == 7


def test_a_job_with_less_time_than_a_typical_trial_takes_begins_none(tmp_path, clock):
    """The median of the latest counts for a job's first trial; failures and a fork's first ones do not."""
    made = study(tmp_path / "s", steps=20)
    assert job(made, clock, 1000, [20, 90, 10, 20, 15]) > 5
    made.ask().fail("no GPU", retry=False)
    assert job(hoptim.load(tmp_path / "s"), clock, 14, [10]) == 0
    with pytest.raises(DeadlineNear, match=r"14 s are left before the deadline, .* may take 15 s\. "):
        hoptim.load(tmp_path / "s").ask(deadline=time.time() + 14.4, margin=0)
    assert job(hoptim.load(tmp_path / "s"), clock, 16, [10]) == 1
    assert job(hoptim.fork(tmp_path / "s", tmp_path / "fork"), clock, 14, [10]) == 1


def test_later_trials_of_a_job_are_given_room_for_their_spread(path, clock):
    """Where durations differ, the next trial is expected to take three median deviations more."""
    made = study(path, steps=20)
    assert job(made, clock, 100, [10, 20, 30]) == 3  # and 40 s are left, of 20 + 3 * 10


def test_a_deadline_long_ahead_ends_with_the_study(path):
    """Where time is plenty, the loop up to a deadline is the loop over the study."""
    made = study(path)
    for trial in made.until(datetime.now(UTC) + timedelta(hours=1)):
        trial.tell(loss(trial))
    assert made.done
    same = train(study(None))
    assert [(t.params, t.value) for t in made.trials] == [(t.params, t.value) for t in same.trials]


@pytest.mark.parametrize("wrong", ["tomorrow", None, datetime(2030, 1, 1)])
def test_a_deadline_is_a_point_in_time(wrong):
    """A text, nothing, or a time without a zone is refused before anything is handed out."""
    with pytest.raises(ArgumentError, match="deadline"):
        study(None).until(wrong)


def test_asking_up_to_a_deadline_says_when_it_is_near(path):
    """One by one, too, no trial is handed out that would end too late: an error, and nothing is claimed."""
    made = study(path)
    with pytest.raises(DeadlineNear, match="0 s are left before the deadline"):
        made.ask(deadline=time.time() + 10)
    assert made._session.store.state.open == {}
    assert made.ask(deadline=time.time() + 10, margin=1).number == 0
