"""How docstrings open, counted: functions with a verb in the imperative, entries with a noun phrase.

`python tests/docstrings.py` prints a table by room, `--list` each docstring and entry to be rewritten, and
`--root` looks at another copy of the package.

The rule for a function, method or property: its first word is in `tests/verbs.txt` and the second is not
"of", which makes a noun of it ("Name of a ...", "Order of ..."). A list of what is allowed is stricter than
one of what is not, and shorter to explain: a verb that is missing is added, in its base form. Modules and
classes are named by noun phrases and are exempt; so is whatever has no docstring.

The rule for an entry of Args, Attributes, Returns, Yields or Raises: its text does not begin with one of
`BARE`, which leave the thing itself unsaid ("Of the trial to propose.", "Whether to ...", "Who decides.").
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
VERBS = frozenset((HERE / "verbs.txt").read_text().split())
BARE = {
    "As", "How", "Of", "That", "Those", "What", "When", "Where", "Whether", "Which", "Who", "Whose", "Why",
}  # fmt: skip

_SECTION = re.compile(r"(\s*)(Args|Attributes|Returns|Yields|Raises):\s*")
_NAMED = re.compile(r"[*`\w., /]+:\s+(.*)")


class Finding(NamedTuple):
    """One docstring of a function, or one entry of a section.

    Attributes:
        path: File within the package.
        line: Line in it, from 1.
        entry: False for a function's first line, True for an entry.
        text: The words that the rule judges, to the end of their line.
    """

    path: Path
    line: int
    entry: bool
    text: str

    @property
    def room(self) -> str:
        """Return the folder that the file is in, or its own name at the top."""
        return self.path.parts[0].removesuffix(".py")

    @property
    def wrong(self) -> bool:
        """Tell whether the rule is broken."""
        first, second, *_ = [*re.findall(r"[\w'-]+", self.text), "", ""]
        if self.entry:
            return first in BARE
        return not (first.istitle() and first.lower() in VERBS) or second == "of"


def findings(root: Path) -> list[Finding]:
    """Return every function's docstring and every entry in the Python files of a folder, in order."""
    return [
        Finding(path.relative_to(root), *found)
        for path in sorted(root.rglob("*.py"))
        for found in _in_file(ast.parse(path.read_text()))
    ]


def table(found: list[Finding]) -> str:
    """Return the counts by room as text, with a last line for all of them."""
    lines = [f"{'room':14}{'functions':>10}{'wrong':>8}{'entries':>10}{'wrong':>8}"]
    for room in [*sorted({each.room for each in found}), "all"]:
        here = [each for each in found if room in (each.room, "all")]
        counts = [
            (len(kind), sum(each.wrong for each in kind))
            for kind in ([e for e in here if not e.entry], [e for e in here if e.entry])
        ]
        lines.append("{:14}{:10}{:8}{:10}{:8}".format(room, *counts[0], *counts[1]))
    return "\n".join(lines)


def _in_file(tree: ast.Module) -> Iterator[tuple[int, bool, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if (text := ast.get_docstring(node, clean=False)) is None:
            continue
        start = node.body[0].lineno
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield start, False, text.strip().partition("\n")[0]
        for line, entry in _entries(text.splitlines()):
            yield start + line, True, entry


def _entries(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield line and text of each entry; a line that is indented deeper continues the one before."""
    section = indent = None
    for number, line in enumerate(lines):
        here = len(line) - len(line.lstrip())
        if found := _SECTION.fullmatch(line):
            section, indent = found[2], len(found[1])
        elif line.strip() and section and here <= (indent or 0):
            section = None
        elif line.strip() and section and here == (indent or 0) + 4:
            named = _NAMED.fullmatch(line.strip())
            yield number, named[1] if named and section not in ("Returns", "Yields") else line.strip()


def main() -> None:
    """Print the table, or every offender with --list; exit with 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, default=HERE.parent / "hoptim", help="folder of the package")
    parser.add_argument("--list", action="store_true", help="print each offender as file:line")
    parser.add_argument("rooms", nargs="*", help="rooms to look at; all if none is given")
    given = parser.parse_args()
    found = [each for each in findings(given.root) if each.room in (given.rooms or [each.room])]
    if given.list:
        for each in found:
            if each.wrong:
                print(f"{given.root.name}/{each.path}:{each.line}: {each.text}")
    else:
        print(table(found))
    raise SystemExit(any(each.wrong for each in found))


if __name__ == "__main__":
    main()
