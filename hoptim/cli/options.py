"""Arguments and options that many commands have, and the study that they are about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import hoptim

PATH: Any = click.Path(path_type=Path)

folder = click.argument("folder", metavar="DIR", type=PATH)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
output = click.option(
    "-o", "--output", type=PATH, metavar="FILE", help="Write to a file instead of standard output."
)
trial = click.option(
    "--trial",
    type=int,
    metavar="N",
    help="Number of the trial; without it the best of the members' latest.",
)

single_host = click.option(
    "--single-host",
    is_flag=True,
    help="Your word that all processes of the study run on this machine, as for Study.",
)


def opened(folder: Path) -> hoptim.Study:
    """The study in a directory, for reading.

    Raises:
        ArgumentError: There is none; names those that are one level further down.
    """
    if folder.exists() and not folder.is_dir():
        raise hoptim.ArgumentError(f"{str(folder)!r} is no directory.")
    try:
        return hoptim.load(folder)
    except hoptim.ArgumentError as error:
        below = sorted(str(path.parent) for path in folder.glob("*/study.json"))
        if not below:
            raise
        more = f" and {len(below) - 5} more" if len(below) > 5 else ""
        raise hoptim.ArgumentError(f"{error} There are studies in {', '.join(below[:5])}{more}.") from None
