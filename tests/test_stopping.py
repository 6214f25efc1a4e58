"""Stopping: by a condition, in words or in a shell, for all workers; and going on."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
from concurrent.futures import Future
from typing import Any

import pytest

import hoptim
from hoptim import remote
from hoptim.store.effort import Effort
from hoptim.store.trial_record import TrialRecord
from tests import builders, reader
from tests.builders import acknowledged, finish, recompute, records, run, saving, study, train, wait_until


def told(made: hoptim.Study, values: list[float]) -> list[float]:
    """Tell the values one after another, as long as the study hands out trials; those that were told."""
    given = iter(values)
    used = []
    for trial, value in zip(made, given, strict=False):
        trial.tell(value)
        used.append(value)
    return used


def going_down(n: int) -> list[float]:
    """Values of which each is better than the one before, for mode "min"."""
    return [1.0 / (1 + i) for i in range(n)]


@pytest.mark.parametrize("where", ["memory", "files"])
@pytest.mark.parametrize(("mode", "sign"), [("min", 1), ("max", -1)])
def test_a_target_stops_the_study_at_the_trial_that_reaches_it(tmp_path, where, mode, sign):
    """The trial whose value is as good as the target is the last, in either direction."""
    path = None if where == "memory" else tmp_path / "s"
    made = study(path, mode=mode, stop=hoptim.Stop(value=sign * 0.25))
    values = [sign * value for value in going_down(20)]
    assert told(made, values) == values[:4]
    assert made.stopped.why == f"the value {sign * 0.25} of trial 3 reached the target {sign * 0.25}"
    assert (made.done, made.best_ever.value, made.ask()) == (False, sign * 0.25, None)


def test_a_budget_of_trials_counts_all_that_ended():
    """Trials that failed for good are among the seven."""
    made = study(stop=hoptim.Stop(trials=7))
    for trial in made:
        if trial.number % 3 == 0:
            trial.fail("drawn", retry=False)
        else:
            trial.tell(1.0)
    assert len(made.trials) == 7
    assert made.stopped.why == "the budget of 7 trials is used up"


def test_a_budget_of_hours_counts_the_time_of_all_workers(tmp_path, monkeypatch):
    """Two workers at once take twice the time; failed and released attempts count, idle time does not."""
    now = 1e9
    monkeypatch.setattr("time.time", lambda: now)
    made = study(tmp_path / "s", stop=hoptim.Stop(hours=2.5))
    first, second = made.ask(), made.ask()
    now += 3600
    first.tell(1.0)
    second.fail("drawn")
    assert made.stopped is None
    now += 7200  # nobody trains
    third = made.ask()
    now += 900
    third.release()
    fourth = made.ask()
    now += 900
    assert made.stopped is None
    fourth.tell(1.0)
    assert made.stopped.why == "the budget of 2.5 hours of training is used up"


def test_patience_counts_steps_of_the_population_since_the_best():
    """Four members, two steps: the eighth trial in a row without a better value is the last."""
    made = study(steps=50, stop=hoptim.Stop(patience=2))
    values = [3.0, 2.0, *[2.5] * 7, 1.0, *[1.0] * 40]
    assert told(made, values) == values[: 10 + 8]
    assert made.stopped.why == "no value was better than the best before for 2 steps"


def test_patience_ends_with_a_study_that_has_no_value_at_all():
    """What is never finite makes no progress."""
    made = study(steps=50, stop=hoptim.Stop(patience=1, value=0.0))
    assert len(told(made, [float("nan")] * 100)) == 4


def test_the_first_condition_that_is_met_counts():
    """A target that is never reached does not keep a budget from ending the study."""
    made = study(stop=hoptim.Stop(value=-1.0, trials=5, hours=100, patience=4))
    train(made)
    assert (len(made.trials), made.stopped.why) == (5, "the budget of 5 trials is used up")


def test_the_end_of_all_steps_is_no_stop():
    """A budget of exactly all trials leaves the study done, not stopped."""
    made = train(study(stop=hoptim.Stop(trials=20)))
    assert (made.done, made.stopped) == (True, None)


@pytest.mark.parametrize("wrong", [
    {}, {"value": float("nan")}, {"value": "low"}, {"trials": 0}, {"trials": 1.5}, {"hours": 0},
    {"patience": 0}, {"hours": float("inf")},
])  # fmt: skip
def test_conditions_that_cannot_work_are_refused(wrong):
    """A condition must be one, at once."""
    with pytest.raises(hoptim.ArgumentError, match="Stop"):
        hoptim.Stop(**wrong)


def test_a_bare_number_is_no_condition(tmp_path):
    """It could be a target or a budget; nothing is made."""
    with pytest.raises(hoptim.ArgumentError, match=r"hoptim\.Stop\(value=0\.1\), found 0\.1"):
        study(tmp_path / "s", stop=0.1)
    assert not (tmp_path / "s").exists()


def test_a_loop_that_stops_its_study_ends_there(tmp_path, caplog):
    """The trial that was claimed along with the last tell is handed back unused, and the log says why."""
    made = study(tmp_path / "s")
    for trial in made:
        trial.tell(1.0)
        if trial.number == 5:
            made.stop("seen enough")
    assert [t.number for t in made.trials] == [0, 1, 2, 3, 4, 5]
    assert (made.stopped.why, made.results().running, made.results().interruptions) == (
        "seen enough",
        [],
        0,
    )
    assert [r.message for r in caplog.records if "seen enough" in r.message] == [
        f"{made!r} has stopped: seen enough. Open it with resume=True, or run "
        "`hoptim resume DIR`, to go on."
    ]
    assert list(made) == []


def test_a_trial_in_hand_may_be_told_after_the_stop(tmp_path):
    """Nothing is lost: neither by the stop nor by an ask that returns None meanwhile."""
    made = study(tmp_path / "s")
    trial, other = made.ask(), made.ask()
    hoptim.load(tmp_path / "s").stop("elsewhere")
    assert made.ask() is None
    assert made.ask(timeout=0) is None
    trial.tell(0.5, save=saving("a"))
    other.tell(0.6, save=saving("b"))
    assert [t.value for t in made.trials] == [0.5, 0.6]


def test_until_and_a_loop_that_waits_end_when_others_stop(tmp_path):
    """A loop for which nothing is due ends as well, and so does one with a deadline."""
    made, other = study(tmp_path / "s", size=1), hoptim.load(tmp_path / "s")
    held = other.ask()
    with pytest.raises(hoptim.NothingDue):
        made.ask(timeout=0)
    other.stop()
    assert list(made) == list(made.until(9e9)) == []
    held.tell(1.0)


def test_the_first_reason_stays(tmp_path):
    """Stopping twice records once, with user, host and time."""
    made = study(tmp_path / "s")
    made.stop("first")
    before = made.stopped
    hoptim.load(tmp_path / "s").stop("second")
    assert made.stopped == before == hoptim.load(tmp_path / "s").stopped
    assert before.by.endswith("@" + os.uname().nodename)
    assert [r.get("why") for r in records(tmp_path / "s") if r["op"] == "stop"] == ["first"]
    assert records(tmp_path / "s")[-1]["time"] == before.at


def test_a_stopped_study_stays_so_until_it_is_resumed(tmp_path):
    """Opening it again trains nothing; with `resume=True` it goes on to its end, as if never stopped."""
    made = study(tmp_path / "s", stop=hoptim.Stop(trials=6))
    train(made)
    assert list(study(tmp_path / "s")) == list(hoptim.load(tmp_path / "s")) == []
    again = train(study(tmp_path / "s", resume=True))
    assert (again.done, again.stopped, len(again.trials)) == (True, None, 20)
    whole = train(study())
    assert [t.params for t in whole.trials] == [t.params for t in again.trials]
    assert recompute(tmp_path / "s") == 20


def test_resuming_what_has_not_stopped_writes_nothing(tmp_path):
    """It may be said in each of many workers."""
    made = study(tmp_path / "s", resume=True)
    made.stop()
    for _ in range(3):
        hoptim.load(tmp_path / "s", resume=True)
    assert [r.get("why") for r in records(tmp_path / "s") if r["op"] == "stop"] == ["no reason given", None]


def test_what_was_met_before_a_resumption_is_ignored(tmp_path):
    """The target and the budget that stopped it do so no more; further ones do, for the whole study."""
    rule = hoptim.Stop(value=0.5, trials=2)
    assert told(study(tmp_path / "s", stop=rule), going_down(20)) == [1.0, 0.5]
    going_on = study(tmp_path / "s", stop=rule, resume=True)
    for value in (0.1, 0.05):
        going_on.ask().tell(value)
    assert going_on.stopped is None
    further = study(tmp_path / "s", stop=hoptim.Stop(value=0.01, trials=6))
    assert told(further, [0.04, 0.03, 0.02]) == [0.04, 0.03]
    assert further.stopped.why == "the budget of 6 trials is used up"


def test_patience_begins_anew_with_a_resumption(tmp_path):
    """After a resumption it takes as many steps without progress as it did before."""
    rule = hoptim.Stop(patience=1)
    assert len(told(study(tmp_path / "s", stop=rule), [1.0] * 20)) == 5
    assert len(told(study(tmp_path / "s", stop=rule, resume=True), [1.0] * 20)) == 4


def test_a_condition_that_is_met_already_hands_out_no_trial(tmp_path):
    """A study opened with a target that it has reached, and never stopped at, stops before it trains."""
    made = study(tmp_path / "s")
    made.ask().tell(0.1)
    late = study(tmp_path / "s", stop=hoptim.Stop(value=0.5))
    assert late.ask() is None
    assert late.stopped.why == "the value 0.1 of trial 0 reached the target 0.5"


def test_a_trial_told_in_another_process_is_looked_at_as_well(tmp_path):
    """A pickled trial carries the conditions along."""
    made = study(tmp_path / "s", stop=hoptim.Stop(value=0.5))
    copy = pickle.loads(pickle.dumps(made.ask()))
    copy.tell(0.1)
    assert made.stopped is not None


def test_a_guest_of_a_stopped_study_leaves_no_heartbeat(tmp_path):
    """`hoptim.remote.ask` returns None, and a trial that it gave out before may be told."""
    study(tmp_path / "s")
    trial = remote.ask(tmp_path / "s")
    assert remote.ask(tmp_path / "s", stop=hoptim.Stop(hours=1e-9, trials=1)) is not None
    remote.tell(tmp_path / "s", trial["number"], trial["token"], 1.0)
    before = set(os.listdir(tmp_path / "s" / "workers"))
    assert remote.ask(tmp_path / "s", stop=hoptim.Stop(trials=1)) is None
    assert set(os.listdir(tmp_path / "s" / "workers")) == before


@pytest.mark.parametrize("seconds", [-100.0, 0.0])
def test_a_clock_that_goes_back_takes_no_time_away(seconds):
    """Hosts' clocks differ; an attempt takes no less than no time."""
    effort, record = Effort(), TrialRecord(0, 0, 0, None, {}, [], None, 0, 0, 0.0, 0, 0, claimed=100.0)
    effort.spend(record, 100.0 + seconds)
    assert effort.seconds == 0.0


