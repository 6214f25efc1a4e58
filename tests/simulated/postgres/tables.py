"""Statements about the tables, studies and records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from psycopg import errors

from tests.simulated.postgres.server import Statements

if TYPE_CHECKING:
    from tests.simulated.postgres.session import Session


def _create(session, found, values):
    key = ("table", found[1])
    if key not in session.rows():
        session.insert({key: True})


def _version(session, found, values):
    if ("schema",) not in session.rows():
        session.insert({("schema",): int(found[1])})


def _require(session: Session, table: str) -> None:
    if ("table", table) not in session.rows():
        raise errors.UndefinedTable(f'relation "{table}" does not exist')


def _find_version(session, found, values):
    _require(session, "hoptim_schema")
    return [(row,) for key, row in session.rows().items() if key == ("schema",)]


def _make(session, found, values):
    name, uuid, settings, checkpoints = values
    row = {"id": len(session.server.rows), "uuid": uuid, "settings": settings, "checkpoints": checkpoints}
    session.insert({("study", name): row})
    return [(row["id"],)] if found.string.endswith(" RETURNING id") else None


def _find(session, found, values):
    _require(session, "hoptim_study")
    row = session.rows().get(("study", values[0]))
    return [] if row is None or values[1:] not in ([], [row["uuid"]]) else [_columns(found[1], row)]


def _columns(names: str, row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(1 if name == "1" else row[name] for name in names.split(", "))


def _records(session: Session, study: int) -> Iterator[tuple[int, str]]:
    rows = session.rows()
    for key in sorted(key for key in rows if key[:2] == ("record", study)):
        yield key[2], rows[key]


def _some(session, found, values):
    study, begin, end = [*values, int(found[3]) if found[3] != "%s" else None, None][:3]
    if found[2] == "=":
        end = begin + 1
    rows = [
        _columns(found[1], {"n": n, "line": line})
        for n, line in _records(session, study)
        if begin <= n and (end is None or n < end)
    ]
    return rows[: min(int(found[5]), session.server.world.portion)] if found[5] else rows


def _portion(session, found, values):
    study, begin = values
    rows = [(n, line) for n, line in _records(session, study) if n >= begin]
    return rows[: session.server.world.portion]


def _count(session, found, values):
    return [(max((n + 1 for n, _ in _records(session, values[0])), default=0),)]


def _add(session, found, values):
    server, given = session.server, iter(values)
    places = re.findall("%s|[0-9]+", found.string.partition(" VALUES ")[2])
    values = [next(given) if place == "%s" else int(place) for place in places]
    require_study(values[0])
    server.serial += server.breaks("nolock", "lateread")
    rows = {("record", *values[i : i + 2], server.serial): values[i + 2] for i in range(0, len(values), 3)}
    session.insert(rows)


def require_study(study: int | None) -> None:
    if study is None:
        raise errors.NotNullViolation('null value in column "study"')


KNOWN: Statements = {
    r"CREATE TABLE IF NOT EXISTS (\w+)": _create,
    "INSERT INTO hoptim_schema SELECT ([0-9]+) WHERE NOT EXISTS": _version,
    "SELECT version FROM hoptim_schema$": _find_version,
    "INSERT INTO hoptim_study ": _make,
    "SELECT ([a-z1, ]+) FROM hoptim_study WHERE name = %s(?: AND uuid = %s)?$": _find,
    (
        "SELECT ([a-z1, ]+) FROM hoptim_record WHERE study = %s AND n (=|>=) (%s|[0-9]+)"
        "( AND n < %s)?(?: ORDER BY n)?(?: LIMIT ([0-9]+))?$"
    ): _some,
    r"SELECT n, line FROM \( SELECT n, line, sum\(": _portion,
    r"SELECT coalesce\(max\(n\) \+ 1, 0\) FROM hoptim_record WHERE study = %s$": _count,
    "INSERT INTO hoptim_record ": _add,
}
