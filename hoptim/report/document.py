"""HTML documents that hold all they need: style, script and data, behind a policy that names them."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

_FRAME = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="hoptim">
<meta http-equiv="Content-Security-Policy" content="$policy">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>$title: hoptim</title>
<style>$style</style>
</head>
$body
<script type="application/json" id="data">$data</script>
<script type="module">$script</script>
</body>
</html>
"""


@dataclass(frozen=True)
class Document:
    """One page.

    Attributes:
        text: HTML.
        policy: Content-Security-Policy that is in it.
    """

    text: str
    policy: str


def document(
    template: Path,
    styles: Sequence[Path],
    scripts: Sequence[Path],
    data: Mapping[str, Any],
    asks: bool = False,
) -> Document:
    """Return a page that loads nothing.

    Args:
        template: HTML of the body before its scripts, with places for the `title`.
        styles: Files of CSS in the order in which the page joins them.
        scripts: Files of JavaScript, likewise.
        data: Data that the script finds as JSON; their `name` is the title.
        asks: True if the script may ask the server that the page came from. Default: False.
    """
    style, script = _joined(styles), _joined(scripts)
    policy = (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"script-src '{_hash(script)}'; style-src '{_hash(style)}'"
        + ("; connect-src 'self'" if asks else "")
    )
    body = template.read_text(encoding="utf-8").removesuffix("\n")
    text = Template(_FRAME.replace("$body", body)).substitute(
        policy=policy, title=_escaped(data["name"]), style=style, script=script, data=_embedded(data)
    )
    return Document(text, policy)


def _joined(files: Sequence[Path]) -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _hash(text: str) -> str:
    """Return the hash by which a Content-Security-Policy names a text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _escaped(text: str) -> str:
    """Return a text as HTML; it may hold half a surrogate, as names of files do."""
    return html.escape(text).encode("ascii", "xmlcharrefreplace").decode()


def _embedded(data: object) -> str:
    """Return data as JSON that an HTML parser leaves alone: pure ASCII without <, > and &."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text
