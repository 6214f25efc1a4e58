"""The commands that look at a study: what they say is what the study says."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import threading
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("rich", reason="the command line needs the extra 'cli'")
pytest.importorskip("click", reason="the command line needs the extra 'cli'")

import hoptim
from hoptim.__main__ import main
from hoptim.cli import export, repeating
from hoptim.cli import status as looks
from hoptim.store.locking import lock, mounts
from tests import report_studies
from tests.builders import loss, run, saving, study, train, wait_until


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A study that is done, with objects behind names, metrics of some trials, and failures."""
    path = tmp_path_factory.mktemp("look") / "study"
    space = {
        "x": hoptim.Float(0.0, 1.0),
        "k": hoptim.Int(1, 9),
        "act": hoptim.Choice({"abs": abs, "max": max}),
    }
    there = study(path, space=space, size=6, steps=8)
    for trial in there:
        metrics = {"loss, train": trial.number / 3} if trial.number > 4 else None
        value = (
            float("inf") if trial.number == 7 else loss(trial) + trial.step / 10
        )  # so that one was better
        trial.tell(value, save=saving("x"), metrics=metrics)
    return there


@pytest.fixture
def said(capsys):
    """What a command prints, its status being 0."""

    def run(*arguments):
        assert main([str(argument) for argument in arguments]) == 0
        return capsys.readouterr().out

    return run


def test_best_is_exact(done, said):
    """The value and the checkpoint can be copied from the text, and the JSON is exact and has names."""
    best = done.best
    text = said("best", done.path)
    assert repr(best.value) in text
    assert best.checkpoint in text
    found = json.loads(said("best", done.path, "--json"))
    assert (found["number"], found["value"], found["checkpoint"]) == (
        best.number,
        best.value,
        best.checkpoint,
    )
    assert found["params"] == done.space.names(best.x)
    assert found["metrics"] == best.metrics
    ever = json.loads(said("best", done.path, "--ever", "--json"))
    assert ever["number"] == done.best_ever.number != best.number


def test_an_export_has_every_trial_exactly(done, said):
    """Each finished trial is a line of the table, with exact floats and the names of objects."""
    rows = list(csv.DictReader(io.StringIO(said("export", done.path))))
    assert len(rows) == len(done.trials) == 48
    for row, trial in zip(rows, done.trials, strict=True):
        assert (int(row["number"]), float(row["value"]), float(row["params.x"])) == (
            trial.number, trial.value, trial.params["x"],
        )  # fmt: skip
        assert row["params.act"] == trial.params["act"].__name__
        assert float(row["ended"]) - float(row["claimed"]) == trial.ended - trial.claimed
        assert row["metrics.loss, train"] == (str(trial.number / 3) if trial.number > 4 else "")
    assert rows[7]["value"] == "inf"


def test_an_export_in_lines_says_the_same(done, said):
    """The lines of JSON have the same columns, those that a trial has."""
    lines = [json.loads(line) for line in said("export", done.path, "--json").splitlines()]
    table = csv.DictReader(io.StringIO(said("export", done.path)))
    for line, row in zip(lines, table, strict=True):
        assert {key: "" if value is None else str(value) for key, value in line.items()} == {
            key: value for key, value in row.items() if key in line
        }
    assert said("export", done.path, "--format", "jsonl") == said("export", done.path, "--json")


def test_a_file_is_there_whole_or_not_at_all(done, tmp_path, monkeypatch, capsys):
    """An export that fails halfway leaves what was there before, and nothing beside it."""
    file = tmp_path / "all.csv"
    file.write_text("before")

    def fails(trial, space):
        if trial.number == 20:
            raise hoptim.StoreError("The disk is gone.")
        return {}

    with monkeypatch.context() as broken:
        broken.setattr(export.flat_table, "row", fails)
        assert main(["export", done.path, "--json", "-o", str(file)]) == 1
    assert capsys.readouterr().err == "hoptim: The disk is gone.\n"
    assert file.read_text() == "before"
    assert os.listdir(tmp_path) == ["all.csv"]


def test_a_file_that_cannot_be_written_is_one_sentence(done, tmp_path, capsys):
    """A folder that is not there is status 1, with its name."""
    assert main(["export", done.path, "-o", str(tmp_path / "none" / "all.csv")]) == 1
    assert "none/all.csv': No such file or directory." in capsys.readouterr().err


