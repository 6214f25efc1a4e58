"""The URL of a place in object storage: checked, and without credentials."""

from __future__ import annotations

import re
from typing import NamedTuple

from hoptim._text import shown
from hoptim.errors import ArgumentError

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://(.+)", re.IGNORECASE | re.DOTALL)
_ACCOUNTS = ("abfs", "abfss")  # container@account is no secret


class Address(NamedTuple):
    """A place in object storage.

    Attributes:
        protocol: Protocol, as fsspec names it, in lower case.
        path: Bucket and prefix behind it, without a slash at its end.
    """

    protocol: str
    path: str

    @classmethod
    def of(cls, url: object) -> Address:
        """Return the place that a URL names.

        Args:
            url: Text such as `s3://bucket/prefix`.

        Raises:
            ArgumentError: It is no URL, or has credentials in it; they are not repeated in the message.
        """
        found = _URL.fullmatch(url) if isinstance(url, str) else None
        if found is None:
            said = "a text that does not begin so" if isinstance(url, str) else shown(url)
            raise ArgumentError(
                f"A place in object storage is a URL like s3://bucket/prefix, found {said}."
            )
        protocol, path = found[1].lower(), found[2].rstrip("/")
        user, at, _ = path.split("/")[0].rpartition("@")
        if (at and (protocol not in _ACCOUNTS or ":" in user)) or "?" in path or "#" in path:
            raise ArgumentError(
                f"The {protocol}:// URL has a user, a password or a query in it, which may be secrets and "
                "would be written into the study. Give credentials in the environment, such as "
                "AWS_PROFILE, or in the files of the provider's own tools; an endpoint in AWS_ENDPOINT_URL."
            )
        if not path or "::" in path or not path.isprintable():
            raise ArgumentError(f"{shown(url)} must name one place, such as s3://bucket/prefix.")
        return cls(protocol, path)

    @property
    def url(self) -> str:
        """Return the URL."""
        return f"{self.protocol}://{self.path}"
