"""The real store on a simulated server of PostgreSQL: random schedules, and mutants that must be caught."""

from __future__ import annotations

import subprocess

import pytest

pytest.importorskip("psycopg")

from tests.builders import run

pytestmark = pytest.mark.postgres

MUTANTS = ("nolock", "lateread", "forgets", "keeps", "nobeat")


def simulated(*options: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command with some options, run to its end."""
    process = run("simulation.py", "--database", *options, **environment)
    out, errors = process.communicate(timeout=280)
    assert errors == ""
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def test_many_schedules_are_clean():
    """Cut connections, restarts, kills, stops, signals and refusals at random messages do no harm."""
    done = simulated("--runs", 100, "--jobs", 2)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("100 schedules, ")
    assert done.stdout.endswith(" 0 bad\n")


def test_a_seed_is_a_schedule():
    """The same seeds make the same messages and rows, whatever ran before and however sets hash."""
    runs = [simulated("--runs", 3, "--seed", 20, "--trace", PYTHONHASHSEED=h).stdout for h in ("1", "2")]
    traces = [out.splitlines()[:-1] for out in runs]  # the last line tells seconds
    assert traces[0] == traces[1]
    assert len(traces[0]) > 1000
    last = simulated("--runs", 1, "--seed", 22, "--trace").stdout.splitlines()[:-1]
    assert traces[0][-len(last) :] == last
    assert last[-1].startswith("seed 22 ends with the journal ")


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught(mutant):
    """A server that breaks its word is found out, with a seed that shows it again."""
    found = simulated("--runs", 100, "--jobs", 2, "--stop", 1, "--mutant", mutant)
    assert (found.returncode, found.stdout[-6:]) == (1, "1 bad\n"), found.stdout
    command = found.stdout.splitlines()[-2].split()
    again = simulated(*command[2:])
    assert again.returncode == 1
    assert found.stdout.splitlines()[-3] in again.stdout


def test_a_mutant_of_files_is_none_of_a_server():
    """What cannot be broken is refused, and not found clean."""
    process = run("simulation.py", "--database", "--mutant", "nosync")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "nosync is a mutant of the other system" in errors