def test_a_link_stays_a_link_and_a_pipe_a_pipe(done, tmp_path, said):
    """What -o names is written, not replaced by something else."""
    (tmp_path / "target").touch()
    (tmp_path / "link").symlink_to("target")
    said("export", done.path, "-o", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == said("export", done.path)
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()), daemon=True)
    reader.start()
    said("export", done.path, "-o", tmp_path / "pipe")
    reader.join(60)
    assert read == [said("export", done.path)]


def test_a_schedule_is_the_studys(done, said, tmp_path):
    """Text, table, JSON and file are those of study.schedule()."""
    schedule = hoptim.load(done.path).schedule()
    assert said("schedule", done.path, "--csv") == schedule.to_csv()
    assert json.loads(said("schedule", done.path, "--json")) == schedule.to_json()
    assert len(said("schedule", done.path).splitlines()) == len(schedule) + 1
    for name, text in (("a.csv", schedule.to_csv()), ("a.json", said("schedule", done.path, "--json"))):
        said("schedule", done.path, "-o", tmp_path / name)
        assert (tmp_path / name).read_text() == text
    first = json.loads(said("schedule", done.path, "--trial", "0", "--json"))
    assert [interval["trial"] for interval in first["intervals"]] == [0]


def test_a_schedule_has_a_gap(said, tmp_path):
    """What is not active is an empty cell, under the name of its own column."""
    study = report_studies.conditional(tmp_path / "s")
    head, *rows = said("schedule", study.path).splitlines()
    assert head.split()[3:] == list(study.space.dimensions)
    for row, interval in zip(rows, study.schedule(), strict=True):
        params = study.space.flat(interval.params)
        assert len(row.split()) == 3 + len(params)
        place = head.index("momentum")
        assert (row[place : place + 8].strip() == "") == ("momentum" not in params)
    assert "momentum" in said("export", study.path).splitlines()[0]
    assert ("momentum" in said("best", study.path)) == ("momentum" in study.best.params)
    assert json.loads(said("best", study.path, "--json"))["params"] == study.space.plain(study.best.params)


def test_a_lineage_is_the_studys(done, said):
    """Ancestors, descendants and exploits are those of study.lineage()."""
    lineage = done.lineage()
    found = json.loads(said("lineage", done.path, "--json"))
    assert found["trial"]["number"] == done.best.number
    assert found["founder"] == lineage.founder.number
    assert found["ancestors"] == [trial.number for trial in lineage.ancestors]
    assert [exploit["trial"] for exploit in found["exploits"]] == [e.trial.number for e in lineage.exploits]
    assert found["exploits"]
    rows = [line.split() for line in said("lineage", done.path).splitlines()]
    assert [row[1] for row in rows if row and row[0].isdigit()] == [str(t.number) for t in lineage.line]
    first = json.loads(said("lineage", done.path, "--trial", lineage.founder.number, "--json"))
    assert done.best.number in first["descendants"]
    assert "descended from it." in said("lineage", done.path, "--trial", lineage.founder.number)


def test_a_member_means_its_latest_trial(done, said):
    """--member takes the trial that the member finished last."""
    found = json.loads(said("lineage", done.path, "--member", "2", "--json"))
    assert (found["trial"]["member"], found["trial"]["step"]) == (2, done.steps - 1)


def test_exploits_show_what_was_seen(done, said):
    """Each exploit of the study comes with both ranks, and those of one line with all values compared."""
    exploits = done.family.exploits
    found = json.loads(said("lineage", done.path, "--exploits", "--json"))
    assert [exploit["trial"] for exploit in found] == [exploit.trial.number for exploit in exploits]
    for told, exploit in zip(found, exploits, strict=True):
        ranks = [exploit.rank(exploit.left.member), exploit.rank(exploit.donor.member)]
        assert [told["left_rank"], told["donor_rank"], told["compared"]] == [*ranks, done.size]
        assert "seen" not in told
    text = said("lineage", done.path, "--exploits")
    assert all(str(exploit) in text for exploit in exploits)
    line = json.loads(said("lineage", done.path, "--exploits", "--member", "1", "--json"))
    mine = done.lineage(max((t for t in done.trials if t.member == 1), key=lambda t: t.step)).exploits
    assert [exploit["trial"] for exploit in line] == [exploit.trial.number for exploit in mine]
    assert [{int(k): float(v) for k, v in told["seen"].items()} for told in line] == [e.seen for e in mine]


def test_exploits_of_many_members_show_the_best(tmp_path, said):
    """Of more than ten values that were compared the best ten are printed, the others counted."""
    made = train(study(tmp_path, size=13, steps=4, optimizer=hoptim.TruncationSelection()))
    values = sorted(made.family.exploits[0].seen.items(), key=lambda seen: seen[1])
    best = [f"member {member} {value:.6g}" for member, value in values[:10]]
    first = said("lineage", tmp_path, "--exploits").partition("Seen: ")[2].partition("step")[0]
    assert " ".join(first.split()) == f"{', '.join(best)}, 3 more"


