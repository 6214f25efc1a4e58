"""`hoptim stop` and `hoptim resume`: all workers of a run stop after their trial, and it may go on."""

from __future__ import annotations

from pathlib import Path

import click

import hoptim
from hoptim._text import counted
from hoptim.cli import options
from hoptim.cli.output import stopped_line


@click.command()
@options.folder
@click.option(
    "--reason",
    default="hoptim stop",
    metavar="TEXT",
    show_default=True,
    help="Reason, kept in the journal.",
)
@options.single_host
def stop(folder: Path, reason: str, single_host: bool) -> None:
    """Stop a run: all workers end after the trial in hand.

    They may be anywhere, and nothing is lost. A run that has stopped already stays as it is. `hoptim
    resume` takes it back.
    """
    options.opened(folder)
    study = hoptim.load(folder, single_host=single_host)
    study.stop(reason)
    found = study.status()
    if found.stopped is not None:  # else resumed by somebody else at once
        held = counted(len(found.running), "trial")
        click.echo(f"Stopped: {stopped_line(found.stopped)}. {held} in hand may still be told.")


@click.command()
@options.folder
@options.single_host
def resume(folder: Path, single_host: bool) -> None:
    """Let a run that was stopped go on.

    Its workers are to be started again. A target or a budget that was met before is ignored from now on.
    """
    options.opened(folder)
    hoptim.load(folder, single_host=single_host, resume=True)
