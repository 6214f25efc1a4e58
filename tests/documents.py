"""Markdown documents: their blocks, links and anchors, and a reader who does what they say."""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.builders import ROOT

DOCS = ROOT / "docs"
SHOWN = re.compile(
    r"<!-- (?:theirs|excerpt) -->$"
)  # before a block of another package, or a part of a script

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"# (\w+\.(?:py|sh))\n")
_PLAIN = re.compile(
    r"(?:hoptim (?!.* -- )[^|&;$<>\\\n]*\n)+"
)  # a process of its own would only take longer


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        language: As the fence says.
        text: What is in it, with the newline at its end.
        before: What is written between the block before and this one.
    """

    language: str
    text: str
    before: str


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a document, in order."""
    end = 0
    for found in _FENCE.finditer(text):
        yield Block(found[1], found[2], text[end : found.start()].strip())
        end = found.end()


def prose(text: str) -> str:
    """A document without its fenced blocks."""
    return _FENCE.sub("", text)


def links(text: str) -> list[str]:
    """Targets of relative links and pictures."""
    return re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose(text))


def paths(text: str) -> list[str]:
    """Files of this repository that are named in code marks."""
    return re.findall(r"`((?:hoptim|tests|examples|benchmarks|docs|\.ci)/[\w./]+)`", text)


def anchors(text: str) -> set[str]:
    """What links into a document may name: its headings, as GitHub and MkDocs spell them."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class Reader:
    """Does what a page says, block by block, in a folder of its own.

    A block that begins with `# name.py` or `# name.sh` is saved under that name; other blocks of Python and
    of the shell are run, unless a comment before them says that they are only shown. A text block right
    behind is what they print; `...` stands for anything, and lines may be broken anew.

    Args:
        folder: Where.
        instead: What to do in place of a block of the shell, by its text.
        edit: Changes a file before it is saved.
        shape: Changes quoted output before it is compared.
    """

    def __init__(
        self,
        folder: Path,
        instead: dict[str, Callable[[], object]] | None = None,
        edit: Callable[[str], str] = str,
        shape: Callable[[str], str] = str,
    ) -> None:
        self.folder, self.instead, self.edit, self.shape = folder, instead or {}, edit, shape
        self.names: dict[str, Any] = {}
        self.printed = ""
        self.compared = 0

    def read(self, text: str) -> None:
        """Do all that a page says, and compare what it quotes."""
        for block in blocks(text):
            quotes = block.language == "text" and not block.before
            if quotes:
                self.compare(block.text)
            elif not SHOWN.search(block.before):
                self.do(block)

    def do(self, block: Block) -> None:
        """Run a block, if it is one to be run."""
        name = _NAME.match(block.text)
        if name:
            (self.folder / name[1]).write_text(self.edit(block.text))
        elif block.language == "python":
            out = io.StringIO()
            with contextlib.chdir(self.folder), contextlib.redirect_stdout(out):
                exec(compile(block.text, "page", "exec"), self.names)
            self.printed = out.getvalue()
        elif block.text in self.instead:
            self.instead[block.text]()
        elif block.language == "sh" and _PLAIN.fullmatch(block.text):
            self.printed = "".join(command(line, self.folder) for line in block.text.splitlines())
        elif block.language == "sh":
            self.printed = shell(block.text, self.folder)

    def compare(self, quoted: str) -> None:
        """What was printed last is what the page quotes."""
        options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        same = doctest.OutputChecker().check_output(self.shape(quoted), self.printed, options)
        assert same, f"quoted:\n{quoted}\nprinted:\n{self.printed}"
        self.compared += 1


def commands_in(folder: Path) -> dict[str, str]:
    """An environment in which `python` and `hoptim` are this Python and this hoptim, installed or not."""
    bin_ = folder / ".bin"
    bin_.mkdir(exist_ok=True)
    for name, more in (("python", ""), ("hoptim", "-m hoptim ")):
        (bin_ / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {more}"$@"\n')
        (bin_ / name).chmod(0o755)
    paths = {"PATH": f"{bin_}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **paths, "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg"}


def command(line: str, folder: Path) -> str:
    """What a command of hoptim prints, here and now, for a process of its own takes longer to begin."""
    from hoptim.__main__ import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(shlex.split(line, comments=True)[1:])
    assert status == 0, f"{line}\n{err.getvalue()}"
    return out.getvalue()


def shell(text: str, folder: Path) -> str:
    """What a block of the shell prints, errors too, as on a terminal; it must succeed."""
    ran = subprocess.run(
        ["sh", "-eu", "-c", text], cwd=folder, env=commands_in(folder), text=True, timeout=120, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert ran.returncode == 0, f"{text}{ran.stdout}"
    return ran.stdout
