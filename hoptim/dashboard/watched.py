"""One study as the dashboard sees it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from hoptim import HoptimError, Study, load
from hoptim.analysis.status import NO_WORKERS, Status, brief
from hoptim.dashboard.curve import Curve
from hoptim.dashboard.pages import study_page
from hoptim.dashboard.renewed import Renewed
from hoptim.errors import reason
from hoptim.report.data import at_work, data_of
from hoptim.report.document import Document
from hoptim.store.locking.patience import limited

_LOOK = 1.0  # seconds between two looks at least
_PAGE = 5.0  # likewise between two pages: a reader is not to be disturbed more often
_MANY = 10_000  # trials whose curve takes so long that the first look is without it

T = TypeVar("T")


@dataclass(frozen=True)
class Look:
    """One look at a study.

    Attributes:
        row: Facts for the list of studies, or the error.
        at_work: Trials under way, and warnings; empty if the study cannot be read.
    """

    row: dict[str, Any]
    at_work: dict[str, Any]


@dataclass(frozen=True)
class _Page:
    finished: int
    document: Document


class Watched:
    """A study that is read again and again, and never written.

    Args:
        path: Directory, or URL in a database.
        name: Name of the study in the dashboard.
        only: True if it is the only one.

    Attributes:
        path: Directory, or URL in a database.
    """

    def __init__(self, path: str | Path, name: str, only: bool) -> None:
        self.path, self._name, self._only = path, name, only
        self._study: Study | None = None
        self._curve: Curve | None = None
        self._look = Renewed(self._see, _LOOK, Lock())
        self._page = Renewed(self._draw, _PAGE, Lock())

    def look(self) -> Look:
        """Return how the study stands, or stood while another thread is at work on it."""
        return self._look.get(wait=False)

    def page(self) -> Document:
        """Return the study's page.

        Raises:
            HoptimError: The study cannot be read.
            OSError: Same.
        """
        return self._page.get().document

    def news(self) -> dict[str, Any]:
        """Return what an open page asks for: who is at work, and how many trials `page` would have."""
        look, page = self.look(), self._page.kept
        finished = look.row.get("finished") if page is None else page.finished
        return {"finished": finished, "error": look.row.get("error"), **look.at_work}

    def _see(self, before: Look | None) -> Look:
        row: dict[str, Any] = {"name": self._name}
        try:
            with limited(0.0):  # for a server that is away no page waits
                if self._study is None:
                    self._study, self._curve = load(self.path), None
                status = self._study.status()
                later = before is None and status.finished > _MANY
                curve = [] if later else self._points(self._study)
        except (HoptimError, OSError) as error:
            self._study = None  # to be opened anew
            return Look({**row, "error": reason(error)}, {})
        lost = {held.worker for held in status.running if held.lost}
        warnings = [said for said in status.warnings if not said.startswith(NO_WORKERS)]  # a state
        more = {
            "state": _state(status), "lost": len(lost), "attempts": status.attempts,
            "remaining": status.remaining, "curve": curve, "warnings": warnings,
        }  # fmt: skip
        return Look({**row, **brief(status), **more}, at_work(status))

    def _points(self, study: Study) -> list[tuple[int, float]]:
        curve = self._curve
        if curve is None:
            curve = Curve(study.mode)
            self._whole(lambda whole: curve.add(whole.results()))
            self._curve = curve
        curve.add(study.results())
        return curve.points

    def _draw(self, before: _Page | None) -> _Page:
        if before is not None and before.finished == self.look().row.get("finished"):
            return before
        data = self._whole(data_of)
        return _Page(data["finished"], study_page(data, self._name, self._only))

    def _whole(self, use: Callable[[Study], T]) -> T:
        """Return what a function makes of the study with all its trials, which are then forgotten."""
        try:
            with limited(0.0):
                return use(load(self.path))
        finally:
            gc.collect()  # of 10^5 trials, some 200 MB


def _state(status: Status) -> str:
    if status.done:
        return "done"
    if status.stopped is not None:
        return "stopped"
    return "training" if any(not held.lost for held in status.running) else "no workers"
