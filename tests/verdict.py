"""What is wrong with a study after its workers were killed and stopped, told from their notes."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import hoptim
from hoptim.store.liveness import LEASES_OF_THE_LIVING
from tests import reader
from tests.beside import Beside
from tests.builders import loss, recompute
from tests.herd import Herd, broken
from tests.notes import Notes
from tests.place import Directory

_EVERY = 0.02  # seconds between two looks into checkpoints


class Sampler:
    """Watches a study from outside while it runs: how far it is, how many checkpoints it has.

    A study keeps at most members x (lead + 1) + best + best ever, for each worker a parent and what it
    is about to publish; more where forks are made beside it. What a killed worker left stays until the
    next one starts; one that is stopped, or just about to remove what it recorded as dropped, adds a
    step of all members.

    Attributes:
        told: Tells in the journal.
        most: The largest number of files in checkpoints/ seen, and the largest of quiet moments.
        bound: What a study keeps at most, but for the killed and stopped.
        over: How far above its bound with all allowances it ever was.
    """

    def __init__(self, herd: Herd) -> None:
        self.told = self.most = self.most_quiet = 0
        self.over = -(10**9)
        options = herd.options
        self.bound = _most_kept(options) + 2 * options.workers + 3 * options.beside
        self._herd, self._next = herd, 0.0
        self._left: list[int] = []  # per kill since the last start, how many workers there had been
        self._kills = 0

    def look(self) -> None:
        """Look once."""
        self.told += self._herd.place.new_tells()
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            self._count()

    def _count(self) -> None:
        herd = self._herd
        self._left += [herd.count - 1] * (len(herd.kills) - self._kills)
        self._kills = len(herd.kills)
        if self._left:
            started = [n for n in herd.live.values() if n > self._left[0] and self._has_asked(n)]
            self._left = [n for n in self._left if n >= max(started, default=0)]
        signals_allowed = len(self._left) + len(herd.stopped)
        files = len(herd.place.saved())
        self.most = max(self.most, files)
        if not signals_allowed:
            self.most_quiet = max(self.most_quiet, files)
        self.over = max(self.over, files - self.bound - herd.options.members * (1 + signals_allowed))

    def _has_asked(self, serial: int) -> bool:
        try:
            return b'["asked"' in (self._herd.notes / str(serial)).read_bytes()
        except FileNotFoundError:
            return False


def judge(herd: Herd, beside: Beside, sampler: Sampler, done: bool) -> dict[str, Any]:
    """A report; `wrong` is empty when the study kept all promises and was done in time."""
    place, journal = herd.place, herd.place.journal()
    records = reader.read(journal)
    notes = {n: Notes.read(herd.notes / str(n)) for n in range(1, herd.count + 1)}
    said = [line for lines in notes.values() for line in lines] + beside.said()
    told = [(number, value) for kind, number, _, value in _of(said, "told")]
    wrong, places = reader.judge(journal, told)
    options = herd.options
    if places != [(m, s) for m in range(options.members) for s in range(options.steps)]:
        wrong.append(f"{len(places)} of {options.members * options.steps} steps were done")
    wrong += [f"{herd.crashed} workers ended with an error"] * bool(herd.crashed)
    wrong += _lost(records, said, place.saved()) + _dead(herd, notes) + _kept(records, _most_kept(options))
    wrong += _left(records, place) if done else [f"not done after {options.limit} s"]
    wrong += beside.wrong(records) + broken(records, place.checkpoints)
    wrong += [f"{sampler.over} files too many in checkpoints/"] * (sampler.over > 0)
    twice = {number: values for _, number, _, values in _of(said, "twice")}
    for trial in hoptim.load(place.path).trials:
        if trial.value not in (loss(trial), *twice.get(trial.number, ())):  # type: ignore[arg-type]
            wrong.append(f"the value of trial {trial.number} is not that of its params")
    stalls = [seconds for seconds, held in herd.stops if held]
    ops = Counter(record["op"] for record in records)
    return {
        "wrong": wrong, "steps": len(places), "records": len(records), "acknowledged": len(told),
        "recomputed": recompute(place.path, journal), "lost": len(_of(said, "lost")),
        "reclaims": ops["reclaim"],
        "files": {"most": sampler.most, "when quiet": sampler.most_quiet, "bound": sampler.bound},
        "stalls": {"stopped holders": len(stalls), "seconds": round(sum(stalls), 1)},
        "torn": len(list(journal.parent.glob("*.torn-*"))), "beside": beside.counts(),
    }  # fmt: skip


def _of(said: list[list[Any]], kind: str) -> list[list[Any]]:
    return [line for line in said if line[0] == kind]


def _lost(records: list[dict[str, Any]], said: list[list[Any]], saved: set[str]) -> list[str]:
    """Each lost claim was taken back and never told; each acknowledged one was told."""
    taken = {r["token"] for r in records if r["op"] == "reclaim"}
    ended = {r["token"] for r in records if r["op"] == "tell"}
    wrong = []
    for _, number, token in _of(said, "lost"):
        if token not in taken or token in ended:
            wrong.append(f"claim {token} of trial {number} was refused though nobody took it back")
        if any(name.startswith(f"{number}.{token}-") for name in saved):
            wrong.append(f"the checkpoint of the lost claim {token} is published")
    wrong += [f"claim {t} was acknowledged, not told" for _, _, t, _ in _of(said, "told") if t not in ended]
    return wrong


def _dead(herd: Herd, notes: dict[int, list[list[Any]]]) -> list[str]:
    """Nobody was taken for dead who lived and gave a sign of life within the lease, on the same host ten.

    A sign counts only if it was certainly given within the lease that ends with the look, and was
    certainly there to be seen by it; this stays true wherever a process is stopped.
    """
    beats: dict[str, list[list[float]]] = {}
    killed: dict[str, float] = {}
    leases: dict[str, float] = {}
    for serial, lines in notes.items():
        for _, worker, began, ended in _of(lines, "beat"):
            beats.setdefault(worker, []).append([began, ended])
            leases[worker] = herd.options.lease * (1 if herd.is_elsewhere(serial) else LEASES_OF_THE_LIVING)
            if serial in herd.kills:
                killed[worker] = herd.kills[serial]
    wrong = []
    for _, worker, began, ended in [line for lines in notes.values() for line in _of(lines, "dead")]:
        if killed.get(worker, ended) < ended:
            continue
        for first, last in beats.get(worker, []):
            if first > ended - leases[worker] and last < began:
                wrong.append(f"{worker} was taken for dead {began - last:.3f} s after a sign of life")
    return wrong


def _most_kept(options: Any) -> int:
    """The checkpoints kept at most, parents aside; forks beside it need two more steps, and their pins."""
    return int(options.members * (2 + (2 + options.beside) * (options.beside > 0)) + 2)


def _kept(records: list[dict[str, Any]], most: int) -> list[str]:
    """At the end of every append no more checkpoints are recorded than anyone may still need, or forks."""
    saved, open_, wrong = set(), set(), []
    for i, record in enumerate(records):
        if record["op"] == "ask":
            open_.add(record["trial"])
        elif record["op"] == "tell":
            open_.discard(record["trial"])
            saved.add(record["trial"])
        saved -= set(record.get("drops", ()))
        ends = i + 1 == len(records) or "batch" not in records[i + 1]
        if ends and len(saved) > most + len(open_):
            wrong.append(f"{len(saved)} checkpoints are kept after record {i}")
    return wrong


def _left(records: list[dict[str, Any]], place: Directory) -> list[str]:
    """After one more start and a clean end nothing is there but what the records name.

    The file of a killed worker stays where nobody can prove its death.
    """
    dropped = {number for record in records for number in record.get("drops", ())}
    told = [record for record in records if record["op"] == "tell"]
    named = {r["checkpoint"]["name"] for r in told if r["trial"] not in dropped}
    found = place.saved()
    wrong = [f"checkpoints/ has {sorted(found - named)} too much, {sorted(named - found)} too little"]
    left = [name for name, about in place.signs().items() if about["boot"]]
    return wrong * (found != named) + [f"workers/ has {name}" for name in left]
