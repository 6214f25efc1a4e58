"""The tables that studies are kept in."""

from __future__ import annotations

import errno
import hashlib

from hoptim.errors import NewerFormat, StoreError
from hoptim.store.postgres.database import Database
from hoptim.store.postgres.driver import InsufficientPrivilege, UndefinedTable
from hoptim.store.postgres.turn import key_of

VERSION = 1
MAKE = "INSERT INTO hoptim_study (name, uuid, settings, checkpoints) VALUES (%s, %s, %s, %s) RETURNING id"
FIND = "SELECT id FROM hoptim_study WHERE name = %s AND uuid = %s"
FIND_VERSION = "SELECT version FROM hoptim_schema"
_TABLES = f"""\
CREATE TABLE IF NOT EXISTS hoptim_schema (version integer NOT NULL);
INSERT INTO hoptim_schema SELECT {VERSION} WHERE NOT EXISTS (SELECT FROM hoptim_schema);
CREATE TABLE IF NOT EXISTS hoptim_study (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    uuid text NOT NULL, -- copies have the same
    settings bytea NOT NULL,
    checkpoints text
);
CREATE TABLE IF NOT EXISTS hoptim_record (
    study bigint NOT NULL REFERENCES hoptim_study ON DELETE CASCADE,
    n bigint NOT NULL,
    line text NOT NULL,
    PRIMARY KEY (study, n)
);
CREATE TABLE IF NOT EXISTS hoptim_sign (
    study bigint NOT NULL REFERENCES hoptim_study ON DELETE CASCADE,
    kind text NOT NULL,
    name text NOT NULL,
    about bytea NOT NULL,
    beat timestamptz NOT NULL,
    PRIMARY KEY (study, kind, name)
);
"""


def ensure(database: Database) -> None:
    """Make the tables where they are not there; many processes may do so at once.

    Args:
        database: Connection, outside of a transaction.

    Raises:
        NewerFormat: A later version of hoptim made them.
        StoreError: This user may not make them; the message has what to run.
    """
    if _is_there(database):
        return
    lock = f"SELECT pg_advisory_xact_lock({key_of('the tables of hoptim')})"
    try:
        database.run(f"BEGIN; {lock}; {_TABLES}COMMIT")
    except InsufficientPrivilege as error:
        raise StoreError(
            errno.EACCES,
            f"The user of {database.name!r} may not make the tables of hoptim. Let one who may run this, "
            "with the user's name for USER, and then run the same call again:\n\n"
            f"{_TABLES}GRANT SELECT, INSERT, UPDATE, DELETE ON hoptim_schema, hoptim_study, hoptim_record, "
            "hoptim_sign TO USER;",
        ) from error


def refuse_newer(version: int, name: str) -> None:
    """Raise `NewerFormat` if tables are of a later version of hoptim.

    Args:
        version: Version of the tables.
        name: Address of the study, for the message.
    """
    if version > VERSION:
        raise NewerFormat(
            f"{name!r}: the tables have version {version} and were made by a later version of hoptim; this "
            f"one knows version {VERSION}. Update hoptim to open it."
        )


def channel_of(study: tuple[str, str]) -> str:
    """Return the channel for notifications of a study.

    Args:
        study: Name and identifier.
    """
    return f"hoptim_{hashlib.sha256(repr(study).encode()).hexdigest()[:32]}"


def _is_there(database: Database) -> bool:
    try:
        ((version,),) = database.run_afresh(FIND_VERSION)[0]
    except UndefinedTable:
        return False
    refuse_newer(version, database.name)
    return True
