"""Members that begin with trained checkpoints: adopted whole, not valued yet, the same to whoever joins."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

import hoptim
from hoptim import Start
from hoptim.errors import ArgumentError, NoResult, StudyMismatch
from hoptim.session.deadline import Durations
from hoptim.store import beginning, study_file
from tests import builders, reader
from tests.builders import loss, recompute, records, saving, snapshot_often, study
from tests.test_advance import OPTIMIZERS

ALIKE = (hoptim.Initiator, hoptim.TruncationSelection, hoptim.Patient, hoptim.PB2)  # as ROMUL begins


@pytest.fixture
def given(tmp_path):
    """Weights that count the intervals that they were trained: a file after 12, and a folder, never."""
    (tmp_path / "file").write_text("12")
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "folder" / "inner" / "weights").write_text("0")
    return [{"x": 0.25}, Start({"x": 0.5}, tmp_path / "file", age=12), Start({}, str(tmp_path / "folder"))]


def weights(path):
    """How often weights were trained, by their checkpoint."""
    path = Path(path)
    return int((path / "inner" / "weights" if path.is_dir() else path).read_text())


def go_on(made):
    """Train to the end; weights were trained as often as the trial's age says."""
    for trial in made:
        assert trial.age == (0 if trial.checkpoint is None else weights(trial.checkpoint))
        trial.tell(loss(trial), save=saving(str(trial.age + 1)))
    return made


@pytest.mark.parametrize("where", ["directory", "memory"])
def test_a_member_goes_on_from_what_it_was_given(tmp_path, given, where):
    """Its first trial has the checkpoint, the age and the hyperparameters; other members begin as ever."""
    made = study(tmp_path / "s" if where == "directory" else None, start=given)
    first = [made.ask() for _ in range(4)]
    assert [(t.member, t.step, t.age, t.parent, t.continues) for t in first] == [
        (0, 0, 0, None, False), (3, 0, 0, None, False), (1, 1, 12, 0, False), (2, 1, 0, 1, False),
    ]  # fmt: skip
    assert [t.checkpoint and weights(t.checkpoint) for t in first] == [None, None, 12, 0]
    assert [t.params["x"] for t in first if t.member < 2] == [0.25, 0.5]
    assert [t.params for t in made.trials] == [t.params for t in first[2:]]
    assert [(t.member, t.step, t.age, t.valued, t.worker) for t in made.trials] == [
        (1, 0, 11, False, "start"), (2, 0, -1, False, "start"),
    ]  # fmt: skip
    assert {t.asked == t.claimed == t.ended > 1e9 for t in made.trials} == {True}
    made._session.store.journal.forget()  # and is read anew
    for trial in first:
        trial.tell(loss(trial), save=saving(str(trial.age + 1)))
    assert go_on(made).done


