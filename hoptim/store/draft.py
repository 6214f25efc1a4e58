"""A draft: one teller's private place for the checkpoint of a claim."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

_HIDDEN = re.compile(r"\.draft-(\w+)-(\d{1,18}\.\d{1,18}-[0-9a-f]{8})")
# A published checkpoint, or a draft and what a save writes beside it: study, then trial and token.
_OF_CLAIM = re.compile(r"(?:\.draft-(\w+)-)?(\d{1,18}\.\d{1,18})(?![\d])")


class Draft(NamedTuple):
    """One teller's private place for the checkpoint of a claim.

    Several processes may tell the same claim, as a task that runs twice does; the nonce keeps what
    they write apart.

    Attributes:
        number: Trial.
        token: Token of the claim.
        nonce: 8 hex digits that no other teller has.
    """

    number: int
    token: int
    nonce: str

    @classmethod
    def new(cls, number: int, token: int) -> Draft:
        """Return a place of its own."""
        return cls(number, token, os.urandom(4).hex())

    @property
    def claim(self) -> str:
        """Return trial and token, which is the name that it is published under in a study of format 1."""
        return f"{self.number}.{self.token}"

    @property
    def name(self) -> str:
        """Return the name that it is published under, which the tell records."""
        return f"{self.claim}-{self.nonce}"

    def hidden(self, study: str) -> str:
        """Return the name of the file or folder.

        Args:
            study: First digits of the study's identifier.
        """
        return f".draft-{study}-{self.name}"

    @classmethod
    def of(cls, name: str) -> Draft:
        """Return the draft that is published under a name."""
        claim, _, nonce = name.partition("-")
        number, _, token = claim.partition(".")
        return cls(int(number), int(token), nonce)

    @classmethod
    def parse(cls, hidden: str, study: str) -> Draft | None:
        """Return the draft whose file has a name, None if none has.

        Args:
            hidden: Name of a file.
            study: First digits of the study's identifier.
        """
        found = _HIDDEN.fullmatch(hidden)
        return None if found is None or found[1] != study else cls.of(found[2])


def claim_of(name: str, study: str) -> str | None:
    """Return the claim, `<trial>.<token>`, that a checkpoint or a draft is of; None for any other name.

    A save may write a file beside its draft first, whose name then goes on.

    Args:
        name: Name of a file or folder.
        study: First digits of the study's identifier; a draft of another one is of no claim here.
    """
    found = _OF_CLAIM.match(name)
    return None if found is None or found[1] not in (None, study) else found[2]
