"""The driver, psycopg; without it, the error that says how to install it."""

from __future__ import annotations

from hoptim.errors import MissingExtra

try:
    import psycopg
    from psycopg.errors import InsufficientPrivilege, LockNotAvailable, UndefinedTable, UniqueViolation
except ImportError as missing:
    raise MissingExtra.of(
        "Studies in PostgreSQL need psycopg, which is not installed", "postgres"
    ) from missing

__all__ = ["InsufficientPrivilege", "LockNotAvailable", "UndefinedTable", "UniqueViolation", "psycopg"]
