"""A self-contained HTML page about a study, which opens from a file and needs no network."""

from __future__ import annotations

import os

from hoptim import ArgumentError, Study
from hoptim._arguments import moment_of
from hoptim._files import replace_whole
from hoptim._paths import user_path
from hoptim._text import shown
from hoptim.report.data import data_of
from hoptim.report.document import document
from hoptim.report.files import SCRIPTS, STYLES, TEMPLATE

_LONGEST = 86_400.0  # seconds until a page is loaded again; timers of browsers know no more than 24 days


def write(study: Study, path: str | os.PathLike[str], every: float | None = None) -> None:
    """Write an interactive report into one file; other processes may train meanwhile.

    The page holds all finished trials; of more than 100,000 those of every k-th step, the winner's whole
    line and all counts, and says so. It loads nothing, and its policy forbids every request, so it
    can be mailed, archived, or opened from a disk without a network.

    Args:
        study: Study to report on, running or finished, on disk or in memory.
        path: File to write, by custom named .html. A file that is there is replaced in one step, so
            that a browser never sees half of it.
        every: Seconds after which a browser that shows the page loads it again, at most 86,400, for a file
            that is written again and again. What was pinned and chosen there stays. Default: None, never.

    Raises:
        ArgumentError: No such number of seconds.
        StoreError: The file cannot be written, for instance because its folder does not exist.

    >>> import hoptim, tempfile
    >>> study = hoptim.Study(None, space={"x": hoptim.Float(0.0, 1.0)}, size=4, steps=3, mode="min")
    >>> for trial in study:
    ...     trial.tell(trial.params["x"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(study, f"{folder}/report.html")
    ...     os.listdir(folder)
    ['report.html']
    """
    replace_whole(user_path(path), page(study, every).encode())


def page(study: Study, every: float | None = None) -> str:
    """Return the report as HTML.

    Args:
        study: Study to report on, running or finished, on disk or in memory.
        every: Seconds after which a browser loads the page again, as in `write`. Default: None, never.

    Raises:
        ArgumentError: No such number of seconds.

    >>> import hoptim
    >>> study = hoptim.Study(None, space={"x": hoptim.Float(0.0, 1.0)}, size=4, steps=3, mode="min")
    >>> page(study).splitlines()[0]
    '<!doctype html>'
    """
    data = {"reload": None if every is None else _interval(every)} | data_of(study)
    return document(TEMPLATE, STYLES, SCRIPTS, data).text


def _interval(every: float) -> float:
    seconds = moment_of("every", every)
    if not 0 < seconds <= _LONGEST:
        raise ArgumentError(
            f"every must be above 0 and at most {_LONGEST:.0f} seconds, found {shown(every)}."
        )
    return seconds
