"""`hoptim export`: all finished trials as a table, for other tools."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from hoptim.cli import options
from hoptim.cli.output import TRIAL_KEYS, trial_json, written
from hoptim.space.space import Space
from hoptim.trial import FinishedTrial

_NESTED = ("params", "metrics")


@click.command()
@options.folder
@click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True,
    help="Write a table, or a line of JSON for each trial.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The same as --format jsonl.")
@options.output
def export(folder: Path, form: str, as_json: bool, output: Path | None) -> None:
    """Write all finished trials, one a line, for other tools.

    Floats are exact. Hyperparameters are in columns params.NAME, metrics in metrics.NAME, one that is a
    list or an object as JSON; a named object is given by its name. A value that is not finite is nan,
    inf or -inf.
    """
    study = options.opened(folder)
    trials = study.trials  # one look: a run may go on
    rows = (_row(trial, study.space) for trial in trials)
    with written(output) as file:
        if form == "csv" and not as_json:
            metrics = dict.fromkeys(name for trial in trials for name in trial.metrics)
            _write_csv(
                rows, [*_columns("params", study.space.dimensions), *_columns("metrics", metrics)], file
            )
        else:
            file.writelines(json.dumps(row, allow_nan=False) + "\n" for row in rows)


def _write_csv(rows: Iterable[dict[str, Any]], columns: Sequence[str], file: TextIO) -> None:
    table = csv.DictWriter(
        file, [*(key for key in TRIAL_KEYS if key not in _NESTED), *columns], lineterminator="\n"
    )
    table.writeheader()
    table.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _cell(value: Any) -> Any:
    """Return what stands in a cell of the table; a list or an object as JSON."""
    return json.dumps(value, allow_nan=False) if isinstance(value, (list, dict)) else value


def _row(trial: FinishedTrial, space: Space) -> dict[str, Any]:
    row = trial_json(trial, space)
    nested = {column: value for kind in _NESTED for column, value in _flat(kind, row.pop(kind))}
    return {**row, **nested}


def _flat(kind: str, values: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return zip(_columns(kind, values), values.values(), strict=True)


def _columns(kind: str, names: Iterable[str]) -> list[str]:
    return [f"{kind}.{name}" for name in names]