def test_a_snapshot_carries_the_stop_and_the_effort(tmp_path, monkeypatch):
    """A process that begins with a snapshot knows who stopped the study, and what was met before."""
    builders.snapshot_often(monkeypatch, 1)
    rule = hoptim.Stop(trials=3)
    train(study(tmp_path / "s", stop=rule))
    assert (tmp_path / "s" / "snapshot.json").exists()
    fresh = hoptim.load(tmp_path / "s", stop=rule)
    assert fresh.stopped == study(tmp_path / "s").stopped
    assert fresh.stopped.why == "the budget of 3 trials is used up"
    resumed = hoptim.load(tmp_path / "s", stop=rule, resume=True)
    assert resumed._session.store.state.effort.trials_before == 3
    assert train(hoptim.load(tmp_path / "s", stop=rule)).done


def test_a_study_of_format_1_refuses_to_stop(tmp_path):
    """It has no such record: a stop and an ask with conditions say so at once, and nothing is written."""
    folder = shutil.copytree(builders.ROOT / "tests" / "golden" / "format1" / "stateless", tmp_path / "s")
    before = records(folder)
    old = hoptim.load(folder, stop=hoptim.Stop(trials=1))
    for refused in (old.stop, lambda: old._session.store.ask(old._session.propose)):
        with pytest.raises(hoptim.ArgumentError, match="format 1"):
            refused()
    assert [r for r in records(folder) if r["op"] != "release"] == before


