"""A worker of tests of nodes: URL BUCKET SIZE STEPS; reports lines of JSON.

In the environment: PAUSE for the seconds that training takes; SCHEDULER for the address of a scheduler of
Dask, or RAY for that of a head of Ray, whose workers train then; POINTS for where it stops until it reads a
line, `go` or where it shall stop from then on: `train` before a trial is trained, `last` before one of the
last step is, `uploading` before the upload for a claim that is held, `published` behind it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import hoptim
from hoptim.store.draft import Draft
from hoptim.store.published import Published
from hoptim.store.remote.remote_checkpoints import RemoteCheckpoints
from tests.builders import loss, study

LEASE = 4.0


def report(at: str, **fields: Any) -> None:
    """Write what has happened."""
    sys.stdout.write(json.dumps({"at": at, **fields}) + "\n")
    sys.stdout.flush()


class Points:
    """Where this process stops until it is told to go on."""

    def __init__(self) -> None:
        self.names = set(os.environ.get("POINTS", "").split())

    def pass_by(self, point: str, **fields: Any) -> None:
        """Report that a point is reached, and stay there if told so."""
        report(point, **fields)
        if point in self.names and (line := sys.stdin.readline()) != "go\n":
            self.names = set(line.split())


def opened(url: str, bucket: str, size: int, steps: int) -> hoptim.Study:
    """The study, made if it is not there."""
    return study(url, checkpoints=bucket, size=size, steps=steps, lease=LEASE)


def train(study: hoptim.Study, points: Points | None = None) -> None:
    """Train until all is done; the checkpoint of a trial says who made it."""
    points, here, last = points or Points(), os.uname().nodename, study.steps - 1
    for trial in study:
        if trial.checkpoint is not None:
            maker, text = Path(trial.checkpoint).read_text().split(": ")
            assert text == f"weights of {trial.parent}"
            report("continued", trial=trial.number, maker=maker)
        points.pass_by("train", trial=trial.number)
        if trial.step == last:
            points.pass_by("last", trial=trial.number)
        time.sleep(float(os.environ.get("PAUSE", "0.01")))
        Path(trial.draft).write_text(f"{here}: weights of {trial.number}")
        try:
            trial.tell(loss(trial), checkpoint=trial.draft)
        except hoptim.ClaimLost:
            report("lost", trial=trial.number)
        else:
            report("told", trial=trial.number, value=loss(trial))


def main() -> None:
    """Train, or let workers of Dask or Ray train."""
    logging.basicConfig(format="%(message)s")
    url, bucket, size, steps = sys.argv[1:]
    made = opened(url, bucket, int(size), int(steps))
    report(
        "begin",
    )
    if scheduler := os.environ.get("SCHEDULER"):
        from distributed import Client

        with Client(scheduler) as client:
            hoptim.run(train, made, workers=3, executor=client)
    elif head := os.environ.get("RAY"):
        import ray

        from hoptim.launch.ray import RayExecutor

        ray.init(head)
        hoptim.run(train, made, workers=3, executor=RayExecutor())
    else:
        points = Points()
        _instrument(points)
        train(made, points)
    report("end")


def _instrument(points: Points) -> None:
    """Make the moments around an upload points."""
    publish = RemoteCheckpoints.publish

    def published(self: RemoteCheckpoints, draft: Draft) -> Published:
        points.pass_by("uploading", trial=draft.number)
        found = publish(self, draft)
        points.pass_by("published", trial=draft.number, name=found.name)
        return found

    RemoteCheckpoints.publish = published  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
