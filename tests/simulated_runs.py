"""Runs of the simulation's command, and what they must show whatever is simulated."""

from __future__ import annotations

import subprocess

from tests.builders import run


def simulated(*options: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command with some options, run to its end."""
    process = run("simulation.py", *options, **environment)
    out, errors = process.communicate(timeout=280)
    assert errors == ""
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def assert_clean(runs: int, *options: object) -> None:
    """Nothing bad is found in some schedules."""
    done = simulated(*options, "--runs", runs, "--jobs", 2)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith(f"{runs} schedules, ")
    assert done.stdout.endswith(" 0 bad\n")


def assert_repeatable(*options: object) -> None:
    """The same seeds make the same calls and the same bytes, whatever ran before and however sets hash."""
    runs = ["--runs", 3, "--seed", 20, "--trace"]
    three = [simulated(*options, *runs, PYTHONHASHSEED=h).stdout for h in ("1", "2")]
    traces = [out.splitlines()[:-1] for out in three]  # the last line tells seconds
    assert traces[0] == traces[1]
    assert len(traces[0]) > 1000
    last = simulated(*options, "--runs", 1, "--seed", 22, "--trace").stdout.splitlines()[:-1]
    assert traces[0][-len(last) :] == last
    assert last[-1].startswith("seed 22 ends with the journal ")


def assert_caught(mutant: str, *options: object) -> None:
    """A mutant is found out, with a seed that shows it again."""
    found = simulated(*options, "--jobs", 2, "--stop", 1, "--mutant", mutant)
    assert (found.returncode, found.stdout[-6:]) == (1, "1 bad\n"), found.stdout
    command = found.stdout.splitlines()[-2].split()
    again = simulated(*command[2:])
    assert again.returncode == 1
    assert found.stdout.splitlines()[-3] in again.stdout
