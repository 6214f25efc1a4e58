"""Values as text: in JSON, on a terminal, in a sentence."""

from __future__ import annotations

import math

import pytest

from hoptim._text import counted, json_number, printable


@pytest.mark.parametrize(
    ("value", "expected"), [(0.1, 0.1), (math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "nan")]
)
def test_numbers_that_json_lacks_are_strings(value, expected):
    """Finite numbers are returned as they are, the others as their names."""
    assert json_number(value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("größe", "größe"), ("a\x1b[2J", "a\\x1b[2J"), ("\n", "\\n"), ("\udce9", "\\udce9")],
)
def test_text_cannot_steer_a_terminal(text, expected):
    """Letters stay; escapes, line breaks and bytes that are no letters are shown as escapes."""
    assert printable(text) == expected


@pytest.mark.parametrize(("count", "expected"), [(0, "no trials"), (1, "1 trial"), (2, "2 trials")])
def test_counts_read_as_words(count, expected):
    """None, one and several of a thing have the right grammatical number."""
    assert counted(count, "trial") == expected
