"""`hoptim status` and `hoptim watch`: the state of a run, once or again and again."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import click

from hoptim.cli import options
from hoptim.cli.output import print_json, print_line
from hoptim.cli.repeating import statuses

if TYPE_CHECKING:
    from rich.console import Console

    from hoptim.study import Study


@click.command()
@options.place
@options.as_json
def status(place: options.Place, as_json: bool) -> None:
    """Show how a run stands: results, workers, time left."""
    study = options.opened(place)
    if as_json:
        print_json(study.status().to_json(study.space))
        return
    from hoptim.cli.overview import overview
    from hoptim.cli.screen import console

    screen = console()
    screen.print(overview(study.status(), screen))


@click.command()
@options.place
@options.every
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each look.")
def watch(place: options.Place, every: float, as_json: bool) -> None:
    """Show the status repeatedly, until the run ends or Ctrl-C.

    Into a pipe or a file it prints one line for each look.
    """
    study = options.opened(place)
    if as_json:
        for found in statuses(study, every):
            print_line(found.to_json(study.space))
        return
    from hoptim.cli.overview import summary
    from hoptim.cli.screen import console

    screen = console()
    if screen.is_terminal:
        _live(study, every, screen)
    else:
        for found in statuses(study, every):
            screen.print(summary(found))


def _live(study: Study, every: float, screen: Console) -> None:
    from rich.live import Live

    from hoptim.cli.overview import overview

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cursor is shown again
    with Live(console=screen, auto_refresh=False) as live:
        for found in statuses(study, every):
            live.update(overview(found, screen, screen.height), refresh=True)
