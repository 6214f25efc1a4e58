"""Loops that use the command line alone: ask, beat, tell and fail."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rich", reason="the command line needs the extra 'cli'")
pytest.importorskip("click", reason="the command line needs the extra 'cli'")

import hoptim
from hoptim import remote
from hoptim.__main__ import main
from hoptim.cli import remote as cli_remote
from tests.builders import ROOT, recompute, records, redirected, study, train

HOSTILE = "'; touch {}; echo $(touch {}) `touch {}` \" \\ \n*"
WRAPPER = """#!/bin/sh
if [ "$1" = tell ] && mkdir {died} 2>/dev/null; then kill -9 $PPID; exit; fi
exec {python} -m hoptim "$@"
"""


@pytest.fixture
def folder(tmp_path):
    """The directory of a small study, which nobody has open."""
    study(tmp_path / "s")
    return tmp_path / "s"


@pytest.fixture
def call(folder, capsys):
    """A command on that study: its status, what it prints and says."""

    def run(command: str, *arguments: object) -> tuple[int, str, str]:
        status = main([command, str(folder), *map(str, arguments)])
        return status, *capsys.readouterr()

    return run


def asked(call, *options):
    """A trial from `hoptim ask`."""
    status, out, err = call("ask", *options)
    assert (status, err, out.count("\n")) == (0, "", 1)
    return json.loads(out)


def test_a_whole_study_by_commands_alone(folder, call):
    """Ask, beat and tell train a study to its end, which is status 3, and said on standard error."""
    for _ in range(20):
        trial = asked(call)
        number, token = trial["number"], ("--token", trial["token"])
        Path(trial["draft"]).write_text("weights")
        assert call("beat", number, *token) == (0, "", "")
        value = ("--value", trial["params"]["x"], "--checkpoint", trial["draft"], "--metric", "a=b=0.1")
        assert call("tell", number, *token, *value) == (0, "", "")
        assert call("tell", number, *token, *value) == (0, "", "")
    assert call("ask") == (3, "", f"hoptim: All is done: no trial is left in {str(folder)!r}.\n")
    made = hoptim.load(folder)
    assert made.done
    assert all(trial.value == trial.params["x"] for trial in made.trials)
    assert made.trials[3].metrics == {"a=b": 0.1}
    assert recompute(folder) == 20


def test_a_stopped_study_is_status_3_with_the_reason(folder, call):
    """No trial is left for who asks, though not all steps are done."""
    hoptim.load(folder).stop("good enough")
    said = f"hoptim: The run has stopped (good enough): no trial is left in {str(folder)!r}.\n"
    assert call("ask") == (3, "", said)


def test_nothing_due_is_status_4(folder, call):
    """When others hold all that is due, that is said after the time given."""
    hands = [asked(call) for _ in range(4)]
    status, out, err = call("ask", "--timeout", "0.01")
    assert (status, out) == (4, "")
    assert err.startswith("hoptim: Nothing became due within 0.01 s: trial 0 of member 0")
    assert len(hands) == 4


def test_a_failed_attempt_comes_again_unless_it_must_not(folder, call):
    """`fail` hands the trial out again, with --no-retry it ends for good."""
    first = asked(call)
    assert call("fail", first["number"], "--token", first["token"], "--why", "no memory") == (0, "", "")
    again = asked(call)
    assert (again["number"], again["attempt"]) == (first["number"], 2)
    assert call("fail", again["number"], "--token", again["token"], "--why", "no", "--no-retry")[0] == 0
    assert hoptim.load(folder).trials[0].failed == "no"


def test_a_lost_claim_is_status_1(folder, call):
    """What came too late is one sentence, and nothing is recorded."""
    trial = asked(call)
    late = (trial["number"], "--token", trial["token"])
    call("fail", *late, "--why", "slow")
    asked(call)
    for command, more in (("beat", ()), ("tell", ("--value", 1)), ("fail", ("--why", "x"))):
        status, out, err = call(command, *late, *more)
        assert (status, out) == (1, "")
        assert err.startswith("hoptim: Trial 0 ")
        assert err.count("\n") == 1
    assert hoptim.load(folder).trials == []


def test_a_trial_without_a_value(folder, call):
    """`tell --advance` ends it as `Trial.advance` does, once or twice, and it is shown without a value."""
    trial = asked(call)
    Path(trial["draft"]).write_text("weights")
    claim = (
        "tell",
        trial["number"],
        "--token",
        trial["token"],
        "--advance",
        "--checkpoint",
        trial["draft"],
    )
    assert [call(*claim)[0] for _ in range(2)] == [0, 0]
    assert [(t.valued, Path(t.checkpoint).read_text()) for t in hoptim.load(folder).trials] == [
        (False, "weights")
    ]
    status, out, _ = call("export", "--json")
    assert (status, json.loads(out)["value"]) == (0, None)
    status, out, _ = call("lineage", "--trial", trial["number"])
    assert (status, f"Trial {trial['number']}, step 0 of member 0: value none." in out) == (0, True)


def test_a_study_that_failed_is_status_1(folder, call):
    """When every member's last trial failed, `ask` says so instead of calling it done."""
    with pytest.raises(hoptim.StudyFailed):
        for trial in hoptim.load(folder):
            trial.fail("broken", retry=False)
    status, out, err = call("ask")
    assert (status, out) == (1, "")
    assert "failed for good: broken." in err


