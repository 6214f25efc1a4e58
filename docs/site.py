"""MkDocs hook of the site: adds the changelog, and shows the examples in docstrings as code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor
from mkdocs.structure.files import File, Files

_CHANGELOG = Path(__file__).resolve().parents[1] / "CHANGELOG.md"


def on_config(config: Any) -> None:
    """Add the extension to those of mkdocs.yml; MkDocs calls this."""
    config.markdown_extensions.append(Examples())


def on_files(files: Files, config: Any) -> None:
    """Add the changelog, which is no page of this folder; MkDocs calls this."""
    text = _CHANGELOG.read_text(encoding="utf-8").replace("](docs/", "](")
    files.append(File.generated(config, "changelog.md", content=text))


class Examples(Extension):
    """Markdown extension that fences examples, `>>>` to the next empty line, else taken for quotations."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - the name is Markdown's
        """Register the preprocessor before that of fences, whose priority is 25."""
        md.preprocessors.register(_Fences(md), "examples", 26)


class _Fences(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        return list(_fenced(lines))


def _fenced(lines: list[str]) -> Iterator[str]:
    inside = False
    for line in [*lines, ""]:
        if inside != (line.startswith(">>> ") or (inside and bool(line.strip()))):
            yield "```" if inside else "```pycon"
            inside = not inside
        yield line
