"""The figure that every picture is drawn on, whatever matplotlib's settings are."""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.text import Text

from hoptim.plot.labels import shortened

_LETTERS = 60  # of a title
_MISSING = re.compile(r"^Glyph \d+ .*missing from ")
log = logging.getLogger("hoptim")


class Sheet(Figure):  # type: ignore[misc, unused-ignore]
    """A figure that a notebook shows by itself, without `%matplotlib inline`.

    Names of studies and hyperparameters are no TeX, so it is drawn without LaTeX even where `text.usetex`
    is set.
    """

    def draw(self, renderer: Any) -> None:
        """Draw everything; characters without a glyph are one message."""
        for text in self.findobj(Text):
            text.set_usetex(False)
        with matplotlib.rc_context({"text.usetex": False}), _glyphs_told():
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


def sheet(width: float, height: float, name: str) -> Sheet:
    """Return an empty figure, laid out anew at any size.

    Args:
        width: Width in inches.
        height: Height in inches.
        name: Title, such as the name of a study.
    """
    made = Sheet(figsize=(width, height), layout="constrained")
    if name:
        made.suptitle(shortened(name, _LETTERS), parse_math=False, fontsize="large")
    return made


@contextmanager
def _glyphs_told() -> Iterator[None]:
    """Log once, in place of a warning for each, that characters have no glyph; pass other warnings on."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield
    glyphs = [_MISSING.search(str(each.message)) for each in said]
    if any(glyphs):
        log.warning(
            "Some characters of a name are drawn as boxes: matplotlib's font has no glyphs for them. Set "
            "font.family in a matplotlibrc file to one that has."
        )
    for each, glyph in zip(said, glyphs, strict=True):
        if not glyph:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
