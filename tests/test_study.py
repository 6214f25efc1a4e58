"""The study: loops, reopening, extending, waiting, and what can be seen."""

from __future__ import annotations

import dataclasses
import gc
import json
import logging
import math
import os
import pickle
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hoptim
from hoptim import (
    ArgumentError,
    NoResult,
    NothingDue,
    NotTold,
    OptimizerError,
    StoreError,
    StudyDamaged,
    StudyFailed,
    StudyMismatch,
)
from hoptim.session import loop as loop_module
from tests import builders
from tests.builders import append, loss, recompute, records, saving, stripped, study, train


@pytest.fixture(params=["memory", "files"])
def path(request, tmp_path):
    """Where a study lives: in memory and in a directory."""
    return None if request.param == "memory" else tmp_path / "s"


def test_every_member_does_its_steps_once(path):
    """A finished study has each member's steps 0..steps-1, once each, in order."""
    made = train(study(path))
    assert made.done
    assert [(t.member, t.step) for t in sorted(made.trials, key=lambda t: (t.member, t.step))] == [
        (member, step) for member in range(4) for step in range(5)
    ]
    assert [t.number for t in made.trials] == list(range(20))
    assert made.ask() is None
    assert list(made) == []


def test_a_study_in_files_is_the_study_in_memory(tmp_path):
    """The same seed gives the same trials wherever the study lives."""
    seen = [
        [(t.number, t.member, t.parent, t.params, t.seed, t.value) for t in train(study(where)).trials]
        for where in (None, tmp_path / "s")
    ]
    assert seen[0] == seen[1]


@pytest.mark.parametrize("saves", [True, False])
def test_the_same_seed_gives_the_same_journal(tmp_path, saves):
    """One process, same seed: the same records apart from ids, times and names of workers."""
    for name in "ab":
        train(study(tmp_path / name), saves)
    assert stripped(tmp_path / "a") == stripped(tmp_path / "b")
    train(study(tmp_path / "c", seed=1), saves)
    assert stripped(tmp_path / "a") != stripped(tmp_path / "c")


@pytest.mark.parametrize(
    "optimizer", [hoptim.ROMUL(), hoptim.Initiator(), hoptim.TruncationSelection(burn_in=2)]
)
def test_every_proposal_can_be_recomputed_from_its_prefix(tmp_path, optimizer):
    """Each decision in a journal is a function of the records before it, failures included."""
    made = study(tmp_path / "s", optimizer=optimizer, size=5, mode="max")
    for trial in made:
        if trial.number % 7 == 3:
            trial.fail("sometimes")
        else:
            trial.tell(math.nan if trial.number % 5 == 4 else loss(trial), save=saving("x"))
    assert recompute(tmp_path / "s") == 25


def test_continues_is_true_just_after_the_parents_tell(path):
    """Only the trial that follows the acknowledged tell of its own parent may go on without loading."""
    made, last, seen = study(path, optimizer=hoptim.TruncationSelection()), None, []
    for trial in made:
        assert trial.continues == (trial.parent is not None and trial.parent == last)
        seen.append(trial.continues)
        trial.tell(loss(trial))
        last = trial.number
    assert True in seen
    assert False in seen[4:]


@pytest.mark.parametrize("between", ["ask", "fail", "release", "error", "other"])
def test_anything_in_between_ends_continuing(path, between):
    """Another ask, a failure, a released loop, a refused tell: the weights are no longer the parent's."""
    made = study(path, size=1, steps=9)
    made.ask().tell(1.0)
    if between == "ask":
        made.ask()  # let go of; comes again
    elif between == "fail":
        made.ask().fail("x")
    elif between == "release":
        for _ in made:
            break
    elif between == "error":
        with pytest.raises(ArgumentError):
            made.ask().tell("x")
    else:
        thread = threading.Thread(target=lambda: made.ask().tell(2.0))
        thread.start()
        thread.join()
    assert made.ask().continues is False


@pytest.mark.parametrize(
    "end", [lambda t: t.fail("x", retry=False), lambda t: t.tell(2.0), hoptim.Trial.__exit__]
)
def test_ending_another_trial_in_between_ends_continuing(path, end):
    """With two trials in hand, ending the other one after a tell means other weights in memory."""
    made = study(path, size=2, optimizer=hoptim.TruncationSelection(burn_in=9))
    first, other = made.ask(), made.ask()
    first.tell(1.0)
    if end is hoptim.Trial.__exit__:
        with pytest.raises(KeyboardInterrupt), other:
            raise KeyboardInterrupt
        made.ask().tell(2.0)
    else:
        end(other)
    following = [trial.continues for trial in (made.ask(), made.ask()) if trial.parent == 0]
    assert set(following) == {False}


