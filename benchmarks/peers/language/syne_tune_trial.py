"""The script that Syne Tune starts for each trial, and again as a new one for each exploit."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from syne_tune import Reporter

from peers.language.member import Member
from peers.language.task import SPACE, Task

FILE = "member.pt"


def main() -> None:
    """Train from the checkpoint, if there is one, to the end.

    A checkpoint may have come to the end: its trial went on while the package decided to continue from it.
    Then that is reported, since a trial without a report ends the whole run.
    """
    parser = argparse.ArgumentParser()
    for name in SPACE:
        parser.add_argument(f"--{name}", type=float)
    parser.add_argument("--st_checkpoint_dir", type=Path)
    given, _ = parser.parse_known_args()
    params = {name: getattr(given, name) for name in SPACE}
    folder, task, report = given.st_checkpoint_dir, Task.current(), Reporter()
    folder.mkdir(parents=True, exist_ok=True)
    number, member = int(folder.parent.name), Member(task)
    if (folder / FILE).exists():
        member.load(folder / FILE)
    else:
        member.begin(number)
    if member.age == task.steps:
        report(step=member.age, loss=member.loss)
    while member.age < task.steps:
        loss = member.train(params, number)
        member.save(folder.parent / "new")  # not in the folder, which an exploit may be copying
        os.replace(folder.parent / "new", folder / FILE)
        report(step=member.age, loss=loss)


if __name__ == "__main__":
    main()
