"""Damages a journal in every way and judges what hoptim makes of it. Run it: python -m tests.damage."""

# ruff: noqa: T201 - prints the verdicts

from __future__ import annotations

import json
import logging
import multiprocessing
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import hoptim
from hoptim.store.line_format import Record
from tests.builders import ROOT, loss, saving, study

SIZE, STEPS, MORE = 6, 17, 2
PAGE = 4096
SHARES = 2  # processes of the long run
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


class Damage(NamedTuple):
    """A journal before and after: what was done to it, the bytes it had, the bytes it has."""

    name: str
    whole: bytes
    found: bytes


def build(folder: Path, seed: int = 0) -> bytes:
    """The journal of a real study with every kind of record; its last append is a batch of pages."""
    rng = random.Random(seed)
    code = f"from tests.builders import *; study({str(folder)!r}, size={SIZE}, steps={STEPS}).ask()"
    subprocess.run([sys.executable, "-c", f"{code}; os._exit(0)"], check=True, cwd=ROOT)  # dies holding it
    workers = [study(folder, size=SIZE, steps=STEPS) for _ in range(3)]
    while not workers[0].done:
        _train_one(rng.choice(workers), rng)
    for worker in workers:
        worker._session.store.leave()
    journal = b""
    for i, trial in enumerate(study(folder, size=SIZE, steps=STEPS + MORE)):
        last = i == SIZE * MORE - 2  # an ask follows it in the same append
        metrics = {f"metric {k}": rng.random() for k in range(300 if last else 1)}
        trial.tell(loss(trial), save=saving("weights"), metrics=metrics)
        if last:
            journal = (folder / "journal.jsonl").read_bytes()
    return journal


def _train_one(worker: hoptim.Study, rng: random.Random) -> None:
    trial, chance = worker.ask(), rng.random()
    assert trial is not None
    if chance < 0.1:
        trial.fail("made to fail")
    elif chance < 0.2:
        trial.release()
    else:
        value = float("nan") if chance < 0.25 else loss(trial)
        trial.tell(value, save=saving("weights"), metrics={"accuracy": rng.random()})


def loads(whole: bytes) -> list[Record]:
    """The records of a good journal."""
    return [json.loads(line[9:]) for line in whole.splitlines()]


def appends(whole: bytes) -> list[int]:
    """The offsets at which appends begin, and the end of the last one."""
    starts, offset = [], 0
    for line, record in zip(whole.splitlines(keepends=True), loads(whole), strict=True):
        if not record.get("batch"):
            starts.append(offset)
        offset += len(line)
    return [*starts, offset]


def flips(whole: bytes, places: Iterable[int]) -> Iterator[Damage]:
    """Bytes with one bit flipped, with all of them, and as newline and zero."""
    for place in places:
        old = whole[place]
        for new in {old ^ 1 << place % 8, old ^ 0xFF, 10, 0} - {old}:
            found = whole[:place] + bytes([new]) + whole[place + 1 :]
            yield Damage(f"byte {place} from {old} to {new}", whole, found)


def cuts(whole: bytes, lengths: Iterable[int]) -> Iterator[Damage]:
    """The first bytes alone."""
    return (Damage(f"cut to {length}", whole, whole[:length]) for length in lengths)


def tails(whole: bytes, other: bytes) -> Iterator[Damage]:
    """Zeros, garbage and lines of another study behind every record."""
    rng, others = random.Random(1), other.splitlines(keepends=True)
    lines = whole.splitlines(keepends=True)
    for n in range(1, len(lines) + 1):
        good = b"".join(lines[:n])
        added = [bytes(length) for length in (1, 9, 200, PAGE, 3 * PAGE)]
        added += [rng.randbytes(length) for length in (1, 8, 200, PAGE)]
        for tail in [*added, b"\n", b"\n\n", lines[n - 1][:50], others[0]]:
            yield Damage(f"{len(tail)} bytes {tail[:9]!r} behind line {n}", good, good + tail)


