"""Reports, read as a parser reads them; `test_report_browser.py` opens them in a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import re
import tomllib
from html.parser import HTMLParser

import pytest

import hoptim
from hoptim import report
from hoptim.report.data import data_of
from hoptim.report.files import SCRIPTS
from tests import builders, report_studies
from tests.builders import ROOT

FOLDER = ROOT / "hoptim" / "report"
STUDIES = {
    "mixed": report_studies.mixed,
    "hostile": report_studies.hostile,
    "conditional": report_studies.conditional,
    "one trial": lambda: report_studies.mixed(size=1, steps=1),
    "none finished": builders.study,
}


class Page(HTMLParser):
    """What a page says: its elements, and the text inside each kind of them."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self._open = [], {}, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)

    @property
    def data(self):
        """The embedded data: the first of the two scripts."""
        return json.loads(self.texts["script"][0])

    @property
    def policy(self):
        """Directives of the Content-Security-Policy."""
        found = [a["content"] for _, a in self.elements if a.get("http-equiv") == "Content-Security-Policy"]
        return [directive.strip() for directive in found[0].split(";")]


@pytest.fixture(scope="module", params=STUDIES)
def pair(request):
    """A study and its page."""
    study = STUDIES[request.param]()
    return study, Page(report.page(study))


def number(value):
    """A float of a report's data, as Python writes it."""
    return repr(float(value))


def told(trial, space):
    """A trial, as far as a report holds it."""
    names = ("number", "member", "step", "age", "parent", "seed", "attempt", "interruptions")
    fixed = {name: getattr(trial, name) for name in names}
    sigma = None if trial.memo is None else repr(trial.memo["sigma"])
    metrics = {name: repr(value) for name, value in trial.metrics.items()}
    params = {name: json.dumps(value) for name, value in space.record(trial.params).items()}
    return {**fixed, "value": repr(trial.value), "sigma": sigma, "metrics": metrics, "params": params}


def embedded(data, i):
    """The same, from the data of a page."""
    columns = data["trials"]
    names = ("number", "member", "step", "age", "parent", "seed", "attempt", "interruptions")
    fixed = {name: columns[name][i] for name in names}
    sigma = repr(columns["sigma"][i]) if "sigma" in columns and columns["sigma"][i] is not None else None
    metrics = {m["name"]: number(m["column"][i]) for m in data["metrics"] if m["column"][i] is not None}
    params = {
        p["name"]: p["choices"][p["column"][i]] if "choices" in p else json.dumps(p["column"][i])
        for p in data["params"]
        if p["column"][i] is not None
    }
    value = number(columns["value"][i])
    return {**fixed, "value": value, "sigma": sigma, "metrics": metrics, "params": params}


def test_every_trial_comes_back_exactly(pair):
    """The data in the page are those of `study.trials`, floats to the last digit, by number."""
    study, page = pair
    found = [embedded(page.data, i) for i in range(len(page.data["trials"]["number"]))]
    assert found == [told(trial, study.space) for trial in study.trials]


def test_times_come_back_to_the_millisecond(pair):
    """When a trial was handed out and how long it took are there as the journal has them."""
    study, page = pair
    columns = page.data["trials"]
    for trial, asked, took in zip(study.trials, columns["asked"], columns["took"], strict=True):
        assert round(page.data["began"] + asked / 1000, 3) == trial.asked
        assert round(trial.asked + took / 1000, 3) == trial.ended


def test_the_facts_are_those_of_the_study(pair):
    """Name, sizes, who is best, and what failed for good."""
    study, page = pair
    data = page.data
    finite = [trial for trial in study.trials if trial.finite]
    assert (data["size"], data["steps"], data["mode"]) == (study.size, study.steps, study.mode)
    assert (data["best"], data["best_ever"]) == (
        (study.best.number, study.best_ever.number) if finite else (None, None)
    )
    assert data["complete"] == study.done
    failed = [trial.number for trial in study.trials if trial.failed is not None]
    assert [failure["trial"] for failure in data["failures"]] == failed
    assert json.loads(data["space"]) == study.space.to_json()


