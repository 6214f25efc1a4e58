"""`hoptim run`: a command started several times, restarted, logged, stopped, summed up."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import hoptim
from hoptim.launch import restarts
from hoptim.launch.command import run_command
from hoptim.launch.failure import ending
from tests import launched
from tests.builders import ROOT, records, run, wait_until

TRAIN = (sys.executable, str(ROOT / "tests" / "launched.py"), "train")

pytestmark = pytest.mark.usefixtures("hang_up_arrives")

WAIT = "i=0; while [ $((i += 1)) -lt 2400 ]; do sleep 0.05; done"  # should the test fail, not for ever


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the study is; workers find this repository and nobody waits long to be started again."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(restarts, "_FIRST", 0.05)
    return tmp_path


def shell(words: str) -> list[str]:
    """A command that a shell reads."""
    return ["/bin/sh", "-c", words]


def starts(path: Path) -> int:
    """Header lines in a log."""
    return sum(line.startswith("== ") for line in path.read_text().splitlines())


def test_killed_workers_are_started_again(folder, caplog):
    """Two workers are killed with a trial in hand, and the study ends with every step trained once."""
    launched.made(folder, gate=True)
    with ThreadPoolExecutor(1) as killer:
        killed = killer.submit(launched.kill_some, folder, 2)
        summary = run_command(folder / "study", TRAIN, 2)
        assert len(killed.result()) == 2
    assert (summary.status, summary.stopped) == (0, None)
    assert sum(worker.starts for worker in summary.workers) == 4
    restarted = r"Worker \d failed in a trial, .* and restarts in [\d.]+ s: .* was killed by SIGKILL\. "
    assert sum(bool(re.match(restarted, message)) for message in caplog.messages) == 2
    launched.assert_complete(folder)
    assert hoptim.load(folder / "study").check().findings == ()


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_trial_that_kills_its_workers_is_marked_failed(folder, caplog, wrapped):
    """After three deaths it has failed and its member is rescued; no worker or wrapper is given up."""
    launched.made(folder)
    die = (*TRAIN[:-1], "die")
    command = shell(f"{shlex.join(die)}; exit $?") if wrapped else die
    summary = run_command(folder / "study", command, 2, restarts=0)
    assert (summary.status, summary.stopped) == (0, None)
    study = hoptim.load(folder / "study")
    assert study.done
    (failed,) = [trial for trial in study.trials if trial.failed]
    assert (failed.member, failed.step, failed.failed) == (1, 0, "ended the processes of 3 workers")
    assert len([record for record in records(folder / "study") if record.get("died")]) == 3
    assert "failed in a trial, as the study records, and restarts" in caplog.text
    assert study.check().findings == ()


def test_a_worker_that_its_runner_kills_is_no_death(tmp_path):
    """What a second Ctrl-C kills was interrupted: the next worker takes its trial back, uncounted."""
    made = launched.made(tmp_path)
    runner = run("launched.py", "command", tmp_path / "study", 1, *TRAIN[:-1], "hold")
    wait_until((tmp_path / "up").exists, launched.LIMIT)
    runner.send_signal(signal.SIGINT)
    wait_until((tmp_path / "once").exists)
    runner.send_signal(signal.SIGINT)
    runner.communicate(timeout=60)
    made.ask(timeout=30)
    assert [(r["op"], r.get("died")) for r in records(tmp_path / "study")][2:3] == [("reclaim", None)]


def test_output_goes_to_logs_with_a_header_for_each_start(folder):
    """Each worker's log has both outputs, its number and study, and says when and what was started."""
    words = 'echo "I am $HOPTIM_WORKER of $HOPTIM_STUDY"; echo error >&2; cat'
    for _ in range(2):
        summary = run_command(folder, shell(words), 2)
    assert [worker.log for worker in summary.workers] == [folder / f"logs/worker-{i}.log" for i in (0, 1)]
    lines = summary.workers[1].log.read_text().splitlines()
    assert lines[1:3] == [f"I am 1 of {folder}", "error"]
    assert lines[1:3] == lines[4:]
    assert all(", start 1 of worker 1: /bin/sh -c 'echo" in line for line in (lines[0], lines[3]))


