"""Paths as people write them, at every place where one enters."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import hoptim
from hoptim import remote, report
from hoptim.analysis.schedule import Schedule
from hoptim.launch.command import run_command
from hoptim.store.check.directory import examine
from tests.builders import saving, study, train

OPENINGS: dict[str, Callable[[str], object]] = {  # of the study in a directory
    "Study": study,
    "load": hoptim.load,
    "fork": lambda path: hoptim.fork(path, f"{path}-fork", at_step=0),
    "ask": lambda path: remote.ask(path, timeout=0),
    "beat": lambda path: remote.beat(path, 0, 1),
    "tell": lambda path: remote.tell(path, 0, 1, 0.5),
    "fail": lambda path: remote.fail(path, 0, 1, "why"),
    "run": lambda path: run_command(Path(path), ["true"], 1),
}
URLS = ["s3://bucket/run", "gs://bucket/run", "https://host/run", "login:/run"]


def told(path: Path) -> hoptim.Study:
    """A study whose members have each told a trial, with no more to do."""
    return train(study(path, steps=1))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def test_the_home_folder_is_found_in_every_path(home):
    """`~` is the home folder wherever a path enters, and nothing is made under the name `~`."""
    made = told(Path("~/run"))
    assert made.path == str(home / "run")
    assert hoptim.load("~/run").path == made.path
    assert hoptim.fork("~/run", "~/new").path == str(home / "new")
    assert remote.ask("~/run") is None
    run_command(Path("~/launched"), ["true"], 1)
    assert (home / "launched" / "logs" / "worker-0.log").exists()
    made.schedule().save("~/found.json")
    assert len(Schedule.load("~/found.json")) == 1
    report.write(made, "~/run.html")
    assert not (home.parent / "~").exists()


def test_the_home_folder_is_found_in_the_path_of_a_checkpoint(home):
    """`hoptim.remote.tell` takes a checkpoint that is named from `~` on."""
    study(home / "run")
    trial = remote.ask("~/run")
    (home / "weights").write_text("weights")
    remote.tell("~/run", trial["number"], trial["token"], 0.5, "~/weights")
    assert Path(hoptim.load("~/run").trials[0].checkpoint).read_text() == "weights"


def test_the_home_folder_of_nobody_is_refused(home):
    """`~name` without such a user is an error that says so, and no folder of that name is made."""
    with pytest.raises(hoptim.ArgumentError, match=r"'~no-such-user/run' begins with the home folder"):
        study("~no-such-user/run")
    assert os.listdir(home.parent) == []


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("kind", [str, Path])
def test_a_url_is_refused_with_what_to_do(home, opening, url, kind):
    """No URL is taken for the path of a folder, and the error says what to write instead."""
    with pytest.raises(hoptim.ArgumentError, match=r"is a URL.*local or shared directory"):
        OPENINGS[opening](kind(url))
    assert os.listdir(home.parent) == []


def test_a_url_is_refused_where_files_are_written(home):
    """Reports, schedules, checkpoints and new studies go to no URL either; the claim is kept."""
    made = told(home / "run")
    for write in (
        lambda: made.schedule().save("s3://bucket/found.json"),
        lambda: Schedule.load("s3://bucket/found.json"),
        lambda: report.write(made, "s3://bucket/run.html"),
        lambda: hoptim.fork(home / "run", "s3://bucket/new"),
    ):
        with pytest.raises(hoptim.ArgumentError, match="is a URL"):
            write()
    study(home / "other")
    trial = remote.ask(home / "other")
    with pytest.raises(hoptim.ArgumentError, match="is a URL"):
        remote.tell(home / "other", trial["number"], trial["token"], 0.5, "s3://bucket/weights")
    remote.tell(home / "other", trial["number"], trial["token"], 0.5)


def test_a_file_url_and_a_folder_with_a_colon(home):
    """The error for file:// says to leave that out; a folder with a colon in its name has ./ in front."""
    with pytest.raises(hoptim.ArgumentError, match="Write the path alone"):
        study("file:///scratch/run")
    assert study("./a:/run").path == str(home.parent / "a:" / "run")


@pytest.mark.parametrize("wrong", [b"run", "a\0b", 5, None])
def test_what_is_no_path_is_refused(wrong):
    """Bytes, NUL and other things are an ArgumentError that shows what was found."""
    with pytest.raises(hoptim.ArgumentError, match=r"A path must be a str .* found "):
        hoptim.load(wrong)


def test_a_working_directory_that_was_removed_is_named(tmp_path, monkeypatch):
    """A relative path in a removed working directory is an error that names the cause."""
    trial = study().ask()
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(hoptim.ArgumentError, match="the working directory was removed"):
        study("run")
    with pytest.raises(hoptim.ArgumentError, match="the working directory was removed"):
        trial.tell(1.0, checkpoint="weights")
    trial.tell(1.0)


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_is_followed_once_by_all_that_open_it(tmp_path, dangling):
    """A run directory that is a link, dangling or not, is its target for all, wherever it leads later."""
    link, target = tmp_path / "run", tmp_path / "target"
    link.symlink_to("target")
    if not dangling:
        target.mkdir()
    made = study(link, steps=1)
    trial = remote.ask(link)
    assert Path(trial["draft"]).is_relative_to(target)
    Path(trial["draft"]).write_text("weights")
    remote.tell(link, trial["number"], trial["token"], 0.5, trial["draft"])
    link.unlink()
    link.symlink_to("elsewhere")
    for trial in made:
        trial.tell(0.5, save=saving("weights"))
    assert made.path == str(target)
    assert made.check().findings == ()
    assert not (tmp_path / "elsewhere").exists()


def test_everything_that_opens_a_link_names_its_target(tmp_path):
    """Study, load, fork, run, check and check-dir agree on the directory that a link leads to."""
    link, target = tmp_path / "run", tmp_path / "target"
    link.symlink_to("target")
    paths = {str(study(link, steps=1).path), str(hoptim.load(link).path), hoptim.load(link).check().folder}
    assert paths == {str(target)}
    assert run_command(link, ["true"], 1).folder == target
    assert any(str(target) in verdict.what for verdict in examine(link))
    train(hoptim.load(link))
    (tmp_path / "new").symlink_to("forked")
    assert hoptim.fork(link, tmp_path / "new").path == str(tmp_path / "forked")
    assert (tmp_path / "new").is_symlink()


def test_a_link_above_the_directory_stays(tmp_path):
    """Only the directory's own link is followed: another machine may have other links above it."""
    (tmp_path / "here").mkdir()
    (tmp_path / "runs").symlink_to("here")
    assert study(tmp_path / "runs" / "a").path == str(tmp_path / "runs" / "a")


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_link_to_itself_is_refused(tmp_path, opening):
    """A link that leads nowhere, round in a circle, is an error that says so."""
    (tmp_path / "run").symlink_to("run")
    with pytest.raises(hoptim.ArgumentError, match="is a link that leads to itself"):
        OPENINGS[opening](str(tmp_path / "run"))
