"""Descent of one trial: ancestors, descendants, and exploits on its line."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from contextlib import suppress
from typing import TypeVar

from hoptim import _html
from hoptim._text import counted, shown
from hoptim.analysis.family import Exploit, Family
from hoptim.errors import ArgumentError
from hoptim.trial import FinishedTrial

_Trial = TypeVar("_Trial")


class Lineage:
    """Ancestors and descendants of one trial.

    Args:
        family: All trials of the study.
        trial: One of them.

    >>> import hoptim
    >>> space = {"x": hoptim.Float(0.0, 1.0)}
    >>> study = hoptim.Study(None, space=space, size=4, steps=10, mode="min")
    >>> for trial in study:
    ...     trial.tell((trial.params["x"] - 0.3) ** 2)
    >>> lineage = study.lineage()
    >>> len(lineage.line), len(lineage.ancestors), lineage.line[-1] == study.best
    (10, 9, True)
    >>> print(lineage.exploits[0])
    step 2: member 1 (0.0389348, rank 2 of 4) copied member 2 (0.0231649, rank 1 of 4)
    """

    def __init__(self, family: Family, trial: FinishedTrial) -> None:
        self.family, self.trial = family, trial
        self.line = family.line(trial)

    @property
    def ancestors(self) -> list[FinishedTrial]:
        """Return the trials whose training its weights contain: the founder first, its parent last."""
        return self.line[:-1]

    @property
    def descendants(self) -> list[FinishedTrial]:
        """Return the trials whose weights contain its training, by number."""
        return self.family.descendants(self.trial)

    @property
    def founder(self) -> FinishedTrial:
        """Return the trial with fresh weights that its line began with."""
        return self.line[0]

    @property
    def exploits(self) -> list[Exploit]:
        """Return the exploits along its line: each time that its weights moved to another member."""
        found = map(self.family.exploit, self.line)
        return [exploit for exploit in found if exploit is not None]

    def __repr__(self) -> str:
        return (
            f"<hoptim.Lineage of trial {self.trial.number}: {len(self.ancestors)} ancestors, "
            f"{len(self.exploits)} exploits, from trial {self.founder.number}>"
        )

    @_html.quiet
    def _repr_html_(self) -> str:
        facts = {
            "line": f"{counted(len(self.line), 'trial')}, from trial {self.founder.number}",
            "values": _html.curve(trial.value for trial in self.line) or None,
            "descendants": len(self.descendants),
        }
        table = _html.table(("exploits on its line",), [(str(exploit),) for exploit in self.exploits])
        return _html.page(f"Lineage of trial {self.trial.number}", facts, table)


def chosen(trials: Mapping[int, _Trial], trial: FinishedTrial | int) -> _Trial:
    """Return one of the finished trials, given itself or its number.

    Raises:
        ArgumentError: No finished trial has that number.
    """
    number = trial.number if isinstance(trial, FinishedTrial) else trial
    found = None
    with suppress(Exception):  # an object's own code may raise anything
        found = trials.get(operator.index(number))  # numpy's are welcome
    if found is None:
        raise ArgumentError(
            f"trial must be a finished trial or its number, found {shown(trial)}; "
            f"{len(trials)} trials have ended."
        )
    return found
