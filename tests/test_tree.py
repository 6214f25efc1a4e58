"""Trees of files: no name that is swapped for a link leads out of them; what is ours is removed."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import hoptim
from hoptim.errors import CheckpointError
from hoptim.store.check.repair import _move
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.draft import Draft
from hoptim.store.file_signs import FileSigns
from hoptim.store.heartbeat import Heartbeat
from hoptim.store.liveness import Watch
from hoptim.store.orphans import Orphans
from hoptim.store.settling import settle
from hoptim.store.shape import StudyShape
from hoptim.store.state import State
from hoptim.store.tree import Extent, measure, opened, remove, try_to_remove
from tests.builders import study

CALLS = (
    "open", "stat", "lstat", "fstat", "chmod", "fchmod", "fsync", "listdir", "scandir", "mkdir", "link",
    "symlink", "readlink", "rename", "replace", "unlink", "rmdir", "utime",
)  # fmt: skip


def save(path: str) -> None:
    """Write a checkpoint of folders."""
    (Path(path) / "shards").mkdir(parents=True)
    (Path(path) / "shards" / "0").write_text("weights")


@pytest.fixture
def place(tmp_path):
    """A folder of a study that a group shares."""
    folder = tmp_path / "study"
    folder.mkdir()
    folder.chmod(0o2770)
    return folder


@pytest.fixture
def private(tmp_path):
    """A private folder, with all the names that a study's folders have."""
    folder = tmp_path / "private"
    for name in ("shards/0", ".draft-study-0.1/shards/0", "0.1/shards/0", "study-0/note", "w.1.a"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return folder


def facts(folder: Path) -> dict[str, tuple[int, ...]]:
    """Mode, number of names and time of change of all that is in a folder."""
    found = {str(path): path.lstat() for path in (folder, *folder.rglob("*"))}
    return {path: (each.st_mode, each.st_nlink, each.st_mtime_ns) for path, each in found.items()}


@contextmanager
def swapped(name: Path, target: Path, at: int, back: bool) -> Iterator[list[str]]:
    """Exchange a name for a link, as a group member may, right before one of the block's file calls.

    Args:
        name: Name that is exchanged, if it is there then.
        target: What the link leads to.
        at: Number of that call, from 0.
        back: True to exchange them again right after it.

    Yields:
        Names of the block's file calls so far.
    """
    real, calls, aside = {each: getattr(os, each) for each in CALLS}, [], name.with_name("aside")

    def counted(call: str) -> Callable[..., Any]:
        def count(*args: Any, **more: Any) -> Any:
            calls.append(call)
            if len(calls) == at + 1:
                with suppress(FileNotFoundError):
                    real["rename"](name, aside)
                    real["symlink"](target, name)
            try:
                return real[call](*args, **more)
            finally:
                if back and len(calls) == at + 1:
                    with suppress(FileNotFoundError):
                        real["readlink"](name)
                        real["rename"](aside, name.with_name("again"))
                        real["unlink"](name)
                        real["rename"](name.with_name("again"), name)

        return count

    with pytest.MonkeyPatch.context() as patch:
        for each in CALLS:
            patch.setattr(os, each, counted(each))
        yield calls


DRAFT = Draft(0, 1, "0123abcd")


def publish(place: Path) -> Callable[[], object]:
    """Publish a draft."""
    checkpoints = Checkpoints(place, "study")
    checkpoints.write(DRAFT, save)
    return lambda: checkpoints.publish(DRAFT)


def drop(place: Path) -> Callable[[], object]:
    """Drop what was published."""
    checkpoints = Checkpoints(place, "study")
    checkpoints.write(DRAFT, save)
    checkpoints.publish(DRAFT)
    return lambda: checkpoints.drop([DRAFT.name])


def tidy(place: Path) -> Callable[[], object]:
    """Remove what killed processes left."""
    checkpoints = Checkpoints(place, "study")
    checkpoints.write(DRAFT, save)
    checkpoints.publish(DRAFT)
    checkpoints.scratch(0)
    orphans = Orphans(place, "study")
    return lambda: orphans.remove(orphans.find(State(StudyShape(2, 2, 0, 1))))


def end(place: Path) -> Callable[[], object]:
    """End a trial, with its draft and its scratch folder."""
    checkpoints = Checkpoints(place, "study")
    checkpoints.write(DRAFT, save)
    (checkpoints.scratch(0) / "note").write_text("x")
    return lambda: checkpoints.forget(0, 1, ended=True)


def begin(place: Path) -> Callable[[], object]:
    """Make the folders of a claim."""
    checkpoints = Checkpoints(place, "study")
    return lambda: (checkpoints.scratch(0), checkpoints.draft(DRAFT))


def adopt(place: Path) -> Callable[[], object]:
    """Share a checkpoint of another study."""
    drop(place)
    source, target = str(place / "checkpoints" / DRAFT.name), place.parent / "fork"
    target.mkdir()
    return lambda: Checkpoints(target, "study").adopt(source, DRAFT)


def repair(place: Path) -> Callable[[], object]:
    """Move aside what is no longer referenced."""
    drop(place)
    copies = place / "before-repair"
    copies.mkdir()
    return lambda: _move(place, copies, ["checkpoints/0.1"])


def bury(place: Path) -> Callable[[], object]:
    """Remove the files of workers that died."""
    (place / "workers").mkdir()
    (place / "workers" / "w.1.a").write_text("half a heartb")
    return lambda: Watch(FileSigns(place / "workers"), 1.0).remove_idle(())


def beat(place: Path) -> Callable[[], object]:
    """Show that a worker lives."""
    (place / "workers").mkdir()
    path = place / "workers" / "w.1.a"
    path.write_text("{}")
    heartbeat, stop = Heartbeat(1.0), threading.Event()
    beats = iter((False, True))
    heartbeat._shown = ((FileSigns(place / "workers"), ("w.1.a",)),)
    stop.wait = lambda timeout=None: next(beats)  # type: ignore[method-assign]
    return lambda: heartbeat._run(stop)


SCENES = [
    (publish, "checkpoints/.draft-study-0.1"),
    (publish, "checkpoints/.draft-study-0.1/shards"),
    (publish, "checkpoints/.draft-study-0.1/shards/0"),
    (publish, "checkpoints"),
    (drop, "checkpoints/0.1"),
    (drop, "checkpoints/0.1/shards"),
    (drop, "checkpoints"),
    (tidy, "checkpoints/0.1"),
    (tidy, "checkpoints"),
    (tidy, "scratch"),
    (end, "checkpoints/.draft-study-0.1"),
    (end, "checkpoints"),
    (end, "scratch/study-0"),
    (end, "scratch"),
    (begin, "checkpoints"),
    (begin, "scratch"),
    (begin, "scratch/study-0"),
    (adopt, "checkpoints/0.1/shards"),
    (adopt, "checkpoints/0.1/shards/0"),
    (adopt, "checkpoints/0.1"),
    (adopt, "checkpoints"),
    (repair, "checkpoints/0.1"),
    (repair, "checkpoints"),
    (bury, "workers"),
    (bury, "workers/w.1.a"),
    (beat, "workers/w.1.a"),
]


@pytest.mark.parametrize("back", [True, False], ids=["for a moment", "for good"])
@pytest.mark.parametrize(("scene", "name"), SCENES, ids=[f"{s.__name__} {name}" for s, name in SCENES])
def test_a_name_that_becomes_a_link_leads_nowhere(tmp_path, place, private, scene, name, back, caplog):
    """Before whichever file call a group member swaps it: a private folder keeps its modes and files."""
    caplog.set_level(logging.CRITICAL)
    before, target = facts(private), private / Path(name).name if name.endswith(".a") else private
    if name.endswith("/0"):
        target = private / "shards" / "0"
    for at in itertools.count():
        act = scene(place)
        with suppress(hoptim.HoptimError), swapped(place / name, target, at, back) as calls:
            act()
        assert facts(private) == before, f"swapped before the last of {calls[: at + 1]}"
        if len(calls) <= at:
            break
        for folder in (place, tmp_path / "fork"):
            remove(folder)
        place.mkdir()
        place.chmod(0o2770)


def extent_of(path: Path) -> Extent:
    """What `measure` finds both ways, asked from the folder above."""
    with opened(path.parent) as fd:
        found = measure(path.name, fd)
        assert measure(path.name, fd, fresh=True) == found
    return found


def test_a_folder_that_is_swapped_for_a_link_loses_nothing_there(place, private):
    """What is dropped is dropped from the folder that was opened, also once its name leads elsewhere."""
    checkpoints, draft = Checkpoints(place, "study"), Draft.new(0, 1)
    save(checkpoints.draft(draft))
    published = checkpoints.publish(draft)
    (private / published.name).write_text("mine")
    (place / "checkpoints").rename(place / "moved")
    (place / "checkpoints").symlink_to(private)
    checkpoints.drop([published.name])
    assert (private / published.name).read_text() == "mine"
    assert not (place / "moved" / published.name).exists()


def test_a_tree_is_measured(tmp_path):
    """Size and number of all files are found, links being files of no bytes; settling finds the same."""
    save(str(tmp_path / "tree"))
    (tmp_path / "tree" / "config").write_bytes(b"12345")
    (tmp_path / "tree" / "latest").symlink_to("shards")
    (tmp_path / "tree" / "dangling").symlink_to("nowhere")
    (tmp_path / "tree" / "empty").mkdir()
    assert extent_of(tmp_path / "tree") == Extent(12, 4)
    assert extent_of(tmp_path / "tree" / "config") == Extent(5, 1)
    with opened(tmp_path) as fd:
        assert settle("tree", fd, "Trial 0") == Extent(12, 4)


def test_remove_takes_files_folders_links_and_nothing(tmp_path):
    """What is there is removed, and a link without what it points to."""
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept")
    for name in ("folder", "link", "nothing"):
        remove(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_folders_that_are_too_deep_are_an_error(tmp_path, caplog):
    """Folders in folders without end are refused and do not exhaust the stack; the rest is removed."""
    save(str(tmp_path / "tree"))
    (tmp_path / "tree" / Path(*"d" * 900)).mkdir(parents=True)
    with opened(tmp_path) as fd, pytest.raises(CheckpointError, match=r"Trial 3: .* 100 folders deep"):
        settle("tree", fd, "Trial 3")
    try_to_remove(tmp_path / "tree")
    assert [path.name for path in (tmp_path / "tree").iterdir()] == ["d"]
    assert "Could not remove all of" in caplog.text
    shutil.rmtree(tmp_path / "tree")


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_a_special_file_in_a_checkpoint_is_named(place, kind):
    """A tell with a pipe in its checkpoint says where it is and keeps the claim; without it, it is told."""
    trial = study(place).ask()
    save(str(trial.draft))
    special = trial.draft / "shards" / "x"
    with suppress(PermissionError):
        kinds = {"pipe": stat.S_IFIFO, "socket": stat.S_IFSOCK, "device": stat.S_IFCHR}
        os.mknod(special, kinds[kind] | 0o600, os.makedev(1, 3))
    if not special.exists():
        pytest.skip("making a device file takes root")
    with pytest.raises(
        CheckpointError, match=rf"Trial 0: 'shards/x' in the checkpoint is a .*{kind}.*kept"
    ):
        trial.tell(0.5, checkpoint=trial.draft)
    special.unlink()
    trial.tell(0.5, checkpoint=trial.draft)


def through(draft: Path) -> dict[str, str]:
    """Texts of links that lead through a draft's own name, by their own paths in it."""
    away = draft.parent / "elsewhere"
    away.symlink_to(draft.parent)
    return {
        "latest": f"{draft}/shards",
        "itself": str(draft),
        "spelled": f"{away}/../{away.parent.name}/elsewhere//{draft.name}/shards/",
        "shards/up": f"{draft}/shards/0",
        "shards/beside": f"../../{draft.name}/shards/0",
        "dangling": f"{draft}/step_9",
    }


def test_links_through_a_drafts_own_name_lead_to_what_is_published(place):
    """`latest -> /.../draft/step_9` would dangle under the published name; other links stay as they are."""
    checkpoints = Checkpoints(place, "study")
    draft = checkpoints.draft(DRAFT)
    others = {"a": "shards/0", "shards/b": "../shards", "c": "/etc/passwd", "d": "../0.7", "e": "nowhere"}
    save(str(draft))
    for name, target in {**through(draft), **others}.items():
        (draft / name).symlink_to(target)
    checkpoints.publish(DRAFT)
    found = Path(checkpoints.path(DRAFT.name))
    assert {name: os.readlink(found / name) for name in others} == others
    assert {name: os.readlink(found / name) for name in ("latest", "shards/up", "dangling")} == {
        "latest": "shards", "shards/up": "../shards/0", "dangling": "step_9",
    }  # fmt: skip
    assert (found / "itself").samefile(found)
    assert (found / "spelled" / "0").read_text() == "weights"
    assert (found / "shards" / "beside").read_text() == "weights"
    assert sum(path.is_symlink() for path in found.rglob("*")) == 11
