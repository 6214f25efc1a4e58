"""The runner of studies: replay, kill and restart, folders, statistics, and the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

import hoptim
from hoptim.benchmarks.__main__ import main
from hoptim.benchmarks.scores import mean_interval
from hoptim.benchmarks.studies import dropout, study_report
from hoptim.benchmarks.studies.dropout import DropoutOptions
from hoptim.benchmarks.studies.language_options import LanguageOptions
from hoptim.benchmarks.studies.methods import METHODS, REFERENCE
from hoptim.benchmarks.studies.scales import Scale
from hoptim.benchmarks.studies.study_options import StudyOptions
from hoptim.benchmarks.studies.text import Limits, king_james
from hoptim.benchmarks.studies.training import PopulationTraining
from tests.builders import ROOT

torch = pytest.importorskip("torch")

from hoptim.benchmarks.studies.language import LanguageTraining  # noqa: E402
from hoptim.benchmarks.studies.study_run import Generations, open_study, run_study  # noqa: E402

needs_matplotlib = pytest.mark.skipif(
    find_spec("matplotlib") is None, reason="the extra hoptim[plot] is not installed"
)


class Slope(PopulationTraining):
    """Numbers that walk downhill, with noise that all members draw from one generator."""

    name, steps, measure, data = "slope", 3, "height", "plain"
    peak_lr, hand = 0.1, {"lr": 0.1, "noise": 0.2}

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.weights, self.trained = torch.zeros(size), 0

    @staticmethod
    def space(tune_lr):
        noise = {"noise": hoptim.Float(0.0, 1.0)}
        return {"lr": hoptim.Float(1e-3, 1.0, log=True), **noise} if tune_lr else noise

    def begin(self, member, seed):
        self.weights[member] = 1 + seed % 100 / 100

    def state(self, member):
        return {"weights": self.weights[member].clone()}

    def load(self, member, state):
        self.weights[member] = state["weights"]

    def train(self, params, ages, seed):
        self.trained += 1
        noise = torch.randn(self.size, generator=torch.Generator().manual_seed(seed))
        lr = torch.tensor(self.learning_rates(params, ages))
        self.weights -= lr * (self.weights + noise * torch.tensor([p["noise"] for p in params]))

    def losses(self, part):
        return (self.weights**2 + (0.1 if part == "test" else 0)).tolist()

    def shown(self, losses, part):
        return [10 * loss for loss in losses]


@dataclass(frozen=True)
class SlopeOptions(StudyOptions):
    """Options of a study that takes no time."""

    @property
    def training(self):
        return Slope


def tiny_language(size: int) -> LanguageTraining:
    """A population that reads next to nothing."""
    limits = Limits(50, 400, 300, 300)
    return LanguageTraining(size, king_james(limits), Scale(limits, updates=2))


def outcome(run):
    """All of a run but its time."""
    return run.validation, run.test, tuple(run.losses), run.schedule


# -- one run -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tune_lr", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_a_run_replays_to_the_bit(method, tune_lr, tmp_path):
    """In memory or in a directory, twice the same; what is delivered has the lowest loss that counts."""
    if method == "cosine" and not tune_lr:
        return
    run, again = (run_study(Slope, method, tune_lr, 4, 7, path) for path in (None, tmp_path / "study"))
    assert outcome(run) == outcome(again)
    ends = run.losses if METHODS[method].ever else run.losses[-1:]
    assert run.validation == pytest.approx(10 * min(ends))
    assert run.test == pytest.approx(run.validation + 1)
    assert set(run.schedule[0]) == set(Slope.space(tune_lr))


def test_an_optimizer_is_run_as_its_method_is():
    """Given itself, it trains as by the name of a method with the same settings, and not as with others."""
    named, given, other = (
        outcome(run_study(Slope, method, True, 4, 7))
        for method in (REFERENCE, hoptim.ROMUL(), hoptim.ROMUL(step=0.3))
    )
    assert named == given != other


def test_all_methods_begin_alike():
    """Of a seed, all methods have the same first hyperparameters and weights, but for those set by hand."""
    firsts = {}
    for method in METHODS:
        study = open_study(Slope(4), method, True, 3, None)
        firsts[method] = [(t.params, t.seed) for t in (study.ask() for _ in range(4))]
    assert all(
        firsts[method] == firsts[REFERENCE] for method in METHODS if method not in ("constant", "cosine")
    )
    assert firsts["constant"] == [(Slope.hand, seed) for _, seed in firsts[REFERENCE]]
    other = open_study(Slope(4), REFERENCE, True, 4, None)
    assert other.ask().params != firsts[REFERENCE][0][0]


class Stopped(BaseException):
    """What ends a run from without, as Ctrl-C does."""


@pytest.mark.parametrize("told", range(1, 12))
def test_a_stopped_run_goes_on_as_if_nothing_had_been(told, tmp_path, monkeypatch):
    """Stopped before any of its tells, a run ends with the bits of one that was not."""
    whole = run_study(Slope, REFERENCE, False, 4, 1, tmp_path / "whole")
    tell, left = hoptim.Trial.tell, [told]

    def stopped(trial, *args, **named):
        left[0] -= 1
        if left[0] < 0:
            raise Stopped
        return tell(trial, *args, **named)

    monkeypatch.setattr(hoptim.Trial, "tell", stopped)
    with pytest.raises(Stopped):
        run_study(Slope, REFERENCE, False, 4, 1, tmp_path / "stopped")
    monkeypatch.undo()
    assert len(hoptim.load(tmp_path / "stopped").trials) == told
    assert outcome(run_study(Slope, REFERENCE, False, 4, 1, tmp_path / "stopped")) == outcome(whole)


def test_what_is_done_is_not_trained_again(tmp_path):
    """A finished run is read from its study."""
    run = run_study(Slope, REFERENCE, False, 4, 1, tmp_path)
    training = Slope(4)
    Generations(training, open_study(training, REFERENCE, False, 1, tmp_path)).train()
    assert training.trained == 0
    assert run_study(Slope, REFERENCE, False, 4, 1, tmp_path) == run


class Recording(Slope):
    """Keeps the ages and the seeds that it was trained with."""

    def __init__(self, size):
        super().__init__(size)
        self.calls = []

    def train(self, params, ages, seed):
        self.calls.append((list(ages), seed))
        super().train(params, ages, seed)


def test_a_step_is_trained_at_the_age_of_the_weights_with_draws_of_its_own():
    """With ASHA, whose members begin anew, ages are not steps."""
    training = Recording(4)
    study = open_study(training, "ASHA", False, 1, None)
    Generations(training, study).train()
    by_step = [sorted(t.member for t in study.trials if t.step == step) for step in range(3)]
    assert by_step == [[0, 1, 2, 3]] * 3
    ages = {(t.step, t.member): t.age for t in study.trials}
    assert [each for each, _ in training.calls] == [[ages[s, m] for m in range(4)] for s in range(3)]
    assert any(age != step for (step, _), age in ages.items())
    assert len({seed for _, seed in training.calls}) == 3


class Exploding(Slope):
    """One founder's loss is never finite."""

    def losses(self, part):
        return [float("nan"), *super().losses(part)[1:]] if self.trained == 1 else super().losses(part)


