"""The studies that the dashboard shows, among them those that come later."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from hoptim._paths import study_name
from hoptim._text import counted, printable
from hoptim.analysis.names import name_of
from hoptim.analysis.scale import suits_log
from hoptim.analysis.trial_table import Floats
from hoptim.dashboard.renewed import Renewed
from hoptim.dashboard.watched import Watched
from hoptim.errors import reason
from hoptim.store.finding import DEPTH
from hoptim.store.layout import STUDY
from hoptim.store.locking.patience import limited
from hoptim.store.places import studies_at

_SEARCH = 2.0  # seconds between two searches at least


class Studies:
    """Studies in folders and below them, and in databases, by name.

    Args:
        places: At least one absolute path of a folder or URL of a database, which may be a study itself.
    """

    def __init__(self, places: Sequence[str | Path]) -> None:
        self._places = sorted({*places}, key=str)
        folders = [place for place in self._places if isinstance(place, Path)]
        self._base = Path(os.path.commonpath(folders)) if folders else Path("/")
        (first, *more), one = self._places, False
        if isinstance(first, str):
            one = study_name(first) != ""
        elif (self._base / STUDY).exists():
            one, self._base = first == self._base, self._base.parent
        self._only = one and not more
        self._wrong: list[str] = []
        self._found = Renewed(self._search, _SEARCH, Lock())

    @property
    def name(self) -> str:
        """Return what all studies are in."""
        if len(self._places) > 1:
            return counted(len(self._places), "place")
        return printable(name_of(str(self._places[0])) or "/")

    @property
    def only(self) -> Watched | None:
        """Return the study if one was named and no folder of studies."""
        return next(iter(self._found.get().values()), None) if self._only else None

    def named(self, name: str) -> Watched | None:
        """Return one study, None if there is none of that name."""
        return self._found.get().get(name)

    def list(self) -> dict[str, Any]:
        """Return how all studies stand, as plain JSON."""
        rows = [each.look().row for each in self._found.get(wait=False).values()]
        log = {mode: suits_log(_values(rows, mode)) for mode in ("min", "max")}
        return {"name": self.name, "rows": rows, "log": log, "wrong": self._wrong}

    def _search(self, before: dict[str, Watched] | None) -> dict[str, Watched]:
        known, found, wrong = before or {}, dict[str, Watched](), list[str]()
        with limited(0.0):  # a page that says that a server is away is better than one that waits for it
            for place in self._places:
                said = len(wrong)
                for path, within in studies_at(place, DEPTH, lambda error: wrong.append(reason(error))):
                    self._add(found, known, path, within)
                if isinstance(place, str) and len(wrong) > said:
                    found = {**known, **found}  # not to be listed now
        self._wrong = wrong
        return found

    def _add(
        self, found: dict[str, Watched], known: dict[str, Watched], path: str | Path, within: str
    ) -> None:
        """Add the study at a path to those that were found, as the one that is known if it is."""
        name = printable(within if isinstance(path, str) else str(path.relative_to(self._base)))
        if name in found and found[name].path != path:
            name = printable(str(path))  # a name in a database is taken by that of another place
        same = known.get(name)
        found[name] = same if same is not None and same.path == path else Watched(path, name, self._only)


def _values(rows: Sequence[dict[str, Any]], mode: str) -> Floats:
    """Return what a plot shows of the studies of one mode."""
    return np.array([value for row in rows if row.get("mode") == mode for _, value in row["curve"]])
