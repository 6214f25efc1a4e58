"""Values as text: numbers in JSON, names on a terminal, counts in a sentence."""

from __future__ import annotations

import math


def json_number(value: float) -> float | str:
    """Return a number for JSON, which has no word for "nan", "inf" and "-inf": those become strings.

    Args:
        value: A float; a finite one is returned as it is.
    """
    return value if math.isfinite(value) else str(value)


def printable(text: str) -> str:
    r"""Return text of unknown origin on one line, such that it cannot steer a terminal.

    Args:
        text: Name, path or line of a message; characters that are not printable, a line break too, are
            escaped as in Python.

    >>> print(printable("run\x1b[2J\n2"))
    run\x1b[2J\n2
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def printable_lines(text: str) -> str:
    r"""Return text as `printable` does, except that its line breaks stay.

    Args:
        text: Message of several lines, such as an error's, or a table.

    >>> print(printable_lines("one\n\x1b[2Jtwo"))
    one
    \x1b[2Jtwo
    """
    return "\n".join(map(printable, text.split("\n")))


def counted(count: int, what: str) -> str:
    """Return a number of things in words, such as "no trials", "1 trial" or "2 trials".

    Args:
        count: Number of things.
        what: Their name in the singular; its plural takes an s.
    """
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
