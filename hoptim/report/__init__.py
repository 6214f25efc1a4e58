"""A self-contained HTML page about a study, which opens from a file and needs no network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from pathlib import Path
from string import Template

from hoptim import Study
from hoptim._files import replace_whole
from hoptim._paths import user_path
from hoptim.report.data import data_of

_HERE = Path(__file__).parent
# In the order in which the page joins them.
_SCRIPTS = ("data", "numbers", "schedule", "axis", "dom", "plot", "panels", "tables", "pointer", "page")


def write(study: Study, path: str | os.PathLike[str]) -> None:
    """Write an interactive report into one file; other processes may train meanwhile.

    The page holds all finished trials; of more than 100,000 those of every k-th step, the winner's whole
    line and all counts, and says so. It loads nothing, and its policy forbids every request, so it
    can be mailed, archived, or opened from a disk without a network.

    Args:
        study: Study to report on, running or finished, on disk or in memory.
        path: File to write, by custom named .html. A file that is there is replaced in one step, so
            that a browser never sees half of it.

    Raises:
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
    replace_whole(user_path(path), page(study).encode())


def page(study: Study) -> str:
    """Return the report as HTML.

    Args:
        study: Study to report on, running or finished, on disk or in memory.

    >>> import hoptim
    >>> study = hoptim.Study(None, space={"x": hoptim.Float(0.0, 1.0)}, size=4, steps=3, mode="min")
    >>> page(study).splitlines()[0]
    '<!doctype html>'
    """
    data = data_of(study)
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