def test_without_anything_in_between_it_continues(path):
    """The plain sequence of ask and tell of one member continues each time but the first."""
    made = study(path, size=1)
    assert [(t.continues, t.tell(1.0))[0] for t in made] == [False, True, True, True, True]


def test_two_studies_in_one_process_do_not_continue_each_other(path):
    """What was told to one study says nothing about the weights of another."""
    a, b = study(path, size=1), study(None, size=1)
    a.ask().tell(1.0)
    b.ask().tell(1.0)
    assert (a.ask().continues, b.ask().continues) == (True, True)


def test_a_loop_that_breaks_releases(path):
    """After break, the trial in hand and the one claimed ahead are handed out again, unharmed."""
    made = study(path)
    for trial in made:
        if trial.number == 2:
            break
        trial.tell(1.0)
    again = made.ask()
    assert (again.number, again.attempt) == (2, 1)
    again.tell(1.0)
    assert made.trials[2].interruptions == 1
    for _trial in made:
        _trial.tell(1.0)
        break  # told, so only the next one, claimed along with it, is handed back
    rest = train(made)
    assert [t.interruptions for t in rest.trials if t.number != 2] == [0] * 19


def test_an_exception_in_a_bare_loop_releases(path):
    """An exception that leaves a loop hands the trial back without counting a failure."""
    made = study(path)
    with pytest.raises(ZeroDivisionError):
        for _ in made:
            raise ZeroDivisionError
    trial = made.ask()
    assert (trial.number, trial.attempt) == (0, 1)


def test_going_on_without_telling_is_an_error(path):
    """A loop that forgets to tell is stopped at once, and the trial is not lost."""
    made = study(path)
    with pytest.raises(NotTold, match="Trial 0 was neither told nor failed"):
        for _ in made:
            pass
    assert made.ask().number == 0


@pytest.mark.parametrize("options", [{"synchronous": True}, {"lead": 0}])
def test_synchronous_waits_for_all(path, options):
    """Nobody gets step s + 1 before all have finished s, and the wait can be bounded."""
    made = study(path, **options)
    held = [made.ask() for _ in range(4)]
    for trial in held[1:]:
        trial.tell(1.0)
    with pytest.raises(NothingDue, match="trial 0 of member 0, held by"):
        made.ask(timeout=0.02)
    held[0].tell(1.0)
    assert made.ask(timeout=0.02).step == 1


def test_lead_lets_the_quick_go_ahead(path):
    """With lead=2, members may be two steps ahead of the slowest unfinished one and no more."""
    made = study(path, lead=2)
    slow = made.ask()
    for _ in range(2 * 3 + 3):
        made.ask(timeout=0.02).tell(1.0)
    with pytest.raises(NothingDue):
        made.ask(timeout=0.02)
    slow.tell(1.0)
    assert made.ask(timeout=0.02).member == 0


def test_a_waiting_loop_goes_on_when_something_becomes_due(path):
    """A worker that waits gets its trial as soon as another one tells."""
    made = study(path, size=1)
    trial, got = made.ask(), []
    thread = threading.Thread(target=lambda: got.append(made.ask(timeout=20)))
    thread.start()
    builders.wait_until(thread.is_alive)
    trial.tell(1.0)
    thread.join(20)
    assert [t.step for t in got] == [1]


def test_a_long_wait_says_for_whom(path, monkeypatch, caplog):
    """A loop that waits says which trial it waits for and who holds it."""
    monkeypatch.setattr(loop_module, "_SAY_EVERY", 0.02)
    made = study(path, size=1)
    held = made.ask()
    with caplog.at_level(logging.WARNING, logger="hoptim"), pytest.raises(NothingDue):
        made.ask(timeout=0.1)
    assert f"trial {held.number} of member 0, held by" in caplog.text


