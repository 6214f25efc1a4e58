"""Trees of files: no name that is swapped for a link leads out of them; what is ours is removed."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import hoptim
from hoptim.store.check.repair import _move
from hoptim.store.checkpoints import Checkpoints
from hoptim.store.draft import Draft
from hoptim.store.shape import StudyShape
from hoptim.store.state import State
from hoptim.store.tree import remove

CALLS = (
    "open", "stat", "lstat", "fstat", "chmod", "fchmod", "fsync", "listdir", "scandir", "mkdir", "link",
    "symlink", "readlink", "rename", "replace", "unlink", "rmdir",
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
    for name in ("shards/0", ".draft-study-0.1/shards/0", "0.1/shards/0", "study-0/note", ".trash-0.1-ab"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return folder


def facts(folder: Path) -> dict[str, tuple[int, int]]:
    """Mode and number of names of all that is in a folder."""
    found = {str(path): path.lstat() for path in (folder, *folder.rglob("*"))}
    return {path: (status.st_mode, status.st_nlink) for path, status in found.items()}


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
    return lambda: checkpoints.remove(checkpoints.orphans(State(StudyShape(2, 2, 0, 1))))


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
]


@pytest.mark.parametrize("back", [True, False], ids=["for a moment", "for good"])
@pytest.mark.parametrize(("scene", "name"), SCENES, ids=[f"{s.__name__} {name}" for s, name in SCENES])
def test_a_name_that_becomes_a_link_leads_nowhere(tmp_path, place, private, scene, name, back, caplog):
    """Before whichever file call a group member swaps it: a private folder keeps its modes and files."""
    caplog.set_level(logging.CRITICAL)
    before, target = facts(private), private / "shards" / "0" if name.endswith("/0") else private
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