def test_a_status_says_who_trains_what(tmp_path, said):
    """While somebody holds a trial, it is in the table; results, failures and the time left are there."""
    there = study(tmp_path)
    for _ in range(6):
        there.ask().tell(0.25)
    there.ask().fail("tired")
    held = there.ask()
    found = json.loads(said("status", tmp_path, "--json"))
    assert found == json.loads(json.dumps({**there.status().to_json(there.space), "at": found["at"]})) | {
        key: found[key] for key in ("running", "remaining", "rate")
    }
    assert [running["number"] for running in found["running"]] == [held.number]
    text = said("status", tmp_path)
    assert "6 of 20 trials, 30 %" in text
    assert "best ever  0.25 in trial 0, step 0 of member 0" in text
    assert "1 failed attempt" in text
    row = next(line for line in text.splitlines() if str(os.getpid()) in line).split()
    assert row[:4] == [str(held.number), str(held.member), str(held.step), str(held.attempt)]
    held.tell(0.5)


def test_a_status_before_the_first_trial(tmp_path, said):
    """An empty study has a status, too, and no active workers."""
    study(tmp_path)
    assert "Warning: No active workers; 20 trials remain" in said("status", tmp_path)


def watched(monkeypatch, there) -> None:
    """Between two looks of a watch a trial is trained instead of sleeping."""
    trials = iter(there)
    monkeypatch.setattr(repeating, "time", SimpleNamespace(sleep=lambda _: train_one(trials)))


def train_one(trials) -> None:
    """Tell the next trial, and come back for one more at the end."""
    for trial in trials:
        trial.tell(loss(trial))
        return


@pytest.mark.parametrize("form", ["--json", "--every=0.5"])
def test_a_watch_goes_on_until_all_is_done(tmp_path, said, monkeypatch, form):
    """A line for each look, each with what is new, and the last when all is done."""
    watched(monkeypatch, study(tmp_path))
    lines = said("watch", tmp_path, form).splitlines()
    if form == "--json":
        states = [json.loads(line) for line in lines]
        assert [state["finished"] for state in states] == list(range(21))
        assert [state["done"] for state in states] == [False] * 20 + [True]
    else:
        assert [line.split()[1] for line in lines] == [str(count) for count in range(21)]
        assert "all done" in lines[-1]


def test_a_watch_opens_the_study_once(tmp_path, said, monkeypatch):
    """One study stays open, so that each look reads only what is new."""
    opened = []
    load = looks.options.opened
    monkeypatch.setattr(looks.options, "opened", lambda folder: opened.append(folder) or load(folder))
    watched(monkeypatch, study(tmp_path))
    said("watch", tmp_path, "--json")
    assert len(opened) == 1


def test_a_live_watch_keeps_to_its_screen(tmp_path, monkeypatch, capsys):
    """On a terminal the trials under way are cut to its height, and their number is said."""
    from rich.console import Console

    from hoptim.cli.overview import overview

    there = study(tmp_path, size=40, steps=2)
    held = [there.ask() for _ in range(40)]
    screen = Console(width=80, height=24, force_terminal=True, color_system=None)
    screen.print(overview(there.status(), screen, screen.height))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    assert any(line.startswith("and 34 more") for line in lines)
    assert len(held) == 40


@pytest.mark.parametrize("look", ["watch", "report"])
def test_a_lost_worker_is_not_waited_for_after_a_stop(tmp_path, said, monkeypatch, look):
    """The trial of a worker that died is taken back by nobody then, so the look ends as if it were told."""
    (tmp_path / "hold").mkdir()
    (tmp_path / "hold" / "1").touch()
    worker = run("train.py", tmp_path / "s", tmp_path, HOLD=str(tmp_path / "hold"))
    there = study(tmp_path / "s")
    wait_until(lambda: there.status().running)
    there.stop()
    worker.kill()
    worker.communicate()
    monkeypatch.setattr(repeating, "time", SimpleNamespace(sleep=lambda _: pytest.fail("it waits")))
    monkeypatch.chdir(tmp_path)
    assert said(look, tmp_path / "s", "--every", 1)


