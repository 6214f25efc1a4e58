"""A worker for tests: DIR ACKS [PHASE COUNT]; kills itself with SIGKILL in a phase if told so.

In the environment: SIZE, STEPS and LEASE of the study, EVERY for the steps from one value to the next, ASHA
for its last rung if that is to decide, PAUSE for the seconds that training takes, ELSEWHERE for a worker
that is as one of another host to others, HOLD for a folder: while it has a file `1`, the worker stays in
its first trial, and so on. Prints 'lost N' for a trial that was taken back.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import hoptim
from hoptim import _files
from hoptim.store import checkpoints, open_journal
from hoptim.store.draft import Draft
from hoptim.store.process_identity import ProcessIdentity
from hoptim.store.published import Published
from tests.builders import loss, study


class Killer:
    """Counts how often each phase is reached and dies in the one it was told."""

    def __init__(self, phase: str, count: int) -> None:
        self.phase, self.left = phase, count

    def at(self, phase: str) -> None:
        """Die if it is time."""
        if phase == self.phase:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Train until the study is done."""
    folder, acks = sys.argv[1], Path(sys.argv[2])
    if "ELSEWHERE" in os.environ:
        ProcessIdentity.mine = ProcessIdentity.of_parent  # type: ignore[method-assign]
    killer = Killer(*(sys.argv[3], int(sys.argv[4])) if len(sys.argv) > 3 else ("never", 0))
    _instrument(killer)
    size, steps, lease = (os.environ.get(*d) for d in (("SIZE", "4"), ("STEPS", "8"), ("LEASE", "120")))
    with (acks / str(os.getpid())).open("a") as out:
        most = os.environ.get("ASHA")
        optimizer = None if most is None else hoptim.ASHA(int(most), reduction_factor=2)
        made = study(folder, size=int(size), steps=int(steps), lease=float(lease), optimizer=optimizer)
        for count, trial in enumerate(made, 1):
            killer.at("train")
            _train(trial, count)
            value: float | None = loss(trial)
            if trial.checkpoint is not None:  # whole and of the parent, or the store lied
                assert Path(trial.checkpoint).read_text() == f"weights of {trial.parent}"

            def save(path: str, trial: hoptim.Trial = trial) -> None:
                Path(path).write_text("weights")
                killer.at("save")
                Path(path).write_text(f"weights of {trial.number}")

            if (trial.step + 1) % int(os.environ.get("EVERY", "1")):
                value = None
            try:
                trial.advance(save) if value is None else trial.tell(value, save=save)
            except hoptim.ClaimLost:
                sys.stdout.write(f"lost {trial.number}\n")
                continue
            killer.at("told")
            out.write(json.dumps([trial.number, value]) + "\n")
            out.flush()


def _train(trial: hoptim.Trial, count: int) -> None:
    """Take the time that training takes, or stay while one is held."""
    time.sleep(float(os.environ.get("PAUSE", "0.002")))
    if hold := os.environ.get("HOLD"):
        (trial.scratch / "half").write_text(f"half of {trial.number}")
        while Path(hold, str(count)).exists():
            time.sleep(0.005)


def _instrument(killer: Killer) -> None:
    """Make the middle of telling a place to die in."""
    publish, write = checkpoints.Checkpoints.publish, _files.write_all

    def published(self: checkpoints.Checkpoints, draft: Draft) -> Published:
        found = publish(self, draft)
        killer.at("published")
        return found

    def torn(fd: int, data: bytes, offset: int) -> None:
        killer.at("unwritten")
        write(fd, data[:-7], offset)
        killer.at("torn")
        write(fd, data[-7:], offset + len(data) - 7)
        killer.at("unsynced")

    checkpoints.Checkpoints.publish = published  # type: ignore[method-assign]
    open_journal.write_all = torn  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
