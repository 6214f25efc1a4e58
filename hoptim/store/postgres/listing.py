"""The studies in a database."""

from __future__ import annotations

from urllib.parse import quote

from hoptim._paths import study_name
from hoptim.store.postgres.address import Address
from hoptim.store.postgres.database import Database
from hoptim.store.postgres.driver import UndefinedTable

_NAMES = "SELECT name FROM hoptim_study WHERE right(name, 7) <> '/origin' ORDER BY name"


def address_of(url: str) -> Address:
    """Return the address that a URL of a study holds, or of a database, whatever study is meant.

    Raises:
        ArgumentError: It is no such URL, or holds a password.
    """
    return Address.of(url) if study_name(url) else Address.of(f"{_front(url)}any")._replace(url=url)


def studies_in(url: str) -> list[str]:
    """Return the URLs of all studies in a database, without those that forks there began with.

    Args:
        url: URL of the database, which names no study.

    Raises:
        ArgumentError: It is no such URL, or holds a password.
        StoreError: The server cannot be reached.
    """
    front = _front(url)
    database = Database(address_of(url))

    def names() -> list[str]:
        try:
            return [name for (name,) in database.run(_NAMES)[0]]
        except UndefinedTable:
            return []

    try:
        return [front + quote(name, safe="") for name in database.retried("list the studies of", names)]
    finally:
        database.drop()


def _front(url: str) -> str:
    """Return what the name of a study follows in its URL."""
    return f"{url}{'&' if '?' in url else '?'}study="
