"""`hoptim export-checkpoint`: a whole copy of a checkpoint, made while others train."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

import hoptim
from hoptim._files import explained
from hoptim.cli import options
from hoptim.errors import ArgumentError, CheckpointError
from hoptim.store.layout import hidden_name
from hoptim.store.linking import link_or_copy
from hoptim.store.tree import opened, remove
from hoptim.trial import FinishedTrial

_TRIES = 20  # a study whose checkpoints go faster than they are copied is best asked for `study.pin`


@click.command("export-checkpoint")
@options.place
@click.option("--best", is_flag=True, help="Take the best of the members' latest trials, the default.")
@options.trial
@click.option(
    "-o", "--output", type=options.PATH, required=True, metavar="FOLDER",
    help="Path of the copy, a folder or a file as the checkpoint is one; nothing may be there yet.",
)  # fmt: skip
def export_checkpoint(place: options.Place, best: bool, trial: int | None, output: Path) -> None:
    """Copy a checkpoint whole, while others train.

    Needs no permission to write in DIR. A checkpoint that is dropped meanwhile is not taken for whole: the
    best by then is copied instead.
    Exit status: 1 when there is no checkpoint.
    """
    if best and trial is not None:
        raise ArgumentError("Give either --best or --trial, not both.")
    if os.path.lexists(output):
        raise ArgumentError(f"There is something at {str(output)!r} already; name a new path.")
    study = options.opened(place)
    for _ in range(_TRIES):
        chosen = study.best if trial is None else study.lineage(trial).trial
        with _pinned(study, chosen) as path:
            copied = _copied(chosen, path, output)
        if copied:
            click.echo(f"Copied the checkpoint of trial {chosen.number}.")
            return
    raise CheckpointError(
        f"In {_TRIES} tries the checkpoint was dropped while it was copied, or was not there: "
        "`hoptim check DIR` lists what is missing. In Python, `with study.pin() as path:` keeps one; that "
        "needs permission to write in the directory."
    )


@contextmanager
def _pinned(study: hoptim.Study, trial: FinishedTrial) -> Iterator[str | None]:
    """Give the path of a trial's checkpoint; one that is not on disk is pinned, to be downloaded."""
    if trial.checkpoint is not None and "://" in trial.checkpoint:
        with study.pin(trial) as path:
            yield path
    else:
        yield trial.checkpoint


def _copied(trial: FinishedTrial, path: str | None, output: Path) -> bool:
    """Copy a trial's checkpoint; return False, with nothing left, if it was dropped meanwhile."""
    if path is None:
        raise CheckpointError(
            f"Trial {trial.number} has no checkpoint, or it was dropped. Those stay that a trial may still "
            "continue from, the best and the best ever; keep=... keeps more."
        )
    draft, (place, name) = hidden_name(output.name), os.path.split(path)
    with explained("copy to", output), opened(output.absolute().parent) as folder:
        try:
            with suppress(FileNotFoundError):
                link_or_copy(path, draft, folder, link=False)
                if name in os.listdir(place):  # a drop takes the name away before any file
                    os.rename(draft, output.name, src_dir_fd=folder, dst_dir_fd=folder)
                    return True
        finally:
            remove(draft, folder)
    return False
