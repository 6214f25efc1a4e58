"""Studies in PostgreSQL, by what users call: the same as in a directory."""

import gc
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import hoptim
from hoptim import remote, report
from hoptim.__main__ import main
from tests import reader
from tests.builders import study

pytestmark = pytest.mark.postgres


@pytest.fixture
def place(server, tmp_path, monkeypatch):
    """The URL of a study that is not there yet, and a cache of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return server.url(f"s{os.urandom(4).hex()}")


@pytest.fixture
def bucket(tmp_path):
    """The URL of a folder that all machines see."""
    return f"file://{tmp_path}/bucket"


@pytest.fixture
def database(server):
    """The URL of a database in which there is nothing yet."""
    name = f"d{os.urandom(4).hex()}"
    server.ask(f"CREATE DATABASE {name}")
    return server.url("", database=name).partition("?")[0]


def save(path):
    Path(path).write_bytes(b"weights")


def trained(place, bucket, steps=3, **more):
    made = study(place, size=3, steps=steps, checkpoints=bucket, **more)
    for trial in made:
        if not trial.continues and trial.checkpoint is not None:
            assert Path(trial.checkpoint).read_bytes() == b"weights"
        trial.tell(trial.params["x"], save=save)
    return made


def exported(server, place, folder):
    """Write the records of a study as a journal, without hoptim."""
    name = place.partition("study=")[2]
    rows = server.ask("SELECT line FROM hoptim_record r JOIN hoptim_study s ON s.id = r.study "
                      "WHERE s.name = %s ORDER BY n", name)  # fmt: skip
    file = folder / "exported.jsonl"
    file.write_text("".join(f"{line}\n" for (line,) in rows))
    return file


def test_a_study_is_trained_and_opened_again(server, place, bucket, tmp_path):
    """Its records are those of a directory, by a reader that is not ours; what is recorded stays."""
    told = []
    for trial in study(place, size=3, steps=4, checkpoints=bucket):
        trial.tell(trial.params["x"], save=save)
        told.append((trial.number, trial.params["x"]))
    again = hoptim.load(place)
    assert (again.done, again.path, len(again.trials)) == (True, place, 12)
    wrong, places = reader.judge(exported(server, place, tmp_path), told)
    assert (wrong, len(places)) == ([], 12)
    assert again.best.checkpoint.startswith(f"{bucket}/{again.uuid}/")
    with again.pin() as path:
        assert Path(path).read_bytes() == b"weights"


def test_the_same_study_as_in_a_directory(place, tmp_path):
    """Params, parents, seeds and values do not depend on where a study is."""
    found = []
    for where in (place, tmp_path / "s"):
        made = study(where, size=4, steps=6, seed=3)
        for trial in made:
            trial.tell(trial.params["x"])
        found.append([(t.number, t.member, t.parent, t.params, t.seed, t.value) for t in made.trials])
    assert found[0] == found[1]


def test_another_study_of_that_name_is_refused(place, bucket):
    """Other settings, or another place for checkpoints, are named; without one it is the recorded one."""
    trained(place, bucket)
    with pytest.raises(hoptim.StudyMismatch, match=r"size: recorded 3, asked for 5"):
        study(place, size=5, steps=3)
    with pytest.raises(hoptim.StudyMismatch, match="was made with its checkpoints at"):
        study(place, size=3, steps=3, checkpoints=f"{bucket}2")
    assert study(place, size=3, steps=3).done
    with pytest.raises(hoptim.ArgumentError, match="There is no study in"):
        hoptim.load(f"{place}2")


def test_checkpoints_need_a_place(place):
    """Without one, a tell with a checkpoint says what to do and keeps the claim; others are fine."""
    made = study(place, size=1, steps=2)
    trial = made.ask()
    with pytest.raises(hoptim.CheckpointError, match="was made without a place for checkpoints"):
        trial.tell(0.5, save=save)
    trial.tell(0.5)
    assert [t.value for t in made.trials] == [0.5]


def test_copies_are_exact_both_ways(server, place, bucket, tmp_path):
    """From a database to a directory and back, to the byte; what a fork began with goes along."""
    trained(place, bucket)
    new = hoptim.copy(place, tmp_path / "a")
    journal = (tmp_path / "a" / "journal.jsonl").read_bytes()
    assert journal == exported(server, place, tmp_path).read_bytes()
    assert new.check().findings == ()
    hoptim.fork(tmp_path / "a", tmp_path / "b", steps=2)
    back = hoptim.copy(tmp_path / "b", f"{place}-b", checkpoints=f"{bucket}-b")
    assert len(back.origin.trials) == 9
    assert hoptim.load(back.origin.path).uuid == new.uuid
    hoptim.copy(back.path, tmp_path / "c")
    for name in ("journal.jsonl", "study.json", "origin/journal.jsonl", "origin/study.json"):
        assert (tmp_path / "b" / name).read_bytes() == (tmp_path / "c" / name).read_bytes()
    with pytest.raises(hoptim.ArgumentError, match="There is a study at"):
        hoptim.copy(tmp_path / "c", back.path)


def test_a_fork_begins_in_a_database(place, bucket, tmp_path):
    """A generation goes to a directory, with its weights and history."""
    trained(place, bucket)
    new = hoptim.fork(place, tmp_path / "b", steps=2)
    assert [t.origin is not None for t in new.trials] == [True] * 3
    assert Path(new.best.checkpoint).read_bytes() == b"weights"
    assert len(new.origin.trials) == 9
    there = hoptim.fork(place, f"{place}-c", steps=2, checkpoints=f"{bucket}-c")
    assert (there.path, len(there.trials), len(there.origin.trials)) == (f"{place}-c", 3, 9)
    with there.pin() as path:
        assert Path(path).read_bytes() == b"weights"


def test_commands_look_at_it(place, bucket, tmp_path, capsys):
    """What shows a directory shows a database."""
    trained(place, bucket)
    for words in (["status"], ["best"], ["schedule"], ["lineage"], ["export"], ["check"], ["watch"]):
        assert main([words[0], place, *words[1:]]) == 0, words
        out = capsys.readouterr().out
        assert out, words
    report.write(hoptim.load(place), tmp_path / "r.html")
    assert main(["export-checkpoint", place, "--best", "-o", str(tmp_path / "best")]) == 0
    assert (tmp_path / "best").read_bytes() == b"weights"


def test_a_database_is_listed(database, bucket, tmp_path, capsys):
    """All its studies, by name; the one that a fork began with is not one of them."""
    assert main(["ls", database]) == 0
    assert "There is no study in" in capsys.readouterr().err
    trained(f"{database}?study=a/b c", bucket)
    hoptim.fork(f"{database}?study=a/b c", f"{database}?study=d", steps=2, checkpoints=bucket)
    assert main(["ls", database, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == ["a/b c", "d"]
    assert hoptim.load(rows[0]["path"]).done


def test_the_dashboard_shows_a_database(database, bucket, tmp_path):
    """All studies of a database beside those of a folder, and one alone by its own URL."""
    pytest.importorskip("starlette", reason="hoptim[dashboard] is not installed")
    pytest.importorskip("uvicorn", reason="hoptim[dashboard] is not installed")
    from hoptim.dashboard import studies

    place = f"{database}?study=there"
    trained(place, bucket)
    trained(tmp_path / "runs" / "here", None)
    both = studies.Studies([database, tmp_path / "runs"])
    assert {row["name"]: row["finished"] for row in both.list()["rows"]} == {"there": 9, "here": 9}
    assert both.only is None
    assert studies.Studies([place]).only is not None
    assert studies.Studies([place]).only.page() is not None


def test_a_check_finds_what_is_wrong(server, place, bucket, tmp_path, capsys):
    """A changed record and a checkpoint that somebody removed are found, and nothing else."""
    made = trained(place, bucket)
    Path(made.best.checkpoint.removeprefix("file://")).unlink()
    assert [f.kind for f in hoptim.load(place).check().findings] == ["missing-checkpoint"]
    name = place.partition("study=")[2]
    server.ask("UPDATE hoptim_record SET line = replace(line, 'tell', 'tall') WHERE n = 4 AND study = "
               "(SELECT id FROM hoptim_study WHERE name = %s)", name)  # fmt: skip
    assert main(["check", place]) == 1
    assert "damaged-line: journal.jsonl, line 5" in capsys.readouterr().out
    with pytest.raises(hoptim.StudyDamaged, match="is damaged at record 4"):
        _ = hoptim.load(place).trials


def test_a_shell_trains_it(place, bucket, tmp_path):
    """`ask`, `beat` and `tell` take the URL; the checkpoint is uploaded, and downloaded for the next."""
    study(place, size=1, steps=2, checkpoints=bucket)
    first = remote.ask(place)
    remote.beat(place, first["number"], first["token"])
    Path(first["draft"]).write_bytes(b"weights")
    remote.tell(place, first["number"], first["token"], 0.5, first["draft"])
    second = remote.ask(place)
    assert Path(second["checkpoint"]).read_bytes() == b"weights"


def test_a_study_and_its_trials_travel(place, bucket):
    """A pickled study is opened where it arrives, and a pickled trial finds its checkpoint there."""
    made = study(place, size=1, steps=2, checkpoints=bucket)
    made.ask().tell(0.5, save=save)
    trial = made.ask()
    script = (
        "import pickle, sys; from pathlib import Path\n"
        "study, trial = pickle.load(sys.stdin.buffer)\n"
        "print(len(study.trials), Path(trial.checkpoint).read_text())\n"
        "trial.tell(0.25, save=lambda path: Path(path).write_text('more'))"
    )
    sent = pickle.dumps((made, trial))
    ran = subprocess.run([sys.executable, "-c", script], input=sent, capture_output=True, check=True)
    assert ran.stdout == b"1 weights\n"
    assert [t.value for t in made.trials] == [0.5, 0.25]


def test_the_best_are_evaluated_again_where_they_are(place, bucket, tmp_path):
    """Functions of a checkpoint get a path on this machine."""
    made = trained(place, bucket)
    rows = hoptim.reevaluate(made, lambda path, _, seed: len(Path(path).read_bytes()) + seed, 2, 3)
    assert [row.values for row in rows] == [(7.0, 8.0, 9.0)] * 2
    new = hoptim.fork(place, tmp_path / "b", values=lambda t: float(len(Path(t.checkpoint).read_bytes())))
    assert {t.value for t in new.trials} == {7.0}


def train(study):
    for trial in study:
        trial.tell(trial.params["x"], save=save)


def test_processes_share_it(server, place, bucket, tmp_path):
    """Three processes train one study to its end."""
    made = hoptim.run(train, study(place, size=6, steps=5, checkpoints=bucket), workers=3)
    assert made.done
    told = [(t.number, t.value) for t in made.trials]
    assert reader.judge(exported(server, place, tmp_path), told)[0] == []
    assert made.check().ok


def test_nothing_secret_is_written(server, place, bucket, monkeypatch):
    """A password goes into the environment; one in the URL is refused, and is not in the message."""
    with pytest.raises(hoptim.ArgumentError, match="PGPASSWORD") as caught:
        study(place.replace("postgres@", "postgres:hunter2@"), size=1, steps=1)
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    trained(place, bucket)
    rows = server.ask(
        "SELECT line FROM hoptim_record UNION ALL SELECT encode(settings, 'escape') "
        "FROM hoptim_study UNION ALL SELECT encode(about, 'escape') FROM hoptim_sign"
    )
    assert "hunter2" not in json.dumps(rows)


def connections(server):
    """How many connections this process has."""
    return server.ask(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE %s", f"hoptim {os.getpid()}@%"
    )[0][0]


def test_a_study_that_is_opened_again_and_again_takes_two_connections(server, place):
    """Studies refer to themselves and go when garbage is collected; until then they share."""
    gc.collect()
    before = connections(server)
    gc.disable()
    try:
        for _ in range(20):
            made = study(place, size=2, steps=2)
            assert (len(made.trials), made.status().finished) == (0, 0)
        assert connections(server) <= before + 2
    finally:
        gc.enable()
