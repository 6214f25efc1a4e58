"""The language study beside other packages: runs become results, and results a table."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

pytest.importorskip("torch")

from language_peers import METHODS, chosen, main, measure
from peers.language.member import Member
from peers.language.table import table
from peers.language.task import SPACE, Task
from peers.methods import Method

from hoptim.benchmarks.studies.language_options import LanguageOptions
from hoptim.benchmarks.studies.study_run import open_study
from tests.builders import ROOT

PARAMS = dict.fromkeys(SPACE, 0.1)


def task(folder, **more) -> Task:
    """A run of two members and one interval."""
    given: dict[str, Any] = {"seed": 300, "size": 2, "steps": 1, "cores": 1, "arguments": {}}
    return Task(**given | {"folder": str(folder)} | more)


def run(method="hoptim ROMUL", seed=300, test=50.0, **more):
    """A run as `measure` returns it."""
    costs = {"wall": 30.0, "training": 40.0, "bytes": 2_000_000, "intervals": 320, "age": 20}
    found = {"validation": test + 2, "test": test, **costs, "versions": {"fake": "1"}}
    return {"method": method, "seed": seed, **found, **more}


def document(*runs):
    """Results of two cores."""
    return {"members": 16, "steps": 20, "cores": 2, "runs": list(runs)}


def interpreter(tmp_path, does: str) -> str:
    """An interpreter that does one thing whatever it is to run."""
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\n{does}\n")
    os.chmod(script, 0o700)
    return str(script)


# -- what all are given ------------------------------------------------------------------------------


def test_members_begin_with_the_hyperparameters_of_the_study(tmp_path):
    """Those of the study's own run with the same seed; another seed has others."""
    study = open_study(LanguageOptions().training(2), "ROMUL", False, 300, None)
    assert [trial.params for trial in (study.ask(), study.ask()) if trial] == task(tmp_path).starts
    assert task(tmp_path, seed=301).starts != task(tmp_path).starts


def test_draws_differ_by_member_and_age_alone(tmp_path):
    """Whoever trains a member draws the same, so that runs with one seed are pairs."""
    draws = [task(tmp_path).dropout_seed(member, age) for member in range(3) for age in range(3)]
    draws += [task(tmp_path).weights_seed(member) for member in range(3)]
    assert len({*draws}) == 12
    assert task(tmp_path, cores=7).dropout_seed(1, 2) == draws[5]


def test_a_process_is_given_its_task_by_the_environment(tmp_path, monkeypatch):
    """It is the same task as that of the process that started it."""
    for name, value in task(tmp_path, arguments={"optimizer": "ROMUL"}).environment().items():
        monkeypatch.setenv(name, value)
    assert Task.current() == task(tmp_path, arguments={"optimizer": "ROMUL"})


def test_a_member_goes_on_from_its_file_to_the_bit(tmp_path):
    """Two intervals in one go, and in another object after the first; each is recorded."""
    there, first = task(tmp_path), Member(task(tmp_path))
    first.begin(1)
    first.train(PARAMS, 1)
    first.save(tmp_path / "file")
    second = Member(there)
    second.load(tmp_path / "file")
    assert (second.age, second.loss) == (1, first.loss)
    assert second.train(PARAMS, 1) == first.train(PARAMS, 1)
    assert len(there.recorded()) == 3
    assert min(there.recorded()) > 0


def test_costs_are_those_of_runs_alone(tmp_path):
    """A run beside other work counts for the perplexities; its seconds count for nothing."""
    shared = run(seed=301, test=52.0, wall=1000.0, beside=True)
    text = table(document(run(), shared))
    assert "51.000 (1.000)" in text
    assert "1000" not in text
    assert text.split("\n")[4].split()[-6:] == ["1", "30.0", "40.0", "10.0", "2.0", "320"]
    assert table(document(shared)).split("\n")[4].split()[-1] == "0"


# -- one run -----------------------------------------------------------------------------------------


def test_a_package_that_takes_too_long_is_ended(tmp_path):
    """The table says after how many seconds."""
    found = measure(Method("Fake", "fake"), task(tmp_path), interpreter(tmp_path, "exec sleep 1000"), 0.2)
    assert found == {"method": "Fake", "seed": 300, "cannot": "no end in 0 s"}


