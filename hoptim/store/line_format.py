"""The line format of the journal: each line proves itself and its place behind the one before.

A line is 8 lower-case hex digits, a space, compact ASCII JSON, a newline. The digits are the CRC-32
of the previous line's digits followed by the JSON; the first line follows the digits of the uuid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn
from zlib import crc32

from hoptim.errors import ArgumentError

Record = dict[str, Any]


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


_PLAIN = json.JSONDecoder(parse_constant=_refuse)
_COMPACT = json.JSONEncoder(separators=(",", ":"), allow_nan=False)

# Quotes within texts are escaped in JSON, so no text of a user's looks like this.
_BEGIN = re.compile(rb'[0-9a-f]{8} \{"n":(\d{1,18}),')
_BATCH = re.compile(rb'"batch":(\d{1,18})\}\n?$')

LONGEST = 1 << 20  # bytes of a line; a longer one is a mistake of the caller or damage


def start(uuid: str) -> bytes:
    """Return the digits that the first line of a study's journal follows."""
    return digits(b"", uuid.encode(errors="surrogatepass"))  # a forged one may hold half a character


def encode(record: Mapping[str, Any], previous: bytes) -> bytes:
    """Return the line of a record.

    Args:
        record: Plain JSON without numbers that are not finite.
        previous: Digits of the line before.

    Raises:
        ArgumentError: No JSON, or longer than 1 MiB.
    """
    try:
        payload = _COMPACT.encode(record).encode("ascii")
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"A record of the journal must be plain JSON: {error}.") from error
    if len(payload) > LONGEST - 10:
        raise ArgumentError(
            f"A record of {len(payload)} bytes is longer than the journal's 1 MiB; record less in "
            "metrics, params or memo, and put what is large into the checkpoint."
        )
    return digits(previous, payload) + b" " + payload + b"\n"


class Scan(NamedTuple):
    """Good lines from the front of some bytes.

    Attributes:
        records: One per good line.
        length: Bytes that the good lines take.
        last: The last good line, the bytes given as such when there is none.
    """

    records: list[Record]
    length: int
    last: bytes


def scan(data: bytes, previous: bytes, n: int, last: bytes = b"") -> Scan:
    """Read lines until the end or the first that does not follow.

    Args:
        data: Bytes that begin where a line begins.
        previous: The digits of the line before.
        n: The number that the first record must have.
        last: The line before, handed through.
    """
    lines = data.split(b"\n")
    lines.pop()  # what has no end is no line
    payloads = []
    for line in lines:
        payload = line[9:]
        if line[:9] != b"%08x " % crc32(previous + payload) or len(line) >= LONGEST:
            break
        payloads.append(payload)
        previous = line[:8]
    records = _parse(payloads)
    for number, record in enumerate(records, n):
        if record.get("n") != number:
            del records[number - n :]
            break
    good = lines[: len(records)]
    return Scan(records, sum(map(len, good)) + len(good), good[-1] + b"\n" if good else last)


def is_torn(tail: bytes, n: int) -> bool:
    """Return whether bytes behind the last good line can be an interrupted append.

    One append writes one batch of records, so an interrupted one leaves nothing behind the break
    that looks like a record but records of the same batch. One of a later append means damage.

    Args:
        tail: The bytes from the first bad line on.
        n: The number that the first bad record should have had.
    """
    return all(_append_of(line) <= n for line in tail.split(b"\n")[:-1] if line.endswith(b"}"))


def _append_of(line: bytes) -> int:
    """Return the number of the first record of the append that a line seems to end, -1 if it is none.

    A line that lost its newline holds two; what counts is the last one.
    """
    found = _BEGIN.findall(line)
    return int(found[-1]) - batch_of(line) if found else -1


def batch_of(line: bytes) -> int:
    """Return how many records of its append a line says come before it."""
    found = _BATCH.search(line)
    return int(found[1]) if found else 0


def digits(previous: bytes, payload: bytes) -> bytes:
    """Return the digits of a line, given those of the line before and its JSON."""
    return b"%08x" % crc32(previous + payload)


def _parse(payloads: list[bytes]) -> list[Record]:
    """Parse objects until the first payload that is none; all in one go takes half the time."""
    records = _objects(b",".join(payloads))
    if len(records) == len(payloads):
        return records
    records = []
    for payload in payloads:
        found = _objects(payload)
        if len(found) != 1:
            break
        records += found
    return records


def _objects(payload: bytes) -> list[Record]:
    try:
        text = f"[{payload.decode('ascii')}]"
        found, end = _PLAIN.raw_decode(text)  # looks for no space around the text
    except (ValueError, RecursionError):
        return []
    return found if end == len(text) and {*map(type, found)} <= {dict} else []
