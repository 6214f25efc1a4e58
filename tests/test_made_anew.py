"""A directory that is deleted and made anew while a worker of the old study lives."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

import hoptim
from tests import reader
from tests.builders import loss, saving, study, train, wait_until
from tests.hostile import snapshot

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

LOST = (hoptim.StudyMismatch, hoptim.StudyDamaged, hoptim.StoreError, hoptim.ClaimLost)


@pytest.fixture
def folder(tmp_path):
    """Where the study is."""
    return tmp_path / "study"


def elsewhere(call: Any) -> None:
    """Do something in another process."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            call()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0


def made_anew(folder: Path) -> dict[str, Any]:
    """Delete the directory and let another process make a study there; how it looks then."""

    def make() -> None:
        new = study(folder, seed=1)
        for _ in range(6):
            trial = new.ask()
            assert trial is not None
            trial.tell(loss(trial), save=saving("new"))
        new.ask()  # as one that is at work right now
        os._exit(0)

    shutil.rmtree(folder)
    elsewhere(make)
    return snapshot(folder)


def unharmed(folder: Path, new: dict[str, Any]) -> None:
    """The new study has all that it had, byte for byte, and nothing of the old one's; it goes on."""
    found = snapshot(folder)
    passing = {str(folder / name) for name in ("queue", "lock", "reserve")}  # whose content is no record
    passing |= {
        name for name in found if "/.draft-" in name and name not in new
    }  # an orphan under its own name
    assert {name: found[name][-1] for name in found.keys() - passing} == {
        name: new[name][-1] for name in new.keys() - passing
    }
    assert len(train(study(folder, seed=1), saves=True).trials) == 20
    assert not list(folder.glob("checkpoints/.draft-*"))


@pytest.mark.parametrize("how", ["save", "draft", "fail", "look", "leave"])
def test_a_worker_of_a_deleted_study_leaves_the_new_one_alone(folder, how):
    """In the middle of a trial, whatever it does next is an error, and nothing reaches the new study."""
    old = study(folder)
    trial = old.ask()
    trial.draft.write_text("old")
    new = made_anew(folder)
    with pytest.raises(LOST):
        if how == "save":
            trial.tell(0.5, save=saving("old"))
        elif how == "draft":
            trial.tell(0.5, checkpoint=trial.draft)
        elif how == "fail":
            trial.fail("old")
        elif how == "look":
            _ = old.trials
        else:
            old._session.store.leave()
    unharmed(folder, new)


def test_the_scratch_of_a_deleted_study_is_not_the_new_ones(folder):
    """What an old worker leaves to resume from is never found by the new study's trial of that number."""
    old = study(folder).ask()
    shutil.rmtree(folder)
    new = study(folder, seed=1).ask()
    with contextlib.suppress(*LOST):
        (old.scratch / "note").write_text("old")
    assert old.number == new.number
    assert list(new.scratch.iterdir()) == []


def test_a_study_made_anew_during_a_save_keeps_its_checkpoints(folder):
    """The directory is replaced while the old worker saves: its file takes no name of the new study's."""
    trial = study(folder).ask()
    new: dict[str, Any] = {}

    def save(path: str) -> None:
        new.update(made_anew(folder))
        with open(path, "w") as file:
            file.write("old")

    with pytest.raises((*LOST, FileNotFoundError)):
        trial.tell(0.5, save=save)
    unharmed(folder, new)


def test_a_study_made_anew_while_a_worker_waits_for_its_lock(folder):
    """Who stands in the old study's line neither enters the new one nor writes into it."""
    old = study(folder)
    trial = old.ask()
    (held, hold), (going, go) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        with study(folder)._session.store.journal.hold(None):
            os.write(hold, b"x")
            os.read(going, 1)
        os._exit(0)
    os.read(held, 1)
    said: list[BaseException] = []

    def tell() -> None:
        try:
            trial.tell(0.5)
        except BaseException as error:
            said.append(error)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        wait_until(lambda: _waits(folder))
        new = made_anew(folder)
    finally:
        os.write(go, b"x")
        os.waitpid(pid, 0)
    thread.join(30)
    assert not thread.is_alive()
    assert isinstance(said[0], LOST), said
    unharmed(folder, new)


def _waits(folder: Path) -> bool:
    """Whether somebody stands in the line of a study."""
    inode = (folder / "queue").stat().st_ino
    return any(
        "->" in line and f":{inode} " in line for line in Path("/proc/locks").read_text().splitlines()
    )


def test_a_study_made_anew_while_a_worker_holds_its_lock(folder):
    """Who is inside the old study's lock writes nothing into the new one, and hears of it soon."""
    old = study(folder)
    trial = old.ask()
    new: dict[str, Any] = {}

    def keep(_: object) -> bool:  # called under the lock
        if not new:
            new.update(made_anew(folder))
        return False

    object.__setattr__(old._session.store.options, "keep", keep)
    trial.tell(0.25, save=saving("weights"))
    assert not new  # nothing was spare yet
    with pytest.raises(LOST):
        for _ in range(8):
            following = old.ask(timeout=0)
            following.tell(0.5, save=saving("weights"))
    assert new
    unharmed(folder, new)


def test_a_restored_copy_does_not_split_the_lock(folder):
    """A directory replaced by a copy of itself while a worker lives: records follow one another still."""
    old = study(folder)
    old.ask().tell(0.5)
    copy = shutil.copytree(folder, folder.with_name("copy"))
    shutil.rmtree(folder)
    copy.rename(folder)
    elsewhere(lambda: train(study(folder)))
    assert len(train(old).trials) == 20
    assert reader.judge(folder / "journal.jsonl", [(0, 0.5)])[0] == []
