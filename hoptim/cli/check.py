"""`hoptim check` for the directory of a study, `hoptim check-dir` for one that is to hold a study."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hoptim.cli import options
from hoptim.cli.output import print_json
from hoptim.errors import ArgumentError

if TYPE_CHECKING:
    from hoptim.store.check.report import Report


@click.command()
@options.place
@click.option(
    "--repair", is_flag=True,
    help="Copy study.json and the journal, then cut off an interrupted append and move leftovers aside; "
    "nothing else is touched and nothing deleted.",
)  # fmt: skip
@options.single_host
@options.as_json
@click.pass_context
def check(ctx: click.Context, place: options.Place, repair: bool, single_host: bool, as_json: bool) -> None:
    """List everything that is wrong with a study.

    Workers may train meanwhile. Exit status: 0 no errors, though there may be leftovers; 1 errors; 2 no
    study.
    """
    report = _repaired(place, single_host) if repair else _checked(place, single_host)
    if as_json:
        print_json(report.to_json())
    else:
        click.echo(str(report))
    ctx.exit(0 if report.ok else 1)


def _checked(place: options.Place, single_host: bool) -> Report:
    from hoptim.store.check.database import check_database
    from hoptim.store.check.inspection import check
    from hoptim.store.places import backend_at

    if isinstance(place, str):
        return check_database(backend_at(place))
    return check(place, single_host=single_host)


def _repaired(place: options.Place, single_host: bool) -> Report:
    from hoptim.store.check.repair import repair

    if isinstance(place, str):
        raise ArgumentError("A database leaves nothing half done, so there is nothing to repair in it.")
    return repair(place, single_host=single_host)


@click.command("check-dir")
@options.folder
@click.option(
    "--machines", type=int, default=1, metavar="N",
    help="Wait until this command runs on the directory N times, then test locks and files between them.",
)  # fmt: skip
@click.option(
    "--minutes", type=float, default=5.0, metavar="M", show_default=True,
    help="Minutes to wait for the others.",
)  # fmt: skip
@options.as_json
@click.pass_context
def check_dir(ctx: click.Context, folder: Path, machines: int, minutes: float, as_json: bool) -> None:
    """Test whether a directory is fit for a study.

    Run it on several machines at once to test between them. Works in a hidden folder of its own and removes
    it. Exit status: 0 fit; 1 not; 2 no directory.
    """
    from hoptim.store.check import directory

    found = []
    with closing(directory.examine(folder, machines, minutes * 60)) as verdicts:
        for verdict in verdicts:
            found.append(verdict)
            if not as_json:
                click.echo(str(verdict))
    fit = all(verdict.ok for verdict in found)
    if as_json:
        print_json({"ok": fit, "verdicts": [verdict._asdict() for verdict in found]})
    else:
        click.echo(f"The directory is {'fit' if fit else 'NOT fit'} for a study.")
    ctx.exit(0 if fit else 1)
