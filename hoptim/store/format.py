"""Formats of a study that this version reads; docs/format.md says what is in them."""

from __future__ import annotations

from typing import NoReturn

from hoptim.errors import NewerFormat, StudyDamaged

NEWEST = 2  # of new studies; one of format 1 goes on as 1


def refuse_op(n: int, op: object) -> NoReturn:
    """Refuse a record that this version does not know: of a later version if its op is a word."""
    if type(op) is str and op.isascii() and op.isalpha():
        raise NewerFormat(
            f"Record {n} has the unknown op {op!r}: the study was written by a later version of hoptim. "
            "Update hoptim to open it."
        )
    raise StudyDamaged(f"Record {n} has no op that hoptim writes, found {op!r}.")


def known_format(found: object) -> int:
    """Return the format of a study; raise `NewerFormat` for a later one, `ValueError` for what is none."""
    if type(found) is int and found > NEWEST:
        raise NewerFormat(
            f"The study has format {found} and was written by a later version of hoptim; this one reads "
            f"formats up to {NEWEST}. Update hoptim to open it."
        )
    if type(found) is not int or found < 1:
        raise ValueError(f"format is {found!r}")
    return found
