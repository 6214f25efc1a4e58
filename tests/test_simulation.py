"""The real store on a simulated system: thousands of schedules, and mutants that must be caught."""

from __future__ import annotations

import subprocess

import pytest

from tests.builders import run

MUTANTS = {  # and how many schedules at most it takes to see each
    "nosync": 100, "nodirsync": 100, "noforeign": 2000, "nolock": 100, "stale": 100, "nobeat": 100,
    "onespace": 100,
}  # fmt: skip


def simulated(*options: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command with some options, run to its end."""
    process = run("simulation.py", *options, **environment)
    out, errors = process.communicate(timeout=280)
    assert errors == ""
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def test_many_schedules_are_clean():
    """Kills, stops, signals, errors, full disks and power cuts at random calls do no harm."""
    done = simulated("--runs", 600, "--jobs", 2)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("600 schedules, ")
    assert done.stdout.endswith(" 0 bad\n")


def test_a_seed_is_a_schedule():
    """The same seeds make the same calls and the same bytes, whatever ran before and however sets hash."""
    three = [simulated("--runs", 3, "--seed", 20, "--trace", PYTHONHASHSEED=h).stdout for h in ("1", "2")]
    traces = [out.splitlines()[:-1] for out in three]  # the last line tells seconds
    assert traces[0] == traces[1]
    assert len(traces[0]) > 1000
    last = simulated("--runs", 1, "--seed", 22, "--trace").stdout.splitlines()[:-1]
    assert traces[0][-len(last) :] == last
    assert last[-1].startswith("seed 22 ends with the journal ")


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught(mutant):
    """A system that breaks its word is found out, with a seed that shows it again."""
    found = simulated("--runs", MUTANTS[mutant], "--jobs", 2, "--stop", 1, "--mutant", mutant)
    assert (found.returncode, found.stdout[-6:]) == (1, "1 bad\n"), found.stdout
    command = found.stdout.splitlines()[-2].split()
    again = simulated(*command[2:])
    assert again.returncode == 1
    assert found.stdout.splitlines()[-3] in again.stdout
