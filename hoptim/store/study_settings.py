"""The settings of a study as bytes, and the first records of its journal, wherever both are kept."""

from __future__ import annotations

import json
import os
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from hoptim._arguments import LARGEST_COUNT
from hoptim.errors import NewerFormat, StudyDamaged
from hoptim.store import line_format
from hoptim.store.format import NEWEST, known_format
from hoptim.store.line_format import Record

LONGEST = 1 << 24  # bytes; settings are small, but start= may name many members


class StudyFile(NamedTuple):
    """Content of study.json.

    Attributes:
        uuid: Identifier of this very study.
        identity: Settings that must be the same whenever the study is opened; plain JSON.
        steps: Trials of each member when the study was made; `extend` records may raise it.
    """

    uuid: str
    identity: dict[str, Any]
    steps: int


Begin = Callable[[StudyFile], Sequence[Record]]


def encoded(version: int, settings: StudyFile) -> bytes:
    """Return the bytes of settings, whose digest is in record 0."""
    content = {
        "format": version, "uuid": settings.uuid, "steps": settings.steps, "identity": settings.identity,
    }  # fmt: skip
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def decoded(data: bytes, name: str) -> StudyFile:
    """Return the settings that some bytes hold.

    Args:
        data: Bytes that `encoded` returned once.
        name: Place of the bytes, for messages.

    Raises:
        StudyDamaged: They are not what hoptim wrote there.
        NewerFormat: A later version of hoptim wrote them.
    """
    try:
        if len(data) > LONGEST:
            raise ValueError(f"it is longer than {LONGEST} bytes")
        found = json.loads(data)
        known_format(found["format"])
        if wrong := next(wrong_fields(found), None):
            raise ValueError(wrong)
    except NewerFormat as error:
        raise NewerFormat(f"{name!r}: {error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StudyDamaged(f"{name!r} cannot be read: {error!r}. Restore it from a copy.") from error
    return StudyFile(found["uuid"], found["identity"], found["steps"])


def first_lines(settings: StudyFile, data: bytes, begin: Begin | None) -> list[bytes]:
    """Return the lines that a study's journal begins with.

    Args:
        settings: Settings of the study.
        data: Their bytes.
        begin: Function that gives the records behind record 0; None without any.
    """
    record: Record = {
        "n": 0, "id": os.urandom(6).hex(), "op": "create", "format": NEWEST,
        "uuid": settings.uuid, "study": digest_of(data),
    }  # fmt: skip
    if begun := [] if begin is None else begin(settings):
        record["begun"] = len(begun)
    lines, last = [], line_format.start(settings.uuid)
    for each in (record, *begun):
        lines.append(line_format.encode(each, last))
        last = lines[-1][:8]
    return lines


def compare_digest(line: bytes, data: bytes, name: str) -> None:
    """Raise `StudyDamaged` if the bytes of settings are not those whose digest is in record 0.

    Args:
        line: First line of the journal; a damaged one is found later.
        data: Bytes of the settings.
        name: Address of the study, for the message.
    """
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        if json.loads(line[9:])["study"] != digest_of(data):
            raise StudyDamaged(
                f"{name!r} is not the file that the journal was begun with: it was edited, or "
                "belongs to another study. Restore it; a study's settings cannot change."
            )


def digest_of(data: bytes) -> str:
    """Return the digest of settings that record 0 carries."""
    from hashlib import sha256  # seldom needed, and slow to import

    return sha256(data).hexdigest()


def wrong_fields(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence on each field of a study.json that is not as hoptim writes it."""
    uuid = found.get("uuid")
    yield from wrong_types([("uuid", uuid, str), ("steps", found.get("steps"), int)])
    yield from wrong_types([("identity", found.get("identity"), dict)])
    if type(uuid) is str and not re.fullmatch("[0-9a-f]{32}", uuid):
        yield f"In study.json uuid should be 32 hex digits, found {reprlib.repr(uuid)}."


def wrong_types(
    fields: Iterable[tuple[str, Any, type]], least: int = 1, most: int = LARGEST_COUNT
) -> Iterator[str]:
    """Yield a sentence on each field that is of another type, or outside of its range.

    Args:
        fields: Name, value and type of each.
        least: Least whole number. Default: 1.
        most: Largest whole number. Default: 2**63 - 1.
    """
    for name, value, kind in fields:
        if type(value) is not kind:
            yield f"In study.json {name} should be of type {kind.__name__}, found {reprlib.repr(value)}."
        elif isinstance(value, int) and value < least:
            yield f"In study.json {name} is {value}, which is too small."
        elif isinstance(value, int) and value > most:
            yield f"In study.json {name} is {reprlib.repr(value)}, which is too large."