@pytest.mark.parametrize(
    "wrong",
    [["ask", "--lease", "0"], ["ask", "--lease", "x"], ["tell", 0, "--token", 1], ["tell", 0, "--value", 1],
     ["tell", 0, "--token", 1, "--value", "low"], ["tell", 99, "--token", 1, "--value", 1],
     ["tell", 0, "--token", 1, "--value", 1, "--advance"],
     ["tell", 0, "--token", 1, "--value", 1, "--metric", "=1"],
     ["tell", 0, "--token", 1, "--value", 1, "--metric", "a=b"], ["fail", 0, "--token", 1]],
    ids=lambda wrong: " ".join(map(str, wrong)),
)  # fmt: skip
def test_wrong_usage_is_status_2(folder, call, wrong):
    """What cannot be meant is refused, and the trial can still be told."""
    trial = asked(call) if wrong[0] == "tell" else None
    assert call(*wrong)[0] == 2
    if trial is not None:
        assert call("tell", trial["number"], "--token", trial["token"], "--value", 1)[0] == 0


@pytest.mark.parametrize("command", ["ask", "beat", "tell", "fail"])
def test_where_no_study_is_nothing_is_made(tmp_path, capsys, command):
    """No study is status 2, and stays none."""
    more = {"ask": [], "beat": [], "tell": ["--value", "1"], "fail": ["--why", "x"]}[command]
    number = [] if command == "ask" else ["0", "--token", "1"]
    assert main([command, str(tmp_path), *number, *more]) == 2
    assert capsys.readouterr().err.startswith("hoptim: There is no study")
    assert list(tmp_path.iterdir()) == []


