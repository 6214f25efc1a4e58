"""`hoptim run`: workers on this machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from hoptim._text import printable
from hoptim.cli import options
from hoptim.cli.output import print_json


@click.command()
@click.option("-n", "--workers", type=int, default=1, metavar="N", show_default=True, help="How many.")
@click.option(
    "--restarts", type=int, default=3, metavar="N", show_default=True,
    help="How often in a row each is started again when it ended badly.",
)  # fmt: skip
@options.as_json
@options.folder
@click.argument("command", metavar="-- COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def run(
    ctx: click.Context, workers: int, restarts: int, as_json: bool, folder: Path, command: tuple[str, ...]
) -> None:
    """Start a command several times here, and keep it running.

    Each worker finds DIR in HOPTIM_STUDY and its number in HOPTIM_WORKER, and its output goes to
    DIR/logs. Ctrl-C is passed on, so that trials are handed back; a second one kills. Exit status: 0 all
    ended well; 1 some worker was given up; 130 after Ctrl-C.
    """
    from hoptim.launch.command import run_command

    summary = run_command(folder, command, workers, restarts)
    if as_json:
        reports = [{**asdict(worker), "log": str(worker.log)} for worker in summary.workers]
        print_json({"folder": str(summary.folder), "stopped": summary.stopped, "workers": reports})
    else:
        click.echo("\n".join(map(printable, str(summary).split("\n"))))
    ctx.exit(summary.status)
