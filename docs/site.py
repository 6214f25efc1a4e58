"""MkDocs hook of the site: shows the examples in docstrings as code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor


def on_config(config: Any) -> None:
    """Add the extension to those of mkdocs.yml; MkDocs calls this."""
    config.markdown_extensions.append(Examples())


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
