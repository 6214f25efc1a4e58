"""Files that the report is made of, in the order in which the page joins them."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent

TEMPLATE = _HERE / "page.html"
STYLES = (_HERE / "page.css",)
SCRIPTS = tuple(
    _HERE / f"{name}.js"
    for name in (
        "data", "numbers", "schedule", "axis", "dom", "plot", "panels", "tables", "workers", "pointer",
        "reload", "header", "page",
    )
)  # fmt: skip