def pages(whole: bytes) -> Iterator[Damage]:
    """Zeros instead of the last append's part of each page, alone and with all pages behind it."""
    start = appends(whole)[-2]
    for begin in range(start // PAGE * PAGE, len(whole), PAGE):
        a, b = max(begin, start), min(begin + PAGE, len(whole))
        yield Damage(f"zeros from {a} to {b}", whole, whole[:a] + bytes(b - a) + whole[b:])
        yield Damage(f"zeros from {a}", whole, whole[:a] + bytes(len(whole) - a))


def moves(whole: bytes, window: int) -> Iterator[Damage]:
    """Each of the last records removed, doubled, joined to the next, and swapped with two others."""
    rng, lines = random.Random(2), whole.splitlines(keepends=True)
    for i in range(max(0, len(lines) - window), len(lines)):
        yield Damage(f"line {i + 1} removed", whole, b"".join(lines[:i] + lines[i + 1 :]))
        yield Damage(f"line {i + 1} doubled", whole, b"".join(lines[: i + 1] + lines[i:]))
        joined = b"".join([*lines[:i], lines[i][:-1] + b"?", *lines[i + 1 :]])
        yield Damage(f"line {i + 1} without newline", whole, joined)
        for j in sorted({i - 1, rng.randrange(len(lines))} - {i, -1}):
            swapped = [*lines]
            swapped[i], swapped[j] = lines[j], lines[i]
            yield Damage(f"lines {i + 1} and {j + 1} swapped", whole, b"".join(swapped))


def last_moves(whole: bytes) -> Iterator[Damage]:
    """The same among the last four records, wherever the journal may have ended."""
    for end in appends(whole)[2:]:
        yield from moves(whole[:end], window=4)


def splices(whole: bytes, other: bytes) -> Iterator[Damage]:
    """Each record replaced by that of another study, or behind it."""
    lines, others = whole.splitlines(keepends=True), other.splitlines(keepends=True)
    for i, line in enumerate(others[: len(lines)]):
        yield Damage(f"another's line {i + 1}", whole, b"".join([*lines[:i], line, *lines[i + 1 :]]))
        yield Damage(f"another's line {i + 1} besides", whole, b"".join([*lines[:i], line, *lines[i:]]))


def everything(whole: bytes, other: bytes) -> Iterator[Damage]:
    """Every damage of the long run, the quick ones first."""
    yield from pages(whole)
    yield from moves(whole, window=len(whole))
    yield from last_moves(whole)
    yield from splices(whole, other)
    yield from tails(whole, other)
    yield from cuts(whole, range(len(whole)))
    yield from flips(whole, range(len(whole)))


def _share(share: int, whole: bytes, other: bytes) -> tuple[Counter[str], list[str]]:
    """Judge every second damage: the counts of verdicts by kind, and what is wrong."""
    from tests.damage_bench import Bench

    counts: Counter[str] = Counter()
    wrong = []
    with tempfile.TemporaryDirectory(prefix="damage-", dir=_MEMORY) as folder:
        bench = Bench(Path(folder), whole)
        for damage in islice(everything(whole, other), share, None, SHARES):
            verdict = bench.judge(damage)
            counts[verdict.split(":")[0]] += 1
            if verdict.startswith("WRONG"):
                wrong.append(f"{damage.name}: {verdict}")
    return counts, wrong


def main() -> None:
    """Judge everything; exit with 1 if anything is wrong."""
    began = time.monotonic()
    logging.getLogger("hoptim").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        whole, other = build(Path(folder) / "study"), build(Path(folder) / "other", seed=1)
    with multiprocessing.get_context("spawn").Pool(SHARES) as pool:
        shares = pool.starmap(_share, [(share, whole, other) for share in range(SHARES)])
    counts = sum((found for found, _ in shares), Counter())
    wrong = [line for _, lines in shares for line in lines]
    print(*wrong[:40], sep="\n")
    print(f"{len(loads(whole))} records, {len(whole)} bytes, {counts.total()} damages: {dict(counts)}")
    print(f"{len(wrong)} wrong, {time.monotonic() - began:.0f} s")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
