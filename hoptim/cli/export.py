"""`hoptim export`: all finished trials as a table, for other tools."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from hoptim._arguments import json_metric
from hoptim.analysis import flat_table
from hoptim.cli import options
from hoptim.cli.output import written
from hoptim.space.space import Space
from hoptim.trial import FinishedTrial


@click.command()
@options.place
@click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True,
    help="Write a table, or a line of JSON for each trial.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The same as --format jsonl.")
@options.output
def export(place: options.Place, form: str, as_json: bool, output: Path | None) -> None:
    """Write all finished trials, one a line, for other tools.

    Floats are exact. Hyperparameters are in columns params.NAME, metrics in metrics.NAME; a named object
    is given by its name, a mapping by a column for each of its values, a list as JSON; constants are left
    out. A value that is not finite is nan, inf or -inf.
    """
    study = options.opened(place)
    trials = study.trials  # one look: a run may go on
    rows = (_row(trial, study.space) for trial in trials)
    with written(output) as file:
        if form == "csv" and not as_json:
            _write_csv(rows, flat_table.header(trials, study.space), file)
        else:
            file.writelines(json.dumps(row, allow_nan=False) + "\n" for row in rows)


def _write_csv(rows: Iterable[dict[str, Any]], columns: Sequence[str], file: TextIO) -> None:
    table = csv.writer(file, lineterminator="\n")
    table.writerow(columns)
    table.writerows([flat_table.cell(row.get(name)) for name in columns] for row in rows)


def _row(trial: FinishedTrial, space: Space) -> dict[str, Any]:
    return {name: json_metric(value) for name, value in flat_table.row(trial, space).items()}
