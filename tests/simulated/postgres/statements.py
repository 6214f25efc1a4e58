"""The statements that hoptim sends, each known by how it begins, and what it does to the rows."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from psycopg import errors

if TYPE_CHECKING:
    from tests.simulated.postgres.session import Session

Rows = list[tuple[Any, ...]] | None
Act = Callable[["Session", "re.Match[str]", list[Any]], Rows]

_STUDY = re.compile(r"\(SELECT id FROM hoptim_study WHERE name = %s( AND uuid = %s)?\)|%s")
_KNOWN: list[tuple[re.Pattern[str], Act]] = []


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


def execute(session: Session, text: str, parameters: Sequence[Any]) -> Rows:
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


def statement(begin: str) -> Callable[[Act], Act]:
    """Declare what the statements do that begin with a pattern."""

    def known(act: Act) -> Act:
        _KNOWN.append((re.compile(begin), act))
        return act

    return known


def _id(session: Session, name: str, uuid: str | None) -> int | None:
    for key, row in session.rows().items():
        if key == ("study", name) and uuid in (None, row["uuid"]):
            return int(row["id"])
    return None


# -- transactions, locks and notifications


@statement("SET LOCAL lock_timeout = ([0-9]+)$")
def _lock_timeout(session, found, values):
    session.transaction.lock_timeout = int(found[1]) / 1000


@statement("SET |SELECT set_config")
def _set(session, found, values):
    session.transaction  # noqa: B018 # an implicit one begins


@statement("BEGIN")
def _begin(session, found, values):
    session.transaction.explicit = True


@statement("COMMIT$")
def _commit(session, found, values):
    session.commit()


@statement("ROLLBACK$")
def _rollback(session, found, values):
    session.rollback()


@statement(r"SELECT pg_advisory_xact_lock\((-?[0-9]+)\)$")
def _lock(session, found, values):
    session.server.take(session, int(found[1]))
    return [("",)]


@statement("SELECT application_name")
def _holder(session, found, values):
    holder = session.server.holder()
    return [] if holder is None else [(f"hoptim {holder.client.process.name}", "then")]


@statement("LISTEN (hoptim_[0-9a-f]+)$")
def _listen(session, found, values):
    session.transaction.listens.add(found[1])


@statement(r"UNLISTEN \*$")
def _unlisten(session, found, values):
    session.listens.clear()


@statement(r"SELECT pg_notify\(%s, %s\)$")
def _notify(session, found, values):
    session.transaction.notes.append(tuple(values))
    return [("",)]


# -- tables and studies


@statement(r"CREATE TABLE IF NOT EXISTS (\w+)")
def _create(session, found, values):
    key = ("table", found[1])
    if key not in session.rows():
        session.insert({key: True})


@statement("INSERT INTO hoptim_schema SELECT ([0-9]+) WHERE NOT EXISTS")
def _version(session, found, values):
    if ("schema",) not in session.rows():
        session.insert({("schema",): int(found[1])})


def _require(session: Session, table: str) -> None:
    if ("table", table) not in session.rows():
        raise errors.UndefinedTable(f'relation "{table}" does not exist')


@statement("SELECT version FROM hoptim_schema$")
def _find_version(session, found, values):
    _require(session, "hoptim_schema")
    return [(row,) for key, row in session.rows().items() if key == ("schema",)]


@statement("INSERT INTO hoptim_study ")
def _make(session, found, values):
    name, uuid, settings, checkpoints = values
    row = {"id": len(session.server.rows), "uuid": uuid, "settings": settings, "checkpoints": checkpoints}
    session.insert({("study", name): row})


@statement("SELECT ([a-z1, ]+) FROM hoptim_study WHERE name = %s$")
def _find(session, found, values):
    _require(session, "hoptim_study")
    row = session.rows().get(("study", values[0]))
    return [] if row is None else [_columns(found[1], row)]


def _columns(names: str, row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(1 if name == "1" else row[name] for name in names.split(", "))


# -- records


def _records(session: Session, study: int) -> Iterator[tuple[int, str]]:
    rows = session.rows()
    for key in sorted(key for key in rows if key[:2] == ("record", study)):
        yield key[2], rows[key]


@statement(
    "SELECT ([a-z1, ]+) FROM hoptim_record WHERE study = %s AND n (=|>=) (%s|[0-9]+)"
    "( AND n < %s)?(?: ORDER BY n)?(?: LIMIT ([0-9]+))?$"
)
def _some(session, found, values):
    study, begin, end = [*values, int(found[3]) if found[3] != "%s" else None, None][:3]
    if found[2] == "=":
        end = begin + 1
    rows = [
        _columns(found[1], {"n": n, "line": line})
        for n, line in _records(session, study)
        if begin <= n and (end is None or n < end)
    ]
    return rows[: int(found[5]) if found[5] else None]


@statement(r"SELECT n, line FROM \( SELECT n, line, sum\(")
def _portion(session, found, values):
    study, begin = values
    return [(n, line) for n, line in _records(session, study) if n >= begin]


@statement(r"SELECT coalesce\(max\(n\) \+ 1, 0\) FROM hoptim_record WHERE study = %s$")
def _count(session, found, values):
    return [(max((n + 1 for n, _ in _records(session, values[0])), default=0),)]


@statement("INSERT INTO hoptim_record ")
def _add(session, found, values):
    _require_study(values[0])
    server = session.server
    server.serial += server.breaks("nolock")
    rows = {("record", *values[i : i + 2], server.serial): values[i + 2] for i in range(0, len(values), 3)}
    session.insert(rows)


def _require_study(study: int | None) -> None:
    if study is None:
        raise errors.NotNullViolation('null value in column "study"')


# -- signs of life


def _names(names: Any) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


@statement("INSERT INTO hoptim_sign ")
def _show(session, found, values):
    study, kind, names, about = values
    _require_study(study)
    session.write({("sign", study, kind, name): (about, _now(session)) for name in names})
    session.server.world.shown(kind, names, session.client.process)


def _now(session: Session) -> float:
    return session.server.world.now


@statement("WITH due AS .*SKIP LOCKED.* UPDATE hoptim_sign SET beat")
def _beat(session, found, values):
    study, kind, names = values[:3]
    rows, owners, world = session.rows(), session.server.owners, session.server.world
    due = [name for name in names if ("sign", study, kind, name) in rows]
    due = [name for name in due if owners.get(("sign", study, kind, name), session) is session]
    world.beaten(kind, due)
    if world.mutant != "nobeat":
        session.write(
            {("sign", study, kind, n): (rows["sign", study, kind, n][0], _now(session)) for n in due}
        )


@statement(r"SELECT count\(\*\) FROM hoptim_sign WHERE study = %s AND kind = %s AND name = ANY\(%s\)$")
def _are_shown(session, found, values):
    study, kind, names = values
    return [(sum(("sign", study, kind, name) in session.rows() for name in names),)]


@statement("SELECT about, extract.* FROM hoptim_sign WHERE study = %s AND kind = %s AND name = %s$")
def _look(session, found, values):
    study, kind, name = values
    session.server.world.looked(kind, name, session.client.process)
    row = session.rows().get(("sign", study, kind, name))
    return [] if row is None else [(row[0], str(row[1]), _now(session) - row[1])]


@statement("SELECT 1 FROM hoptim_sign WHERE study = %s AND kind = %s AND name = %s$")
def _is_shown(session, found, values):
    return [(1,)] if ("sign", *values) in session.rows() else []


@statement("DELETE FROM hoptim_sign WHERE study = %s AND kind = %s AND name = ")
def _hide(session, found, values):
    study, kind, names = values
    keys = [("sign", study, kind, name) for name in _names(names)]
    session.write({key: None for key in keys if key in session.rows()})


@statement("SELECT name FROM hoptim_sign WHERE study = %s AND kind = %s ORDER BY name$")
def _all_names(session, found, values):
    return [(key[3],) for key in sorted(k for k in session.rows() if k[:3] == ("sign", *values))]
