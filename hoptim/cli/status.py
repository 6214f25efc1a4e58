"""`hoptim status` and `hoptim watch`: the state of a run, once or again and again."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hoptim.cli import options
from hoptim.cli.output import print_json, print_line

if TYPE_CHECKING:
    from rich.console import Console

    from hoptim.analysis.status import Status
    from hoptim.study import Study


@click.command()
@options.folder
@options.as_json
def status(folder: Path, as_json: bool) -> None:
    """Show how a run stands: results, workers, time left."""
    study = options.opened(folder)
    if as_json:
        print_json(study.status().to_json(study.space))
        return
    from hoptim.cli.overview import overview
    from hoptim.cli.screen import console

    screen = console()
    screen.print(overview(study.status(), screen))


@click.command()
@options.folder
@click.option(
    "--every", type=click.FloatRange(min=0.1), default=2.0, metavar="S", show_default=True,
    help="Seconds between two looks; each reads only new records.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each look.")
def watch(folder: Path, every: float, as_json: bool) -> None:
    """Show the status repeatedly, until the run ends or Ctrl-C.

    Into a pipe or a file it prints one line for each look.
    """
    study = options.opened(folder)
    if as_json:
        _repeat(study, every, lambda status: print_line(status.to_json(study.space)))
        return
    from hoptim.cli.overview import summary
    from hoptim.cli.screen import console

    screen = console()
    if screen.is_terminal:
        _live(study, every, screen)
    else:
        _repeat(study, every, lambda status: screen.print(summary(status)))


def _live(study: Study, every: float, screen: Console) -> None:
    from rich.live import Live

    from hoptim.cli.overview import overview

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cursor is shown again
    with Live(console=screen, auto_refresh=False) as live:
        _repeat(
            study, every, lambda status: live.update(overview(status, screen, screen.height), refresh=True)
        )


def _repeat(study: Study, every: float, show: Callable[[Status], object]) -> None:
    while True:
        found = study.status()
        show(found)
        if found.done or (found.stopped is not None and not found.running):
            return
        time.sleep(every)
