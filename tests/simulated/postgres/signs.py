"""Statements about signs of life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulated.postgres.server import Statements
from tests.simulated.postgres.tables import require_study

if TYPE_CHECKING:
    from tests.simulated.postgres.session import Session


def _names(names: Any) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _show(session, found, values):
    study, kind, names, about = values
    require_study(study)
    session.write({("sign", study, kind, name): (about, _now(session)) for name in names})
    session.server.world.shown(kind, names, session.client.process)


def _now(session: Session) -> float:
    return session.server.world.now


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


def _are_shown(session, found, values):
    study, kind, names = values
    return [(sum(("sign", study, kind, name) in session.rows() for name in names),)]


def _look(session, found, values):
    study, kind, names = values
    found = []
    for name in names:
        session.server.world.looked(kind, name, session.client.process)
        if (row := session.rows().get(("sign", study, kind, name))) is not None:
            found.append((name, row[0], str(row[1]), _now(session) - row[1]))
    return found


def _is_shown(session, found, values):
    return [(1,)] if ("sign", *values) in session.rows() else []


def _hide(session, found, values):
    study, kind, names = values
    keys = [("sign", study, kind, name) for name in _names(names)]
    session.write({key: None for key in keys if key in session.rows()})


def _all_names(session, found, values):
    return [(key[3],) for key in sorted(k for k in session.rows() if k[:3] == ("sign", *values))]


KNOWN: Statements = {
    "INSERT INTO hoptim_sign ": _show,
    "WITH due AS .*SKIP LOCKED.* UPDATE hoptim_sign SET beat": _beat,
    r"SELECT count\(\*\) FROM hoptim_sign WHERE study = %s AND kind = %s AND name = ANY\(%s\)$": _are_shown,
    r"SELECT name, about, .* FROM hoptim_sign WHERE study = %s AND kind = %s AND name = ANY\(%s\)$": _look,
    "SELECT 1 FROM hoptim_sign WHERE study = %s AND kind = %s AND name = %s$": _is_shown,
    "DELETE FROM hoptim_sign WHERE study = %s AND kind = %s AND name = ": _hide,
    "SELECT name FROM hoptim_sign WHERE study = %s AND kind = %s ORDER BY name$": _all_names,
}