def test_a_worker_that_fails_is_given_up(folder, caplog):
    """After so many restarts a worker is given up: status 1, and the last line of its log is shown."""
    words = '[ "$HOPTIM_WORKER" = 0 ] || { echo "no \033[1mGPU"; exit 3; }'
    summary = run_command(folder, shell(words), 2, restarts=2)
    assert summary.status == 1
    assert [(worker.starts, worker.status) for worker in summary.workers] == [(1, 0), (3, 3)]
    assert starts(summary.workers[1].log) == 3
    said = r"The command ended with exit status 3. Its log ends with: no \x1b[1mGPU"
    assert caplog.messages[1:] == [
        f"Worker 1 failed and restarts in 0.1 s (restart 2 of 2): {said}",
        f"Worker 1 failed and is given up: {said}",
    ]
    assert [worker.ending for worker in summary.workers] == ["finished", "ended with exit status 3"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_passed_on(tmp_path, number):
    """Each worker gets the signal once, and the status says which it was; nothing is restarted."""
    (tmp_path / "up").mkdir()
    words = f'trap "echo got {number.name}; exit 7" {number.name[3:]}; touch {tmp_path}/up/$HOPTIM_WORKER; '
    runner = run("launched.py", "command", tmp_path / "study", 2, *shell(words + WAIT))
    wait_until(lambda: len(list((tmp_path / "up").iterdir())) == 2)
    runner.send_signal(number)
    output, errors = runner.communicate(timeout=60)
    assert runner.returncode == 128 + number
    assert errors == f"Passed {number.name} on to 2 workers and waiting; a second Ctrl-C kills them.\n"
    assert output.count("ended with exit status 7") == 2
    for path in (tmp_path / "study" / "logs").iterdir():
        assert path.read_text().splitlines().count(f"got {number.name}") == 1


def test_a_second_interrupt_kills(tmp_path):
    """A worker that does not go at the first Ctrl-C is killed by the second, with all that it started."""
    words = f'trap "touch {tmp_path}/once" INT; touch {tmp_path}/up; {WAIT}'
    runner = run("launched.py", "command", tmp_path / "study", 1, *shell(words))
    wait_until((tmp_path / "up").exists)
    runner.send_signal(signal.SIGINT)
    wait_until((tmp_path / "once").exists)
    runner.send_signal(signal.SIGINT)
    output, _ = runner.communicate(timeout=60)
    assert (runner.returncode, "was killed by SIGKILL" in output) == (130, True)


def test_stopped_workers_hand_back_their_trials(tmp_path):
    """SIGTERM reaches the training loops, which release what they hold."""
    made = launched.made(tmp_path, gate=True)
    runner = run("launched.py", "command", tmp_path / "study", 2, *TRAIN)
    wait_until(lambda: len(launched.holders(made)) == 2, launched.LIMIT)
    runner.send_signal(signal.SIGTERM)
    output, _ = runner.communicate(timeout=60)
    assert runner.returncode == 143
    assert [record["op"] for record in records(tmp_path / "study")[-2:]] == ["release"] * 2
    assert output.count("ended with exit status 143") == 2


def test_workers_of_a_killed_runner_go_on(tmp_path):
    """Nothing ties workers to their runner: when it is killed they train to the end."""
    made = launched.made(tmp_path, gate=True)
    runner = run("launched.py", "command", tmp_path / "study", 2, *TRAIN)
    wait_until(lambda: len(launched.holders(made)) == 2, launched.LIMIT)
    runner.kill()
    runner.communicate(timeout=60)
    (tmp_path / launched.GATE).unlink()
    wait_until(lambda: made.done, launched.LIMIT)
    wait_until(lambda: list((tmp_path / "study" / "workers").iterdir()) == [], launched.LIMIT)
    launched.assert_complete(tmp_path)


def test_an_ignored_signal_stays_ignored(tmp_path):
    """Under nohup a SIGHUP stops nobody."""
    if shutil.which("nohup") is None:
        pytest.skip("needs nohup")
    words = f"touch {tmp_path}/up; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    script = [sys.executable, str(ROOT / "tests" / "launched.py"), "command", str(tmp_path / "study"), "1"]
    runner = run("launched.py", "exec", "nohup", *script, *shell(words))
    wait_until((tmp_path / "up").exists)
    runner.send_signal(signal.SIGHUP)
    (tmp_path / "go").touch()
    runner.communicate(timeout=60)
    assert runner.returncode == 0


@pytest.mark.parametrize(("command", "error"), [(["no-such-command"], "No such file"), ([], "no command")])
def test_a_command_that_cannot_start_is_an_error(folder, command, error):
    """What cannot be started is said at once and not tried again."""
    with pytest.raises(hoptim.ArgumentError, match=error):
        run_command(folder, command, 2)


@pytest.mark.parametrize("change", [{"workers": 0}, {"restarts": -1}, {"max_deaths": 0}])
def test_wrong_counts_are_refused(folder, change):
    """Counts that cannot work are named."""
    with pytest.raises(hoptim.ArgumentError, match=next(iter(change))):
        run_command(folder, **{"command": ["true"], "workers": 1, **change})


def test_a_restart_that_fails_leaves_the_others_alone(folder, monkeypatch):
    """When no process can be forked for a while, the healthy worker goes on and the other comes back."""
    monkeypatch.setattr(restarts, "_LONGEST", 0.1)
    start, started, errors = subprocess.Popen, [], [BlockingIOError(errno.EAGAIN, "again")] * 6

    def popen(*words, **options):
        started.append(words)
        if len(started) > 2 and errors:
            raise errors.pop()
        return start(*words, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    first = f"if mkdir {folder}/once; then exit 3; fi; touch {folder}/go"
    other = f"i=0; while [ ! -e {folder}/go ] && [ $((i += 1)) -lt 2400 ]; do sleep 0.05; done"
    summary = run_command(folder, shell(f'if [ "$HOPTIM_WORKER" = 0 ]; then {first}; else {other}; fi'), 2)
    assert errors == []
    assert [(worker.starts, worker.status) for worker in summary.workers] == [(2, 0), (1, 0)]
    assert summary.status == 0


def test_a_log_that_leads_elsewhere_is_refused(folder):
    """A link in the place of a log is an error; nothing is written where it leads."""
    (folder / "logs").mkdir()
    (folder / "target").touch()
    (folder / "logs" / "worker-0.log").symlink_to(folder / "target")
    with pytest.raises(hoptim.StoreError, match=r"worker-0\.log"):
        run_command(folder, ["true"], 1)
    assert (folder / "target").read_bytes() == b""


@pytest.mark.parametrize(
    ("study", "log"),
    [(0o700, 0o600), (0o750, 0o640), (0o755, 0o644), (0o2770, 0o660), (0o711, 0o600)],
    ids=oct,
)
def test_a_log_is_open_to_nobody_who_may_not_read_the_study(tmp_path, study, log):
    """A command line may hold a password: logs have the mode of the study's directory, old ones too."""
    folder = tmp_path / "private"
    folder.mkdir()
    folder.chmod(study)
    before = os.umask(0o022)
    try:
        run_command(folder, ["true", "--password=x"], 1)
        found = folder / "logs" / "worker-0.log"
        assert stat.S_IMODE(found.stat().st_mode) == log
        found.chmod(0o666)
        run_command(folder, ["true", "--password=x"], 1)
        assert stat.S_IMODE(found.stat().st_mode) == log
    finally:
        os.umask(before)


def test_it_works_beside_the_main_thread(folder):
    """Only the main thread is given signals; elsewhere the command runs without them."""
    found = []
    thread = threading.Thread(target=lambda: found.append(run_command(folder, ["true"], 1).status))
    thread.start()
    thread.join(60)
    assert found == [0]


def test_checks_know_the_logs(tmp_path):
    """Logs are no finding; a link among them is an error."""
    made = launched.made(tmp_path)
    run_command(tmp_path / "study", ["true"], 1)
    assert made.check().findings == ()
    (tmp_path / "study" / "logs" / "link").symlink_to(tmp_path)
    assert [(f.level, f.path) for f in made.check().findings] == [("error", "logs/link")]


def test_endings_are_told_in_words():
    """Exit statuses and signals, those without a name too."""
    assert ending(3) == "ended with exit status 3"
    assert ending(-signal.SIGSEGV) == "was killed by SIGSEGV"
    assert ending(-63) == "was killed by signal 63" or os.uname().sysname != "Linux"
