"""The precautions that `tests/mutation.py` takes away are still there to be taken away."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutation import MUTANTS, ROOT, STORE


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_changes_the_code(name):
    """What a mutant replaces is in the file, once, and what comes out is Python still."""
    text = (ROOT / "hoptim" / MUTANTS[name].file).read_text()
    for old, new in MUTANTS[name].edits:
        assert text.count(old) == 1
        text = text.replace(old, new)
    ast.parse(text)


@pytest.mark.parametrize("name", sorted({*STORE, *(mutant.first for mutant in MUTANTS.values())}))
def test_the_tests_that_should_notice_are_there(name):
    """Each module of tests that a mutant names exists."""
    assert (Path(__file__).parent / f"test_{name}.py").exists()