def test_real_workers_stop_each_after_its_trial(tmp_path):
    """Two processes are stopped from a third: both end well, what they told is there, no trial is held."""
    (tmp_path / "acks").mkdir()
    study(tmp_path / "s", steps=10_000)
    workers = [run("train.py", tmp_path / "s", tmp_path / "acks", STEPS="10000") for _ in range(2)]
    seen = hoptim.load(tmp_path / "s")
    wait_until(lambda: len({trial.worker for trial in seen.trials}) == 2)
    seen.stop("seen enough")
    finish(workers)
    found = seen.results()
    assert (found.stopped.why, found.done, found.running) == ("seen enough", False, [])
    wrong, places = reader.judge(tmp_path / "s" / "journal.jsonl", acknowledged(tmp_path / "acks"))
    assert (wrong, len(places)) == ([], found.finished)
    assert seen.check().findings == ()


def test_a_launch_ends_when_its_study_stops(tmp_path):
    """No worker is started again, though one has failed; nothing is raised, and the study is returned."""

    def tell_and_fail(made: hoptim.Study) -> None:
        for trial in made:
            trial.tell(1.0)
            made.stop("in a worker")
            raise ValueError("behind the stop")

    class Here:
        calls = 0

        def submit(self, fn: Any, *args: Any) -> Future[Any]:
            self.calls += 1
            future: Future[Any] = Future()
            try:
                future.set_result(fn(*args))
            except ValueError as error:
                future.set_exception(error)
            return future

    executor = Here()
    made = hoptim.run(tell_and_fail, study(tmp_path / "s"), 1, executor)
    assert (made.stopped.why, made.done, executor.calls) == ("in a worker", False, 1)


