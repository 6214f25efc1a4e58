"""Values as text: numbers in JSON, names on a terminal, counts and lengths of time in a sentence."""

from __future__ import annotations

import math

_LONGEST_SHOWN = 200  # characters of a value in a message
_LONGEST_SAID = 20_000  # characters of a reason; in JSON up to 12 times as many bytes, of a line's 1 MiB


def json_number(value: float) -> float | str:
    """Return a number for JSON, which has no word for "nan", "inf" and "-inf": those become strings.

    Args:
        value: A number; a finite one is returned as it is, and so is other JSON.
    """
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


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


def shown(value: object) -> str:
    """Return the `repr` of any object for a message: cut when long, and none that raises.

    Args:
        value: Object of a user's, whose own code may do anything.
    """
    try:
        return shortened(repr(value), _LONGEST_SHOWN)
    except Exception as error:  # a repr of its own, too deep a list, an int of over 4,300 digits
        return f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"


def said(value: object) -> str:
    """Return an object as the text that a record keeps: cut when long, and never an exception.

    Args:
        value: Text, or an object such as an exception that tells of a failure.
    """
    try:
        return shortened(str(value), _LONGEST_SAID)
    except Exception as error:
        return f"<{type(value).__name__}, whose str raises {type(error).__name__}>"


def shortened(text: str, longest: int) -> str:
    """Return a text, without its middle if it is too long: both ends of a traceback say something.

    Args:
        text: Text of any length.
        longest: Characters that are kept. A text that is at most a hundredth longer is returned whole: it
            may have been cut before.

    >>> shortened("0123456789", 4)
    '01 [... 6 characters ...] 89'
    """
    if len(text) <= longest + longest // 100:
        return text
    half = longest // 2
    return f"{text[:half]} [... {len(text) - 2 * half} characters ...] {text[-half:]}"


def counted(count: int, what: str) -> str:
    """Return a number of things in words, such as "no trials", "1 trial" or "2 trials".

    Args:
        count: Number of things.
        what: Their name in the singular; its plural takes an s.
    """
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units, such as 3 h 05 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if hours < 1:
        return f"{minutes} min {whole % 60:02} s"
    if days < 1:
        return f"{hours} h {minutes % 60:02} min"
    return f"{days} d {hours % 24:02} h"
