"""`hoptim plot` and `hoptim report`: a run in one picture, or on one page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

import hoptim
from hoptim._files import explained
from hoptim._text import printable
from hoptim.analysis.names import name_of
from hoptim.cli import options
from hoptim.cli.output import print_json
from hoptim.cli.repeating import statuses

KINDS = (  # of hoptim.plot.PLOTS
    "hyperparameters", "family-tree", "values", "step-sizes", "parallel-coordinates", "importance",
    "exploits", "overview",
)  # fmt: skip
_OURS = (b'<meta name="generator" content="hoptim">', b"Software\0hoptim")  # near the front of a file
_FRONT = 4096  # bytes


class _PlaceOrKind(options.StudyPlace):
    """Directory of a study, or the kind of picture as the last word."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value in KINDS else super().convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        kinds = [CompletionItem(kind) for kind in KINDS if kind.startswith(incomplete)]
        return [*super().shell_complete(ctx, param, incomplete), *kinds]


@click.command()
@click.argument(
    "words", metavar="DIR... [KIND]", nargs=-1, required=True, type=_PlaceOrKind(file_okay=False)
)
@click.option(
    "-o", "--output", type=options.PATH, metavar="FILE",
    help="File for the picture; its ending is the format, such as .png, .svg or .pdf. Default: "
    "NAME-KIND.png in the current folder.",
)  # fmt: skip
@options.as_json
def plot(words: tuple[Path | str, ...], output: Path | None, as_json: bool) -> None:
    """Draw a run, or the values of several, as PNG, SVG or PDF.

    KIND is hyperparameters, family-tree, values, step-sizes, or overview, these on one sheet, which is
    the default; or parallel-coordinates, importance or exploits. Of several runs it is values: the best so
    far of each, and mean and spread of those that differ by their seed. A directory that is called as a
    kind is ./KIND. Needs the extra 'plot'.
    """
    os.environ["MPLBACKEND"] = "agg"  # a notebook hands down its own, which may not be installed here
    from hoptim.plot import PLOTS, check_format, compare, save

    places, kind = _parted(words)
    file = _named(f"{name_of(str(places[0])) if len(places) == 1 else 'studies'}-{kind}.png", output)
    check_format(file)  # before drawing, which may take a while
    studies = [options.opened(place) for place in places]
    figure = PLOTS[kind](studies[0]) if len(studies) == 1 else compare(studies)
    with explained("write", file):
        save(figure, file)
    _tell(file, as_json)


@click.command()
@options.place
@click.option(
    "-o", "--output", type=options.PATH, metavar="FILE",
    help="Page, such as run.html. Default: NAME.html in the current folder.",
)  # fmt: skip
@click.option(
    "--every", type=options.SECONDS, metavar="S",
    help="Write it again every so many seconds if there is news, until the run ends or Ctrl-C; a browser "
    "that shows it loads it as often. Default: write it once.",
)  # fmt: skip
@options.as_json
def report(place: options.Place, output: Path | None, every: float | None, as_json: bool) -> None:
    """Write a run as one page of HTML that works offline."""
    from hoptim.report import write

    file = _named(f"{name_of(str(place))}.html", output)
    study = options.opened(place)
    if every is None:
        write(study, file)
        _tell(file, as_json)
        return
    shown = None
    for status in statuses(study, every):
        found = study.results().records, status.ended
        if found != shown:
            write(study, file, None if status.ended else every)
        if shown is None:
            _tell(file, as_json)
        shown = found


def _parted(words: Sequence[Path | str]) -> tuple[list[options.Place], str]:
    """Return the directories, and the kind of picture."""
    *_, last = words
    places = [word for word in (words[:-1] if last in KINDS else words) if word not in KINDS]
    if len(places) + (last in KINDS) < len(words) or not places:
        raise hoptim.ArgumentError("Name the directories of studies first, and then one kind of picture.")
    kind = str(last) if last in KINDS else "overview" if len(places) == 1 else "values"
    if len(places) > 1 and kind != "values":
        raise hoptim.ArgumentError(f"Several studies can be drawn as 'values', not as {kind!r}.")
    return places, kind


def _named(default: str, output: Path | None) -> Path:
    """Return the file to write, which is not another one's unless the user named it."""
    if output is not None:
        return output
    file = Path(default)
    if file.exists():
        with explained("read", file), file.open("rb") as there:
            front = there.read(_FRONT)
        if not any(mark in front for mark in _OURS):
            raise hoptim.ArgumentError(
                f"{default!r} is there already, and hoptim did not write it: name the file with -o."
            )
    return file


def _tell(file: Path, as_json: bool) -> None:
    if as_json:
        print_json({"file": str(file)})
    else:
        click.echo(f"Wrote {printable(str(file))}.")
