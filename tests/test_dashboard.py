"""`hoptim dashboard`: who is let in, what is answered, and that nothing is written.

`test_dashboard_browser.py` opens it in a browser.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from threading import Lock
from urllib.parse import quote, urlsplit

import pytest

pytest.importorskip("rich", reason="the command line needs the extra 'cli'")
pytest.importorskip("click", reason="the command line needs the extra 'cli'")
pytest.importorskip("uvicorn", reason="needs pip install -e '.[dashboard]'")

import hoptim
from hoptim.__main__ import main
from hoptim.dashboard import curve, pages, renewed, studies, watched
from hoptim.report.data import data_of
from tests import builders, report_studies
from tests.builders import ROOT, study, train
from tests.test_report import Page

FOLDER = ROOT / "hoptim" / "dashboard"
ODD = "<b>&amp;?#%2F 100%\udce9"


class Served:
    """A dashboard of its own process, and requests to it."""

    def __init__(self, *folders):
        words = [sys.executable, "-m", "hoptim", "dashboard", *map(str, folders), "--port", "0"]
        self.process = subprocess.Popen(
            words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.address = self.process.stdout.readline().strip()
        parts = urlsplit(self.address)
        self.port, self.token = parts.port, parts.query.removeprefix("token=")

    def ask(self, path, *, method="GET", token=True, **headers):
        """The answer to a request, with its body read; by custom one that names the token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, f"{path}?token={self.token}" if token else path, headers=headers)
        answer = connection.getresponse()
        answer.body = answer.read().decode()
        connection.close()
        return answer

    def news(self, name=None):
        """What an open page asks for, by JSON."""
        return json.loads(self.ask("/news" if name is None else f"/news/{quoted(name)}").body)

    def row(self, name):
        """What the list has of one study, None if it is not there."""
        return next((row for row in self.news()["rows"] if row["name"] == name), None)

    def end(self):
        """Press Ctrl-C; the exit status and all that it said besides the address."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out + err


def quoted(name):
    """A name in an address."""
    return quote(name, safe="")


@contextmanager
def serving(*folders):
    """A dashboard for a while."""
    served = Served(*folders)
    try:
        yield served
    finally:
        served.process.kill()
        served.process.communicate()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A finished study, one under way with a failure, one with an odd name, and a damaged one."""
    folder = tmp_path_factory.mktemp("runs")
    train(study(folder / "done"), saves=True)
    begun = study(folder / "deep" / "er" / "begun")
    begun.ask().tell(float("nan"))
    begun.ask().fail("<script>no GPU</script>")
    begun.ask()
    report_studies.mixed(folder / ODD, steps=2)
    (folder / "damaged").mkdir()
    (folder / "damaged" / "study.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def served(runs):
    """One dashboard for all tests that leave its studies alone."""
    with serving(runs) as found:
        yield found


@pytest.fixture
def clock(monkeypatch):
    """The seconds by which values are kept."""
    now = [1000.0]
    monkeypatch.setattr(renewed, "monotonic", lambda: now[0])
    return now


PATHS = ["/", "/news", "/study/done", "/news/done", "/study/none", "/else"]


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_nothing_is_told(served, path):
    """No token, another one, or the cookie of another dashboard is refused alike, whatever is asked."""
    for more, headers in (
        ("", {}), ("?token=", {}), ("?token=x", {}), ("?token=%FF", {}), ("", {"Cookie": "hoptim-0=x"}),
    ):  # fmt: skip
        answer = served.ask(path + more, token=False, **headers)
        assert (answer.status, answer.body.startswith("Open the address")) == (403, True)
        assert answer.headers["Set-Cookie"] is None


def test_the_token_gives_a_cookie_that_scripts_and_other_sites_never_see(served):
    """The first address sets it; afterwards it alone opens every page."""
    assert len(served.token) >= 43  # 32 random bytes
    cookie, *rules = served.ask("/").headers["Set-Cookie"].split("; ")
    assert {rule.lower() for rule in rules} == {"httponly", "path=/", "samesite=strict"}
    assert served.ask("/study/done", token=False, Cookie=cookie).status == 200
    name, _, value = cookie.partition("=")
    assert served.ask("/", token=False, Cookie=f"{name}={value[:-1]}").status == 403
    with serving(served.process.args[4]) as other:  # the same host to a browser, whatever its port
        assert other.ask("/").headers["Set-Cookie"].partition("=")[0] != name


def test_another_name_that_leads_here_is_refused(served):
    """A page of another site that points its name to 127.0.0.1 gets nothing, not even with the token."""
    for host in ("evil.example", f"evil.example:{served.port}", "127.0.0.1.evil.example", ""):
        assert served.ask("/", Host=host).status == 400
    for host in ("localhost", "localhost:9999", f"127.0.0.1:{served.port}"):  # as through a tunnel
        assert served.ask("/", Host=host).status == 200


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_forbids_other_origins_and_caches(served, path):
    """The policy names no origin but this one, and pages carry it themselves; no frame, no cache."""
    answer = served.ask(path)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert policy.endswith("; frame-ancestors 'none'")
    assert not re.search(r"https?:|\*|unsafe|data:", policy)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    if answer.headers["Content-Type"].startswith("text/html"):
        assert policy == "; ".join([*Page(answer.body).policy, "frame-ancestors 'none'"])
        assert "connect-src 'self'" in policy
        assert not re.search(r"https?:|//[a-z]|@import|url\(", answer.body)


def test_the_list_has_what_ls_prints_and_the_curves(served, runs, capsys):
    """Each study's row is that of `hoptim ls`, with the best value so far wherever it changes."""
    assert main(["ls", str(runs), "--json"]) == 1  # for the damaged one
    listed = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in served.news()["rows"]}
    assert rows.keys() == {"damaged", "done", "deep/er/begun", ODD.replace("\udce9", r"\udce9")}
    for row in listed:
        own = rows[row["name"].replace("\udce9", r"\udce9")]
        assert {key: own[key] for key in row.keys() - {"path", "name"}}.items() <= row.items()
    assert (rows["done"]["state"], rows["deep/er/begun"]["state"]) == ("done", "training")
    assert rows["deep/er/begun"]["attempts"] == 1