def test_a_member_whose_loss_is_not_finite_is_rescued():
    """It takes the weights of another, and the run goes on."""
    run = run_study(Exploding, REFERENCE, False, 4, 1)
    assert np.isfinite([*run.losses, run.validation]).all()


# -- language, killed for good -------------------------------------------------------------------------

LANGUAGE = """
import os, sys, torch, hoptim
from pathlib import Path
from hoptim.benchmarks.studies.language import LanguageTraining
from hoptim.benchmarks.studies.scales import SCALES, Scale
from hoptim.benchmarks.studies.study_run import run_study
from hoptim.benchmarks.studies.text import Limits, king_james

LanguageTraining.steps = 2
limits = Limits(50, 400, 300, 300)
text, left, tell = king_james(limits), [int(sys.argv[2])], hoptim.Trial.tell
def make(size):
    return LanguageTraining(size, text, Scale(limits, updates=2))
def counted(trial, *args, **named):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), 9)
    return tell(trial, *args, **named)
hoptim.Trial.tell = counted
run = run_study(make, "ROMUL", False, 2, 0, Path(sys.argv[1]))
print(run.validation, run.test, run.losses, run.schedule)
"""


def test_a_language_run_survives_a_kill(tmp_path):
    """Two members, two intervals: killed after one and after three tells, it prints what it would have."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def train(name: str, tells: int) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-c", LANGUAGE, str(tmp_path / name), str(tells)],
            capture_output=True, text=True, check=False, env=environment,
        )  # fmt: skip

    whole = train("whole", 99)
    assert whole.returncode == 0, whole.stderr
    assert [train("killed", tells).returncode for tells in (1, 2)] == [-9, -9]
    assert train("killed", 99).stdout == whole.stdout


# -- all runs ------------------------------------------------------------------------------------------


def test_the_table_pairs_runs_of_a_seed():
    """Differences are from the reference's run with the same seed; their interval is Student's."""
    result = study_report.measure(SlopeOptions(runs=3, members=4, methods=["random", REFERENCE]))
    random, reference = (np.array(result.measured(name, "test")) for name in ("random", REFERENCE))
    found = mean_interval(result.differences("random", "test"))
    differences = random - reference
    half = 4.302653 * differences.std(ddof=1) / 3**0.5  # Student's t with 2 degrees of freedom
    assert found == pytest.approx(
        (differences.mean(), differences.mean() - half, differences.mean() + half)
    )
    assert result.differences(REFERENCE, "test") is None
    cells = study_report.run(result.options).text.splitlines()[4].split()
    assert cells[-4:-1] == [f"{np.sum(differences < 0)}", "of", "3"]


def test_results_in_three_forms(tmp_path):
    """Text names each method, JSON has each run, and another call with the folder gives the same."""
    options = SlopeOptions(runs=2, members=4, folder=tmp_path / "studies", tune_lr=True)
    report = study_report.run(options)
    assert [line.split()[0] for line in report.text.splitlines()[4 : 4 + len(METHODS)]] == [*METHODS]
    assert len(report.document["methods"]) == len(METHODS)
    assert (tmp_path / "studies" / REFERENCE / "seed-1" / "journal.jsonl").is_file()
    again = study_report.run(SlopeOptions(runs=2, members=4, folder=tmp_path / "studies", tune_lr=True))
    assert json.dumps(again.document) == json.dumps(report.document)


@needs_matplotlib
def test_the_picture_is_drawn(tmp_path):
    """With all methods and with one."""
    for methods in (None, ["ASHA"]):
        report = study_report.run(SlopeOptions(runs=2, members=4, methods=methods, tune_lr=methods is None))
        report.draw(tmp_path / "picture.png")
        assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_a_folder_of_other_studies_is_refused(tmp_path):
    """Data and variant must be the folder's; the error names both."""
    SlopeOptions(folder=tmp_path)
    SlopeOptions(folder=tmp_path, runs=9, methods=["random"])
    with pytest.raises(hoptim.ArgumentError, match=r"'tune_lr': False\}, asked for .*'tune_lr': True"):
        SlopeOptions(folder=tmp_path, tune_lr=True)
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(hoptim.ArgumentError, match=r"settings\.json' is not what hoptim wrote"):
        SlopeOptions(folder=tmp_path)


