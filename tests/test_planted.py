"""Links, pipes and odd names planted in a study's directory lead nowhere outside it, and nothing hangs."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
from pathlib import Path

import pytest

import hoptim
from hoptim.store.tree import remove
from tests.builders import append, saving, study, train
from tests.hostile import Hangs, outcome, snapshot, within


@pytest.fixture
def outside(tmp_path):
    """What must stay as it is, whatever is planted."""
    folder = tmp_path / "outside"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_text("mine")
    (folder / "file").write_text("mine")
    (folder / "0.1").write_text("mine")
    return folder


@pytest.fixture
def folder(tmp_path):
    """Where the study is."""
    return tmp_path / "study"


def _socket(path: Path, _: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)  # a socket's path must be short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(before)


def _device(path: Path, _: Path) -> None:
    try:
        os.mknod(path, 0o20666, os.makedev(1, 7))  # /dev/full
    except PermissionError:
        pytest.skip("making a device file takes root")


def _moved(path: Path, outside: Path) -> None:
    if path.exists():
        path.rename(outside / "moved")
        path.symlink_to(outside / "moved")


KINDS = {
    "a link to what was there": _moved,
    "a link to a file": lambda path, outside: path.symlink_to(outside / "file"),
    "a link to a folder": lambda path, outside: path.symlink_to(outside),
    "a link to nothing": lambda path, outside: path.symlink_to(outside / "new"),
    "a link to itself": lambda path, outside: path.symlink_to(path),
    "a pipe": lambda path, outside: os.mkfifo(path),
    "a socket": _socket,
    "a device": _device,
    "a folder": lambda path, outside: (path / "x").mkdir(parents=True),
    "a file": lambda path, outside: path.write_bytes(b"x" * 5000),
}
LINKS = [kind for kind in KINDS if "a link" in kind][1:]
NAMES = [
    "study.json", "journal.jsonl", "lock", "queue", "reserve", "workers", "checkpoints", "scratch",
    "snapshot.json", "workers/w.1.a", "scratch/0", "scratch/1", "scratch/4", "checkpoints/0.1",
    "checkpoints/4.9", "checkpoints/.draft-0.1", "checkpoints/.draft-4.9", "checkpoints/.trash-0.1-aa",
    "journal.jsonl.torn-0-aa", ".study.json-aa",
]  # fmt: skip


def use(folder: Path) -> str:
    """Make or open a study and train a few trials, each with a checkpoint, a draft and scratch."""
    try:
        with within(6):
            for i, trial in enumerate(study(folder, steps=2)):
                (trial.scratch / "note").write_text("x")
                if i % 2:
                    trial.draft.write_text("weights")
                    trial.tell(0.5, checkpoint=trial.draft)
                else:
                    trial.tell(0.5, save=saving("weights"))
    except (hoptim.HoptimError, Hangs) as error:
        return f"{type(error).__name__}: {error}"
    except OSError as error:  # of the user's own write
        return (
            f"{error!r}"
            if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO)
            else "bad"
        )
    return "fine"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("when", ["before", "between"])
def test_what_is_planted_leads_nowhere(folder, outside, name, kind, when, caplog):
    """Planted before a study is made, or in the middle of it: refused or harmless, and without a hang."""
    caplog.set_level(logging.CRITICAL)
    folder.mkdir()
    if when == "between":
        for i, trial in enumerate(study(folder, steps=2)):
            trial.tell(0.5, save=saving("weights"))
            if i == 2:
                break
        if KINDS[kind] is not _moved:
            remove(folder / name)
    (folder / name).parent.mkdir(exist_ok=True)
    KINDS[kind](folder / name, outside)
    before = snapshot(outside)
    said = use(folder)
    assert snapshot(outside) == before, said
    assert not said.startswith(("Hangs", "bad")), said


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("way", ["save", "draft", "published", "scratch"])
def test_links_under_the_very_names_of_a_claim_lead_nowhere(folder, outside, kind, way):
    """A link planted where a trial is about to write, under its own number and token, is not followed."""
    trial = study(folder).ask()
    before = snapshot(outside)
    names = {
        "scratch": trial.scratch,
        "published": folder / "checkpoints" / f"{trial.number}.{trial.token}",
    }
    path = names.get(way, trial.draft)
    if way == "scratch":
        path.rmdir()
    KINDS[kind](path, outside)
    with contextlib.suppress(hoptim.HoptimError):
        if way == "scratch":
            (trial.scratch / "note").write_text("x")
        elif way == "draft":
            trial.draft.write_text("weights")
            trial.tell(0.5, checkpoint=trial.draft)
        else:
            trial.tell(0.5, save=saving("weights"))
    assert snapshot(outside) == before


@pytest.mark.parametrize("kind", LINKS)
def test_a_checkpoint_with_links_in_it_is_published_without_following_them(folder, outside, kind):
    """Links within a folder that a user saved stay links; making it durable and dropping it follow none."""
    before = snapshot(outside)

    def save(path: str) -> None:
        Path(path).mkdir()
        (Path(path) / "weights").write_text("weights")
        KINDS[kind](Path(path) / "link", outside)

    for trial in study(folder, steps=3):
        trial.tell(0.5, save=save)
    assert snapshot(outside) == before


@pytest.mark.parametrize(
    "worker",
    ["../../outside/file", "/etc/../{outside}/file", "../outside", "..", ".", "", "a/b", "x\ny", "\0",
     "a" * 5000, 5, None, True, [], ["a"], {"a": 1}, "\ud800"],
)  # fmt: skip
def test_a_worker_is_never_a_path(folder, outside, worker, caplog):
    """A recorded worker name that leads elsewhere is neither looked at nor removed there."""
    caplog.set_level(logging.CRITICAL)
    train(study(folder, steps=1))
    if isinstance(worker, str):
        worker = worker.replace("{outside}", str(outside))
    fields = {
        "trial": 4,
        "member": 0,
        "step": 1,
        "parent": 0,
        "params": {"x": 0.5, "k": 1},
        "x": [0.5, 0.1],
    }
    append(folder, {"op": "extend", "steps": 2})
    append(folder, {"op": "ask", **fields, "memo": {"sigma": 0.1}, "worker": worker})
    before = snapshot(outside)
    said = [outcome(folder, lease=1e-6) for _ in range(4)]
    assert snapshot(outside) == before
    assert not [each for each in said if each.startswith("Hangs")]
    if not isinstance(worker, str) or "/" in worker:
        assert all(each.startswith("StudyDamaged") for each in said), said


def test_odd_names_in_the_folders_are_only_names(folder, outside):
    """Files with any name in workers, checkpoints and scratch never lead out of them."""
    train(study(folder, steps=2), saves=True)
    before = snapshot(outside)
    for place in ("workers", "checkpoints", "scratch"):
        (folder / place).mkdir(exist_ok=True)
        for name in (
            "-rf",
            "a\nb",
            "..x",
            "\\..\\x",
            "\udcff",
            "0.1 ",
            "1e9.1",
            "x" * 250,
            "%s%n",
            "~",
            "*",
        ):
            (folder / place / name).write_text("x")
    assert use(folder) == "fine"
    assert snapshot(outside) == before