def test_a_report_is_written_again_while_there_is_news(tmp_path, said, monkeypatch):
    """Each look with new records replaces the page, one without leaves it; the last is final."""
    page, trials, seen = tmp_path / "run.html", iter(study(tmp_path / "s")), []

    def wait(seconds):
        seen.append((seconds, page.stat().st_ino, page_data(page)))
        if len(seen) % 2:
            train_one(trials)

    monkeypatch.setattr(repeating, "time", SimpleNamespace(sleep=wait))
    assert said("report", tmp_path / "s", "-o", page, "--every", 30) == f"Wrote {page}.\n"
    assert {(seconds, data["reload"]) for seconds, _, data in seen} == {(30, 30)}
    assert [data["finished"] for *_, data in seen] == [(looks + 1) // 2 for looks in range(39)]
    for k, ((_, file, _), (_, later, _)) in enumerate(pairwise(seen)):
        assert (file == later) == (k % 2 == 1)
    last = page_data(page)
    assert (last["finished"], last["complete"], last["reload"]) == (20, True, None)
    assert sorted(os.listdir(tmp_path)) == ["run.html", "s"]


def test_a_repeated_report_has_what_is_told_after_a_stop(tmp_path, said, monkeypatch):
    """It ends when the last trial in hand is told, and the page that has it loads itself no more."""
    page, there = tmp_path / "run.html", study(tmp_path / "s")
    held, seen = there.ask(), []

    def wait(_):
        seen.append(page_data(page)["reload"])
        there.stop() if len(seen) == 1 else held.tell(0.5)

    monkeypatch.setattr(repeating, "time", SimpleNamespace(sleep=wait))
    told = json.loads(said("report", tmp_path / "s", "-o", page, "--every", 0.5, "--json"))
    assert (told, seen) == ({"file": str(page)}, [0.5, 0.5])
    last = page_data(page)
    assert (last["finished"], last["complete"], last["reload"]) == (1, False, None)


def test_a_study_that_ends_within_a_look_has_a_last_page(tmp_path, said, monkeypatch):
    """The page that had all results but was to be loaded again is replaced by one that is not."""
    page, there = tmp_path / "run.html", study(tmp_path / "s", size=1, steps=1)
    trials, read, seen = iter(there), hoptim.Study.results, []

    def told_before(self):
        train_one(trials)
        return read(self)

    def wait(_):
        seen.append(page_data(page))

    monkeypatch.setattr(hoptim.Study, "results", told_before)
    monkeypatch.setattr(repeating, "time", SimpleNamespace(sleep=wait))
    said("report", tmp_path / "s", "-o", page, "--every", 30)
    assert [(data["finished"], data["reload"]) for data in [*seen, page_data(page)]] == [(1, 30), (1, None)]


def test_a_repeated_report_of_a_study_that_vanishes_is_one_sentence(tmp_path, monkeypatch, capsys):
    """A directory that is removed meanwhile is status 1 and named, and the last page stays."""
    page = tmp_path / "run.html"
    there = study(tmp_path / "s")
    monkeypatch.setattr(repeating, "time", SimpleNamespace(sleep=lambda _: shutil.rmtree(there.path)))
    assert main(["report", there.path, "-o", str(page), "--every", "1"]) == 1
    assert capsys.readouterr().err.startswith(f"hoptim: The directory {there.path!r} is gone")
    assert page_data(page)["finished"] == 0


def page_data(path):
    """What a page shows, and when it loads itself again."""
    return json.loads(re.search(r'id="data">(.*?)</script>', path.read_text())[1])


def test_pictures_and_pages(done, tmp_path, said):
    """`plot` and `report` write their file and say so."""
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")
    assert said("plot", done.path, "values", "-o", tmp_path / "a.png") == f"Wrote {tmp_path / 'a.png'}.\n"
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads(said("report", done.path, "-o", tmp_path / "a.html", "--json"))
    assert told == {"file": str(tmp_path / "a.html")}
    assert "<html" in (tmp_path / "a.html").read_text()


def test_files_without_a_name_are_called_as_the_study(done, tmp_path, said, monkeypatch, capsys):
    """Page and picture come into the current folder, are renewed, and never replace another file."""
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")
    monkeypatch.chdir(tmp_path)
    for command, name in (
        (["report"], "study.html"),
        (["plot"], "study-overview.png"),
        (["plot", "values"], "study-values.png"),
    ):
        words = [command[0], done.path, *command[1:]]
        assert said(*words) == f"Wrote {name}.\n"
        written = (tmp_path / name).read_bytes()
        assert said(*words) == f"Wrote {name}.\n"
        (tmp_path / name).write_text("my notes on hoptim")
        assert main(words) == 2
        assert "hoptim did not write it: name the file with -o" in capsys.readouterr().err
        assert (tmp_path / name).read_text() == "my notes on hoptim"
        assert said(*words, "-o", name) == f"Wrote {name}.\n"
        assert (tmp_path / name).read_bytes()[:100] == written[:100]


def test_several_studies_are_one_picture_of_values(done, tmp_path, said, monkeypatch, capsys):
    """It has a name of its own; other kinds, and a kind before a directory, are wrong usage."""
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")
    monkeypatch.chdir(tmp_path)
    train(study(tmp_path / "values"))
    assert said("plot", done.path, "./values") == "Wrote studies-values.png.\n"
    assert said("plot", done.path, "./values", "values", "-o", "b.svg") == "Wrote b.svg.\n"
    assert ", values" in (tmp_path / "b.svg").read_text()
    for wrong, why in (
        ([done.path, "./values", "overview"], "drawn as 'values', not as 'overview'"),
        (["values", done.path], "directories of studies first"),
        (["values"], "directories of studies first"),
        ([done.path, "overveiw"], "no study in .*overveiw"),
    ):
        assert main(["plot", *wrong]) == 2
        assert re.search(why, capsys.readouterr().err)


def test_a_picture_that_cannot_be_written_is_one_sentence(done, tmp_path, capsys):
    """An unknown sort of picture is wrong usage, a folder that is not there status 1."""
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")
    assert main(["plot", done.path, "values", "-o", str(tmp_path / "a.xyz")]) == 2
    assert "must end in one of" in capsys.readouterr().err
    assert main(["plot", done.path, "values", "-o", str(tmp_path / "none" / "a.png")]) == 1
    assert "none/a.png': No such file or directory." in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_every_picture_can_be_asked_for():
    """The kinds that the command offers are those there are."""
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")
    from hoptim.cli.picture import KINDS
    from hoptim.plot import PLOTS

    assert set(KINDS) == PLOTS.keys()


def test_run_starts_workers_and_says_what_became_of_them(tmp_path, capsys):
    """The command runs as often as asked, finds the study's directory, and its endings are the status."""
    script = 'echo "$HOPTIM_STUDY" "$HOPTIM_WORKER"; exit "$HOPTIM_WORKER"'
    assert (
        main(["run", "-n", "2", "--restarts", "0", "--json", str(tmp_path), "--", "sh", "-c", script]) == 1
    )
    told = json.loads(capsys.readouterr().out)
    assert [(worker["number"], worker["status"]) for worker in told["workers"]] == [(0, 0), (1, 1)]
    assert [Path(worker["log"]).read_text().split()[-2:] for worker in told["workers"]] == [
        [str(tmp_path), "0"], [str(tmp_path), "1"],
    ]  # fmt: skip
    assert main(["run", str(tmp_path), "--", "true"]) == 0
    header, row, study = capsys.readouterr().out.splitlines()
    assert header.split() == ["worker", "starts", "ended", "log"]
    assert row.split() == ["0", "1", "finished", str(tmp_path / "logs" / "worker-0.log")]
    assert study.startswith(f"There is no study in {str(tmp_path)!r}")


def test_a_fork_on_a_mount_of_one_host_needs_the_word(done, tmp_path, said, monkeypatch, capsys):
    """Where locks reach no other machine, `--single-host` makes the fork that is refused without it."""

    def refuse(folder):
        raise hoptim.StoreError("pass single_host=True")

    monkeypatch.setattr(mounts, "require_shared_locks", refuse)
    monkeypatch.setattr(lock, "_registry", {})  # as in a process that has not locked it yet
    assert main(["fork", done.path, str(tmp_path / "new")]) == 1
    assert "single_host=True" in capsys.readouterr().err
    assert "Made" in said("fork", done.path, tmp_path / "new", "--single-host")


def test_a_fork_goes_on_in_a_directory_of_its_own(done, tmp_path, said, capsys):
    """A fork begins with the generation and the size asked for; where something is, none is made."""
    new = tmp_path / "new"
    told = json.loads(said("fork", done.path, new, "--size", 3, "--steps", 5, "--json"))
    assert told == {"path": str(new), "size": 3, "steps": 5, "seed": done.seed + 1}
    assert "3 of 15 trials" in said("status", new)
    lineage = said("lineage", new)
    assert f"from trial {done.best.number} of the study it was forked from on" in lineage
    assert "  forked" in lineage
    assert main(["fork", done.path, str(tmp_path / "other"), "--at-step", "99"]) == 2
    assert "99" in capsys.readouterr().err
    assert main(["fork", done.path, str(new)]) == 2
    assert "is not empty" in capsys.readouterr().err