def test_who_trains_and_what_deserves_a_look_is_there(tmp_path):
    """The page has the trials under way, with their workers, and the warnings of the status."""
    study = builders.study(tmp_path / "study")
    held = [study.ask() for _ in range(2)]
    data = Page(report.page(hoptim.load(tmp_path / "study"))).data
    assert [each["number"] for each in data["running"]] == [trial.number for trial in held]
    assert {each["pid"] for each in data["running"]} == {str(os.getpid())}
    assert data["warnings"] == []
    for trial in held:
        trial.release()
    data = Page(report.page(study)).data
    assert (data["running"], data["warnings"]) == ([], study.status().warnings)
    assert data["warnings"]


def test_nothing_leads_out_of_the_page(pair):
    """No address, no attribute that loads or sends, and no element but our own, whatever the names say."""
    study, page = pair
    text = report.page(study)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text.replace("default-src", ""))
    attributes = {name for _, attributes in page.elements for name in attributes}
    assert not attributes & {"src", "href", "action", "srcset", "style", "data", "background"}
    assert not any(name.startswith("on") for name in attributes)
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert not {tag for tag, _ in page.elements} & {"img", "iframe", "link", "object", "embed", "base", "b"}


def test_the_policy_forbids_every_request_and_allows_our_script_alone(pair):
    """Nothing may be loaded; script and style are named by their hashes."""
    _, page = pair
    hashes = [
        "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for text in ("".join(page.texts["script"][1:]), "".join(page.texts["style"]))
    ]
    assert page.policy == [
        "default-src 'none'", "base-uri 'none'", "form-action 'none'",
        f"script-src {hashes[0]}", f"style-src {hashes[1]}",
    ]  # fmt: skip


def test_names_and_failures_stay_text(tmp_path):
    """A directory's name and every text come back as they were, though they look like HTML."""
    name = "<b>&amp;\"'$data ${x}\udce9"
    page = Page(report.page(report_studies.hostile(tmp_path / name)))
    shown = name.replace("\udce9", "\ufffd")
    assert "".join(page.texts["h1"]) == shown
    assert "".join(page.texts["title"]) == f"{shown}: hoptim"
    assert page.data["name"] == name
    assert all(failure["why"].startswith(report_studies.ATTACK) for failure in page.data["failures"])


def test_what_a_long_failure_loses_is_said(pair):
    """A text too long for a page keeps both ends, and tells how much is missing between them."""
    study, page = pair
    for failure, trial in zip(page.data["failures"], [t for t in study.trials if t.failed], strict=True):
        parts = re.split(r"\n\[\.\.\. ([\d,]+) characters are left out here \.\.\.\]\n", failure["why"])
        if len(parts) == 1:
            assert failure["why"] == trial.failed
        else:
            start, left_out, end = parts
            assert trial.failed.startswith(start)
            assert trial.failed.endswith(end)
            assert len(start) + int(left_out.replace(",", "")) + len(end) == len(trial.failed)


