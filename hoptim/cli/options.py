"""Arguments and options of many commands, and the study that they name."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

import hoptim
from hoptim._paths import study_folder, study_place, user_path
from hoptim.analysis.names import name_of
from hoptim.cli.reading import show_reading

Place = Path | str  # of a study: a directory, or a URL


class _Path(click.Path):
    """Path as the library takes it from a user."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        return user_path(value)


class StudyFolder(click.Path):
    """Directory of a study, as the library takes it from a user; shells complete it as a directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path of the directory."""
        return study_folder(value)


class StudyPlace(StudyFolder):
    """Directory of a study, or the URL of one in a database."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:  # type: ignore[override]
        """Return the path of the directory, or the URL."""
        return study_place(value)


class _Seconds(click.FloatRange):
    """Time to wait; at most a day, and never NaN, which no range excludes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds: float = super().convert(value, param, ctx)
        return self.fail(f"{value!r} is not a number.", param, ctx) if math.isnan(seconds) else seconds


PATH, FOLDER, PLACE = _Path(), StudyFolder(file_okay=False), StudyPlace(file_okay=False)
SECONDS = _Seconds(0.1, 86_400.0)

folder = click.argument("folder", metavar="DIR", type=FOLDER)
place = click.argument("place", metavar="DIR", type=PLACE)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
output = click.option(
    "-o", "--output", type=PATH, metavar="FILE", help="Write to a file instead of standard output."
)
trial = click.option(
    "--trial", type=int, metavar="N", help="Number of the trial. Default: best of the members' latest."
)

checkpoints = click.option(
    "--checkpoints", metavar="URL", help="Object storage for the new checkpoints. Default: the directory."
)
every = click.option(
    "--every", type=SECONDS, default=2.0, metavar="S", show_default=True,
    help="Seconds between two looks; each reads only new records.",
)  # fmt: skip
single_host = click.option(
    "--single-host",
    is_flag=True,
    help="Assert that all workers of the study run on this host; skips the shared-lock check.",
)


def opened(place: Place) -> hoptim.Study:
    """Open the study at a place, for reading.

    Raises:
        ArgumentError: There is none; the message names studies in folders of the directory.
    """
    show_reading(name_of(str(place)))
    return hoptim.load(place) if isinstance(place, str) else _opened(place)


def _opened(folder: Path) -> hoptim.Study:
    if folder.exists() and not folder.is_dir():
        raise hoptim.ArgumentError(f"{str(folder)!r} is not a directory.")
    try:
        return hoptim.load(folder)
    except hoptim.ArgumentError as error:
        below = sorted(str(path.parent) for path in folder.glob("*/study.json"))
        if not below:
            raise
        more = f" and {len(below) - 5} more" if len(below) > 5 else ""
        raise hoptim.ArgumentError(f"{error} There are studies in {', '.join(below[:5])}{more}.") from None
