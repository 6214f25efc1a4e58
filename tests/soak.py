"""Hours of `hoptim run` on a small disk, under kills, stops and a disk that fills, and a judge of them.

    python tests/soak.py [--minutes 60] [--workers 8] [--members 16] [--steps 250] [--pause 0.5]
                         [--every 3] [--faults N] [--lease 2] [--seed 0] [--folder DIR]

A new study begins whenever one is done. Faults come every so many seconds on average, so many in all if
that is said: SIGKILL to a worker or to the launcher, which is started again, SIGSTOP to a worker for up to
three leases, and a file that fills the disk for up to two. What is acknowledged to workers is noted on
another disk, and `tests/reader.py` reads the journals. Prints JSON; the exit status is 1 when anything is
wrong. Takes root and unshare: all runs in namespaces of its own, so that no process and no mount stays.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.builders import ROOT
from tests.small_disk import PAGE, Disk
from tests.soak_crew import Crew
from tests.soak_verdict import judge

_NAMESPACES = (
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--mount-proc",
    "--kill-child",
    "--propagation",
    "private",
)
_KINDS = {"kill": 10, "stop": 6, "fill": 4, "launcher": 1}  # faults, and how often each
_SIZE = 4096 * PAGE
_TICK = 0.02
_INSIDE = "SOAK_INSIDE"  # set in the namespaces
_STUCK = 300.0  # seconds without an acknowledged tell


class Faults:
    """What happens when, drawn from a seed.

    Attributes:
        counts: How often each came.
    """

    def __init__(self, options: argparse.Namespace, disk: Disk) -> None:
        self._options, self._disk = options, disk
        self._plan, self._rng = random.Random(options.seed), random.Random(options.seed)
        self.counts: Counter[str] = Counter(dict.fromkeys(_KINDS, 0))
        self._freed = 0.0
        self._next, self._kind = self._planned()

    def _planned(self) -> tuple[float, str]:
        """When the next one comes, and which; nothing that happens meanwhile changes what is drawn."""
        (kind,) = self._plan.choices(list(_KINDS), list(_KINDS.values()))
        return time.monotonic() + self._plan.expovariate(1 / self._options.every), kind

    def are_over(self) -> bool:
        """Whether all have come that were to come."""
        return self._options.faults is not None and self.counts.total() >= self._options.faults

    def strike(self, crew: Crew) -> None:
        """Free the disk if it is time; let the next fault come if it is due and there is a worker."""
        now = time.monotonic()
        if self._freed and now >= self._freed:
            self.free()
        if now < self._next or crew.status is not None:
            return
        workers = [pid for pid in crew.workers() if pid not in crew.stopped]
        if not workers:
            if self._options.faults is None:  # else the next worker would never live
                self._next, self._kind = self._planned()
            return
        rng, lease, kind = self._rng, self._options.lease, self._kind
        if kind == "kill":
            crew.kill(rng.choice(workers))
        elif kind == "stop":
            crew.stop(rng.choice(workers), lease * rng.uniform(0.1, 3.0))
        elif kind == "fill":
            with suppress(OSError):  # workers write meanwhile
                self._disk.fill(rng.randrange(4 * PAGE))
            self._freed = now + lease * rng.uniform(0.2, 2.0)
        else:
            crew.kill_launcher()
            if (
                rng.random() < 0.5 or len(workers) > self._options.workers
            ):  # else they go on beside the next
                for pid in workers:
                    crew.kill(pid)
        self.counts[kind] += 1
        self._next, self._kind = self._planned()

    def free(self) -> None:
        """Free the disk."""
        self._disk.clear()
        self._freed = 0.0


def train(crew: Crew, faults: Faults, acks: Path, end: float) -> str:
    """Look after a study until it is "done", time or faults are "over", or nobody gets on: "stuck"."""
    size, since = 0, time.monotonic()
    while True:
        crew.look()
        if crew.status == 0:
            return "done"
        if crew.status is not None:
            crew.start()
        if size:  # before the first tell there is nothing to lose
            faults.strike(crew)
        now = time.monotonic()
        if now >= end or faults.are_over():
            return "over"
        if (found := sum(path.stat().st_size for path in acks.iterdir())) > size:
            size, since = found, now
        elif now - since > _STUCK:
            return "stuck"
        time.sleep(_TICK)


def soak(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Train study after study, and judge each."""
    disk = Disk(folder / "disk", _SIZE)
    faults, counts, wrong = Faults(options, disk), Counter[str](), list[str]()
    began, outcome = time.monotonic(), "done"
    end = began + 60 * options.minutes
    while outcome == "done":
        study, acks = disk.point / f"study-{counts['studies']}", folder / "acks" / str(counts["studies"])
        acks.mkdir(parents=True)
        words = [acks, options.members, options.steps, options.lease, options.pause]
        run = ["-m", "hoptim", "run", "-n", options.workers, "--restarts", 10**6, study, "--"]
        train_script = [sys.executable, ROOT / "tests" / "soak_train.py", *words]
        crew = Crew([str(word) for word in (sys.executable, *run, *train_script)])
        crew.start()
        outcome = train(crew, faults, acks, end)
        faults.free()
        if not crew.end(asked=outcome != "done"):
            wrong.append(f"{study.name}: somebody did not end")
        if outcome == "stuck":
            wrong.append(f"{study.name}: nothing was acknowledged for {_STUCK:g} s")
        found, bad = judge(study, acks, options.members * options.steps if outcome == "done" else None)
        counts.update(found)
        wrong += bad
        counts["launches"] += crew.starts
        if wrong:
            shutil.copytree(study, folder / study.name, symlinks=True)
            break
        shutil.rmtree(study)
    minutes = round((time.monotonic() - began) / 60, 2)
    return {"seed": options.seed, "minutes": minutes, **counts, "faults": faults.counts, "wrong": wrong}


def main() -> None:
    """Run in namespaces of its own and print."""
    if os.environ.get(_INSIDE) != "1":
        os.environ[_INSIDE] = "1"
        os.execvp(_NAMESPACES[0], [*_NAMESPACES, sys.executable, *sys.argv])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--pause", type=float, default=0.5, help="mean seconds of training")
    parser.add_argument("--every", type=float, default=3.0, help="mean seconds between faults")
    parser.add_argument("--faults", type=int, help="faults in all, after which it ends")
    parser.add_argument("--lease", type=float, default=2.0, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", help="keep notes, and a study that is wrong, there instead of nowhere")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        folder = Path(options.folder or temporary)
        (folder / "disk").mkdir(parents=True)
        report = soak(folder, options)
        subprocess.run(["umount", "--lazy", str(folder / "disk")], check=True)
    sys.stdout.write(json.dumps(report) + "\n")
    sys.exit(bool(report["wrong"]))


if __name__ == "__main__":
    main()