def test_data_hold_no_mark_that_a_parser_looks_for():
    """The data cannot end their element, begin a comment, or be no JSON."""
    text = report.page(report_studies.hostile())
    data = text.split('id="data">')[1].split("</script>")[0]
    assert data.isascii()
    assert not set(data) & set("<>&")
    json.loads(data, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.js")), ids=lambda path: path.name)
def test_the_script_makes_no_html_of_text(file):
    """No script turns text into HTML or code, asks a network, or could end its own element."""
    text = file.read_text()
    words = "innerHTML|outerHTML|insertAdjacentHTML|write|eval|Function|fetch|XMLHttpRequest|import"
    assert not re.search(rf"\b({words})\b\s*[(=]", text)
    assert "</" not in text
    assert "<!--" not in text


def test_every_file_of_the_page_is_used_and_shipped():
    """Each script goes into the page, and the package's data name every file beside the code."""
    scripts = {path.name for path in SCRIPTS}
    others = {path.name for path in FOLDER.iterdir() if path.suffix not in {".py", ""}}
    assert others == scripts | {"page.html", "page.css"}
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert shipped["packages"]["find"] == {"include": ["hoptim*"]}
    globs = shipped["package-data"]["hoptim.report"]
    assert {path.name for glob in globs for path in FOLDER.glob(glob)} == others


def test_a_page_is_small():
    """The page itself is below 64 KiB, and a trial of six hyperparameters below 200 bytes."""
    empty = len(report.page(builders.study()).encode())
    study = report_studies.mixed(steps=60)
    assert empty < 64 * 1024
    assert (len(report.page(study).encode()) - empty) / len(study.trials) < 200


def test_a_report_of_a_study_under_way_is_of_one_moment(tmp_path, monkeypatch):
    """Others may tell while the page is made: its best is one of its own trials."""
    study = builders.study(tmp_path / "study")
    other = hoptim.load(tmp_path / "study")
    trials = iter(study)
    for value in (3.0, 2.0):
        next(trials).tell(value)
    seen = hoptim.Study.results

    def told_meanwhile(self):
        found = seen(self)
        next(trials).tell(1.0)
        return found

    monkeypatch.setattr(hoptim.Study, "results", told_meanwhile)
    data = data_of(other)
    assert (data["trials"]["number"], data["best"], data["best_ever"]) == ([0, 1], 1, 1)
    assert not data["complete"]


def test_a_page_of_a_long_study_is_thinned_and_says_so(monkeypatch):
    """It has the trials of every third step, the winner's whole line, and parents that are among them."""
    study = report_studies.mixed()
    monkeypatch.setattr("hoptim.report.data._MOST", len(study.trials) // 3 + 1)
    data, results = data_of(study), study.results()
    numbers = data["trials"]["number"]
    line = [trial.number for trial in results.lineage().line]
    always = {*line, results.best_ever.number, *(trial.number for trial in results.latest)}
    kept = {trial.number for trial in results.trials if trial.step % 3 == 0}
    assert numbers == sorted(kept | always)
    for number, parent in zip(numbers, data["trials"]["parent"], strict=True):
        before = [trial.number for trial in results.lineage(number).ancestors]
        assert parent == next((each for each in reversed(before) if each in numbers), None)
    by_number = dict(zip(numbers, data["trials"]["parent"], strict=True))
    assert [by_number[number] for number in line] == [None, *line[:-1]]
    assert (data["every"], data["finished"], data["failed"]) == (3, len(results.trials), results.failed)
    assert data["copied"] == len(results.family.exploits)
    assert {failure["trial"] for failure in data["failures"]} <= {*numbers}


def test_writing_replaces_in_one_step(tmp_path):
    """An old report is replaced; nothing else is left in the folder."""
    path = tmp_path / "report.html"
    path.write_text("old")
    inode = path.stat().st_ino
    report.write(report_studies.mixed(steps=2), path)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert path.stat().st_ino != inode
    assert os.listdir(tmp_path) == ["report.html"]


def test_a_page_that_is_written_again_says_how_often(tmp_path):
    """A page has the seconds after which it loads itself again, and by default none."""
    study = builders.study()
    assert Page(report.page(study)).data["reload"] is None
    report.write(study, tmp_path / "report.html", every=30)
    assert Page((tmp_path / "report.html").read_text()).data["reload"] == 30


@pytest.mark.parametrize("every", [0, -1, math.nan, math.inf, 86_401, "often"])
def test_what_is_no_interval_is_refused(tmp_path, every):
    """No page that loads itself without a pause, or later than a browser can wait, is written."""
    with pytest.raises(hoptim.ArgumentError, match="every must be "):
        report.write(builders.study(), tmp_path / "report.html", every)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("where", ["missing/report.html", "file/report.html", "folder"])
def test_where_nothing_can_be_written_is_said(tmp_path, where):
    """A folder that is not there, or a folder in the report's place, is a StoreError that names it."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(hoptim.StoreError, match=re.escape(repr(str(tmp_path / where)))):
        report.write(builders.study(), tmp_path / where)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_failed_write_leaves_the_old_report(tmp_path, monkeypatch):
    """When the disk refuses, the old report is whole and nothing is left beside it."""
    path = tmp_path / "report.html"
    path.write_text("old")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(hoptim.StoreError, match="No space left"):
        report.write(builders.study(), path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("report.html", "old")]


def test_values_that_json_lacks_are_words(pair):
    """NaN and the infinities are told apart in the data."""
    study, page = pair
    words = [value for value in page.data["trials"]["value"] if isinstance(value, str)]
    assert words == [str(trial.value) for trial in study.trials if not math.isfinite(trial.value)]
