"""Loggers: each trial reaches the other tool once and in order, whatever is killed in between."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from contextlib import suppress
from itertools import chain, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hoptim
from hoptim.loggers import MLflowLogger, TensorBoardLogger, WandbLogger, follow, follower, place
from hoptim.loggers.follower import Follower
from tests.builders import ROOT, run, study, train, wait_until

SPACE = {"lr": hoptim.Float(1e-4, 1.0, log=True), "net": {"act": hoptim.Choice(["relu", "gelu"])}}
HOLD = """
import sys
import hoptim
from hoptim.loggers.place import Place
from pathlib import Path
place = Place(Path(sys.argv[1]), "0")
print("held", flush=True)
sys.stdin.read()
"""


Line = tuple[str, int, dict[str, Any], float]


class Killed(BaseException):
    """The end of the process."""


class Recorder:
    """A logger that keeps lines, of which those behind a mark are lost as with a file; killed on demand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[Line] = []
        self.pending: list[Line] = []
        self.ends, self.killed = 0, ""

    def begin(self, uuid, title, mark):
        self.lines, self.pending = self.lines[: mark or 0], []

    def log(self, run, step, values, at):
        self.kill("log")
        self.pending.append((run, step, dict(values), at))

    def event(self, run, step, values, at):
        self.pending.append((run, step, dict(values), at))

    def commit(self):
        self.kill("before the commit")
        self.lines += self.pending
        self.pending = []
        self.kill("after the commit")
        return len(self.lines)

    def end(self):
        self.ends += 1

    def kill(self, where):
        if self.killed == where:
            self.killed = ""
            raise Killed


def tell_some(made: hoptim.Study, count: int) -> None:
    """Let so many more trials end, out of the order of their numbers, some of them failing."""
    held = []
    for _ in range(count):
        with suppress(hoptim.NothingDue):
            if (trial := made.ask(timeout=0)) is not None:
                held.append(trial)
    for trial in reversed(held):
        if trial.number % 5 == 3:
            trial.fail("no luck", retry=False)
        else:
            metrics = {"top": {"1": 0.5}, "note": f"n{trial.number}", "nan": float("nan"), "none": None}
            trial.tell(trial.params["lr"] + 1 / (1 + trial.age), metrics=metrics)


def made(path: Path | None, **changes) -> hoptim.Study:
    """A study with numbers and words."""
    arguments = {
        "space": SPACE,
        "size": 4,
        "steps": 5,
        "optimizer": hoptim.TruncationSelection(),
        "lead": 9,
    }
    return study(path, **{**arguments, **changes})


def finish(one: hoptim.Study) -> None:
    """Train to the end."""
    while not one.done:
        tell_some(one, 3)


