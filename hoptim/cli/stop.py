"""`hoptim stop` and `hoptim resume`: all workers of a run stop after their trial, and it may go on."""

from __future__ import annotations

import click

import hoptim
from hoptim._text import counted
from hoptim.cli import options
from hoptim.cli.output import stopped_line


@click.command()
@options.place
@click.option(
    "--reason",
    default="hoptim stop",
    metavar="TEXT",
    show_default=True,
    help="Reason, kept in the journal.",
)
@options.single_host
def stop(place: options.Place, reason: str, single_host: bool) -> None:
    """Stop a run: all workers end after the trial in hand.

    They may be anywhere, and nothing is lost. A run that has stopped already stays as it is. `hoptim
    resume` takes it back.
    """
    options.opened(place)
    study = hoptim.load(place, single_host=single_host)
    study.stop(reason)
    found = study.status()
    if found.stopped is not None:  # else resumed by somebody else at once
        held = counted(len(found.running), "trial")
        click.echo(f"Stopped: {stopped_line(found.stopped)}. {held} in hand may still be told.")


@click.command()
@options.place
@options.single_host
def resume(place: options.Place, single_host: bool) -> None:
    """Let a run that was stopped go on.

    Its workers are to be started again. A target or a budget that was met before is ignored from now on.
    """
    options.opened(place)
    hoptim.load(place, single_host=single_host, resume=True)
