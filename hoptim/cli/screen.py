"""Text for people in a terminal or a pipe: tables that fit, sizes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from hoptim._text import printable

_UNBOUND = 10_000  # columns of a pipe: nothing is cut or wrapped
_GAP = 2  # columns between two of a table


class _Screen(Console):
    def on_broken_pipe(self) -> None:
        """Raise the error again, for the group of commands to handle; rich would exit."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def console() -> Console:
    """Return the terminal, or the pipe in its place; it prints text as it is, without markup."""
    screen = _Screen(markup=False, emoji=False, highlight=False)
    if not screen.is_terminal and "COLUMNS" not in os.environ:
        screen.width = _UNBOUND
    return screen


def tables(
    header: Sequence[str], rows: Sequence[Sequence[str]], keys: int, width: int, left: Sequence[str] = ()
) -> Iterator[Table | Text]:
    """Yield a table in parts to print below each other, each of which fits a width.

    Args:
        header: Names of the columns.
        rows: Cells of each row.
        keys: Number of columns from the left that are repeated in each part.
        width: Width of the terminal in characters.
        left: Names of columns to align to the left, for words; numbers go to the right.
    """
    cells = [[printable(cell) for cell in column] for column in zip(header, *rows, strict=True)]
    widths = [max(map(len, column)) + _GAP for column in cells]
    rest = list(range(keys, len(cells)))
    while rest or keys == len(cells):
        taken = list(range(keys))
        while rest and (len(taken) == keys or sum(widths[i] for i in [*taken, rest[0]]) <= width):
            taken.append(rest.pop(0))
        columns = [cells[i] for i in taken]
        fits = sum(max(map(cell_len, column)) + _GAP for column in columns) - _GAP <= width
        yield _aligned(columns, left) if fits else _folded(columns, left)
        if not rest:
            return


def _aligned(columns: Sequence[Sequence[str]], left: Sequence[str]) -> Text:
    """Return the columns as lines, in a small part of the time of a table of rich."""
    padded = []
    for column in columns:
        width = max(map(cell_len, column))
        blanks = [" " * (width - cell_len(cell)) for cell in column]
        pairs = zip(column, blanks, strict=True)
        padded.append([cell + blank if column[0] in left else blank + cell for cell, blank in pairs])
    header, *lines = map((" " * _GAP).join, zip(*padded, strict=True))
    return Text.assemble((header, "bold"), *(f"\n{line}" for line in lines), no_wrap=True)


def _folded(columns: Sequence[Sequence[str]], left: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for name, *_ in columns:
        table.add_column(name, justify="left" if name in left else "right", overflow="fold")
    for row in list(zip(*columns, strict=True))[1:]:
        table.add_row(*row)
    return table


def size(count: int) -> str:
    """Return a number of bytes in words, such as 1.2 MB."""
    return decimal(count)
