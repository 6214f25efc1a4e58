"""The real store on a simulated server of PostgreSQL: random schedules, and mutants that must be caught."""

from __future__ import annotations

import pytest

pytest.importorskip("psycopg")

from tests.builders import run
from tests.simulated_runs import assert_caught, assert_clean, assert_repeatable

pytestmark = pytest.mark.postgres

MUTANTS = ("nolock", "lateread", "forgets", "keeps", "nobeat")


def test_many_schedules_are_clean():
    """Cut connections, restarts, kills, stops, signals and refusals at random messages do no harm."""
    assert_clean(100, "--database")


def test_a_seed_is_a_schedule():
    """The same seeds make the same messages and rows, whatever ran before and however sets hash."""
    assert_repeatable("--database")


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught(mutant):
    """A server that breaks its word is found out, with a seed that shows it again."""
    assert_caught(mutant, "--database", "--runs", 100)


def test_a_mutant_of_files_is_none_of_a_server():
    """What cannot be broken is refused, and not found clean."""
    process = run("simulation.py", "--database", "--mutant", "nosync")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "nosync is a mutant of the other system" in errors