def test_methods_are_checked_and_ordered():
    """Unknown ones are refused, as is a cosine where the learning rate always follows one."""
    assert SlopeOptions(methods=["Patient", "random", "Patient"]).names == ("random", "Patient")
    assert "cosine" not in SlopeOptions().names
    assert "cosine" in SlopeOptions(tune_lr=True).names
    for wrong in ("greedy", "cosine"):
        with pytest.raises(hoptim.ArgumentError, match=f"found .*{wrong}"):
            SlopeOptions(methods=["random", wrong])


def test_without_pytorch_the_extra_is_named(monkeypatch, capsys):
    """The command ends with the command that installs it."""
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["language", "--runs", "2"]) == 1
    assert "pip install -e '.[torch]'" in capsys.readouterr().err


# -- dropout -------------------------------------------------------------------------------------------


@needs_matplotlib
def test_schedules_of_dropout_begin_alike(tmp_path, monkeypatch):
    """Those with the same dropout so far have the same perplexities, seed by seed."""
    for name, value in {"_INTERVALS": 3, "_RAISED": 1, "_TUNED": 2}.items():
        monkeypatch.setattr(dropout, name, value)
    monkeypatch.setattr(LanguageOptions, "training", property(lambda options: tiny_language))
    train, used = LanguageTraining.train, []

    def recorded(training, params, ages, seed):
        used.append([(each["lr"] / 0.012, each["hidden"] / 0.2) for each in params])
        train(training, params, ages, seed)

    monkeypatch.setattr(LanguageTraining, "train", recorded)
    report = dropout.run(DropoutOptions(members=8))
    none, high, raised, _ = (np.array(each["validation"]) for each in report.document["schedules"])
    assert none.shape == (4, 3)
    assert np.allclose(none[:, 0], raised[:, 0])
    assert not np.allclose(none[:, 1], raised[:, 1])
    assert not np.allclose(high[:, 0], none[:, 0])
    test = {each["name"]: np.array(each["test"]) for each in report.document["schedules"]}
    assert f" {np.mean(test['none'] - test['high']):+.3f} [" in report.text
    strengths, rates = [[0, 1, 0, 1], [0, 1, 1, 1], [0, 1, 1, 0]], [1, 1, 0.1]  # by interval
    expected = [
        [(rate, s) for s in each for _ in range(2)] for rate, each in zip(rates, strengths, strict=True)
    ]
    assert np.array(used) == pytest.approx(np.array(expected * 2))
    assert all(name in report.text for name in dropout.SCHEDULES)
    report.draw(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000
    with pytest.raises(hoptim.ArgumentError, match="multiple of the 4 schedules, found 6"):
        DropoutOptions(members=6)


def test_a_gpu_is_asked_for_by_name(monkeypatch, capsys):
    """The paper's scale ends at once without one."""
    monkeypatch.setattr(torch, "cuda", SimpleNamespace(is_available=lambda: False))
    with pytest.raises(SystemExit):
        main(["language", "--scale", "paper"])
    assert "needs a GPU" in capsys.readouterr().err
