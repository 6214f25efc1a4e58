"""Copying a study: the same records to the byte, all checkpoints, or nothing."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import hoptim
from hoptim.__main__ import main
from hoptim.store import directory, study_draft
from tests.builders import study


def save(path):
    Path(path).write_bytes(b"weights")


def trained(place, steps=3):
    made = study(place, size=3, steps=steps)
    for trial in made:
        trial.tell(trial.params["x"], save=save)
    return made


def files(folder):
    """Return the files of a study that say what it is, by name."""
    names = ["study.json", "journal.jsonl", "checkpoints/*"]
    found = [path for name in names for path in Path(folder).rglob(name)]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_a_copy_is_the_study_to_the_byte(tmp_path):
    """Settings, records and checkpoints are what they were, and nothing else is there."""
    made = trained(tmp_path / "a")
    new = hoptim.copy(tmp_path / "a", tmp_path / "b")
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert len(list((tmp_path / "b" / "checkpoints").iterdir())) > 1
    assert (new.uuid, new.done, len(new.trials)) == (made.uuid, True, 9)
    assert new.check().findings == ()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_copy_of_a_fork_has_what_came_before(tmp_path):
    """The history of a fork of a fork is copied with it."""
    trained(tmp_path / "a")
    hoptim.fork(tmp_path / "a", tmp_path / "b", steps=2)
    made = hoptim.fork(tmp_path / "b", tmp_path / "c", steps=2)
    new = hoptim.copy(tmp_path / "c", tmp_path / "d")
    assert files(tmp_path / "c") == files(tmp_path / "d")
    assert len(new.origin.origin.trials) == len(made.origin.origin.trials) == 9
    assert [i.value for i in new.schedule()] == [i.value for i in made.schedule()]


def test_a_study_in_training_and_its_copy_go_on_apart(tmp_path):
    """What is held in the study is taken back in the copy after its lease; both are trained on."""
    made = study(tmp_path / "a", size=2, steps=3, lease=0.3)
    first, second = made.ask(), made.ask()
    first.tell(0.5, save=save)
    new = hoptim.copy(tmp_path / "a", tmp_path / "b", lease=0.3)
    second.tell(0.25, save=save)
    assert [t.number for t in new.trials] == [0]
    for each in (made, new):
        for trial in each:
            trial.tell(trial.params["x"], save=save)
        assert each.done
        assert each.check().ok
    assert new.status().interruptions == 1


def test_the_copy_is_up_to_one_moment(tmp_path):
    """What is told while a study is copied is not in the copy, and no checkpoint is dropped meanwhile."""
    made = trained(tmp_path / "a", steps=1)
    more = study(tmp_path / "a", size=3, steps=4)
    take = directory._Draft.transcribe

    def transcribe(self, source, count):
        for trial in more:
            trial.tell(trial.params["x"], save=save)
        take(self, source, count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(directory._Draft, "transcribe", transcribe)
        new = hoptim.copy(tmp_path / "a", tmp_path / "b")
    assert [t.number for t in new.trials] == [0, 1, 2]
    assert len(made.trials) == 12
    assert all(Path(t.checkpoint).read_bytes() == b"weights" for t in new.trials)


def test_nothing_is_copied_over_something(tmp_path):
    """A folder that is not empty stays as it is, and says so."""
    trained(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine").touch()
    with pytest.raises(hoptim.ArgumentError, match="is not empty"):
        hoptim.copy(tmp_path / "a", tmp_path / "b")
    assert os.listdir(tmp_path / "b") == ["mine"]
    with pytest.raises(hoptim.ArgumentError, match="There is no study"):
        hoptim.copy(tmp_path / "b", tmp_path / "c")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_checkpoint_that_is_not_as_it_was_ends_the_copy(tmp_path):
    """A file that was cut is named, and nothing is left of the copy."""
    made = trained(tmp_path / "a")
    Path(made.best.checkpoint).write_bytes(b"cut")
    with pytest.raises(hoptim.CheckpointError, match="has 3 bytes in 1 files, published were 7"):
        hoptim.copy(tmp_path / "a", tmp_path / "b")
    assert os.listdir(tmp_path) == ["a"]


def test_an_error_leaves_nothing(tmp_path, monkeypatch):
    """On a full disk there is no copy, and no trace of one."""
    trained(tmp_path / "a")

    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(study_draft, "write_all", full)
        with pytest.raises(hoptim.StoreError, match="Could not copy the records of"):
            hoptim.copy(tmp_path / "a", tmp_path / "b")
    assert os.listdir(tmp_path) == ["a"]


def test_what_a_killed_copy_left_goes_with_the_next(tmp_path):
    """A process that is killed while it copies leaves a hidden folder, which the next copy removes."""
    trained(tmp_path / "a")
    script = (
        "import os, signal, hoptim\n"
        "from hoptim.store import directory\n"
        "directory._Draft.transcribe = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"hoptim.copy({str(tmp_path / 'a')!r}, {str(tmp_path / 'b')!r})"
    )
    ended = subprocess.run([sys.executable, "-c", script], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 2
    assert hoptim.copy(tmp_path / "a", tmp_path / "b").done
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_the_command_copies(tmp_path, capsys):
    """`hoptim copy` says what it made."""
    trained(tmp_path / "a")
    assert main(["copy", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    assert capsys.readouterr().out == f"Made {tmp_path / 'b'}: 9 finished trials.\n"
    assert main(["copy", str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    assert "is not empty" in capsys.readouterr().err