def test_the_curve_is_the_best_so_far(tmp_path):
    """It is kept up to date from what is new, and ends at the last step that has a value."""
    for mode, pick in (("min", min), ("max", max)):
        made, kept = study(tmp_path / mode, mode=mode), curve.Curve(mode)
        assert kept.points == []
        for _ in range(5):
            builders.advance(made)
            kept.add(made.results())
            best, expected = None, {}
            by_step = sorted({t.step for t in made.trials})
            for step in by_step:
                values = [t.value for t in made.trials if t.step == step] + ([] if best is None else [best])
                if best != pick(values):
                    best = expected[step] = pick(values)
            assert dict(kept.points) == {**expected, by_step[-1]: best}


def test_the_page_of_a_study_is_the_report(served, runs):
    """It has the same data, with the scripts that ask for news behind those of the report."""
    answer = served.ask("/study/deep%2Fer%2Fbegun")
    data = Page(answer.body).data
    assert (answer.status, data["name"], data["only"]) == (200, "deep/er/begun", False)
    found = hoptim.load(runs / "deep" / "er" / "begun")
    assert data["finished"] == found.results().finished == 1
    assert [held["number"] for held in data["running"]] == [held.number for held in found.status().running]
    news = served.news("deep/er/begun")
    assert (news["finished"], news["error"]) == (1, None)
    assert [held["number"] for held in news["running"]] == [held["number"] for held in data["running"]]
    assert served.ask("/study/deep").status == served.ask("/news/..%2Fruns").status == 404


def test_odd_names_open(served):
    """A name that looks like HTML or an address, and is no text, is a row and a page."""
    name = ODD.replace("\udce9", r"\udce9")
    answer = served.ask(f"/study/{quoted(name)}")
    assert (answer.status, Page(answer.body).data["name"]) == (200, name)
    assert "<b>&amp;" not in served.ask("/").body


def tree(folder):
    """Everything in a folder: names, sizes, and when it was last written."""
    found = [folder, *folder.rglob("*")]
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_size, path.lstat().st_ino) for path in found
    }


def test_it_writes_nothing(served, runs):
    """Whatever is asked, the folder is as it was; and nothing but looking is possible."""
    before = tree(runs)
    for path in PATHS:
        served.ask(path)
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert served.ask(path, method=method).status in (404, 405)
    assert tree(runs) == before


def test_studies_come_go_and_break(tmp_path, clock):
    """A new one is listed, a damaged one says why and nothing else fails, a removed one is gone."""
    shown, late = studies.Studies([tmp_path]), tmp_path / "late"

    def rows():
        clock[0] += 10.0  # s
        return {row["name"]: row for row in shown.list()["rows"]}

    assert rows() == {}
    for name in ("late", "fine"):
        train(study(tmp_path / name))
    assert [row["finished"] for row in rows().values()] == [20, 20]
    journal = (late / "journal.jsonl").read_bytes()
    (late / "journal.jsonl").write_text("{}\n")
    assert str(late / "journal.jsonl") in rows()["late"]["error"]
    assert rows()["fine"]["finished"] == 20
    assert shown.named("late").news() == {"finished": None, "error": rows()["late"]["error"]}
    (late / "journal.jsonl").write_bytes(journal)
    assert rows()["late"]["finished"] == 20
    same = shown.named("late")
    shutil.rmtree(late)
    train(study(late, steps=2))
    assert "made anew" in rows()["late"]["error"]
    assert rows()["late"]["finished"] == 8
    assert shown.named("late") is same  # neither list nor page began anew
    shutil.rmtree(late)
    assert list(rows()) == ["fine"]


