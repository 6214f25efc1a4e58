"""A self-contained HTML page about a study, which opens from a file and needs no network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from pathlib import Path
from string import Template

from hoptim import ArgumentError, Study
from hoptim._arguments import moment_of
from hoptim._files import replace_whole
from hoptim._paths import user_path
from hoptim._text import shown
from hoptim.report.data import data_of

_HERE = Path(__file__).parent
# In the order in which the page joins them.
_SCRIPTS = (
    "data", "numbers", "schedule", "axis", "dom", "plot", "panels", "tables", "pointer", "reload", "page",
)  # fmt: skip
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
    style = _text("page.css")
    script = "\n".join(_text(f"{name}.js") for name in _SCRIPTS)
    return Template(_text("page.html")).substitute(
        policy=f"default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"script-src '{_hash(script)}'; style-src '{_hash(style)}'",
        title=_escaped(data["name"]),
        style=style,
        script=script,
        data=_embedded(data),
    )


def _interval(every: float) -> float:
    seconds = moment_of("every", every)
    if not 0 < seconds <= _LONGEST:
        raise ArgumentError(
            f"every must be above 0 and at most {_LONGEST:.0f} seconds, found {shown(every)}."
        )
    return seconds


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return the hash by which a Content-Security-Policy names a text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _escaped(text: str) -> str:
    """Return a text as HTML; it may hold half a surrogate, as names of files do."""
    return html.escape(text).encode("ascii", "xmlcharrefreplace").decode()


def _embedded(data: object) -> str:
    """Return data as JSON that an HTML parser leaves alone: pure ASCII without <, > and &."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text
