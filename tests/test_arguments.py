"""Checks of what users pass."""

from __future__ import annotations

import pytest

from hoptim._arguments import plain, sign_of
from hoptim.errors import ArgumentError


def test_plain_gives_back_what_json_would():
    """Tuples become lists as in a file, and what JSON cannot hold is refused with its name."""
    assert plain({"a": (1, 2.5)}, "x") == {"a": [1, 2.5]}
    with pytest.raises(ArgumentError, match="The thing must be plain JSON"):
        plain({"a": float("nan")}, "The thing")


def test_sign_makes_lower_better():
    """A value times the sign of its mode is lower where the value is better; another mode is refused."""
    assert (sign_of("min"), sign_of("max")) == (1, -1)
    with pytest.raises(ArgumentError, match="mode must be 'min' or 'max', found 'most'"):
        sign_of("most")
