"""`hoptim fork`: a new study that begins with a generation of another one."""

from __future__ import annotations

from typing import Any

import click

import hoptim
from hoptim._text import printable
from hoptim.cli import options
from hoptim.cli.output import print_json


@click.command()
@options.place
@click.argument("new", metavar="NEW", type=options.PLACE)
@click.option(
    "--at-step", type=int, metavar="N",
    help="Step whose generation to begin with. Default: the last that all members finished.",
)  # fmt: skip
@click.option(
    "--size", type=int, metavar="N", help="Number of members; fewer are the best ones. Default: as before."
)
@click.option(
    "--steps",
    type=int,
    metavar="N",
    help="Trials of each member, the first included. Default: up to DIR's last.",
)
@click.option("--seed", type=int, metavar="N", help="Seed of the new study. Default: the old one's plus 1.")
@options.checkpoints
@options.single_host
@options.as_json
def fork(
    place: options.Place, new: options.Place, single_host: bool, as_json: bool, **settings: Any
) -> None:
    """Make a study in NEW that begins with a generation of DIR.

    Settings that are not given stay as they were, and DIR is not changed. Another space, optimizer or
    objective needs hoptim.fork in Python.
    """
    study = hoptim.fork(place, new, single_host=single_host, **settings)
    if as_json:
        print_json({"path": study.path, "size": study.size, "steps": study.steps, "seed": study.seed})
    else:
        click.echo(f"Made {printable(str(study.path))}: {study.size} members, {study.steps} steps.")