def test_a_state_is_no_warning(tmp_path):
    """Where many studies wait for workers, the list says so once for each; the page says what to do."""
    study(tmp_path / "new")
    shown = studies.Studies([tmp_path])
    (row,) = shown.list()["rows"]
    assert (row["state"], row["warnings"]) == ("no workers", [])
    assert "start a worker" in shown.named("new").news()["warnings"][0]


def test_a_damaged_study_says_why(served, runs):
    """Its row and its page have the error, and the list is there all the same."""
    assert str(runs / "damaged") in served.row("damaged")["error"]
    answer = served.ask("/study/damaged")
    assert (answer.status, served.row("damaged")["error"] in answer.body) == (503, True)
    assert served.ask("/").status == 200


def test_one_study_is_shown_at_once(tmp_path):
    """Where DIR is a study, the first page is its report, and there is no list to go back to."""
    train(study(tmp_path / "runs" / "one"))
    with serving(tmp_path / "runs" / "one") as served:
        data = Page(served.ask("/").body).data
        assert (data["name"], data["only"], data["finished"]) == ("one", True, 20)
        assert served.news("one")["finished"] == 20
        assert served.end() == (130, "")
    with serving(tmp_path / "runs" / "one", tmp_path) as served:
        assert [row["name"] for row in served.news()["rows"]] == ["runs/one"]


def test_what_cannot_be_served_is_refused(served, tmp_path, capsys):
    """No such folder, and a port that is taken, are wrong usage that is named."""
    assert main(["dashboard", str(tmp_path / "none")]) == 2
    assert "is not a directory" in capsys.readouterr().err
    assert main(["dashboard", str(tmp_path), "--port", str(served.port)]) == 2
    assert f"Port {served.port} of 127.0.0.1 cannot be used: " in capsys.readouterr().err


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_without_the_extra_it_says_so(tmp_path, package, monkeypatch, capsys):
    """The message names the extra."""
    monkeypatch.delitem(sys.modules, "hoptim.dashboard")
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["dashboard", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.endswith("pip install -e '.[dashboard]'\n")) == ("", True)


def test_a_page_is_made_anew_only_if_trials_ended(tmp_path, clock):
    """While none did it is the same object; and an open page learns of another once that may be made."""
    made = study(tmp_path / "study")
    builders.advance(made)
    seen = watched.Watched(tmp_path / "study", "study", False)
    first = seen.page()
    clock[0] += 100
    assert seen.page() is first
    builders.advance(made)
    clock[0] += 1
    assert seen.page() is first  # too soon for another
    assert seen.news()["finished"] == 4
    clock[0] += 100
    assert seen.news()["finished"] == 8
    assert seen.page() is not first
    assert seen.news()["finished"] == 8


def test_a_value_costs_a_share_of_the_time(clock):
    """One that took 3 s is kept for 30 s, one that took none for its pause; meanwhile others get it."""
    took, lock = [3.0], Lock()

    def make(before):
        clock[0] += took[0]
        return (before or 0) + 1

    value = renewed.Renewed(make, 2.0, lock)
    assert (value.kept, value.get()) == (None, 1)
    clock[0] += 29.0
    assert (value.kept, value.get()) == (1, 1)
    took[0] = 0.0
    clock[0] += 1.0
    with lock:  # another thread is at work
        assert (value.kept, value.get(wait=False)) == (None, 1)
    assert value.get() == 2
    clock[0] += 1.9
    assert value.get() == 2
    clock[0] += 0.1
    assert value.get() == 3


def test_the_colours_of_studies_are_those_of_pictures():
    """Each has the same in the plot of the dashboard as in `hoptim.plot.compare`, in the same order."""
    pytest.importorskip("matplotlib", reason="needs the extra 'plot'")
    from hoptim.plot.style import SERIES

    style = (FOLDER / "dashboard.css").read_text()
    assert tuple(re.findall(r"--series: (#\w+);", style)) == tuple(each.lower() for each in SERIES)
    assert f"COLOURS = {len(SERIES)};" in (FOLDER / "overlay.js").read_text()


def test_every_file_of_the_dashboard_is_used_and_shipped(tmp_path):
    """Each script and style is in one of the two pages, and the package's data name all files."""
    both = pages.list_page({"name": "x"}).text + pages.study_page(data_of(study()), "x", False).text
    others = {path for path in FOLDER.iterdir() if path.suffix not in {".py", ""}}
    for path in others - {FOLDER / "list.html"}:
        assert path.read_text() in both
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert {path for glob in shipped["hoptim.dashboard"] for path in FOLDER.glob(glob)} == others


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.js")), ids=lambda path: path.name)
def test_the_script_makes_no_html_of_text(file):
    """No script turns text into HTML or code, or could end its own element; one asks the server."""
    text = file.read_text()
    words = "innerHTML|outerHTML|insertAdjacentHTML|write|eval|Function|XMLHttpRequest|import"
    assert not re.search(rf"\b({words})\b\s*[(=]", text)
    assert ("fetch" in text) == (file.name == "poll.js")
    assert "</" not in text
    assert "<!--" not in text