def logged(one: hoptim.Study) -> list[Line]:
    """What is logged of a study without any interruption."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder) / "whole")
        follow(one, recorder)
        return recorder.lines


def test_every_trial_is_a_point_of_its_member(tmp_path):
    """Values, metrics and numbers are curves; words, failures and exploits are texts; nothing else is."""
    one = made(tmp_path / "s")
    finish(one)
    lines = logged(one)
    curves = {(run, step): v for run, step, v, _ in lines if isinstance(next(iter(v.values())), float)}
    texts = {(run, step): v for run, step, v, _ in lines if isinstance(next(iter(v.values())), str)}
    family = one.family
    for trial in one.trials:
        key = (f"member/{trial.member:02}", trial.step)
        curve, text = curves.pop(key), texts.pop(key)
        assert curve.pop("params/lr") == trial.params["lr"]
        assert text.pop("params/net.act") == trial.params["net"]["act"]
        exploit = family.exploit(trial)
        assert text.pop("exploit", None) == (None if exploit is None else str(exploit))
        if trial.failed is None:
            assert curve == {"value": trial.value, "metrics/top.1": 0.5}
            assert text == {"metrics/note": f"n{trial.number}"}
        else:
            assert (curve, text) == ({}, {"failed": "no luck"})
    assert family.exploits
    winner = f"winner/trial-{one.best.number}"
    assert {run for run, _ in [*curves, *texts]} == {winner}
    for interval in one.schedule():
        curve, text = curves.pop((winner, interval.age)), texts.pop((winner, interval.age))
        assert curve == {"value": interval.value, "params/lr": interval.params["lr"]}
        assert text["params/net.act"] == interval.params["net"]["act"]
    assert not curves


def test_the_winners_line_says_from_whom_it_was_copied(tmp_path):
    """Where the line goes on in another member there is a text, and nowhere else."""
    one = made(tmp_path / "s", size=6, steps=12)
    finish(one)
    line = list(one.schedule())
    said = [
        v.get("exploit")
        for run, _, v, _ in logged(one)
        if run.startswith("winner/") and "params/net.act" in v
    ]
    moved = [None] + [
        f"member {b.member} copied member {a.member}" if a.member != b.member else None
        for a, b in pairwise(line)
    ]
    assert said == moved
    assert any(moved)


def test_trials_are_told_in_the_order_of_their_ends(tmp_path):
    """A trial that ends late is told late, though its number is lower, and the time is that of its end."""
    one = made(tmp_path / "s")
    recorder = Recorder(tmp_path / "log")
    with Follower(one, recorder) as follower:
        for _ in range(3):
            tell_some(one, 3)
            follower.look()
    ends = [trial.ended for trial in sorted(one.trials, key=lambda trial: trial.records[1])]
    told = [at for *_, values, at in recorder.lines if "params/lr" in values]
    assert told == ends
    assert [trial.number for trial in one.trials] != sorted(
        (trial.number for trial in one.trials), key=lambda n: one.trials[n].records[1]
    )


WHERE = ("", "log", "before the commit", "after the commit", "at the place")


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(WHERE)), max_size=12))
def test_however_often_it_is_killed_nothing_is_left_out_or_told_twice(actions):
    """Any number of kills at any points of a look gives, in the end, what one quiet pass gives."""
    folder = Path(tempfile.mkdtemp())
    try:
        one, recorder = made(folder / "s"), Recorder(folder / "log")
        for count, where in actions:
            tell_some(one, count)
            recorder.killed = where
            with pytest.MonkeyPatch.context() as patch, suppress(Killed):
                if where == "at the place":
                    patch.setattr(place, "replace_whole", lambda *_: recorder.kill("at the place"))
                with Follower(one, recorder) as follower:
                    follower.look()
        recorder.killed = ""
        finish(one)
        follow(one, recorder)
        assert recorder.lines == logged(one)
        follow(one, recorder)
        assert recorder.lines == logged(one)
    finally:
        shutil.rmtree(folder)


def test_a_study_that_is_extended_goes_on(tmp_path):
    """More steps are more points, and the new best trial has a line of its own."""
    finish(made(tmp_path / "s"))
    recorder = Recorder(tmp_path / "log")
    follow(hoptim.load(tmp_path / "s"), recorder)
    first = list(recorder.lines)
    longer = made(tmp_path / "s", steps=7)
    finish(longer)
    follow(longer, recorder)
    assert recorder.lines[: len(first)] == first
    [before] = {run for run, *_ in first if run.startswith("winner/")}
    winners = {run for run, *_ in recorder.lines if run.startswith("winner/")}
    assert winners == {before, f"winner/trial-{longer.best.number}"}
    assert (
        len([line for line in recorder.lines if line[0].startswith("member/") and "params/lr" in line[2]])
        == 28
    )


def test_a_lost_worker_is_not_waited_for_after_a_stop(tmp_path, monkeypatch):
    """Nobody takes its trial back then."""
    (tmp_path / "hold").mkdir()
    (tmp_path / "hold" / "1").touch()
    worker = run("train.py", tmp_path / "s", tmp_path, HOLD=str(tmp_path / "hold"))
    there = study(tmp_path / "s")
    wait_until(lambda: there.status().running)
    there.stop()
    worker.kill()
    worker.communicate()
    monkeypatch.setattr(follower, "time", SimpleNamespace(sleep=lambda _: pytest.fail("it waits")))
    follow(there, logger := Recorder(tmp_path / "log"))
    assert logger.ends == 1


def test_it_ends_when_the_study_has_stopped(tmp_path):
    """Not before the last trial in hand has ended; a study that goes on is followed again."""
    one = made(tmp_path / "s")
    recorder = Recorder(tmp_path / "log")
    tell_some(one, 4)
    held = one.ask()
    one.stop("seen enough")
    with Follower(one, recorder) as follower:
        assert not follower.look()
        held.tell(0.1)
        assert follower.look()
    assert recorder.ends == 1
    resumed = hoptim.load(tmp_path / "s", resume=True, lead=9)
    finish(resumed)
    follow(resumed, recorder)
    told = [line for line in recorder.lines if line[0].startswith("member/") and "params/lr" in line[2]]
    assert len(told) == 20


def test_a_winner_that_stays_is_told_once(tmp_path):
    """A study that was stopped, resumed and stopped again with the same best has one winner's line."""
    one, recorder = made(tmp_path / "s", size=2, steps=3), Recorder(tmp_path / "log")
    for value in (0.0, 1.0):
        one.ask().tell(value)
    one.stop()
    follow(one, recorder)
    resumed = hoptim.load(tmp_path / "s", resume=True)
    for trial in [resumed.ask(), resumed.ask()]:
        if trial.member == one.best.member:
            trial.release()
        else:
            trial.tell(2.0)
    resumed.stop()
    follow(resumed, recorder)
    assert len(resumed.trials) == 3
    winner = f"winner/trial-{one.best.number}"
    assert [step for run, step, values, _ in recorder.lines if run == winner and "value" in values] == [0]


