"""Loops in a database: the bare round with the driver alone, and a study of hoptim."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import filelock  # noqa: F401 - hoptim imports it late; here it is loaded once, before the fork
import psycopg

from costs.by_hoptim import ENDLESS
from hoptim import Float, Study
from hoptim.store.postgres import journal  # noqa: F401 - as filelock

_LINE = "x" * 350  # a tell and the next ask are two lines of together as many bytes
_SETUP = """\
CREATE TABLE IF NOT EXISTS bare (study bigint, n bigint, line text NOT NULL, PRIMARY KEY (study, n))"""
_BEGIN = """\
BEGIN; SELECT pg_advisory_xact_lock(%s);
SELECT n, line FROM bare WHERE study = %s ORDER BY n DESC LIMIT 2"""
_END = "INSERT INTO bare VALUES (%s, %s, %s); COMMIT"


def commit(folder: Path, server: str) -> Iterator[None]:
    """Commit 350 bytes under an advisory lock in two messages: the least that a decision can cost."""
    study = zlib.crc32(folder.name.encode())
    connection = psycopg.connect(
        server, autocommit=True, prepare_threshold=None, cursor_factory=psycopg.ClientCursor
    )
    connection.execute("SELECT pg_advisory_lock(0)")
    connection.execute(_SETUP)
    connection.execute("SELECT pg_advisory_unlock(0)")
    while True:
        yield
        cursor = connection.execute(_BEGIN, [study, study])
        while cursor.nextset():
            pass
        last = cursor.fetchone()
        connection.execute(_END, [study, last[0] + 1 if last else 0, _LINE])


def tell_and_ask(folder: Path, server: str, members: int = 16) -> Iterator[None]:
    """Tell a trial of a study and get the next one in the same commit, with two hyperparameters."""
    space = {"x": Float(0.0, 2.0, init=0.8), "y": Float(0.0, 2.0, init=0.4)}
    url = f"{server}?study={folder.name}"
    study = Study(url, space=space, size=members, steps=ENDLESS, mode="min", seed=0, lead=ENDLESS)
    for trial in study:
        yield
        trial.tell(trial.params["x"])