def test_the_lines_for_a_shell_are_data(tmp_path, capsys):
    """Whatever a name or value holds, eval only sets variables, and to exactly that value."""
    trap = tmp_path / "trapped"
    text = HOSTILE.format(*[shlex.quote(str(trap))] * 3)
    space = {
        "the lr; touch x": hoptim.Float(1e-5, 1.0, log=True), "text": hoptim.Choice([text]),
        "flag": hoptim.Choice([True]), "none": hoptim.Choice([None]), "k": hoptim.Int(1, 9),
    }  # fmt: skip
    folder = tmp_path / "a 'b' $(touch c)"
    study(folder, space=space)
    assert main(["ask", str(folder), "--shell"]) == 0
    lines = capsys.readouterr().out
    names = "trial_draft trial_parent trial_number param_the_lr__touch_x param_text param_flag param_none"
    script = f'eval "$1"; for n in {names}; do eval "printf \'%s\\0\' \\"\\$$n\\""; done'
    ran = subprocess.run(
        ["sh", "-uc", script, "sh", lines], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    draft, parent, number, lr, found, flag, none, _ = ran.stdout.split("\0")
    assert Path(draft).parent.parent == folder
    assert (parent, number, found, flag, none) == ("", "0", text, "true", "")
    assert 1e-5 <= float(lr) <= 1.0
    assert sorted(os.listdir(tmp_path)) == [folder.name]


def test_what_is_not_active_is_empty_in_a_shell(tmp_path, capsys):
    """A loop does not go on with the value of the trial before."""
    space = {
        "opt": hoptim.Choice(["sgd", "adam"]), "momentum": hoptim.Float(0.5, 0.9, when={"opt": "sgd"}),
    }  # fmt: skip
    study(tmp_path, space=space, start=[{"opt": "adam"}, {"opt": "sgd"}])
    for empty in (True, False):
        assert main(["ask", str(tmp_path), "--shell"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert ("param_momentum=''" in lines) == empty
        assert any(line.startswith("param_momentum=") for line in lines)


@pytest.mark.parametrize("form", [[], ["--shell"]], ids=["JSON", "shell"])
@pytest.mark.parametrize("to", [">/dev/full", ">&-", "an unread pipe"])
def test_a_trial_that_cannot_be_printed_is_handed_back(folder, form, to):
    """A claim that nobody comes to know of is released as unused; one line on stderr, status 1."""
    reading, writing = os.pipe()
    os.close(reading)
    more = {} if ">" in to else {"stdout": writing}
    ran = redirected(["ask", folder, *form], "" if more else to, **more)
    os.close(writing)
    assert re.fullmatch(
        r"hoptim: Trial 0 could not be printed: [\w ]+\. It was handed back\.\n", ran.stderr
    )
    assert ran.returncode == 1
    last = records(folder)[-1]
    assert (last["op"], last["trial"], last["unused"]) == ("release", 0, True)
    assert os.listdir(folder / "workers") == []
    assert hoptim.load(folder).status().interruptions == 0


def test_a_value_that_a_shell_cannot_hold_is_handed_back(tmp_path, capfd):
    """Half a surrogate cannot be printed for a shell; the trial is released and asked for as JSON."""
    study(tmp_path, space={"text": hoptim.Choice(["\ud800"])})
    assert main(["ask", str(tmp_path), "--shell"]) == 1
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "surrogates not allowed. It was handed back." in err
    assert main(["ask", str(tmp_path)]) == 0
    assert json.loads(capfd.readouterr().out)["number"] == 0


def test_a_trial_that_can_neither_be_printed_nor_handed_back_stays_claimed(folder, capfd, monkeypatch):
    """The message says that the claim is kept, and why, where the release fails as well."""

    def fail(*_: object, **__: object) -> None:
        raise hoptim.StoreError(28, "The disk is full.")

    monkeypatch.setattr(remote, "release", fail)
    monkeypatch.setattr(cli_remote, "print_line", fail)
    assert main(["ask", str(folder)]) == 1
    assert "It stays claimed until its lease ends" in capfd.readouterr().err
    assert [running.number for running in hoptim.load(folder).status().running] == [0]


@pytest.mark.parametrize("command", ["beat", "tell", "fail"])
def test_what_prints_nothing_needs_no_output(folder, call, command):
    """A heartbeat, a value and a failure are recorded with a closed standard output, and status 0."""
    trial = asked(call)
    more = {"beat": [], "tell": ["--value", "1"], "fail": ["--why", "x"]}[command]
    ran = redirected([command, folder, trial["number"], "--token", trial["token"], *more], ">&-")
    assert (ran.returncode, ran.stderr) == (0, "")


def test_names_that_a_shell_cannot_tell_apart_are_refused_before_the_claim(tmp_path, capsys):
    """Two hyperparameters with one shell name are an error, and nothing is claimed."""
    space = {"a-b": hoptim.Float(0.0, 1.0), "a_b": hoptim.Float(0.0, 1.0)}
    made = study(tmp_path, space=space)
    assert main(["ask", str(tmp_path), "--shell"]) == 2
    assert "'param_a_b'" in capsys.readouterr().err
    assert made.status().running == []


def test_loops_in_plain_sh_share_a_study_and_one_may_die(tmp_path):
    """Three loops of the example train a study; one is killed before its tell, its trial comes again."""
    folder, died, command = tmp_path / "s", tmp_path / "died", tmp_path / "hoptim"
    study(folder, space={"lr": hoptim.Float(1e-3, 1.0, log=True)}, size=3, steps=2)
    command.write_text(WRAPPER.format(died=died, python=sys.executable))
    command.chmod(0o755)
    environment = {**os.environ, "HOPTIM": str(command), "LEASE": "3", "PYTHONPATH": str(ROOT)}
    loops = [
        subprocess.Popen(["sh", str(ROOT / "examples" / "shell_loop.sh"), str(folder)], env=environment)
        for _ in range(3)
    ]
    assert sorted(loop.wait(240) for loop in loops) == [-9, 0, 0]
    made = hoptim.load(folder)
    assert made.done
    assert sum(trial.interruptions for trial in made.trials) >= 1
    assert recompute(folder) == 6
    for trial in made.trials:
        weight = 3.0 if trial.parent is None else made.trials[trial.parent].metrics["weight"]
        assert trial.metrics["weight"] == pytest.approx(weight * (1 - 2 * trial.params["lr"]), rel=1e-4)
        assert trial.value == pytest.approx(trial.metrics["weight"] ** 2, rel=1e-4)
    train(made)
    assert os.listdir(folder / "workers") == []
