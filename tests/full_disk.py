"""Fills a small disk in the middle of a study and frees it again. Run it: python -m tests.full_disk.

Takes root and unshare.
"""

# ruff: noqa: T201 - prints what came of it

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import hoptim
from tests import reader
from tests.builders import loss, study
from tests.small_disk import PAGE, Disk, in_namespace

MEMBERS, STEPS = 4, 5
FULL = (errno.ENOSPC, errno.EDQUOT)  # ours or the user's
METRICS = {f"metric {i}": 1 / (i + 3) for i in range(40)}  # an append of about a page

Told = list[tuple[int, float]]


def save_pages(pages: int) -> Callable[[str], object]:
    """A `save` that writes some pages."""
    return lambda path: Path(path).write_bytes(b"w" * pages * PAGE)


def train(folder: Path, told: Told, count: int, pages: int) -> None:
    """Train until the study is done, or some trials were told; each must find its checkpoint whole."""
    for trial in study(folder, size=MEMBERS, steps=STEPS):
        if count == 0:
            break
        if trial.checkpoint is not None:
            assert Path(trial.checkpoint).read_bytes() == b"w" * pages * PAGE, "a checkpoint is not whole"
        trial.tell(loss(trial), save=save_pages(pages), metrics=METRICS)
        told.append((trial.number, loss(trial)))
        count -= 1


def case(disk: Disk, moment: int, leave: int, dies: bool, reserved: bool) -> tuple[bool, list[str]]:
    """Fill the disk after some trials, train until it is full, free it, and train to the end.

    Args:
        disk: An empty one.
        moment: Trials before it is filled.
        leave: Bytes left then.
        dies: Whether the worker's process ends when it meets the error, so that another goes on.
        reserved: Whether the reserve is there, or as good as used up already.

    Returns:
        Whether the error was met, and what is wrong.
    """
    told: Told = []
    pages = leave // PAGE % 3 + 1
    train(disk.study, told, moment, pages)
    if not reserved:
        disk.study.mkdir(exist_ok=True)
        (disk.study / "reserve").write_bytes(b"")
    disk.fill(leave)
    if dies:
        met = _in_a_child(lambda told: train(disk.study, told, -1, pages), disk.point.parent / "told", told)
        disk.clear()
    else:
        met = _retry_in_place(disk, told, pages)
    train(disk.study, told, -1, pages)
    return met, judge(disk.study, told)


def _in_a_child(call: Callable[[Told], object], note: Path, told: Told) -> bool:
    """Call it in a process that ends with the error, or without; whether it met the full disk."""
    pid = os.fork()
    if pid == 0:
        mine: Told = []
        said = ""
        try:
            call(mine)
        except OSError as error:
            said = "full" if error.errno in FULL else repr(error)
        note.write_text(json.dumps([mine, said]))
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    found, said = json.loads(note.read_text())
    assert said in ("", "full"), said
    told += [tuple(each) for each in found]
    return bool(said)


def _retry_in_place(disk: Disk, told: Told, pages: int) -> bool:
    """Train in this process; what fails is called again on the full disk, and on the free one."""
    mine, met = study(disk.study, size=MEMBERS, steps=STEPS), 0

    def until_it_works(call: Callable[[], Any]) -> Any:
        nonlocal met
        for attempt in range(3):
            try:
                return call()
            except OSError as error:
                if error.errno not in FULL:
                    raise
                met += 1
                if attempt == 1:
                    disk.clear()
        return call()

    while (trial := until_it_works(mine.ask)) is not None:
        value = loss(trial)
        until_it_works(partial(trial.tell, value, save=save_pages(pages), metrics=METRICS))
        told.append((trial.number, value))
    disk.clear()
    return bool(met)


def judge(folder: Path, told: Told) -> list[str]:
    """What is wrong with a study that should be done."""
    wrong: list[str]
    wrong, places = reader.judge(folder / "journal.jsonl", told)
    if places != [(member, step) for member in range(MEMBERS) for step in range(STEPS)]:
        wrong.append(f"done are {places}")
    found = hoptim.load(folder)
    kept = {Path(t.checkpoint).name for t in found.trials if t.checkpoint}
    there = {path.name for path in (folder / "checkpoints").iterdir()}
    if not kept or kept != there:
        wrong.append(f"checkpoints kept {kept}, there {there}")
    aside = [path.name for path in folder.iterdir() if ".torn-" in path.name]
    return wrong + [f"kept aside {name}" for name in aside]


