"""`hoptim ls`: the studies in a folder, a line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

import hoptim
from hoptim.analysis.names import name_of
from hoptim.analysis.status import brief
from hoptim.cli import options
from hoptim.cli.output import print_error, print_json_list
from hoptim.cli.reading import show_reading
from hoptim.errors import reason
from hoptim.store.finding import DEPTH
from hoptim.store.places import studies_at

_HEADER = ("study", "done", "best", "workers", "failed")


@click.command()
@click.argument("place", metavar="[FOLDER]", type=options.PLACE, default=".")
@click.option(
    "--depth", type=click.IntRange(min=0), default=DEPTH, metavar="N", show_default=True,
    help="Levels of folders to search below FOLDER.",
)  # fmt: skip
@options.as_json
@click.pass_context
def ls(ctx: click.Context, place: options.Place, depth: int, as_json: bool) -> None:
    """List the studies in a folder, with progress and best.

    FOLDER is by default the current one; folders below it are searched. Links and hidden folders are not
    followed. It may also be a database: postgresql://user@host/db. Exit status: 0; 1 if a folder or a study
    could not be read, which standard error names.
    """
    if isinstance(place, Path) and not place.is_dir():
        raise hoptim.ArgumentError(f"{str(place)!r} is not a directory.")
    wrong: list[str] = []
    rows = list(_rows(place, depth, lambda error: wrong.append(reason(error))))
    if as_json:
        print_json_list(rows)
    elif rows:
        _show(rows)
    for error in wrong:
        print_error(error)
    if not rows and not wrong:
        print_error(f"There is no study in {str(place)!r}, down to {depth} folders below it.")
    ctx.exit(1 if wrong else 0)


def _rows(
    place: options.Place, depth: int, refused: Callable[[Exception], None]
) -> Iterator[dict[str, Any]]:
    for path, name in studies_at(place, depth, refused):
        try:
            show_reading(name_of(str(path)))
            yield {"path": str(path), "name": name, **brief(hoptim.load(path).status())}
        except (hoptim.HoptimError, OSError) as error:
            refused(error)


def _show(rows: list[dict[str, Any]]) -> None:
    from hoptim.cli.screen import console, tables

    screen = console()
    cells = [
        [
            row["name"],
            f"{row['finished']} of {row['trials']}",
            "none yet" if row["best"] is None else f"{row['best']:.6g}",
            str(row["workers"]),
            str(row["failed"]),
        ]
        for row in rows
    ]
    for table in tables(_HEADER, cells, 1, screen.width, left=("study",)):
        screen.print(table)