def test_threads_share_a_study(path):
    """Several threads on one study object do every step once."""
    made = study(path, size=6, steps=10)
    threads = [threading.Thread(target=train, args=(made,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((t.member, t.step) for t in made.trials) == [(m, s) for m in range(6) for s in range(10)]
    if path is not None:
        assert recompute(path) == 60


def test_reopening_goes_on_where_it_was(tmp_path):
    """The same call reopens: what was told stays, and the rest is the study that one run would make."""
    train(study(tmp_path / "whole"))
    for _ in range(4):
        for trial in study(tmp_path / "parts"):
            if trial.number % 6 == 5 and trial.attempt == 1 and not (tmp_path / str(trial.number)).exists():
                (tmp_path / str(trial.number)).touch()
                break
            trial.tell(loss(trial))
    assert [(t.params, t.value) for t in hoptim.load(tmp_path / "parts").trials] == [
        (t.params, t.value) for t in hoptim.load(tmp_path / "whole").trials
    ]


DIFFERENCES = {
    "size": {"size": 5},
    "mode": {"mode": "max"},
    "seed": {"seed": 1},
    "space.x.high": {"space": {**builders.space(), "x": hoptim.Float(0.0, 2.0)}},
    "space.z": {"space": {**builders.space(), "z": hoptim.Float(0.0, 2.0)}},
    "optimizer.name": {"optimizer": hoptim.Initiator()},
    "optimizer.step": {"optimizer": hoptim.ROMUL(step=0.2)},
    "start": {"start": [{"x": 0.5}]},
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_another_study_in_the_directory_is_refused(tmp_path, name):
    """A different setting is refused by name with both values, and the study stays as it was."""
    study(tmp_path / "s", optimizer=hoptim.ROMUL()).ask().tell(1.0)
    before = records(tmp_path / "s")
    with pytest.raises(StudyMismatch, match=rf"\n  {name}[^\n]*: recorded .*, asked for "):
        study(tmp_path / "s", **DIFFERENCES[name])
    assert records(tmp_path / "s") == before
    assert len(study(tmp_path / "s").trials) == 1


def test_options_of_a_process_are_no_part_of_the_study(tmp_path):
    """lead, keep, lease and the like may differ each time the study is opened."""
    study(tmp_path / "s")
    study(tmp_path / "s", lead=3, lease=10.0, max_attempts=1, keep=lambda trial: True, lock_timeout=5.0)


def test_the_order_of_names_is_the_records(tmp_path):
    """A space given in another order is the same study, and values keep their dimensions."""
    train(study(tmp_path / "a", steps=2))
    flipped = dict(reversed(builders.space().items()))
    made = train(study(tmp_path / "a", space=flipped, steps=4))
    assert {type(t.params["k"]) for t in made.trials} == {int}
    assert recompute(tmp_path / "a") == 16


def test_more_steps_extend_and_fewer_are_refused(tmp_path):
    """steps is a target: a larger one goes on from the same weights, a smaller one is an error."""
    train(study(tmp_path / "s", steps=2), saves=True)
    made = study(tmp_path / "s", steps=4)
    assert not made.done
    for trial in made:
        assert Path(trial.checkpoint).read_text() == str(trial.parent)
        trial.tell(loss(trial), save=saving(str(trial.number)))
    assert len(made.trials) == 16
    with pytest.raises(StudyMismatch, match="has 4 steps, asked for 2"):
        study(tmp_path / "s", steps=2)
    assert hoptim.load(tmp_path / "s").steps == 4
    assert recompute(tmp_path / "s") == 16


def test_a_running_study_sees_an_extension(tmp_path):
    """A worker that was started before the extension does the new steps too."""
    early = study(tmp_path / "s", steps=2)
    early.ask().tell(1.0)
    study(tmp_path / "s", steps=3)
    assert len(train(early).trials) == 12


def test_load_needs_the_path_alone(tmp_path):
    """load opens a study without its settings, and leaves no trace when it reads or finds all done."""
    train(study(tmp_path / "s", steps=2))
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "s").rglob("*")}
    loaded = hoptim.load(tmp_path / "s")
    assert (loaded.size, loaded.steps, loaded.mode, loaded.seed) == (4, 2, "min", 0)
    assert (len(loaded.trials), loaded.best.finite, loaded.done) == (8, True, True)
    assert (list(loaded), loaded.ask()) == ([], None)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "s").rglob("*")} == before
    with pytest.raises(ArgumentError, match="There is no study"):
        hoptim.load(tmp_path)
    with pytest.raises(StudyMismatch, match=r"optimizer\.name"):
        hoptim.load(tmp_path / "s", optimizer=hoptim.Initiator())
    with pytest.raises(hoptim.ArgumentError, match="no option 'members'"):
        hoptim.load(tmp_path / "s", members=5)


