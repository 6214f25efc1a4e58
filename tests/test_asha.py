"""ASHA: what waits, what is promoted, and that nothing is trained twice, whoever asks when."""

from __future__ import annotations

import math
import os
import random
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hoptim
from hoptim import ASHA, ArgumentError, NothingDue, StudyMismatch, View
from hoptim.testing import Row, population
from tests import reader
from tests.builders import acknowledged, finish, recompute, run, saving, study, train, wait_until


@pytest.mark.parametrize(
    ("given", "rungs"),
    [
        ((64,), [1, 4, 16, 64]),
        ((100,), [1, 4, 16, 64, 100]),
        ((9, 1, 3), [1, 3, 9]),
        ((50, 3, 2), [3, 6, 12, 24, 48, 50]),
        ((5, 5), [5]),
        ((1,), [1]),
    ],
)
def test_rungs_are_powers_of_the_factor_up_to_the_last(given, rungs):
    """The first rung is the least resource, each next so many times as far, and the last the most."""
    assert ASHA(*given).rungs == rungs


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_resource": 0}, "ASHA: max_resource must be a whole number of at least 1, found 0"),
        ({"max_resource": 4.5}, "ASHA: max_resource must be a whole number"),
        ({"max_resource": 4, "min_resource": 0}, "ASHA: min_resource must be a whole number of at least 1"),
        (
            {"max_resource": 4, "min_resource": 5},
            "min_resource must be at most max_resource, found 5 and 4",
        ),
        (
            {"max_resource": 4, "reduction_factor": 1},
            "reduction_factor must be a whole number of at least 2",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    """Each message names the setting, what is expected and what was found."""
    with pytest.raises(ArgumentError, match=message):
        ASHA(**settings)


def test_whole_numbers_of_numpy_are_recorded_as_plain_ones():
    """A setting computed with numpy is described by JSON and equals the plain one."""
    assert ASHA(np.int64(9), reduction_factor=np.int64(3)).describe() == ASHA(9, 1, 3).describe()


class Paper:
    """Algorithm 2 of arXiv 1810.05934 for one worker, s = 0; configurations are known by their numbers.

    Args:
        loss: Of a configuration and a resource.
        r: The least resource.
        top: The last rung.
        eta: The reduction factor.
    """

    def __init__(self, loss: Callable[[int, int], float], r: int, top: int, eta: int) -> None:
        self.loss, self.r, self.eta = loss, r, eta
        self.rungs: list[dict[int, float]] = [{} for _ in range(top + 1)]
        self.promoted: list[set[int]] = [set() for _ in range(top + 1)]
        self.drawn = 0

    def get_job(self) -> tuple[int, int]:
        """A configuration, and the rung up to which it is trained next."""
        for k in reversed(range(len(self.rungs) - 1)):
            rung = self.rungs[k]
            candidates = sorted(rung, key=lambda config: rung[config])[: len(rung) // self.eta]
            promotable = [config for config in candidates if config not in self.promoted[k]]
            if promotable:
                self.promoted[k].add(promotable[0])
                return promotable[0], k + 1
        self.drawn += 1
        return self.drawn - 1, 0

    def jobs(self, n: int) -> list[tuple[int, int]]:
        """The first n jobs, each done before the next is got."""
        jobs = []
        for _ in range(n):
            config, k = self.get_job()
            self.rungs[k][config] = self.loss(config, self.r * self.eta**k)
            jobs.append((config, k))
        return jobs


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("r", "top", "eta"), [(1, 3, 2), (2, 2, 3), (1, 2, 4)])
def test_one_worker_does_the_jobs_of_the_paper(seed, r, top, eta):
    """One member trains the configurations that the paper's algorithm would, in that order."""
    numbers = np.random.default_rng(seed).random((200, 1 + r * eta**top))
    made = study(None, size=1, steps=200, seed=seed, optimizer=ASHA(r * eta**top, r, eta))
    configs: list[int] = []  # by trial
    jobs = []
    for trial in made:
        config = len(set(configs)) if trial.parent is None else configs[trial.parent]
        configs.append(config)
        trained = trial.age + 1
        trial.tell(numbers[config, trained])
        if trained in (rungs := made.optimizer.rungs):
            jobs.append((config, rungs.index(trained)))
    expected = Paper(lambda config, resource: numbers[config, resource], r, top, eta)
    assert jobs == expected.jobs(len(jobs))
    assert {k for _, k in jobs} == set(range(top + 1))


def promoted(*trials: tuple[int, float, int], running: Sequence[Row] = ()) -> int | None:
    """Whom member 0, whose own configuration is done, trains on, of trials with age, loss and parent."""
    rows = [Row(n, 1, n, age, [0.5], loss, None, parent) for n, (age, loss, parent) in enumerate(trials)]
    own = Row(99, 0, 9, 3, [0.5], 0.0, None, 98)
    view = View(
        hoptim.Space({"x": hoptim.Float(0.0, 1.0)}), 2, population([own]), (),
        lambda: population([*rows, own]), lambda: population(list(running)),
    )  # fmt: skip
    return ASHA(4, reduction_factor=2).propose(view, 0, np.random.default_rng(0)).parent


@pytest.mark.parametrize("seed", range(5))
def test_of_several_that_may_go_on_the_best_of_the_highest_rung_does(seed):
    """Two may go on from each of two rungs: the higher rung is served first, and its best."""
    young = [(0, 5.0, -1), (0, 4.0, -1), (0, 7.0, -1), (0, 6.0, -1)]
    old = [(1, 3.0, 50), (1, 2.0, 51), (1, 8.0, 52), (1, 9.0, 53)]
    order = np.random.default_rng(seed).permutation(8)
    trials = [[*young, *old][i] for i in order]
    assert promoted(*trials) == trials.index((1, 2.0, 51))
    assert promoted(*[t for t in trials if t in young]) == [t for t in trials if t in young].index(young[1])


def test_equals_go_on_in_the_order_of_their_numbers():
    """Of equal losses the trial that was proposed earlier is the better one, as everywhere."""
    assert promoted((0, 1.0, -1), (0, 1.0, -1), (0, 1.0, -1)) == 0


def test_who_is_on_the_way_up_is_not_sent_again():
    """A promotion under way takes its place, and nobody below moves up."""
    waiting = [(0, 1.0, -1), (0, 2.0, -1), (0, 3.0, -1), (0, 4.0, -1)]
    running = Row(98, 2, 5, 1, [0.5], math.nan, None, 0)
    assert promoted(*waiting) == 0
    assert promoted(*waiting, running=[running]) == 1
    assert promoted(*waiting, running=[running, running._replace(number=97, parent=1)]) is None


class Crowd:
    """Workers that take and end trials in any order, and a record of its own of what came of them.

    Args:
        rng: Who is next.
        optimizer: ASHA.
        lead: How far members may be ahead.
    """

    def __init__(self, rng: random.Random, optimizer: ASHA, lead: int) -> None:
        self.rng, self.rungs, self.eta = rng, optimizer.rungs, optimizer.reduction_factor
        self.study = study(None, size=4, steps=15, lead=lead, optimizer=optimizer, seed=rng.randrange(99))
        self.lead = lead
        self.held: list[hoptim.Trial] = []
        self.came: dict[int, list[float]] = {rung: [] for rung in self.rungs}
        self.done: dict[int, tuple[int, int, float]] = {}  # by trial: founder, trained, value
        self.latest: dict[int, int] = {}  # by member
        self.seen: set[tuple[int, int]] = set()
        self.followed: set[int | None] = set()

    def work(self) -> None:
        """Until all is done."""
        while not self.study.done:
            if self.held and self.rng.random() < 0.5:
                self.end(self.held.pop(self.rng.randrange(len(self.held))))
            else:
                self.take()

    def take(self) -> None:
        """Ask for a trial, when one is due."""
        try:
            trial = self.study.ask(timeout=0)
        except NothingDue:
            return
        assert trial is not None
        founder = trial.number if trial.parent is None else self.done[trial.parent][0]
        assert (founder, trial.age) not in self.seen, "trained twice"
        assert trial.parent not in self.followed - {None}, "continued twice"
        self.seen.add((founder, trial.age))
        self.followed.add(trial.parent)
        if trial.parent is not None:
            self.judge(trial, *self.done[trial.parent])
        self.held.append(trial)

    def judge(self, trial: hoptim.Trial, _founder: int, trained: int, value: float) -> None:
        """Its weights are there, and its member had not come to a rung or this one was among the best."""
        assert Path(str(trial.checkpoint)).read_text() == str(trial.parent)
        assert trial.age == trained
        if trained in self.rungs:
            came = sorted(self.came[trained])
            assert came.index(value) < len(came) // self.eta, "not among the best"
        else:
            assert trial.parent == self.latest[trial.member], "a configuration was left on its way"

    def end(self, trial: hoptim.Trial) -> None:
        """Tell a trial a value, seldom one that is not finite."""
        trained = trial.age + 1
        value = self.rng.choice([self.rng.random(), self.rng.random(), self.rng.random(), math.nan])
        trial.tell(value, save=saving(str(trial.number)))
        founder = trial.number if trial.parent is None else self.done[trial.parent][0]
        self.done[trial.number] = founder, trained, value
        self.latest[trial.member] = trial.number
        rung = min(rung for rung in self.rungs if rung >= trained)
        if rung == trained or math.isnan(value):
            self.came[rung].append(math.inf if math.isnan(value) else value)
        self.count()

    def count(self) -> None:
        """No more checkpoints are kept than configurations wait, besides what is always kept."""
        waits = [
            number
            for number, (_, trained, value) in self.done.items()
            if trained in self.rungs[:-1] and math.isfinite(value) and number not in self.followed
        ]
        kept = [trial.number for trial in self.study.trials if trial.checkpoint]
        assert set(waits) <= set(kept)
        assert len(kept) <= len(waits) + 4 * (self.lead + 2) + 2 * len(self.held) + 1


@given(seed=st.integers(0, 2**32), lead=st.integers(0, 2), eta=st.integers(2, 3), r=st.integers(1, 2))
@settings(max_examples=25, deadline=None)
def test_in_any_order_nothing_is_trained_twice_and_only_the_best_go_on(seed, lead, eta, r):
    """Whoever asks and ends when: no interval is trained twice, and who is promoted is among the best."""
    crowd = Crowd(random.Random(seed), ASHA(r * eta**2 + 1, r, eta), lead)
    crowd.work()
    assert len(crowd.done) == 60


def test_ranks_follow_the_mode():
    """With mode max, it is the highest value that goes on."""
    made = study(None, size=1, steps=3, mode="max", optimizer=ASHA(2, reduction_factor=2))
    for trial in made:
        trial.tell(float(trial.number))
    assert [trial.parent for trial in made.trials] == [None, None, 1]


def test_a_failed_configuration_is_given_up():
    """Neither a configuration that failed at a rung nor one that failed on its way is trained again."""
    made = study(None, size=1, steps=12, optimizer=ASHA(4, 2, 2))
    for trial in made:
        trial.tell(math.nan if trial.number in (1, 2, 7) else 1.0)
    assert [t.parent for t in made.trials][:10] == [None, 0, None, None, 3, 4, 5, None, None, 8]


def test_a_promoted_configuration_that_fails_is_not_promoted_again():
    """Its place among the best of the lower rung is spent."""
    made = study(None, size=1, steps=9, optimizer=ASHA(2, reduction_factor=2))
    for trial in made:
        trial.tell(math.nan if trial.age else float(trial.number))
    assert [t.parent for t in made.trials] == [None, None, 0, None, None, 1, None, None, 3]


def test_records_of_others_carry_no_flag(tmp_path):
    """Only what waits is recorded as retained, so that journals of other optimizers are what they were."""
    train(study(tmp_path / "asha", optimizer=ASHA(4, reduction_factor=2)), saves=True)
    train(study(tmp_path / "romul"), saves=True)
    found = [
        [r["retain"] for r in reader.read(tmp_path / name / "journal.jsonl") if "retain" in r]
        for name in ("asha", "romul")
    ]
    assert set(found[0]) == {True}
    assert found[1] == []


def test_another_factor_is_another_study(tmp_path):
    """A study is reopened with its own settings, and others are refused by name."""
    train(study(tmp_path / "s", optimizer=ASHA(4)))
    assert study(tmp_path / "s", optimizer=ASHA(4)).done
    with pytest.raises(StudyMismatch, match=r"optimizer\.reduction_factor: recorded 4, asked for 3"):
        study(tmp_path / "s", optimizer=ASHA(4, reduction_factor=3))


def test_a_study_goes_on_when_it_is_loaded_by_its_path(tmp_path):
    """What waits is found again by a new process, and every proposal follows from the journal."""
    made = study(tmp_path / "s", steps=20, optimizer=ASHA(9, reduction_factor=3))
    for trial in made:
        trial.tell(trial.params["x"], save=saving(str(trial.number)))
        if trial.number == 30:
            break
    for trial in hoptim.load(tmp_path / "s"):
        if trial.checkpoint:
            assert Path(trial.checkpoint).read_text() == str(trial.parent)
        trial.tell(trial.params["x"], save=saving(str(trial.number)))
    assert recompute(tmp_path / "s") == 80
    assert made.check().ok
    assert max(trial.age for trial in made.trials) == 8


def test_a_fork_begins_with_the_members_and_leaves_what_waits_behind(tmp_path):
    """Brought trials go on to their next rung, whatever their age; the youngest compete at once."""
    train(study(tmp_path / "old", optimizer=ASHA(8, reduction_factor=2), steps=9), saves=True)
    new = hoptim.fork(tmp_path / "old", tmp_path / "new", steps=12)
    brought = {trial.number: trial for trial in new.trials}
    for trial in new:
        trial.tell(trial.params["x"], save=saving(str(trial.number)))
    for number, trial in brought.items():
        children = [t for t in new.trials if t.parent == number]
        if trial.age == 0:  # as if it had been drawn here
            assert len(children) <= 1
        else:
            assert [(t.member, t.age) for t in children] == [(trial.member, trial.age + 1)] * (
                trial.age < 7
            )
    assert {trial.age for trial in brought.values()} >= {0, 1, 5}
    assert new.check().ok


def kept(folder: Path) -> set[str]:
    """Names of the checkpoints in a study's folder."""
    return {path.name for path in (folder / "checkpoints").iterdir()}


def test_processes_that_are_killed_lose_and_double_nothing(tmp_path):
    """Three processes train one study by ASHA, two are killed, one comes anew: as if nothing had been."""
    folder, acks = tmp_path / "study", tmp_path / "acks"
    acks.mkdir()
    settings: dict[str, Any] = {"ASHA": "8", "STEPS": "40"}
    workers = [run("train.py", folder, acks, **settings) for _ in range(3)]
    for i in range(2):
        before = len(acknowledged(acks))
        wait_until(lambda before=before: len(acknowledged(acks)) >= before + 10)
        workers[i].kill()
        workers[i].communicate()
        assert workers[i].returncode == -signal.SIGKILL
    workers = [workers[2], run("train.py", folder, acks, **settings)]
    finish(workers)
    wrong, places = reader.judge(folder / "journal.jsonl", acknowledged(acks))
    assert wrong == []
    assert places == [(member, step) for member in range(4) for step in range(40)]
    assert recompute(folder) == 160
    made = hoptim.load(folder)
    founders = made.family.founders
    assert len({(founders[t.number], t.age) for t in made.trials}) == 160
    assert kept(folder) == {os.path.basename(t.checkpoint) for t in made.trials if t.checkpoint}
