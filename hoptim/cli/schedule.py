"""`hoptim schedule`: the schedule of hyperparameters that a run found."""

from __future__ import annotations

import json
import math
from pathlib import Path

import click

from hoptim.analysis.schedule import Schedule
from hoptim.cli import options
from hoptim.cli.output import brief, written


@click.command()
@options.place
@options.trial
@click.option("--csv", "form", flag_value="csv", help="Print CSV with exact floats.")
@click.option("--json", "form", flag_value="json", help="Print JSON for Schedule.load.")
@options.output
def schedule(place: options.Place, trial: int | None, form: str | None, output: Path | None) -> None:
    """Print what the winner was trained with, by age.

    The schedule begins with fresh weights, or those that start= gave, and follows every exploit. A file
    whose name ends in .csv is CSV, any other is JSON.
    """
    found = options.opened(place).schedule(trial)
    if output is not None and form is None:
        form = "csv" if output.suffix.lower() == ".csv" else "json"
    if form is None:
        _show(found)
        return
    with written(output) as file:
        file.write(found.to_csv() if form == "csv" else json.dumps(found.to_json(), indent=1) + "\n")


def _show(schedule: Schedule) -> None:
    from hoptim.cli.screen import console, tables

    screen = console()
    names = list(schedule.space.dimensions)
    rows = [
        [
            str(it.age),
            str(it.member),
            "none" if math.isnan(it.value) else f"{it.value:.6g}",
            *(brief(params[name]) if name in params else "" for name in names),
        ]
        for it in schedule
        for params in [schedule.space.record(it.params)]
    ]
    for table in tables(["age", "member", "value", *names], rows, 3, screen.width):
        screen.print(table)