@dataclasses.dataclass(frozen=True)
class Stay(hoptim.Optimizer):
    """A user's own optimizer: everybody keeps what it drew."""

    note: str = "mine"

    def propose(self, view, member, rng):
        """The member's own trial again."""
        row = view.population.row(member)
        if row is None:
            return hoptim.Proposal(None, view.first(member, rng))
        return hoptim.Proposal(int(view.population.number[row]), view.population.x[row])


def test_a_users_optimizer_is_never_imported_from_the_directory(tmp_path):
    """A study with a user's optimizer can be read by path, and asked once the optimizer is passed."""
    study(tmp_path / "s", optimizer=Stay()).ask().tell(1.0)
    loaded = hoptim.load(tmp_path / "s")
    assert loaded.best.value == 1.0
    with pytest.raises(OptimizerError, match=r"'Stay' is not part of hoptim.*optimizer="):
        loaded.ask()
    assert hoptim.load(tmp_path / "s", optimizer=Stay()).ask().number == 1
    with pytest.raises(StudyMismatch, match=r"optimizer\.note"):
        hoptim.load(tmp_path / "s", optimizer=Stay(note="other"))


@dataclasses.dataclass(frozen=True)
class Raising(Stay):
    """An optimizer with a bug that shows at the second step."""

    def propose(self, view, member, rng):
        """Raise for whoever has trained before."""
        if view.population.row(member) is not None:
            raise ZeroDivisionError("a bug of the user's")
        return super().propose(view, member, rng)


def test_an_optimizer_that_raises_loses_nothing(path):
    """Its exception reaches the caller of ask, the tell before it stays, and nothing is claimed."""
    made = study(path, optimizer=Raising())
    with pytest.raises(ZeroDivisionError):
        train(made)
    assert len(made.trials) == 4
    with pytest.raises(ZeroDivisionError):
        made.ask()
    assert len(made.trials) == 4


def test_mapped_choices_come_back_as_the_callers_objects(path):
    """A Choice over objects gives those very objects; the journal has their names."""
    space = {"act": hoptim.Choice({"max": max, "min": min}), "w": hoptim.Ordinal([8, 16])}
    made = study(path, space=space)
    for trial in made:
        assert trial.params["act"] in (max, min)
        trial.check(act=trial.params["act"], w=trial.params["w"])
        trial.tell(trial.params["w"])
    assert {t.params["act"] for t in made.trials} <= {max, min}
    if path is not None:
        assert {t.params["act"] for t in hoptim.load(path).trials} <= {"max", "min"}
        assert {t.params["act"] for t in hoptim.load(path, space=space).trials} <= {max, min}


def test_start_gives_the_first_members_known_configurations(path):
    """Entries fill the first members, in part or whole; the rest is drawn, reopened all the same."""
    made = study(path, start=[{"x": 0.25}, {"x": 1, "k": 3}, {}])
    trials = [made.ask() for _ in range(4)]
    assert trials[0].params["x"] == 0.25
    assert trials[1].params == {"x": 1.0, "k": 3}
    plain = study(None)
    assert trials[3].params == [plain.ask(), plain.ask(), plain.ask(), plain.ask()][3].params
    if path is not None:
        study(path)  # without start: as recorded
        with pytest.raises(StudyMismatch, match="start"):
            study(path, start=[{"x": 0.5}])


def test_best_is_of_the_latest_and_best_ever_of_all(path):
    """best is what the population ends with; best_ever may be older, and its checkpoint is kept."""
    made = study(path, size=2, steps=3)
    with pytest.raises(NoResult):
        _ = made.best
    with pytest.raises(NoResult):
        _ = made.best_ever
    for trial, value in zip(made, [0.1, 5.0, 4.0, 3.0, 2.0, math.nan], strict=False):
        trial.tell(value, save=saving(str(trial.number)))
    assert made.best.value == 2.0
    assert made.best_ever.value == 0.1
    assert Path(made.best_ever.checkpoint).read_text() == "0"
    assert Path(made.best.checkpoint).read_text() == "4"


