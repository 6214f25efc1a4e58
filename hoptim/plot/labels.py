"""Names of any length as labels."""

from __future__ import annotations

from hoptim._text import printable

LETTERS = 16  # of a label


def shortened(label: object, letters: int = LETTERS) -> str:
    """Return a label cut to a number of letters, so that it leaves room for the picture."""
    whole = printable(str(label))
    return whole if len(whole) <= letters else f"{whole[: letters - 1]}\N{HORIZONTAL ELLIPSIS}"