def test_nothing_is_committed_when_nothing_ended(tmp_path):
    """A look that finds nothing writes nothing."""
    recorder = Recorder(tmp_path / "log")
    with Follower(made(tmp_path / "s"), recorder) as follower:
        assert not follower.look()
    assert {path.name for path in (tmp_path / "log").iterdir()} == {"hoptim-lock"}


def test_one_process_writes(tmp_path):
    """A second writer is refused while the first lives, by whatever end the first comes to its end."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(hoptim.ArgumentError, match="Another process logs to"):
            Follower(made(None), Recorder(tmp_path))
    finally:
        holder.kill()
        holder.communicate()
    with Follower(made(None), Recorder(tmp_path)), pytest.raises(hoptim.ArgumentError, match="one writer"):
        Follower(made(None), Recorder(tmp_path))
    Follower(made(None), Recorder(tmp_path)).__exit__(None, None, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "{", "is not what hoptim wrote"),
        (lambda text: "[]", "is not what hoptim wrote"),
        (lambda text: text.replace('"format": 1', '"format": 2'), "later version"),
        (lambda text: text.replace('"study": "', '"study": "0'), "the curves of another study"),
    ],
)
def test_a_folder_that_is_not_this_studys_is_refused(tmp_path, change, message):
    """Nothing is written over what another study, version or program left, and the lock is free again."""
    one = train(study(tmp_path / "s"))
    follow(one, Recorder(tmp_path / "log"))
    file = tmp_path / "log" / "hoptim-place.json"
    file.write_text(change(file.read_text()))
    for _ in range(2):
        with pytest.raises(hoptim.ArgumentError, match=message):
            follow(one, Recorder(tmp_path / "log"))


def test_reading_only_what_is_new(tmp_path):
    """`Results.since` has the trials between two views, each once, and later records do not change it."""
    one = made(tmp_path / "s")
    views = [one.results()]
    for count in (2, 0, 3, 1):
        tell_some(one, count)
        views.append(hoptim.load(tmp_path / "s").results() if count == 3 else one.results())
    finish(one)
    found = [[t.number for t in b.since(a.records)] for a, b in pairwise(views)]
    assert list(map(len, found)) == [2, 0, 3, 1]
    order = [t.number for t in sorted(one.trials, key=lambda trial: trial.records[1])]
    assert [*chain.from_iterable(found)] == order[:6]
    assert [t.number for t in one.results().since(0)] == order


@pytest.mark.parametrize(
    ("logger", "extra"),
    [(TensorBoardLogger, "tensorboard"), (MLflowLogger, "mlflow"), (WandbLogger, "wandb")],
)
def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch, logger, extra):
    """The error says what to install."""
    for name in ("tensorboard", "tensorboard.compat.proto.event_pb2", "mlflow", "mlflow.entities", "wandb"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(hoptim.MissingExtra, match=rf"'\.\[{extra}\]'"):
        logger(tmp_path)


# -- the real package ----------------------------------------------------------------------------


def shown(folder: Path) -> dict[tuple[str, str], list[tuple[int, object]]]:
    """By run and name, the steps and values that TensorBoard reads."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found: dict[tuple[str, str], list[tuple[int, object]]] = {}
    for path in sorted(folder.rglob("events.*")):
        events = EventAccumulator(str(path.parent), {"scalars": 0, "tensors": 0}).Reload()  # 0: all
        name = str(path.parent.relative_to(folder))
        tags = events.Tags()
        found |= {(name, tag): [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags["scalars"]}
        found |= {
            (name, tag): [(e.step, e.tensor_proto.string_val[0].decode()) for e in events.Tensors(tag)]
            for tag in tags["tensors"]
        }
    return found


def wanted(one: hoptim.Study) -> dict[tuple[str, str], list[tuple[int, object]]]:
    """The same, of one quiet pass."""
    found: dict[tuple[str, str], list[tuple[int, object]]] = {}
    for run_name, step, values, _ in logged(one):
        for name, value in values.items():
            found.setdefault((run_name, name), []).append(
                (step, value if isinstance(value, str) else pytest.approx(value))
            )
    return found


@pytest.fixture
def tensorboard():
    """The package, or the test is skipped."""
    return pytest.importorskip("tensorboard", reason="needs hoptim[tensorboard]")


def test_tensorboard_shows_what_was_told(tmp_path, tensorboard):
    """Points and texts are read back by TensorBoard itself, over several runs of the logger."""
    one = made(tmp_path / "s")
    for _ in range(3):
        tell_some(one, 4)
        with Follower(one, TensorBoardLogger(tmp_path / "log")) as follower:
            follower.look()
            tell_some(one, 2)
            follower.look()
    finish(one)
    follow(one, TensorBoardLogger(tmp_path / "log"))
    assert shown(tmp_path / "log") == wanted(one)


def follow_until_killed(one, logger, monkeypatch):
    """Follow a study and die between the logger's commit and the place."""

    def kill(*args):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(place, "replace_whole", kill)
        follow(one, logger)


def test_tensorboard_files_are_cut_back_to_the_mark(tmp_path, tensorboard, monkeypatch):
    """A kill between the events and the place leaves nothing that is told twice, in any file."""
    one = made(tmp_path / "s")
    tell_some(one, 2)
    with Follower(one, TensorBoardLogger(tmp_path / "log")) as follower:
        follower.look()
    tell_some(one, 6)
    follow_until_killed(one, TensorBoardLogger(tmp_path / "log"), monkeypatch)
    finish(one)
    follow(one, TensorBoardLogger(tmp_path / "log"))
    assert shown(tmp_path / "log") == wanted(one)


def test_a_tensorboard_file_that_is_gone_is_said(tmp_path, tensorboard):
    """A gap is not passed over; without the place, all is written anew, and files of others stay."""
    one = train(study(tmp_path / "s"))
    logger = TensorBoardLogger(tmp_path / "log")
    follow(one, logger)
    [file] = (tmp_path / "log" / "member" / "02").iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(hoptim.ArgumentError, match="was removed or cut"):
        follow(one, logger)
    file.unlink()
    with pytest.raises(hoptim.ArgumentError, match="was removed or cut"):
        follow(one, logger)
    (tmp_path / "log" / "hoptim-place.json").unlink()
    theirs = tmp_path / "log" / "member" / "02" / "events.out.tfevents.1.theirs"
    theirs.write_bytes(b"")
    follow(one, logger)
    assert theirs.exists()
    theirs.unlink()
    assert shown(tmp_path / "log") == wanted(one)


def test_the_command_is_killed_again_and_again(tmp_path, tensorboard):
    """`hoptim log` beside a run, killed by SIGKILL at any moment and run again, shows each trial once."""
    pytest.importorskip("click", reason="the command line needs the extra 'cli'")
    one = made(tmp_path / "s", steps=12)
    words = ["-m", "hoptim", "log", str(tmp_path / "s"), "--to", "tensorboard", "-o", str(tmp_path / "log")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    file = tmp_path / "log" / "hoptim-place.json"
    for _ in range(3):
        before = file.read_bytes() if file.exists() else b""
        logger = subprocess.Popen([sys.executable, *words, "--every", "0.1"], env=environment)
        tell_some(one, 4)
        wait_until(lambda before=before: file.exists() and file.read_bytes() != before, 120)
        tell_some(one, 4)
        logger.send_signal(signal.SIGKILL)
        logger.wait()
    finish(one)
    ran = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{tmp_path / 'log'}\n", "")
    assert shown(tmp_path / "log") == wanted(one)
    assert json.loads(file.read_text())["record"] == one.results().records


@pytest.fixture
def mlflow(monkeypatch):
    """The package, or the test is skipped; it reports to nobody."""
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        monkeypatch.setenv(name, "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with warnings.catch_warnings(action="ignore"):
        return pytest.importorskip("mlflow", reason="needs hoptim[mlflow]")


def stored(folder: Path, mlflow) -> dict[tuple[str, str], list[tuple[int, object]]]:
    """By run and name, the steps and values in MLflow's database; texts have no step but in their name."""
    client = mlflow.tracking.MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")
    [experiment] = client.search_experiments(filter_string="name = 's'")
    found: dict[tuple[str, str], list[tuple[int, object]]] = {}
    for one in client.search_runs([experiment.experiment_id]):
        name = one.data.tags["hoptim.run"]
        assert (one.info.run_name, one.info.status) == (name, "FINISHED")
        for metric in one.data.metrics:
            history = client.get_metric_history(one.info.run_id, metric)
            found[name, metric] = sorted((each.step, each.value) for each in history)
        for tag, text in sorted(one.data.tags.items()):
            if not tag.startswith(("hoptim.", "mlflow.")):
                found.setdefault((name, tag[:-7]), []).append((int(tag[-6:]), text))
    return found


@pytest.mark.filterwarnings("ignore")  # of its database's package
def test_mlflow_has_what_was_told(tmp_path, mlflow, monkeypatch):
    """After a kill between the batch and the place, in a second run, each point is there once."""
    one = made(tmp_path / "s")
    tell_some(one, 5)
    with Follower(one, MLflowLogger(tmp_path / "log")) as follower:
        follower.look()
    tell_some(one, 6)
    follow_until_killed(one, MLflowLogger(tmp_path / "log"), monkeypatch)
    finish(one)
    for _ in range(2):
        follow(one, MLflowLogger(tmp_path / "log"))
        assert stored(tmp_path / "log", mlflow) == wanted(one)
    (tmp_path / "log" / "mlflow.db").unlink()
    with pytest.raises(hoptim.ArgumentError, match=r"The run 'member/\d\d' is not in the experiment 's'"):
        follow(one, MLflowLogger(tmp_path / "log", uri=f"sqlite:///{tmp_path}/other.db"))


@pytest.mark.filterwarnings("ignore")
def test_mlflow_takes_any_name(tmp_path, mlflow):
    """Names that it does not allow are changed, long texts are cut; a refusal is an error in words."""
    one = study(tmp_path / "s", space={"<b>x": hoptim.Float(0.0, 1.0)}, size=1, steps=1)
    one.ask().tell(0.5, metrics={"|" * 300: 1.0, "note": "n" * 9000})
    follow(one, MLflowLogger(tmp_path / "log"))
    found = stored(tmp_path / "log", mlflow)
    assert {name for run, name in found if run == "member/00"} == {
        "value", "params/_b_x", f"metrics/{'_' * 232}", "metrics/note",
    }  # fmt: skip
    logger = MLflowLogger(tmp_path / "other", uri="nowhere://x")
    with pytest.raises(hoptim.StoreError, match="refused"):
        follow(one, logger)