@pytest.mark.parametrize(
    "optimizer",
    [optimizer for optimizer in OPTIMIZERS if type(optimizer) not in ALIKE],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_every_optimizer_goes_on(tmp_path, given, optimizer, monkeypatch):
    """Each proposal follows from the records before, also by a snapshot, and nothing is found wrong."""
    snapshot_often(monkeypatch, 5)
    made = go_on(study(tmp_path / "s", start=given, steps=4, optimizer=optimizer))
    assert recompute(tmp_path / "s") == len(made.trials) == 16
    told = [(t.number, t.value if t.valued else None) for t in made.trials]
    assert reader.judge(tmp_path / "s" / "journal.jsonl", told)[0] == []
    assert made.check().findings == ()
    shown = hoptim.load(tmp_path / "s").trials
    (tmp_path / "s" / "snapshot.json").unlink()
    assert repr(hoptim.load(tmp_path / "s").trials) == repr(shown)


def test_it_counts_once_it_has_a_value(tmp_path, given):
    """Until its first trial is told it is not best, in no ranking and in no population."""
    made = study(tmp_path / "s", start=[given[1]], size=2)
    with pytest.raises(NoResult):
        _ = made.best
    assert made.top() == []
    state = made._session.store.state
    assert len(made._session.propose._levels(state, 0)) == 0
    fresh, other = made.ask(), made.ask()
    fresh.tell(1.0, save=saving("1"))
    assert made.best.member == 1
    other.tell(0.5, save=saving("13"))
    assert (made.best.member, made.best.age, made.best_ever.number) == (0, 12, 2)


def test_trials_from_elsewhere_took_no_time(tmp_path, given):
    """The time that a trial takes is estimated from those that were trained here."""
    made = study(tmp_path / "s", start=[given[1]] * 4)
    assert Durations().next(made._session.store.state) == 0.0
    trials = [made.ask() for _ in range(3)]
    for trial in trials:
        trial.tell(1.0, save=saving("13"))
    state = made._session.store.state
    for trial in trials:
        state.finished[trial.number].ended = state.finished[trial.number].claimed + 7
    assert Durations().next(state) == pytest.approx(7)


def test_paths_are_no_part_of_the_study(tmp_path, given):
    """Who has the same hyperparameters and ages joins, though the files are gone or elsewhere."""
    folder = tmp_path / "s"
    study(folder, start=given)
    for old in ("file", "folder"):
        (tmp_path / old).rename(tmp_path / f"moved {old}")
    study(folder, start=given)
    elsewhere = [given[0], *(Start(each.params, tmp_path / "no such", each.age) for each in given[1:])]
    study(folder, start=elsewhere)
    with pytest.raises(StudyMismatch, match=r"start_ages: recorded \[null, 12, 0\], asked for null"):
        study(folder, start=[{"x": 0.25}, {"x": 0.5}, {}])
    with pytest.raises(StudyMismatch, match=r"asked for \[null, 11, 0\]"):
        study(folder, start=[given[0], Start({"x": 0.5}, tmp_path, age=11), given[2]])
    assert go_on(study(folder)).done
    assert hoptim.load(folder).check().ok


def test_the_copy_is_whole_and_the_studys_own(tmp_path, given):
    """What links lead to is copied, and whoever writes into the file later does not reach the study."""
    os.symlink(tmp_path / "file", tmp_path / "latest")
    os.symlink(tmp_path / "file", tmp_path / "folder" / "link")
    made = study(
        tmp_path / "s", start=[Start({}, tmp_path / name) for name in ("latest", "folder", "file")]
    )
    (tmp_path / "file").write_text("other")
    (tmp_path / "folder" / "inner" / "weights").write_text("other")
    first, second, third = (Path(trial.checkpoint) for trial in made.trials)
    assert [path.is_symlink() for path in (first, second / "link", third)] == [False] * 3
    assert [path.read_text() for path in (first, second / "link", third)] == ["12"] * 3
    assert weights(second) == 0


@pytest.mark.parametrize("where", ["directory", "memory"])
def test_what_cannot_be_copied_makes_no_study(tmp_path, given, where):
    """A path where nothing is, and a pipe in a folder, are named; once cured, the same call works."""
    folder = tmp_path / "s" if where == "directory" else None
    (tmp_path / "file").rename(tmp_path / "away")
    with pytest.raises(
        ArgumentError, match=r"start\[1\] begins with the checkpoint .*file.*nothing is there"
    ):
        study(folder, start=given)
    if folder is not None:
        with pytest.raises(ArgumentError, match=r"start\[0\] .* the study would be in it"):
            study(folder, start=[Start({}, tmp_path)])
    assert not (tmp_path / "s").exists()
    (tmp_path / "away").rename(tmp_path / "file")
    os.mkfifo(tmp_path / "folder" / "pipe")
    with pytest.raises(hoptim.HoptimError, match="pipe"):
        study(folder, start=given)
    if folder is not None:
        assert study_file.read(folder) is None
        assert list((folder / "checkpoints").iterdir()) == []
    (tmp_path / "folder" / "pipe").unlink()
    assert len(study(folder, start=given).trials) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([0.5], "w"), "Start: params must be a mapping"),
        (({}, 3), "A path must be"),
        (({}, "https://host/w"), "is a URL"),
        (({}, "w", -1), "Start: age must be a whole number of at least 0, found -1"),
        (({}, "w", 1.5), "Start: age must be a whole number of at least 0, found 1.5"),
    ],
)
def test_arguments_are_checked_at_once(arguments, said):
    """What cannot work is refused before there is a study."""
    with pytest.raises(ArgumentError, match=said):
        Start(*arguments)