def test_mode_max_is_the_users_sign_everywhere(path):
    """With mode="max" the journal, trials and best all have the user's own sign."""
    made = study(path, mode="max")
    for trial in made:
        trial.tell(-loss(trial))
    assert made.best_ever.value == max(t.value for t in made.trials)
    if path is not None:
        values = [r["value"] for r in records(path) if r["op"] == "tell"]
        assert max(values) == made.best_ever.value < 0


def test_a_member_that_fails_is_rescued(path):
    """After a value that is not finite, the member's next trial continues a healthy one."""
    made, failed = study(path), []
    for trial in made:
        if trial.parent is not None:
            assert trial.parent not in failed
        if trial.number in (1, 6, 7):
            failed.append(trial.number)
            trial.tell([math.nan, math.inf, -math.inf][len(failed) - 1])
        else:
            trial.tell(loss(trial))
    assert made.best_ever.finite


def test_checkpoints_are_kept_by_need(tmp_path):
    """A finished study keeps its members' latest and the best ever; keep= keeps more."""
    made = train(study(tmp_path / "a", steps=30), saves=True)
    left = sorted(os.listdir(tmp_path / "a" / "checkpoints"))
    assert len(left) <= 5
    assert sorted(Path(t.checkpoint).name for t in made.trials if t.checkpoint) == left
    kept = train(study(tmp_path / "b", steps=9, keep=lambda trial: trial.step % 4 == 0), saves=True)
    assert {t.number for t in kept.trials if t.step % 4 == 0} <= {
        t.number for t in kept.trials if t.checkpoint
    }


def test_all_members_failed_for_good_is_an_error(path):
    """When every member's last trial failed for good, the loop ends with the recorded reasons."""
    made = study(path, size=2, steps=2)
    with pytest.raises(StudyFailed, match="the data is gone"):
        for trial in made:
            trial.fail("the data is gone", retry=False)
    assert made.done


def test_a_finished_study_leaves_no_worker_behind(tmp_path):
    """When all is done, and when a study is no longer used, its sign of life and its thread go."""
    threads = threading.active_count()
    for i in range(3):
        train(study(tmp_path / str(i)))
        study(tmp_path / f"let go of {i}").ask()
    gc.collect()
    assert list(tmp_path.glob("*/workers/*")) == []
    builders.wait_until(lambda: threading.active_count() <= threads)


def test_a_study_pickles_as_its_path(tmp_path):
    """A pickled study is the same study elsewhere; one in memory says that it cannot travel."""
    made = study(tmp_path / "s", lead=2)
    made.ask().tell(1.0)
    copy = pickle.loads(pickle.dumps(made))
    assert (copy.path, len(copy.trials), copy._session.store.options.lead) == (made.path, 1, 2)
    with pytest.raises(ArgumentError, match="in memory cannot be sent"):
        pickle.dumps(study(None))


