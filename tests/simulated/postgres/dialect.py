"""The statements that hoptim sends, and no others; each is known by how it begins."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.simulated.postgres import signs, tables, transactions

if TYPE_CHECKING:
    from tests.simulated.postgres.session import Session

_STUDY = re.compile(r"\(SELECT id FROM hoptim_study WHERE name = %s( AND uuid = %s)?\)|%s")
_KNOWN = [
    (re.compile(begin), act)
    for module in (transactions, tables, signs)
    for begin, act in module.KNOWN.items()
]


def split(text: str, parameters: Sequence[Any]) -> deque[tuple[str, list[Any]]]:
    """The statements of a message, each with its parameters."""
    left, work = list(parameters), deque[tuple[str, list[Any]]]()
    for part in text.split(";"):
        if statement := " ".join(part.split()):
            count = statement.count("%s")
            work.append((statement, left[:count]))
            left = left[count:]
    assert not left, f"{text!r} has not so many parameters"
    return work


def execute(session: Session, text: str, parameters: Sequence[Any]) -> Any:
    """Run a statement, and return its rows, None if it is of a kind that has none."""
    given, values = iter(parameters), list[Any]()
    for found in _STUDY.finditer(text):
        values.append(next(given))
        if found[0] != "%s":  # the number of a study, for the place of one parameter
            values[-1] = _id(session, values[-1], next(given) if found[1] else None)
    text = _STUDY.sub("%s", text)
    for pattern, act in _KNOWN:
        if known := pattern.match(text):
            return act(session, known, values)
    raise AssertionError(f"the simulated server does not know {text!r}")


def _id(session: Session, name: str, uuid: str | None) -> int | None:
    row = session.rows().get(("study", name))
    return None if row is None or uuid not in (None, row["uuid"]) else int(row["id"])
