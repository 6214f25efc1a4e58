"""`hoptim plot` and `hoptim report`: a run in one picture, or on one page."""

from __future__ import annotations

from pathlib import Path

import click

from hoptim._files import explained
from hoptim._text import printable
from hoptim.cli import options
from hoptim.cli.output import print_json

KINDS = ("hyperparameters", "family-tree", "values", "step-sizes", "overview")  # of hoptim.plot.PLOTS


@click.command()
@options.folder
@click.argument("kind", type=click.Choice(KINDS), default="overview")
@click.option(
    "-o", "--output", type=options.PATH, metavar="FILE", required=True,
    help="File for the picture; its ending is the format, such as .png, .svg or .pdf.",
)  # fmt: skip
@options.as_json
def plot(folder: Path, kind: str, output: Path, as_json: bool) -> None:
    """Draw a run as PNG, SVG or PDF.

    KIND selects the plot; the default is all of them on one sheet. Needs the extra 'plot'.
    """
    from hoptim.plot import PLOTS, check_format, save

    check_format(output)  # before drawing, which may take a while
    figure = PLOTS[kind](options.opened(folder))
    with explained("write", output):
        save(figure, output)
    _tell(output, as_json)


@click.command()
@options.folder
@click.option(
    "-o", "--output", type=options.PATH, metavar="FILE", required=True, help="Page, such as run.html."
)
@options.as_json
def report(folder: Path, output: Path, as_json: bool) -> None:
    """Write a run as one page of HTML that works without a network."""
    from hoptim.report import write

    write(options.opened(folder), output)
    _tell(output, as_json)


def _tell(file: Path, as_json: bool) -> None:
    if as_json:
        print_json({"file": str(file)})
    else:
        click.echo(f"Wrote {printable(str(file))}.")
