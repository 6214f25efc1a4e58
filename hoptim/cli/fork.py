"""`hoptim fork`: a new study that goes on from another one."""

from __future__ import annotations

from pathlib import Path

import click

import hoptim
from hoptim._text import printable
from hoptim.cli import options
from hoptim.cli.output import print_json


@click.command()
@options.folder
@click.argument("new", metavar="NEW", type=options.PATH)
@click.option(
    "--at-step", type=int, metavar="N", help="The generation after this step; else the latest whole one."
)
@click.option("--size", type=int, metavar="N", help="Number of members; fewer are the best ones.")
@click.option(
    "--steps", type=int, metavar="N", help="Trials of each member, the one it begins with included."
)
@click.option("--seed", type=int, metavar="N", help="Of the new study; else the old one's and 1.")
@options.as_json
def fork(
    folder: Path, new: Path, at_step: int | None, size: int | None, steps: int | None, seed: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Make a study in NEW that goes on from a generation of DIR.

    What is not given stays as it was, and DIR is not changed. Another space or optimizer needs
    hoptim.fork in Python.
    """
    study = hoptim.fork(folder, new, at_step=at_step, size=size, steps=steps, seed=seed)
    if as_json:
        print_json({"path": study.path, "size": study.size, "steps": study.steps, "seed": study.seed})
    else:
        click.echo(f"Made {printable(str(study.path))}: {study.size} members, {study.steps} steps.")
