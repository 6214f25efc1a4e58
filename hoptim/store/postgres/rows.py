"""Rows of records as they are read, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from hoptim.errors import StudyDamaged, StudyMismatch
from hoptim.store import cursor
from hoptim.store.postgres.database import Database, Rows

_FEW, _MOST = 64, 5000  # rows of a query
NEWS = f"SELECT n, line FROM hoptim_record WHERE study = %s AND n >= %s ORDER BY n LIMIT {_FEW}"
PORTION = f"""\
SELECT n, line FROM (
    SELECT n, line, sum(octet_length(line)) OVER (ORDER BY n) - octet_length(line) AS before
    FROM hoptim_record WHERE study = %s AND n >= %s
    ORDER BY n LIMIT {_MOST}
) AS portion WHERE before < {cursor.PORTION} ORDER BY n"""


def insertion(study: int, first: int, lines: Sequence[str]) -> tuple[str, list[object]]:
    """Return the statement that adds records to a study, and its parameters.

    Args:
        study: Number of the study's row.
        first: Number of the first record.
        lines: Lines without their newlines, at least one.
    """
    places = ", ".join([f"({study}, %s, %s)"] * len(lines))
    parameters: list[object] = []
    for n, line in enumerate(lines, first):
        parameters += [n, line]
    return f"INSERT INTO hoptim_record (study, n, line) VALUES {places}", parameters


def is_cut_short(rows: Rows) -> bool:
    """Return whether there may be more behind the rows of `NEWS` or of `PORTION`."""
    return len(rows) in (_FEW, _MOST) or sum(len(line) for _, line in rows) >= cursor.PORTION


def refuse_damage(name: str, n: int, found: Sequence[int]) -> NoReturn:
    """Raise `StudyDamaged` for a record that does not follow those before it.

    Args:
        name: Name of the journal.
        n: Number of the record.
        found: Numbers of the rows that were read with it.
    """
    what = "its line is not what was written" if n in found else "it is missing"
    raise StudyDamaged(
        f"{name!r} is damaged at record {n}: {what}. Restore the tables from a backup; hoptim never skips "
        "records."
    )


def put_back(name: str, n: int) -> StudyDamaged:
    """Return the error of a journal that lost what this process had recorded.

    Args:
        name: Name of the journal.
        n: Number of the last record of this process.
    """
    return StudyDamaged(
        f"{name!r} was put back to an earlier moment, or replaced, while this process worked on it: what "
        f"it recorded up to record {n} is no longer there, as after a failover to a server that had not "
        "received it. Numbers of trials and claims are given anew from there on, so nothing more is "
        "recorded by this process. Stop all workers of the study and start them again."
    )


def refuse_nothing(database: Database, uuid: str) -> NoReturn:
    """Raise the error of a study without records: it is gone, or was made anew.

    Args:
        database: Connection.
        uuid: Identifier of the study that was opened.
    """
    name, study = database.name, database.address.study
    found = database.retried(
        "read", lambda: database.run("SELECT uuid FROM hoptim_study WHERE name = %s", study)
    )
    if found[0] and found[0] != [(uuid,)]:
        raise StudyMismatch(
            f"{name!r} is another study than the one opened here as {uuid}: it was made anew. Open the "
            "study again."
        )
    raise StudyDamaged(
        f"The records of {name!r} are gone{'' if found[0] else ' with the study'}. Restore the tables from "
        "a backup, or use another study; hoptim does not start anew over it."
    )
