"""Checks of what users pass."""

from __future__ import annotations

import pytest

from hoptim._arguments import plain
from hoptim.errors import ArgumentError


def test_plain_gives_back_what_json_would():
    """Tuples become lists as in a file, and what JSON cannot hold is refused with its name."""
    assert plain({"a": (1, 2.5)}, "x") == {"a": [1, 2.5]}
    with pytest.raises(ArgumentError, match="The thing must be plain JSON"):
        plain({"a": float("nan")}, "The thing")
