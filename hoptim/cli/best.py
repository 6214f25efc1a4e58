"""`hoptim best`: the best trial, which is what a run delivers."""

from __future__ import annotations

import click

from hoptim._text import printable
from hoptim.cli import options
from hoptim.cli.output import brief, print_json, trial_json
from hoptim.trial import FinishedTrial


@click.command()
@options.place
@click.option("--ever", is_flag=True, help="Take the best of all trials, not only of the members' latest.")
@options.as_json
def best(place: options.Place, ever: bool, as_json: bool) -> None:
    """Print the best trial, its value and hyperparameters.

    Exit status: 0; 1 when no trial has a finite value yet.
    """
    study = options.opened(place)
    trial = study.best_ever if ever else study.best
    if as_json:
        print_json(trial_json(trial, study.space))
        return
    for name, text in _rows(trial):
        click.echo(f"{name:<12}{text}")
    click.echo("params")
    params = study.space.record(trial.params)
    width = max(map(len, map(printable, params)))
    for name, value in params.items():
        click.echo(f"  {printable(name):<{width}}  {brief(value)}")


def _rows(trial: FinishedTrial) -> list[tuple[str, str]]:
    metrics = [(printable(name), brief(value)) for name, value in trial.metrics.items()]
    return [
        ("value", repr(trial.value)),
        *metrics,
        ("trial", f"{trial.number}, step {trial.step} of member {trial.member}"),
        ("trained", f"{trial.age + 1} intervals"),
        ("checkpoint", printable(trial.checkpoint or "none")),
    ]
