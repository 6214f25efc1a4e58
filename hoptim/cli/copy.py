"""`hoptim copy`: the same study in another place."""

from __future__ import annotations

import click

import hoptim
from hoptim._text import printable
from hoptim.cli import options
from hoptim.cli.output import print_json


@click.command()
@options.place
@click.argument("new", metavar="NEW", type=options.PLACE)
@options.checkpoints
@options.single_host
@options.as_json
def copy(
    place: options.Place, new: options.Place, checkpoints: str | None, single_host: bool, as_json: bool
) -> None:
    """Copy a study to another directory or database.

    Records are copied to the byte, and all checkpoints that are there. DIR is not changed, and may be in
    training. NEW must not exist.
    """
    study = hoptim.copy(place, new, checkpoints=checkpoints, single_host=single_host)
    if as_json:
        print_json({"path": study.path, "trials": len(study.trials), "uuid": study.uuid})
    else:
        click.echo(f"Made {printable(str(study.path))}: {len(study.trials)} finished trials.")
