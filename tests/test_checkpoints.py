"""Checkpoints: whole or not there, and gone when nobody needs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hoptim.errors import CheckpointError, StoreError
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.shape import StudyShape
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord
from tests.builders import saving


@pytest.fixture
def checkpoints(tmp_path):
    """Checkpoints in a folder."""
    return Checkpoints(tmp_path, "study")


def names(checkpoints):
    """What is in the folder, private names too."""
    return sorted(path.name for path in checkpoints.draft(0, 0).parent.iterdir())


def test_a_file_is_published_under_number_and_token(checkpoints):
    """What save writes appears whole under a name that carries the claim's token."""
    checkpoints.write(3, 17, saving("weights"))
    assert names(checkpoints) == [".draft-study-3.17"]
    checkpoints.publish(3, 17)
    assert names(checkpoints) == ["3.17"]
    assert Path(checkpoints.path(3, 17)).read_text() == "weights"


def test_a_folder_is_published_too(checkpoints):
    """A checkpoint may be a folder, as distributed frameworks make them."""

    def save(path):
        (Path(path) / "shards").mkdir(parents=True)
        (Path(path) / "shards" / "0").write_text("a")

    checkpoints.write(3, 17, save)
    checkpoints.publish(3, 17)
    assert (Path(checkpoints.path(3, 17)) / "shards" / "0").read_text() == "a"


def test_everything_is_durable_before_it_is_visible(checkpoints, monkeypatch):
    """Files and folders of a draft are synced before the rename, and the parent folder after it."""
    calls = []
    real_sync, real_replace = os.fsync, os.replace

    def synced(fd):
        calls.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name)
        real_sync(fd)

    def save(path):
        (Path(path) / "a").mkdir(parents=True)
        (Path(path) / "a" / "b").write_text("x")

    checkpoints.write(0, 1, save)
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(
        os, "replace", lambda *args, **at: (calls.append("replace"), real_replace(*args, **at))
    )
    checkpoints.publish(0, 1)
    assert calls == ["b", "a", ".draft-study-0.1", "replace", "checkpoints"]


def test_the_name_of_their_folder_is_durable_before_any_of_theirs(checkpoints, monkeypatch, tmp_path):
    """Somebody else may have made the folder and died: its name is synced by whoever uses it first."""
    (tmp_path / "checkpoints").mkdir()
    real, synced = os.fsync, []
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.fstat(fd).st_ino), real(fd)))
    checkpoints.draft(0, 1)
    assert synced == [tmp_path.stat().st_ino]


def test_a_save_that_writes_elsewhere_is_told_where(checkpoints):
    """A save that adds a suffix, as numpy.savez does, is refused with the suffix it added."""
    with pytest.raises(CheckpointError, match=r"ends in '\.npz'"):
        checkpoints.write(0, 1, lambda path: Path(path + ".npz").write_text("x"))
    with pytest.raises(CheckpointError, match="nothing is at the path"):
        checkpoints.write(0, 1, lambda path: None)
    assert names(checkpoints) == []


def test_a_draft_that_is_a_link_is_refused(checkpoints, tmp_path):
    """A link is no checkpoint: what it points to may change or vanish."""
    (tmp_path / "elsewhere").write_text("x")
    with pytest.raises(CheckpointError, match=r"trial\.draft"):
        checkpoints.publish(0, 1)
    checkpoints.write(0, 1, lambda path: Path(path).symlink_to(tmp_path / "elsewhere"))
    with pytest.raises(CheckpointError, match=r"trial\.draft"):
        checkpoints.publish(0, 1)


def test_an_earlier_try_does_not_get_in_the_way(checkpoints):
    """Saving again after a failed save or an unknown tell replaces what was left, file or folder."""
    checkpoints.write(0, 1, lambda path: Path(path).mkdir())
    checkpoints.write(0, 1, saving("a"))
    checkpoints.publish(0, 1)
    checkpoints.publish(0, 1)  # the draft is gone already, and all is well
    checkpoints.write(0, 1, lambda path: Path(path).mkdir())
    checkpoints.publish(0, 1)
    assert Path(checkpoints.path(0, 1)).is_dir()
    assert names(checkpoints) == ["0.1"]


def test_two_claims_of_a_trial_never_touch_each_other(checkpoints):
    """A worker that lost its claim publishes under its own token and removes only that."""
    for token in (1, 5):
        checkpoints.write(0, token, saving(f"of {token}"))
        checkpoints.publish(0, token)
    checkpoints.drop([(0, 1)])
    assert names(checkpoints) == ["0.5"]
    assert Path(checkpoints.path(0, 5)).read_text() == "of 5"


def test_a_dropped_folder_is_never_half_visible(checkpoints, monkeypatch):
    """Dropping renames first, so that a reader finds all of a checkpoint or nothing."""
    checkpoints.write(0, 1, lambda path: Path(path).mkdir())
    checkpoints.publish(0, 1)
    real, calls = os.rename, []
    monkeypatch.setattr(os, "rename", lambda a, b, **at: (calls.append(b), real(a, b, **at)))
    checkpoints.drop([(0, 1), (7, 7)])
    assert [name.startswith(".trash-") for name in calls] == [True, True]
    assert names(checkpoints) == []


def test_orphans_are_what_no_claim_and_no_record_owns(checkpoints):
    """Drafts, published files, trash and scratch of killed workers are found; what is owned stays."""
    for number in range(3):
        checkpoints.write(number, 10 + number, saving("x"))
        checkpoints.publish(number, 10 + number)
        checkpoints.scratch(number)
    checkpoints.write(3, 23, saving("x"))
    checkpoints.scratch(3)
    checkpoints.write(1, 21, saving("x"))
    (checkpoints.draft(0, 0).parent / ".trash-9.9-ab").write_text("x")
    state = State(StudyShape(2, 2, 0, 1))
    state.saved = {0: 10, 2: 12}
    state.open[1] = TrialRecord(3, 1, 1, None, {}, [], None, 0, 0, 0.0, 0, 0, token=23, worker="w")
    orphans = checkpoints.orphans(state)
    assert sorted(p.name for p in orphans) == [
        ".draft-study-1.21", ".trash-9.9-ab", "1.11", "study-0", "study-1", "study-2",
    ]  # fmt: skip
    checkpoints.remove(orphans)
    assert names(checkpoints) == [".draft-study-3.23", "0.10", "2.12"]


def test_scratch_survives_attempts_and_goes_at_the_end(checkpoints):
    """The scratch folder is the same for each claim of a trial and is removed when it ends."""
    (checkpoints.scratch(4) / "half").write_text("x")
    checkpoints.forget(4, 1, ended=False)
    assert (checkpoints.scratch(4) / "half").read_text() == "x"
    checkpoints.forget(4, 9, ended=True)
    assert list(checkpoints.scratch(4).iterdir()) == []


def test_a_study_in_memory_has_a_temporary_folder_that_goes_with_it():
    """Without a directory, checkpoints live in a folder that is removed with its owner only."""
    checkpoints = Checkpoints(None, "study")
    checkpoints.write(0, 1, saving("x"))
    checkpoints.publish(0, 1)
    folder = Path(checkpoints.path(0, 1)).parent.parent
    pid = os.fork()
    if pid == 0:
        del checkpoints
        os._exit(0)
    os.waitpid(pid, 0)
    assert folder.is_dir()
    del checkpoints
    assert not folder.exists()


def test_an_unwritable_folder_is_said(tmp_path):
    """A folder that cannot be made is named with the cause."""
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(StoreError, match="checkpoints"):
        Checkpoints(tmp_path, "study").draft(0, 1)