def test_a_package_that_fails_says_why(tmp_path):
    """With its last words."""
    python = interpreter(tmp_path, "echo first; echo 'no such thing' >&2; touch litter; exit 3")
    found = measure(Method("Fake", "fake"), task(tmp_path), python, 100)
    assert found["cannot"] == "exit code 3: no such thing"
    assert (tmp_path / "litter").exists()  # what it leaves in its working directory goes with the run


def test_a_package_that_trains_too_little_has_no_result(tmp_path):
    """One interval of two."""
    task(tmp_path).record(0.5)
    found = measure(Method("Fake", "fake"), task(tmp_path), interpreter(tmp_path, "exit 0"), 100)
    assert found["cannot"] == "ended after 1 of 2 intervals"


def test_what_is_missing_is_run_and_all_else_stays(tmp_path, capsys):
    """A study of hoptim through its real adapter; its file's first line is the command."""
    file, done = tmp_path / "found", run("hoptim Truncation")
    size = {"members": 2, "steps": 1, "cores": 1}
    file.with_suffix(".json").write_text(json.dumps({**size, "runs": [done]}))
    options = ["--only", "hoptim", "--runs", "1", "--members", "2", "--steps", "1", "--cores", "1"]
    main([*options, "--results", str(file), "--scratch", str(tmp_path)])
    kept, made = json.loads(file.with_suffix(".json").read_text())["runs"]
    assert kept == done
    assert (made["method"], made["age"], made["intervals"]) == ("hoptim ROMUL", 1, 2)
    assert 1 < made["test"] < 500
    assert made["wall"] > made["training"] > 0
    assert made["bytes"] > 300_000
    printed = capsys.readouterr().out
    command, _, text = file.with_suffix(".txt").read_text().partition("\n\n")
    assert command.startswith("python benchmarks/language_peers.py --only hoptim --runs 1")
    assert text == printed


def test_runs_of_another_size_are_not_mixed(tmp_path):
    """The error names both sizes."""
    (tmp_path / "found.json").write_text(json.dumps(document()))
    with pytest.raises(SystemExit, match=r"'steps': 20.*asked for.*'steps': 3"):
        main(["--only", "hoptim", "--steps", "3", "--results", str(tmp_path / "found")])


# -- the table ---------------------------------------------------------------------------------------


def test_differences_are_those_of_the_same_seed(tmp_path):
    """Runs come in any order; a seed that one of the two lacks is no pair."""
    runs = [
        run("Fake", 301, 50.0), run("Fake", 300, 51.0), run("Fake", 302, 90.0),
        run(seed=300, test=50.0), run(seed=301, test=47.0),
    ]  # fmt: skip
    fake, romul = table(document(*runs)).splitlines()[4:6]
    assert "+2.000 [-10.706, +14.706]" in fake
    assert fake.split()[:2] == ["Fake", "3"]
    assert romul.split()[:6] == ["hoptim", "ROMUL", "2", "50.500", "(1.500)", "48.500"]


def test_overhead_is_what_the_cores_did_not_train():
    """40 seconds on two cores are 20 of the 30 that passed."""
    line = table(document(run(), run(seed=301))).splitlines()[4]
    assert line.split()[-5:] == ["30.0", "40.0", "10.0", "2.0", "320"]


def test_runs_without_a_result_are_named():
    """A method without any has an empty row."""
    failed = {"method": "Fake", "seed": 300, "cannot": "no end in 600 s"}
    text = table(document(run(), failed))
    assert "\nFake, seed 300: no end in 600 s\n" in text
    assert ["Fake", "0"] in [line.split() for line in text.splitlines()]


def test_every_method_has_an_adapter():
    """Names are unique, since results are merged by them; a name that nobody has is an error."""
    assert len({method.name for method in METHODS}) == len(METHODS)
    for method in METHODS:
        assert (ROOT / "benchmarks" / "peers" / "language" / f"by_{method.peer}.py").exists()
    assert [method.name for method in chosen(["ray"])] == ["Ray PBT", "Ray PB2"]
    with pytest.raises(SystemExit, match="romul is no method; there are hoptim ROMUL"):
        chosen(["romul"])
