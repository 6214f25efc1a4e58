"""Checkpoints: whole or not there, and gone when nobody needs them."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from hoptim.errors import CheckpointError, StoreError
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.draft import Draft
from hoptim.store.orphans import Orphans
from hoptim.store.published import Published
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
    return sorted(path.name for path in Path(checkpoints.path("x")).parent.iterdir())


def draft(number, token, nonce="0123abcd"):
    """A place of a teller."""
    return Draft(number, token, nonce)


def published(checkpoints, number, token, text="x"):
    """A checkpoint that was written and published."""
    at = Draft.new(number, token)
    checkpoints.write(at, saving(text))
    return checkpoints.publish(at)


def test_a_file_is_published_under_number_token_and_nonce(checkpoints):
    """What save writes appears whole under a name that no other teller uses; what is in it is returned."""
    checkpoints.write(draft(3, 17), saving("weights"))
    assert names(checkpoints) == [".draft-study-3.17-0123abcd"]
    digest = sha256(b"weights").hexdigest()
    assert checkpoints.publish(draft(3, 17)) == Published("3.17-0123abcd", 7, 1, digest)
    assert names(checkpoints) == ["3.17-0123abcd"]
    assert Path(checkpoints.path("3.17-0123abcd")).read_text() == "weights"


def test_a_folder_is_published_too(checkpoints):
    """A checkpoint may be a folder, as distributed frameworks make them."""

    def save(path):
        (Path(path) / "shards").mkdir(parents=True)
        (Path(path) / "shards" / "0").write_text("a")
        (Path(path) / "meta").write_text("bcd")

    checkpoints.write(draft(3, 17), save)
    found = checkpoints.publish(draft(3, 17))
    assert found == Published("3.17-0123abcd", 4, 2)
    assert (Path(checkpoints.path(found.name)) / "shards" / "0").read_text() == "a"


def test_a_digest_is_of_the_whole_file(checkpoints, monkeypatch):
    """A read that comes back short, as it may, is gone on with."""
    real = os.pread
    checkpoints.write(draft(3, 17), saving("weights"))
    monkeypatch.setattr(os, "pread", lambda fd, size, at: real(fd, min(size, 3), at))
    assert checkpoints.publish(draft(3, 17)).sha256 == sha256(b"weights").hexdigest()


def test_a_link_that_was_made_and_raised_is_no_hindrance(checkpoints, monkeypatch, tmp_path):
    """Adopting copies where linking fails, also where it failed late."""
    (tmp_path / "source").write_text("weights")
    real = os.link

    def late(*args, **named):
        real(*args, **named)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "link", late)
    found = checkpoints.adopt(str(tmp_path / "source"), draft(0, 1))
    assert Path(checkpoints.path(found.name)).read_text() == "weights"


def test_everything_is_durable_before_it_is_visible(checkpoints, monkeypatch):
    """Files and folders of a draft are synced before the rename, and the parent folder after it."""
    calls = []
    real_sync, real_rename = os.fsync, os.rename

    def synced(fd):
        calls.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name)
        real_sync(fd)

    def save(path):
        (Path(path) / "a").mkdir(parents=True)
        (Path(path) / "a" / "b").write_text("x")

    checkpoints.write(draft(0, 1), save)
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(
        os, "rename", lambda *args, **at: (calls.append("rename"), real_rename(*args, **at))
    )
    checkpoints.publish(draft(0, 1))
    assert calls == ["b", "a", ".draft-study-0.1-0123abcd", "rename", "checkpoints"]


def test_the_name_of_their_folder_is_durable_before_any_of_theirs(checkpoints, monkeypatch, tmp_path):
    """Somebody else may have made the folder and died: its name is synced by whoever uses it first."""
    (tmp_path / "checkpoints").mkdir()
    real, synced = os.fsync, []
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.fstat(fd).st_ino), real(fd)))
    checkpoints.draft(draft(0, 1))
    assert synced == [tmp_path.stat().st_ino]


def test_a_save_that_writes_elsewhere_is_told_where(checkpoints):
    """A save that adds a suffix, as numpy.savez does, is refused with the suffix it added."""
    with pytest.raises(CheckpointError, match=r"ends in '\.npz'"):
        checkpoints.write(draft(0, 1), lambda path: Path(path + ".npz").write_text("x"))
    with pytest.raises(CheckpointError, match="nothing is at the path"):
        checkpoints.write(draft(0, 1), lambda path: None)
    assert names(checkpoints) == []


def test_a_draft_that_is_a_link_is_refused(checkpoints, tmp_path):
    """A link is no checkpoint: what it points to may change or vanish."""
    (tmp_path / "elsewhere").write_text("x")
    with pytest.raises(CheckpointError, match=r"trial\.draft"):
        checkpoints.publish(draft(0, 1))
    checkpoints.write(draft(0, 1), lambda path: Path(path).symlink_to(tmp_path / "elsewhere"))
    with pytest.raises(CheckpointError, match=r"trial\.draft"):
        checkpoints.publish(draft(0, 1))


@pytest.mark.parametrize("make", [lambda path: Path(path).mkdir(), saving("b")])
def test_what_is_published_is_never_replaced(checkpoints, make):
    """Told again from the same draft: the draft is gone, and all is well, or a new one has a new name."""
    checkpoints.write(draft(0, 1), saving("a"))
    first = checkpoints.publish(draft(0, 1))
    assert checkpoints.publish(draft(0, 1)) == first
    checkpoints.write(draft(0, 1), make)
    second = checkpoints.publish(draft(0, 1))
    assert second.name != first.name
    assert Path(checkpoints.path(first.name)).read_text() == "a"
    assert names(checkpoints) == sorted([first.name, second.name])


def test_format_1_replaces_what_its_holder_published(checkpoints):
    """Its names are of the claim alone, so only who holds the lock may publish; a retry is fine."""
    for make in (saving("a"), lambda path: Path(path).mkdir(), saving("b")):
        at = Draft.new(0, 1)
        checkpoints.write(at, make)
        checkpoints.seal(at, "0.1")
        checkpoints.replace(at, "0.1")
    assert checkpoints.seal(at, "0.1").size == 1
    checkpoints.replace(at, "0.1")
    assert names(checkpoints) == ["0.1"]
    assert Path(checkpoints.path("0.1")).read_text() == "b"


def test_what_is_dropped_and_cleared_is_of_one_claim(checkpoints):
    """Names that a claim published or drafted go, and no others, however alike they look."""
    kept = [published(checkpoints, 0, 10).name, published(checkpoints, 10, 1).name]
    published(checkpoints, 0, 1)
    checkpoints.write(Draft.new(0, 1), saving("x"))
    checkpoints.clear([(0, 1), (7, 7)])
    assert names(checkpoints) == sorted(kept)
    checkpoints.drop(kept[:1])
    assert names(checkpoints) == kept[1:]


def test_a_dropped_folder_is_never_half_visible(checkpoints, monkeypatch):
    """Dropping renames first, so that a reader finds all of a checkpoint or nothing."""
    checkpoints.write(draft(0, 1), lambda path: Path(path).mkdir())
    name = checkpoints.publish(draft(0, 1)).name
    real, calls = os.rename, []
    monkeypatch.setattr(os, "rename", lambda a, b, **at: (calls.append(b), real(a, b, **at)))
    checkpoints.drop([name, "7.7-01234567"])
    assert [name.startswith(".trash-") for name in calls] == [True, True]
    assert names(checkpoints) == []


def test_orphans_are_what_no_claim_and_no_record_owns(checkpoints, tmp_path):
    """Drafts, published files, trash and scratch of killed workers are found; what is owned stays."""
    saved = {number: published(checkpoints, number, 10 + number) for number in range(3)}
    for number in range(4):
        checkpoints.scratch(number)
    owned = [draft(3, 23), draft(3, 23, "4567abcd"), Draft(3, 23, "89abcdef")]
    for at in owned:
        checkpoints.write(at, saving("x"))
    held = checkpoints.publish(owned[0]).name
    beside = Path(checkpoints.draft(owned[1]))
    beside.with_name(f"{beside.name}.tmp").write_text("x")
    checkpoints.write(draft(1, 21), saving("x"))
    twice = published(checkpoints, 0, 10).name  # of a teller that came second
    folder = beside.parent
    for other in (".trash-9.9-ab", ".draft-another-3.23-0123abcd"):
        (folder / other).write_text("x")
    state = State(StudyShape(2, 2, 0, 1))
    state.saved = {0: saved[0], 2: saved[2]}
    trial = TrialRecord(3, 1, 1, None, {}, [], None, 0, 0, 0.0, 0, 0, token=23)
    state.open.add(trial)
    state.open.claim(trial, "w")
    orphans = Orphans(tmp_path, "study")
    found = orphans.find(state)
    assert sorted(p.name for p in found) == sorted([
        ".draft-study-1.21-0123abcd", ".draft-another-3.23-0123abcd", ".trash-9.9-ab", saved[1].name,
        twice, "study-0", "study-1", "study-2",
    ])  # fmt: skip
    orphans.remove(found)
    kept = [f".draft-study-3.23-{nonce}" for nonce in ("4567abcd", "4567abcd.tmp", "89abcdef")]
    assert names(checkpoints) == sorted([*kept, saved[0].name, saved[2].name, held])


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
    folder = Path(checkpoints.path(published(checkpoints, 0, 1).name)).parent.parent
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
        Checkpoints(tmp_path, "study").draft(draft(0, 1))
