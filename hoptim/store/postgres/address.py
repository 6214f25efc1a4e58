"""The address of a study in a database, as users write it."""

from __future__ import annotations

import re
from typing import NamedTuple

from hoptim._text import shown
from hoptim.errors import ArgumentError

_FORM = "postgresql://user@host:port/database?study=name"
_URL = re.compile(r"(postgres(?:ql)?)://([^/?]*)(?:/([^?]*))?(?:\?(.*))?")
_HOST = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(:\d*)?")
_SECRET = {"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"}
_LONGEST_NAME = 200  # characters of a study's name


class Address(NamedTuple):
    """A study in a database, without secrets.

    Attributes:
        url: Text that the user gave.
        server: The same without the study, for the driver.
        study: Name of the study.
        key: Text that is equal for all addresses of the same study that name hosts and database alike.
        settings: Names of the connection's parameters that the user gave behind the question mark.
    """

    url: str
    server: str
    study: str
    key: str
    settings: frozenset[str]

    @classmethod
    def of(cls, url: str) -> Address:
        """Return the address that a URL holds.

        Args:
            url: For example "postgresql://user@host/database?study=name"; several hosts and whatever else
                libpq knows in a URL may be in it.

        Raises:
            ArgumentError: It is none, names no study, or holds a password.
        """
        found = _URL.fullmatch(url) if url.isprintable() else None
        if found is None:
            raise ArgumentError(f"The address of a study in PostgreSQL must look like {_FORM}.")
        scheme, front, database, query = (part or "" for part in found.groups())
        user, at, hosts = front.rpartition("@")
        given = [pair.partition("=") for pair in query.split("&")] if query else []
        if ":" in user or any(_decoded(name) in _SECRET for name, _, _ in given):
            raise ArgumentError(
                "The address of a study must not hold a password, since it is logged and recorded. Take "
                "the password out of it, and set PGPASSWORD, or PGPASSFILE, or write it into ~/.pgpass."
            )
        # What does not fit is not repeated: it may be a password whose @, : or / was not escaped.
        strange = [name for name, _, _ in given if not re.fullmatch("[a-z_]+", name)]
        strange += [host for host in hosts.split(",") if not _HOST.fullmatch(host)]
        if strange or re.search("[/:@]", database) or "@" in user:
            raise ArgumentError(
                f"The address of a study in PostgreSQL must look like {_FORM}, with %40 for @, %3A for : "
                "and %2F for / within a name. The one that was given has such a character, or a port that "
                "is no number."
            )
        names = [_decoded(value) for name, _, value in given if name == "study"]
        study = _study(names)
        others = ["".join(pair) for pair in given if pair[0] != "study"]
        server = f"{scheme}://{user}{at}{hosts}/{database}" + ("?" + "&".join(others) if others else "")
        settings = {_decoded(name): _decoded(value) for name, _, value in given}
        place = [settings.get("host", _decoded(hosts)), settings.get("port", "")]
        key = "\n".join(["postgresql", *place, settings.get("dbname", _decoded(database)), study])
        return cls(url, server, study, key, frozenset(settings) - {"study"})

    @property
    def origin(self) -> Address:
        """Return the address of the study that this one was forked from, if it was."""
        name = f"{self.study}/origin"
        url = re.sub("([?&]study=[^&]*)", r"\1/origin", self.url)
        return self._replace(study=name, key=f"{self.key}/origin", url=url)


def _study(names: list[str]) -> str:
    """Return the one name of a study that a URL gives."""
    if len(names) != 1:
        raise ArgumentError(
            f"The address of a study in PostgreSQL must name one study, as in {_FORM}; it names "
            f"{'several' if names else 'none'}."
        )
    (name,) = names
    if not (0 < len(name) <= _LONGEST_NAME and name.isprintable()):
        raise ArgumentError(
            f"The name of a study must have 1 to {_LONGEST_NAME} printable characters, found {shown(name)}."
        )
    return name


def _decoded(text: str) -> str:
    """Return text with its percent escapes resolved."""
    try:
        parts = re.split("%([0-9A-Fa-f]{2})", text)
        if any("%" in part for part in parts[::2]):
            raise ValueError("a lone %")
        pairs = zip(parts[::2], [*parts[1::2], ""], strict=True)
        return b"".join(plain.encode() + bytes.fromhex(code) for plain, code in pairs).decode()
    except ValueError:
        raise ArgumentError(
            "The address of a study in PostgreSQL has a % that no two hex digits follow, or that stands "
            "for no UTF-8. Write %25 for the percent sign itself."
        ) from None
