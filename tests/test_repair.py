"""What a repair does about a study's directory, and that it can be cut short."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import hoptim
from hoptim.store.check.inspection import check
from hoptim.store.check.repair import repair
from tests import builders, reader
from tests.builders import acknowledged, run, wait_until
from tests.damaged import flipped, found, lines_of, litter, tree, write


def test_leftovers_are_found_and_moved_aside_by_a_repair(folder):
    """What killed processes left is no error; a repair keeps all of it in a folder, once."""
    expected = litter(folder)
    before = tree(folder)
    assert found(folder) == []
    assert set(found(folder, "leftover")) == expected
    report = repair(folder)
    assert {(f.kind, f.path) for f in report.repaired} == expected
    assert (report.ok, [f.kind for f in report.findings]) == (True, ["kept-aside"])
    copies = folder / report.copies
    after = {str(p.relative_to(copies)) for p in copies.rglob("*")}
    assert after >= {path for _, path in expected} | {"study.json", "journal.jsonl"}
    kept = tree(folder)
    assert {**before, **kept}.keys() - kept.keys() == set(before) - set(kept)
    assert all(kept[f"{report.copies}/{name}"] == before[name] for name in set(before) - set(kept))
    assert (repair(folder).repaired, tree(folder)) == ((), kept)


def test_what_is_damaged_is_not_tidied(folder):
    """With damage in the middle nothing can be told spare, so a repair leaves all of it where it is."""
    litter(folder)
    write(folder, flipped(lines_of(folder), 5, 20))
    before = tree(folder)
    assert repair(folder).repaired == ()
    assert tree(folder) == before


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_torn_tail_is_repaired_and_the_study_goes_on(folder, damage):
    """After copies, the tail is cut as the journal does it; then the study trains to its end."""
    lines = lines_of(folder)
    write(folder, [*lines[:-1], lines[-1][:-9]] if damage == "cut" else flipped(lines, len(lines) - 1, 20))
    torn = (folder / "journal.jsonl").read_bytes()
    report = repair(folder)
    assert report.ok
    assert report.repaired[0].kind in ("torn-tail", "damaged-tail")
    assert (folder / report.copies / "journal.jsonl").read_bytes() == torn
    assert (folder / "journal.jsonl").read_bytes() == b"".join(lines[:-1])
    (aside,) = folder.glob("journal.jsonl.torn-*")
    assert b"".join(lines[:-1]) + aside.read_bytes() == torn
    kept = tree(folder)
    assert (repair(folder).repaired, tree(folder)) == ((), kept)
    builders.train(hoptim.load(folder), saves=True)
    assert check(folder).ok


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="tells what is synced by Linux's /proc")
def test_copies_are_durable_before_anything_changes(folder, monkeypatch):
    """The copies and their names are synced before the first byte is cut or the first name moved."""
    litter(folder)
    write(folder, [*lines_of(folder)[:-1], lines_of(folder)[-1][:-9]])
    calls: list[str] = []

    def noted(name: str) -> Callable[..., object]:
        real = getattr(os, name)

        def call(what: int | str, *more: object, **where: object) -> object:
            at = os.readlink(f"/proc/self/fd/{what}") if isinstance(what, int) else str(what)
            calls.append(f"{name} {Path(at).name.split('-2')[0]}")
            return real(what, *more, **where)

        return call

    for name in ("fsync", "ftruncate", "rename"):
        monkeypatch.setattr(os, name, noted(name))
    repair(folder)
    first = next(i for i, call in enumerate(calls) if not call.startswith("fsync"))
    copied = ["fsync study", "fsync study.json", "fsync journal.jsonl", "fsync before-repair"]
    begun_at = calls.index("fsync study.json") - 1
    assert calls[begun_at : begun_at + 4] == copied
    assert begun_at + 4 <= first
    moved = max(i for i, call in enumerate(calls) if call.startswith("rename"))
    assert {"fsync checkpoints", "fsync scratch", "fsync workers", "fsync study"} <= set(calls[moved:])


class Killed(BaseException):
    """Stands in for the end of the process."""


def repaired_within(folder: Path, calls: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Repair, and be killed at the first call that changes something behind so many; whether it ended."""
    left = [calls]

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real(*arguments, **named)

        return call

    with monkeypatch.context() as patch:
        for name in ("pwrite", "fsync", "rename", "ftruncate", "mkdir"):
            patch.setattr(os, name, counted(getattr(os, name)))
        try:
            return repair(folder).ok
        except Killed:
            return False


def test_a_repair_that_is_cut_short_anywhere_can_be_repeated(folder, monkeypatch):
    """Wherever a repair fails, nothing that was there is lost, and another one finishes it."""
    pristine = shutil.copytree(folder, folder.parent / "pristine", symlinks=True)
    litter(folder)
    write(folder, [*lines_of(folder)[:-1], lines_of(folder)[-1][:-9]])
    damaged = shutil.copytree(folder, folder.parent / "damaged", symlinks=True)
    contents = sorted(str(value) for value in tree(damaged).values() if value)
    good = b"".join(lines_of(pristine)[:-1])
    for calls in range(1000):
        shutil.rmtree(folder)
        shutil.copytree(damaged, folder, symlinks=True)
        ended = repaired_within(folder, calls, monkeypatch)
        assert repair(folder).ok
        there = [str(value) for value in tree(folder).values()]
        assert [content for content in contents if content not in there] == []
        assert (folder / "journal.jsonl").read_bytes() == good
        if ended:
            break
    assert calls > 30


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_killed_repair_can_be_repeated(folder):
    """A process that is killed as it cuts the tail leaves a directory that another one repairs."""
    litter(folder)
    lines = lines_of(folder)
    write(folder, [*lines[:-1], lines[-1][:-9]])
    pid = os.fork()
    if pid == 0:
        os.ftruncate = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        repair(folder)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    assert [f.kind for f in check(folder).findings if f.kind == "torn-tail"] == ["torn-tail"]
    assert repair(folder).ok
    assert (folder / "journal.jsonl").read_bytes() == b"".join(lines[:-1])


def test_a_running_study_may_be_repaired(tmp_path):
    """Repairs while four workers train and one is killed take nothing away from those that live."""
    folder, acks = tmp_path / "study", tmp_path / "acks"
    acks.mkdir()
    workers = [run("train.py", folder, acks, STEPS="25", PAUSE="0") for _ in range(4)]
    killed = run("train.py", folder, acks, "published", "5", STEPS="25", PAUSE="0")
    wait_until((folder / "study.json").exists)
    while any(worker.poll() is None for worker in workers):
        repair(folder)
    killed.communicate()
    for worker in workers:
        _, errors = worker.communicate()
        assert worker.returncode == 0, errors
    wrong, places = reader.judge(folder / "journal.jsonl", acknowledged(acks))
    assert (wrong, len(places)) == ([], 100)
    assert check(folder).ok