def test_the_independent_reader_notices_a_trial_begun_after_the_stop(tmp_path):
    """What no worker does is found, if it were there."""
    made = study(tmp_path / "s", size=1)
    made.stop("enough")
    with made._session.store._transactions.begin(None) as transaction:
        fields = made._session.propose(transaction.state, 0, 0)
        transaction.add("ask", trial=0, member=0, step=0, **fields, worker="w.1.1")
    assert reader.judge(tmp_path / "s" / "journal.jsonl", [])[0] == [
        "trial 0 was handed out after the study stopped: enough"
    ]


@pytest.fixture
def said(capsys):
    """Run a command; its exit status and what it printed."""
    pytest.importorskip("click")
    pytest.importorskip("rich")
    from hoptim.cli.app import main

    def run_it(*words: Any) -> tuple[int, str]:
        status = main(list(map(str, words)))
        return status, capsys.readouterr().out

    return run_it


def test_a_shell_stops_and_resumes(tmp_path, said):
    """The commands write the records; status and watch say who, why and when; ask has nothing to give."""
    made = study(tmp_path / "s")
    trial = made.ask()
    status, output = said("stop", tmp_path / "s", "--reason", "seen \x1b enough")
    assert (status, made.stopped.why) == (0, "seen \x1b enough")
    assert re.fullmatch(
        r"Stopped: seen \\x1b enough \(\S+@\S+, \d{4}-.*\)\. 1 trial in hand may still be told\.\n", output
    )
    trial.tell(1.0)
    assert said("ask", tmp_path / "s") == (3, "")
    assert re.search(r"time +stopped *\nstopped +seen", said("status", tmp_path / "s")[1])
    assert "stopped" in said("watch", tmp_path / "s")[1]
    found = json.loads(said("status", tmp_path / "s", "--json")[1])
    assert found["stopped"] == {"why": made.stopped.why, "by": made.stopped.by, "at": made.stopped.at}
    assert (found["remaining"], found["warnings"]) == (None, [])
    assert said("resume", tmp_path / "s")[0] == 0
    assert made.stopped is None
    assert said("ask", tmp_path / "s")[0] == 0


def test_a_launch_says_that_its_study_has_stopped(tmp_path, said):
    """The summary of `hoptim run` has the reason, and its workers ended well."""
    study(tmp_path / "s").stop("enough")
    status, output = said("run", tmp_path / "s", "--", "true")
    assert (status, output.splitlines()[-1]) == (0, "The study has stopped: enough")
