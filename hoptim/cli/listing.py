"""`hoptim ls`: the studies in a folder, a line each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

import hoptim
from hoptim.cli import options
from hoptim.cli.output import print_error, print_json_list
from hoptim.cli.reading import show_reading
from hoptim.store.layout import JOURNAL, STUDY

_HEADER = ("study", "done", "best", "workers", "failed")


@click.command()
@click.argument("folder", metavar="[FOLDER]", type=options.FOLDER, default=".")
@click.option(
    "--depth", type=click.IntRange(min=0), default=3, metavar="N", show_default=True,
    help="Levels of folders to search below FOLDER.",
)  # fmt: skip
@options.as_json
@click.pass_context
def ls(ctx: click.Context, folder: Path, depth: int, as_json: bool) -> None:
    """List the studies in a folder, with progress and best.

    FOLDER is by default the current one; folders below it are searched. Links and hidden folders are not
    followed. Exit status: 0; 1 if a folder or a study could not be read, which standard error names.
    """
    if not folder.is_dir():
        raise hoptim.ArgumentError(f"{str(folder)!r} is not a directory.")
    wrong: list[str] = []
    rows = list(_rows(folder, depth, lambda error: wrong.append(_reason(error))))
    if as_json:
        print_json_list(rows)
    elif rows:
        _show(rows)
    for error in wrong:
        print_error(error)
    if not rows and not wrong:
        print_error(f"There is no study in {str(folder)!r}, down to {depth} folders below it.")
    ctx.exit(1 if wrong else 0)


def _rows(folder: Path, depth: int, refused: Callable[[Exception], None]) -> Iterator[dict[str, Any]]:
    for path in _studies(folder, depth, refused):
        try:
            yield _row(path, folder)
        except (hoptim.HoptimError, OSError) as error:
            refused(error)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, hoptim.HoptimError):
        return f"Could not read {error.filename!r}: {error.strerror}."
    return str(error)


def _studies(folder: Path, depth: int, refused: Callable[[Exception], None]) -> Iterator[Path]:
    for path, below, files in os.walk(folder, onerror=refused):
        if STUDY in files or JOURNAL in files:
            below.clear()
            yield Path(path)
        elif len(Path(path).relative_to(folder).parts) >= depth:
            below.clear()
        else:
            below[:] = sorted(name for name in below if not name.startswith("."))


def _row(path: Path, folder: Path) -> dict[str, Any]:
    show_reading(path.name)
    status = hoptim.load(path).status()
    return {
        "path": str(path),
        "name": str(path.relative_to(folder)) if path != folder else path.name,
        "finished": status.finished,
        "trials": status.size * status.steps,
        "done": status.done,
        "best": None if status.best is None else status.best.value,  # finite
        "mode": status.mode,
        "workers": len({held.worker for held in status.running if not held.lost}),
        "failed": status.failed,
    }


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
