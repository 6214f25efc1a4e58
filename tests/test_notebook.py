"""What a notebook shows of hoptim's objects, and the notebook among the examples."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
from html.parser import HTMLParser
from importlib.util import find_spec

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import hoptim
from hoptim import _html
from tests.builders import ROOT, loss, saving, study, train

NOTEBOOK = ROOT / "examples" / "quickstart.ipynb"
EVIL = "</td><script>alert(1)</script>&amp;\x1b[2J"
VOID = {"rect", "polyline"}  # elements that end where they begin
PLAY = """
import json, sys, nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(book, timeout=120, kernel_name="python3").execute()
shown = [sorted(output.get("data", {})) for cell in book.cells for output in cell.get("outputs", [])]
print(json.dumps(shown))
"""


class Page(HTMLParser):
    """A page whose elements are closed in order; its text and the names of its elements."""

    def __init__(self, html):
        super().__init__()
        self.open, self.names, self.said = [], [], ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.names.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said += data + "\n"


def shown(thing):
    """What a notebook shows of an object."""
    html = thing._repr_html_()
    assert html is not None
    assert html.isprintable() or "\n" in html
    page = Page(html)
    assert "script" not in page.names
    assert "color" not in html.replace("currentColor", "").replace(
        "color:inherit", ""
    )  # the page around it has its own
    return page


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A study that is done, whose names and values would be markup."""
    path = tmp_path_factory.mktemp("notebook") / "<b>study"
    space = {
        "x": hoptim.Float(1e-3, 1.0, log=True),
        "k": hoptim.Int(1, 9),
        EVIL: hoptim.Choice([EVIL, "b"]),
    }
    there = study(path, space=space, size=6, steps=8)
    for trial in there:
        trial.tell(loss(trial), save=saving("x"), metrics={EVIL: 0.5})
    return there


def test_everything_is_shown_with_its_table_and_picture(done):
    """Study, status, schedule, lineage and trials have tables; those with a course have a picture of it."""
    best = done.best
    for thing, said, pictures in (
        (done, ["<b>study", "48 of 48 trials", f"{best.value:.6g} in trial {best.number}"], 2),
        (done.status(), ["<b>study", "48 of 48 trials", f"in trial {best.number}"], 1),
        (done.schedule(), ["Schedule of 8 intervals", "first", "last"], 4),
        (done.lineage(), [f"Lineage of trial {best.number}", "8 trials, from trial", "copied"], 1),
        (best, [f"Trial {best.number}", f"step {best.step} of member {best.member}", "0.5"], 0),
    ):
        page = shown(thing)
        for each in said:
            assert each in page.said
        assert page.names.count("svg") == pictures, thing
        assert "table" in page.names


def test_the_curve_of_a_schedule_is_in_the_scale_of_the_hyperparameter(done):
    """Equal factors of a logarithmic one are equal heights."""
    space = hoptim.Space({"lr": hoptim.Float(1e-4, 1.0, log=True)})
    intervals = [
        hoptim.analysis.schedule.Interval(age, {"lr": lr}, 0, 1.0, age, 0, age)
        for age, lr in enumerate([1e-4, 1e-2, 1.0])
    ]
    html = hoptim.Schedule(intervals, space)._repr_html_()
    assert 'points="2.0,22.0 80.0,12.0 158.0,2.0"' in html


def test_a_trial_in_hand_is_shown():
    """Its place, hyperparameters and state; a failed one shows the reason."""
    there = study(max_attempts=1)
    trial = there.ask()
    page = shown(trial)
    assert "in hand" in page.said
    assert repr(trial.params["k"]) in page.said
    trial.fail(EVIL)
    assert "</td><script>" in shown(there.trials[0]).said


def test_before_the_first_trial_a_study_is_shown():
    """There is no best yet, and no picture of its values."""
    page = shown(study())
    assert "none yet" in page.said
    assert "0 of 20 trials" in page.said


def test_many_rows_are_cut():
    """A table shows the first twenty and counts the others."""
    page = Page(_html.table(("n",), [(i,) for i in range(33)]))
    assert page.names.count("tr") == 21
    assert "and 13 more" in page.said


def test_a_broken_study_falls_back_to_its_plain_repr(tmp_path):
    """A damaged journal, or a hyperparameter whose repr raises, is no traceback in a notebook."""
    there = train(study(tmp_path / "s", steps=2))
    read = hoptim.load(there.path)
    journal = tmp_path / "s" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"tell"', b'"tall"', 1))
    assert read._repr_html_() is None
    assert repr(read).startswith("<hoptim.Study")

    class Rude:
        def __repr__(self):
            raise RuntimeError("no")

    rude = study(space={"x": hoptim.Choice({"a": Rude(), "b": Rude()})})
    assert "<Rude, whose repr raises RuntimeError>" in shown(rude.ask()).said


def test_a_study_is_shown_without_waiting_for_another_thread():
    """While a thread is at work on the study, which may wait for its lock, the plain repr is shown."""
    there, entered, leave = study(), threading.Event(), threading.Event()

    def hold():
        with there._session.store.journal.mutex:
            entered.set()
            leave.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert entered.wait(60)
        assert there._repr_html_() is None
    finally:
        leave.set()
        thread.join()
    assert there._repr_html_() is not None


@given(st.lists(st.floats(), max_size=700))
@example([1.7e308, -1.7e308, 0.0])
def test_any_numbers_are_a_curve(values):
    """The line stays within its picture, whatever the numbers are."""
    html = _html.curve(values)
    if not html:
        assert sum(map(math.isfinite, values)) < 2 or len(values) > 320
        return
    [points] = [part.split('"')[0] for part in html.split('points="')[1:]]
    at = [tuple(map(float, point.split(","))) for point in points.split()]
    assert all(2 <= x <= 158 and 2 <= y <= 22 for x, y in at)
    assert [x for x, _ in at] == sorted(x for x, _ in at)


@given(st.text())
def test_any_text_is_only_text(said):
    """No text becomes an element, and it is printable."""
    page = Page(f"<p>{_html.text(said)}</p>")
    assert page.names == ["p"]
    assert _html.text(said).isprintable()


def test_figures_are_shown_as_they_are():
    """A figure gives its picture to a notebook, without pyplot or a magic command."""
    plot = pytest.importorskip("hoptim.plot", reason="pictures need the extra 'plot'")
    there = train(study())
    for figure in (plot.values(there), plot.exploits(there), plot.compare([there])):
        assert figure._repr_png_().startswith(b"\x89PNG")


def code():
    """The cells of the example that are code."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_the_notebook_is_committed_without_outputs():
    """Its cells hold code and text only, so that it differs only when somebody changes it."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert {json.dumps(cell.get("outputs", [])) for cell in cells} == {"[]"}
    assert {cell.get("execution_count") for cell in cells} == {None}


def test_the_code_of_the_notebook_runs(tmp_path, monkeypatch):
    """All cells run one after another, and again on the study that is there."""
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        names = {}
        for cell in code():
            exec(cell, names)
        assert names["study"].done


@pytest.mark.skipif(
    not all(map(find_spec, ("nbclient", "ipykernel", "matplotlib"))),
    reason="nbclient, ipykernel or matplotlib is not installed",
)
def test_the_notebook_shows_what_it_should(tmp_path):
    """Executed as Jupyter does, its cells show tables and pictures."""
    ran = subprocess.run(
        [sys.executable, "-c", PLAY, str(NOTEBOOK)], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}, timeout=240, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    kinds = json.loads(ran.stdout.splitlines()[-1])
    assert kinds.count(["text/html", "text/plain"]) == 3
    assert kinds.count(["image/png", "text/plain"]) == 1
