"""Pages of the dashboard: the report's, with scripts that ask for news."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hoptim.report.document import Document, document
from hoptim.report.files import SCRIPTS, STYLES, TEMPLATE

_HERE = Path(__file__).parent
_STYLES = (*STYLES, _HERE / "dashboard.css")
_SHARED = ("numbers", "axis", "dom", "plot", "panels")  # of the report, also for the list of studies


def study_page(data: Mapping[str, Any], name: str, only: bool) -> Document:
    """Return the report of a study, which shows what is new.

    Args:
        data: Data of the report.
        name: Name of the study in the dashboard.
        only: True if there is no list of studies to go back to.
    """
    scripts = (*SCRIPTS, _HERE / "poll.js", _HERE / "study.js")
    more = {"reload": None, "name": name, "only": only}
    return document(TEMPLATE, _STYLES, scripts, {**data, **more}, asks=True)


def list_page(studies: Mapping[str, Any]) -> Document:
    """Return the page that lists all studies and compares them in a plot.

    Args:
        studies: Names and standings, as `Studies.list` returns them.
    """
    shared = [file for file in SCRIPTS if file.stem in _SHARED]
    own = [_HERE / f"{name}.js" for name in ("poll", "overlay", "list")]
    return document(_HERE / "list.html", _STYLES, (*shared, *own), studies, asks=True)
