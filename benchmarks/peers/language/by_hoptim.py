"""hoptim's optimizers with as many worker processes as cores, which train one trial after another."""

from __future__ import annotations

from pathlib import Path

import hoptim
from peers.language.member import Member
from peers.language.task import SPACE, Task, serve


def play(task: Task) -> Path:
    """Run a synchronous study in a directory, with the optimizer's defaults."""
    study = hoptim.Study(
        task.kept, space=SPACE, optimizer=getattr(hoptim, task.arguments["optimizer"])(), size=task.size,
        steps=task.steps, mode="min", seed=task.seed, start=task.starts, synchronous=True,
    )  # fmt: skip
    hoptim.run(train, study, workers=task.cores)
    assert study.best.checkpoint is not None
    return Path(study.best.checkpoint)


def train(study: hoptim.Study) -> None:
    """Train what is due until the study is done."""
    member, held = Member(Task.current()), None
    for trial in study:
        if trial.parent is None:
            member.begin(trial.member)
        elif trial.parent != held:
            assert trial.checkpoint is not None
            member.load(trial.checkpoint)
        trial.tell(member.train(trial.params, trial.member), save=member.save)
        held = trial.number


if __name__ == "__main__":
    serve(play)