def lines(limit, call):
    """Call in a child that is killed before so many lines of what makes a study; the child's status."""
    names = {module.__file__ for module in (beginning, study_file)}
    left = limit

    def trace(frame, event, _):
        nonlocal left
        if frame.f_code.co_filename not in names:
            return trace if event == "call" else None
        left -= event == "line"
        if left < 0:
            os._exit(9)
        return trace

    child = os.fork()
    if child == 0:
        sys.settrace(trace)
        try:
            call()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_creator_that_is_killed_leaves_nothing_that_counts(tmp_path, given):
    """Killed at any line, it has made a whole study or none; the next call makes it, and leftovers go."""
    made, status = [], 9
    for limit in range(0, 1000, 23):
        if status == 0:
            break
        folder = tmp_path / str(limit)
        status = lines(limit, lambda folder=folder: study(folder, start=given))
        made.append(study_file.read(folder) is not None)
        again = study(folder, start=given)
        assert [t.member for t in again.trials] == [1, 2]
        assert [weights(t.checkpoint) for t in again.trials] == [12, 0]
        again.ask()
        there = {path.name for path in (folder / "checkpoints").iterdir()}
        assert there == {Path(t.checkpoint).name for t in again.trials}
        assert again.check().findings == ()
    assert made == sorted(made)
    assert (made[0], made[-1], status) == (False, True, 0)


@pytest.mark.parametrize("whole", [1, 4, 5])
def test_a_torn_beginning_is_begun_anew(tmp_path, given, whole):
    """A journal cut within or behind its first append has no study.json, and no trial of it counts."""
    study(tmp_path / "s", start=given)
    (tmp_path / "s" / "study.json").unlink()
    journal = tmp_path / "s" / "journal.jsonl"
    kept = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(kept[:whole]) + b"".join(kept[whole:])[:20])
    again = study(tmp_path / "s", start=given, seed=1)
    assert [t.member for t in again.trials] == [1, 2]
    assert again.check().ok


def test_a_purged_study_json_is_written_again_without_the_files(tmp_path, given):
    """Once a trial was asked for, the study is the one that was made, wherever the checkpoints are now."""
    folder = tmp_path / "s"
    made = study(folder, start=given)
    made.ask().tell(1.0, save=saving("1"))
    before = (folder / "study.json").read_bytes()
    (folder / "study.json").unlink()
    (tmp_path / "file").unlink()
    again = study(folder, start=given)
    assert (folder / "study.json").read_bytes() == before
    assert (again.uuid, len(again.trials)) == (made.uuid, 3)


def test_a_forged_number_of_first_records_harms_no_study(tmp_path):
    """Whatever record 0 says, a journal with trials is not begun anew when study.json is gone."""
    for forged in ("2", 2**70, -1, True, 1e400, None, [2]):
        folder = tmp_path / str(forged)
        study(folder).ask().tell(1.0)
        (folder / "study.json").unlink()
        zero, *rest = records(folder)
        text = [json.dumps({**zero, "begun": forged}), *map(json.dumps, rest)]
        (folder / "journal.jsonl").write_text("".join(f"00000000 {line}\n" for line in text))
        with pytest.raises(hoptim.StudyDamaged):
            study(folder, seed=1)
        assert len((folder / "journal.jsonl").read_text().splitlines()) == 1 + len(rest)