BAD = {
    "size": ({"size": 0}, "size must be a whole number of at least 1, found 0"),
    "size as text": ({"size": "4"}, "size must be a whole number"),
    "steps": ({"steps": 1.5}, "steps must be a whole number"),
    "seed": ({"seed": -1}, "seed must be a whole number of at least 0"),
    "mode": ({"mode": "maximize"}, "mode must be 'min' or 'max', found 'maximize'"),
    "lead": ({"lead": -1}, "lead must be"),
    "attempts": ({"max_attempts": 0}, "max_attempts must be"),
    "lease": ({"lease": 0}, "lease must be a number of seconds above 0"),
    "timeout": ({"lock_timeout": math.nan}, "lock_timeout must be"),
    "keep": ({"keep": 3}, "keep must be a function"),
    "optimizer": ({"optimizer": "ROMUL"}, "optimizer must be an Optimizer"),
    "optimizer class": ({"optimizer": hoptim.ROMUL}, "optimizer must be an Optimizer"),
    "space": ({"space": {}}, "space must be a non-empty mapping"),
    "tuple": ({"space": {"lr": (0.0, 1.0)}}, "Dimension 'lr' must be"),
    "start value": ({"start": [{"x": 2.0}]}, "within the bounds"),
    "start name": ({"start": [{"y": 2.0}]}, "no hyperparameters of this study"),
    "start count": ({"start": [{}] * 5}, "start has 5 entries for 4 members"),
    "start kind": ({"start": [0.5]}, "start must be a list of mappings"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_refused_before_anything_is_made(tmp_path, name):
    """A bad argument raises at once with its name and value, and no directory appears."""
    changes, message = BAD[name]
    with pytest.raises(ArgumentError, match=message):
        study(tmp_path / "s", **changes)
    assert not (tmp_path / "s").exists()


def test_mode_has_no_default():
    """A wrong guess would cost a run, so the mode must be said."""
    with pytest.raises(TypeError, match="mode"):
        hoptim.Study(None, space=builders.space(), size=1, steps=1)


def test_an_unwritable_directory_is_said(tmp_path):
    """A directory that cannot be made is named with its cause."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="file"):
        study(tmp_path / "file" / "s")


def test_an_optimizer_that_cannot_be_recorded_is_refused(tmp_path):
    """Settings that are no JSON, or a class that is no frozen dataclass, raise before anything is made."""

    class Loose(Stay):
        pass

    @dataclasses.dataclass(frozen=True)
    class Odd(Stay):
        note: object = object()  # type: ignore[assignment]

    for optimizer, message in ((Odd(), "plain JSON"), (_loosened(Loose), "frozen dataclass")):
        with pytest.raises(OptimizerError, match=message):
            study(tmp_path / "s", optimizer=optimizer)
    assert not (tmp_path / "s").exists()


def _loosened(kind):
    """An optimizer of a class that is an ordinary one."""
    made = type(kind.__name__, (hoptim.Optimizer,), {"propose": kind.propose})
    return made()


def test_a_full_disk_loses_nothing_and_the_same_study_goes_on(tmp_path, monkeypatch):
    """An error at the append is raised with its cause; told again after the cure, the run is whole."""
    made = study(tmp_path / "s", steps=2)
    real, broken = os.fsync, []

    def sync(fd):
        if broken and os.readlink(f"/proc/self/fd/{fd}").endswith("journal.jsonl"):
            raise OSError(28, "No space left on device")
        real(fd)

    monkeypatch.setattr(os, "fsync", sync)
    for trial in made:
        if trial.number == 3:
            broken.append(1)
            for _ in range(2):
                with pytest.raises(StoreError, match=r"journal\.jsonl.*No space left"):
                    trial.tell(loss(trial), save=saving("x"))
            broken.clear()
        trial.tell(loss(trial), save=saving("x"))
    assert [t.number for t in made.trials] == list(range(8))
    assert recompute(tmp_path / "s") == 8


def fail_to_close(monkeypatch, path, count):
    """Let the close of a journal fail once, when it holds so many records: written, yet not known."""
    real = os.close

    def close(fd):
        journal = os.readlink(f"/proc/self/fd/{fd}").endswith("journal.jsonl")
        real(fd)
        if journal and len(records(path)) == count:
            monkeypatch.setattr(os, "close", real)
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "close", close)


def test_a_tell_that_arrived_though_it_raised_is_not_recorded_twice(tmp_path, monkeypatch):
    """After an unknown outcome the same tell, repeated, finds its own record and is acknowledged."""
    made = study(tmp_path / "s")
    trial = made.ask()
    fail_to_close(monkeypatch, tmp_path / "s", 3)
    with pytest.raises(StoreError, match="Input/output error"):
        trial.tell(1.0, save=saving("x"))
    trial.tell(1.0, save=saving("x"))
    assert [r["op"] for r in records(tmp_path / "s")] == ["create", "ask", "tell"]


def test_an_ask_with_an_unknown_outcome_is_found_again(tmp_path, monkeypatch):
    """A claim that was written though ask raised is handed out by the next ask, not lost."""
    made = study(tmp_path / "s")
    fail_to_close(monkeypatch, tmp_path / "s", 2)
    with pytest.raises(StoreError):
        made.ask()
    assert made.ask().number == 0
    assert [r["op"] for r in records(tmp_path / "s")] == ["create", "ask"]


def test_a_vanished_journal_is_an_error_for_all(tmp_path):
    """A running worker and a new one both refuse a study whose journal is gone."""
    made = study(tmp_path / "s")
    trial = made.ask()
    (tmp_path / "s" / "journal.jsonl").unlink()
    for attempt in (lambda: trial.tell(1.0), lambda: study(tmp_path / "s"), made.ask):
        with pytest.raises(StudyDamaged, match="is gone"):
            attempt()


def test_a_later_version_is_refused(tmp_path):
    """An op that this version does not know is refused; unknown fields are kept."""
    study(tmp_path / "s").ask().tell(1.0)
    append(tmp_path / "s", {"op": "extend", "steps": 9, "reason": "a field of a later version"})
    assert hoptim.load(tmp_path / "s").steps == 9
    append(tmp_path / "s", {"op": "merge"})
    append(tmp_path / "s", {"op": "extend", "steps": 12})
    early = hoptim.load(tmp_path / "s")
    for look in (lambda: early.steps, lambda: early.trials, early.ask):  # each time, not only at first
        with pytest.raises(hoptim.NewerFormat, match=r"line 5: .*unknown op 'merge'.*later version"):
            look()


def test_the_journal_is_what_the_design_says(tmp_path):
    """Records carry op and number; told values an id and their claim's token; params their names."""
    train(study(tmp_path / "s", steps=2), saves=True)
    found = records(tmp_path / "s")
    assert {r["op"] for r in found} == {"create", "ask", "tell"}
    assert len({r["id"] for r in found if r["op"] == "tell"}) == 8
    named = [r["checkpoint"] for r in found if r["op"] == "tell"]
    assert [sorted(checkpoint) for checkpoint in named] == [["files", "name", "sha256", "size"]] * 8
    assert all(("time" in r) != ("batch" in r) for r in found[1:])
    tokens = {r["n"]: r["trial"] for r in found if r["op"] == "ask"}
    assert all(tokens[r["token"]] == r["trial"] for r in found if r["op"] == "tell")
    assert [r["params"] for r in found if r["op"] == "ask"] == [
        t.params for t in hoptim.load(tmp_path / "s").trials
    ]
    told = json.loads((tmp_path / "s" / "study.json").read_text())
    assert (told["identity"]["optimizer"]["name"], told["steps"]) == ("MixedHorizon", 2)


def test_a_worker_of_another_host_is_waited_for_and_then_replaced(tmp_path):
    """A claim in a name without a sign of life is taken back after the lease, not before."""
    made = study(tmp_path / "s", size=1, lease=1.5)
    fields = {"member": 0, "step": 0, "parent": None, "params": {"x": 0.5, "k": 3}, "x": [0.5, 0.3]}
    append(
        tmp_path / "s", {"op": "ask", "trial": 0, **fields, "memo": {"sigma": 0.1}, "worker": "far.1.abc"}
    )
    began = time.monotonic()
    with pytest.raises(NothingDue):
        made.ask(timeout=0.2)
    trial = made.ask(timeout=20)
    assert (trial.number, trial.params) == (0, {"x": 0.5, "k": 3})
    assert time.monotonic() - began >= 1.5


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["tell", "nan", "fail", "lose", "ask", "break"]), max_size=40))
def test_any_sequence_of_endings_leaves_a_whole_study(endings):
    """However trials end, each member's steps come in order, and the study can be finished."""
    made, hands = study(None, size=3, steps=4, lead=9), []
    for ending in endings:
        if ending == "break" and len(hands) < 3:  # with all members in hand it would wait for itself
            for _ in made:
                break
            continue
        if ending == "ask" or not hands:
            try:
                trial = made.ask(timeout=0)
            except NothingDue:
                continue
            if trial is None:
                break
            hands.append(trial)
        elif ending == "tell":
            hands.pop(0).tell(1.0)
        elif ending == "nan":
            hands.pop(0).tell(math.nan)
        elif ending == "fail":
            hands.pop(0).fail("x")
        else:
            hands.pop(0)
    del hands[:]
    for trial in made:
        trial.tell(1.0)
    assert sorted((t.member, t.step) for t in made.trials) == [(m, s) for m in range(3) for s in range(4)]


def test_a_new_loop_takes_back_what_a_hanging_one_held(tmp_path):
    """After Ctrl-C in a notebook the traceback keeps the old loop alive; the next one is not stuck."""
    hanging = iter(study(tmp_path / "s", size=1, steps=2))
    lost = next(hanging)
    again = study(tmp_path / "s", size=1, steps=2)  # the cell is run once more
    found = next(iter(again))
    assert (found.number, found.params) == (lost.number, lost.params)
    with pytest.raises(hoptim.errors.AlreadyTold, match="released"):
        lost.tell(1.0)
    train(again)
    assert again.done
