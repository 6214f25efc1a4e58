"""`hoptim run`: workers on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hoptim._text import printable
from hoptim.cli import options
from hoptim.cli.output import print_json
from hoptim.errors import ArgumentError, HoptimError, NoResult
from hoptim.study import load

if TYPE_CHECKING:
    from hoptim.launch.summary import LaunchSummary

_HEADER = ("worker", "starts", "ended", "log")


@click.command()
@click.option(
    "-n", "--workers", type=int, default=1, metavar="N", show_default=True, help="Number of workers."
)
@click.option(
    "--restarts", type=int, default=3, metavar="N", show_default=True,
    help="Restarts in a row after which a worker that keeps failing is given up.",
)  # fmt: skip
@click.option(
    "--max-deaths", type=int, default=3, metavar="N", show_default=True,
    help="Deaths of workers after which the trial that they held is marked failed.",
)  # fmt: skip
@options.single_host
@options.as_json
@options.folder
@click.argument("command", metavar="-- COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def run(
    ctx: click.Context,
    workers: int,
    restarts: int,
    max_deaths: int,
    single_host: bool,
    as_json: bool,
    folder: Path,
    command: tuple[str, ...],
) -> None:
    """Start a command several times here, and keep it running.

    Each worker finds DIR in HOPTIM_STUDY and its number in HOPTIM_WORKER, and its output goes to
    DIR/logs, behind a line with COMMAND and its arguments. A terminal shows on one line how far the
    study is. Ctrl-C is passed on, so that trials are handed back; a second one kills. Exit status: 0 all
    ended well; 1 some worker was given up; 130 after Ctrl-C.
    """
    from hoptim.launch.command import run_command

    summary = run_command(
        folder, command, workers, restarts, max_deaths=max_deaths, single_host=single_host, progress=True
    )
    if as_json:
        workers_json = [{**asdict(worker), "log": str(worker.log)} for worker in summary.workers]
        print_json({"folder": str(summary.folder), "stopped": summary.stopped, "workers": workers_json})
    else:
        _show(summary)
    ctx.exit(summary.status)


def _show(summary: LaunchSummary) -> None:
    from hoptim.cli.screen import console, tables

    screen = console()
    rows = [(str(it.number), str(it.starts), it.ending, str(it.log)) for it in summary.workers]
    for table in tables(_HEADER, rows, len(_HEADER), screen.width, left=_HEADER):
        screen.print(table)
    for line in _state(summary.folder):
        click.echo(printable(line))


def _state(folder: Path) -> Iterator[str]:
    """Yield a line on the study, which a command that fails may not even have made."""
    try:
        study = load(folder)
        done = f"{len(study.trials)} of {study.size * study.steps} steps done"
        line = f"Study {str(folder)!r}: {study.size} members, {done}"
        with suppress(NoResult):
            line += f", best value {study.best.value:g} (member {study.best.member})"
        yield line
        if (stopped := study.stopped) is not None:
            yield f"The study has stopped: {stopped.why}"
    except ArgumentError:
        yield f"There is no study in {str(folder)!r}; is that the one that the command trains?"
    except HoptimError as error:
        yield f"The study cannot be read: {error}"