def test_a_schedule_begins_with_what_was_trained_here(tmp_path, given):
    """Given weights are no interval: a schedule begins at their age, and is replayed only from age 0."""
    made = go_on(study(tmp_path / "s", start=given, size=3, optimizer=hoptim.RandomSearch()))
    by_member = {trial.member: made.schedule(trial) for trial in made.results().latest}
    assert [by_member[m][0].age for m in range(3)] == [0, 12, 0]
    assert [len(by_member[m]) for m in range(3)] == [5, 4, 4]
    for number in (0, 1):
        with pytest.raises(ArgumentError, match=f"Trial {number} stands for weights that start= gave"):
            made.schedule(number)
    with pytest.raises(ArgumentError, match=r"begins at age 12.*before a Start are not known"):
        hoptim.Fixed(by_member[1])
    assert len(hoptim.Fixed(by_member[2]).schedule) == 4


@pytest.mark.parametrize("at_step", [0, 2])
@pytest.mark.parametrize("same_space", [True, False])
def test_a_fork_goes_on_from_it(tmp_path, given, at_step, same_space):
    """It brings the given weights over with their age, and its schedules reach back to them."""
    made = study(
        tmp_path / "s", start=given[1:], size=2, keep=lambda trial: True, optimizer=hoptim.RandomSearch()
    )
    go_on(made)
    more = {} if same_space else {"space": {**builders.space(), "new": hoptim.Float(0.0, 1.0)}}
    new = hoptim.fork(tmp_path / "s", tmp_path / "new", at_step=at_step, steps=4, **more)
    assert [t.age for t in new.trials] == [11 + at_step, -1 + at_step]
    go_on(new)
    begin = 0 if same_space or at_step == 0 else at_step - 1
    for member, first in enumerate((12, 0)):
        last = next(t for t in new.results().latest if t.member == member)
        ages = [it.age for it in new.schedule(last)]
        assert ages == list(range(first + begin, last.age + 1))
    assert new.check().ok


def test_a_fork_for_another_objective_gives_it_no_value(tmp_path, given):
    """Given weights were not told anything that a function could value, and stay without a value."""
    study(tmp_path / "s", start=[given[0], given[1]], size=2).ask().tell(1.0, saving("1"), metrics={"m": 3})
    new = hoptim.fork(tmp_path / "s", tmp_path / "new", mode="max", values=lambda trial: trial.metrics["m"])
    assert [(t.worker, t.valued) for t in new.trials] == [("fork", True), ("start", False)]
    assert (new.best.value, new.schedule()[0].value) == (3, 3)


def test_it_is_shown_as_given(tmp_path, given, capsys):
    """Lineage and report say where weights came from, and what the page offers is the schedule."""
    pytest.importorskip("rich")
    from hoptim.__main__ import main
    from hoptim.report.data import data_of

    made = go_on(study(tmp_path / "s", start=[given[1]], size=1, steps=3))
    assert main(["lineage", made.path]) == 0
    said = capsys.readouterr().out
    assert "Trained 14 intervals; from weights that start= gave on" in said
    assert ["11", "0", "0", "none", "given"] in [line.split() for line in said.splitlines()]
    assert (data_of(made)["given"], data_of(made)["failed"]) == ([0], 0)
    for command in ("status", "schedule", "export", "check"):
        assert main([command, made.path]) == 0


def test_a_checkpoint_that_was_never_read_is_noticed(tmp_path, given):
    """A loop that trains other weights than the given ones is refused where the process is strict."""
    trial = study(tmp_path / "s", start=[given[1]], size=1, strict=True).ask()
    assert trial.params["x"] == 0.5
    with pytest.raises(
        hoptim.NotApplied, match="continues from trial 0, but its checkpoint was never read"
    ):
        trial.tell(1.0, save=saving("1"))