def cases(levels: int, moments: int) -> Iterator[tuple[int, int, bool, bool]]:
    """When to fill, how much to leave, whether the worker dies of it, whether there is a reserve."""
    for moment in range(moments):
        for level in range(levels):
            turn = moment + level
            after, leave = moment * MEMBERS * STEPS // moments, level * 17 // levels * PAGE
            yield after, leave, turn % 2 == 0, turn % 3 == 0


def levels(disk: Disk, levels: int, moments: int) -> int:
    """Run all cases; how many studies were lost."""
    began, counts = time.monotonic(), Counter[str]()
    for each in cases(levels, moments):
        try:
            met, wrong = case(disk, *each)
        except (hoptim.HoptimError, OSError, AssertionError, ValueError) as error:
            met, wrong = True, [repr(error)]
        counts["lost" if wrong else "whole"] += 1
        counts["met"] += met
        for line in wrong[:2]:
            print(f"trials, bytes left, dies, reserve {each}: {line}")
        disk.wipe()
    total = counts["whole"] + counts["lost"]
    print(
        f"{total} studies on a small disk, {counts['met']} met it full, {counts['lost']} lost, "
        f"{time.monotonic() - began:.1f} s"
    )
    return counts["lost"]


def readonly(disk: Disk) -> None:
    """Remount the disk read-only in the middle of a trial, and of another one's save."""
    told: Told = []
    turned: list[str] = []
    mine = study(disk.study, size=MEMBERS, steps=STEPS)
    for trial in mine:
        value, refused = loss(trial), 0

        def save(path: str, turns: bool = trial.number == 9) -> None:
            save_pages(1)(path)
            if turns and not turned:
                turned.append(path)
                disk.remount("ro")

        if trial.number == 5:
            disk.remount("ro")
        while trial.number not in [number for number, _ in told]:
            try:
                trial.tell(value, save=save)
                told.append((trial.number, value))
            except OSError as error:
                refused += error.errno == errno.EROFS
                assert len(mine.trials) == trial.number  # reading goes on meanwhile
                disk.remount("rw")
        assert refused == (trial.number in (5, 9)), (trial.number, refused)
    _print_verdict(judge(disk.study, told))


def reserve(disk: Disk) -> None:
    """Let a checkpoint fill the disk to the brim: nothing is raised, the run goes on by itself.

    It is the last one of its step, so that its tell makes the large ones of the step before spare.
    """
    told: Told = []
    for trial in study(disk.study, size=MEMBERS, steps=STEPS):
        fills = trial.number == 2 * MEMBERS - 1
        pages = 1 if trial.step else 24

        def save(path: str, fills: bool = fills, pages: int = pages) -> None:
            Path(path).write_bytes(b"w" * (disk.free() if fills else pages * PAGE))
            assert not fills or disk.free() == 0

        value = 10.0 if fills else loss(trial)  # a bad one is soon spare itself
        trial.tell(value, save=save, metrics=METRICS)
        told.append((trial.number, value))
    made = (disk.study / "reserve").stat()
    wrong = [] if made.st_size == made.st_blocks * 512 == 65536 else [f"the reserve is {made}"]
    _print_verdict(wrong + judge(disk.study, told))


def _print_verdict(wrong: list[str]) -> None:
    print(*wrong or ["whole"], sep="\n")


def main(action: str = "levels", *counts: str) -> None:
    """Do what is asked on a disk of its own; exit with 1 if a study was lost."""
    logging.getLogger("hoptim").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="full-disk-") as folder:
        point = Path(folder) / "disk"
        point.mkdir()
        disk = Disk(point)
        try:
            if action == "levels":
                sys.exit(bool(levels(disk, *map(int, counts or ("17", "20")))))
            {"readonly": readonly, "reserve": reserve, "may": lambda _: None}[action](disk)
        finally:
            subprocess.run(["umount", "--lazy", str(point)], check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(*sys.argv[1:])
    else:
        whole = in_namespace("levels", seconds=3000)
        print(whole.stdout + whole.stderr, end="")
        sys.exit(whole.returncode)
