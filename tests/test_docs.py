"""What README and the other documents say is run and compared."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

import hoptim
from tests.builders import ROOT
from tests.documents import Reader, blocks, links, paths

README = (ROOT / "README.md").read_text()
RESULTS = (ROOT / "docs" / "results.md").read_text()
FEATURES = (ROOT / "docs" / "features.md").read_text()
CODE = [block.text for block in blocks(README) if block.language == "python"]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "benchmarks").rglob("*.md")]  # docs/ has a file of its own


def test_the_readme_is_short():
    """It has at most 900 words: all that stands between spaces, be it prose, code, table or link."""
    assert len(README.split()) <= 900


def test_the_code_in_the_readme_runs(tmp_path, monkeypatch, capsys):
    """All Python blocks run one after another, as a reader would paste them, and once more."""
    monkeypatch.chdir(tmp_path)
    assert CODE
    printed = []
    for _ in range(2):
        names = {}
        for block in CODE:
            exec(block, names)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert len(printed[0].splitlines()) == 1


def test_the_first_value_of_the_readme_is_beaten(tmp_path, monkeypatch):
    """The quickstart trains: its best value is far below that of fresh weights."""
    monkeypatch.chdir(tmp_path)
    exec(CODE[0], {})
    assert hoptim.load("runs/quickstart").best.value < 0.1 * 3.0**2


@pytest.mark.skipif(
    not all(map(find_spec, ("click", "rich", "matplotlib"))), reason="needs the extras cli and plot"
)
def test_the_commands_of_the_readme_look_at_its_study(tmp_path):
    """Each command that begins with `hoptim` works on the study of the code above it."""
    reader = Reader(tmp_path)
    for block in blocks(README):
        if not block.text.startswith("python3 -m venv"):
            reader.do(block)
    assert (tmp_path / "run.png").is_file()
    assert (tmp_path / "run.html").is_file()


def test_ci_runs_the_readmes_own_commands():
    """The two commands are each one line, and CI finds them by the words that it greps for."""
    script = (ROOT / ".ci" / "run").read_text()
    words = re.findall(r"grep -m1 -F (?:-- )?'([^']+)' README", script)
    assert len(words) == 2
    for word in words:
        line = next(line for line in README.splitlines() if word in line)
        assert line.startswith("python3 -m venv .venv && ")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_paths_resolve(document):
    """Relative links, and files of this repository named in code marks, are there."""
    text = document.read_text()
    linked = [document.parent / link.partition("#")[0] for link in links(text)]
    named = [ROOT / path for path in paths(text)]
    assert [str(path) for path in linked + named if not path.exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_names_in_the_documents_exist(document):
    """Every `hoptim.Name` that is written somewhere can be imported."""
    names = set(re.findall(r"hoptim\.([A-Z]\w+|load)\b", document.read_text()))
    assert names <= set(hoptim.__all__)


def test_table_3_is_the_committed_result():
    """The figures are those of the committed run, as printed; rows that have the paper's p are counted."""
    found = json.loads((ROOT / "benchmarks" / "results" / "rosenbrock.json").read_text())
    for row in found["rows"]:
        p = "" if row["p_value"] is None else f"{row['p_value']:.1e}"
        paper = row["published"]
        line = (
            f"| {row['name']} | {paper['mean']:g} / {paper['std']:g} "
            f"| {row['mean']:.3f} / {row['std']:.3f} | {p} |"
        )
        assert line in RESULTS
    p_values = [row["p_value"] for row in found["rows"] if row["p_value"] is not None]
    met = sum(p < 1.1e-5 for p in p_values)
    assert f"{met} of the {len(p_values)} rows above" in RESULTS


@pytest.mark.parametrize(
    "name",
    [
        "tell_and_ask",
        "tell_and_ask_fast_disk",
        "table_3",
        "hold",
        "importing",
        "contention",
        "contention_fast_disk",
        "postgres",
        "opening",
        "looking",
        "commands",
        "commands_million",
    ],
)
def test_the_costs_in_the_documents_are_the_committed_result(name):
    """What the documents quote of a cost benchmark are lines of its committed output."""
    text = (ROOT / "benchmarks" / "results" / f"{name}.txt").read_text()
    documents = (ROOT / "docs" / "costs.md").read_text()
    quoted = re.findall(
        rf"results/{name}\.txt`(?:(?!results/|```).)*```text\n(.*?)\n```", documents, re.DOTALL
    )
    assert quoted
    assert [block for block in quoted if f"{block}\n" not in text] == []


def test_the_figures_on_noise_are_the_committed_result():
    """The page quotes what the committed run printed, all of it."""
    page = (ROOT / "docs" / "recipes" / "noise.md").read_text()
    text = (ROOT / "benchmarks" / "results" / "noise.txt").read_text()
    assert f"```\n{text}```\n" in page


def test_the_accuracies_are_the_committed_result():
    """The page quotes the last lines that the committed run of the digits printed."""
    text = (ROOT / "benchmarks" / "results" / "digits.txt").read_text()
    assert "\n".join(text.splitlines()[-2:]) in RESULTS


def test_the_figures_of_when_not_to_use_pbt_are_the_committed_result():
    """Each loss that the section gives is one of those that the benchmark printed."""
    page = (ROOT / "docs" / "optimizers.md").read_text()
    section = page.partition("## When not to use PBT\n")[2].partition("\n## ")[0]
    printed = (ROOT / "benchmarks" / "results" / "horizon.txt").read_text()
    losses = re.findall(r"\b0\.\d{3}\b", section)
    assert len(losses) >= 4
    assert [loss for loss in losses if not re.search(rf"\b{re.escape(loss)}\b", printed)] == []


def test_every_option_of_the_benchmark_is_documented():
    """Each option that --help knows is on the page of its results."""
    command = [sys.executable, "-m", "hoptim.benchmarks", "rosenbrock", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    options = set(re.findall(r"--[a-z]+", text)) - {"--help"}
    assert options == {o for o in options if f"`{o}" in RESULTS or f" {o}" in RESULTS}


def test_the_repository_names_no_machine():
    """No committed text holds a path of somebody's machine."""
    pattern = re.compile(r"/(?:home|root|work|Users|tmp)/\w")
    files = [p for p in ROOT.rglob("*") if p.suffix in {".py", ".md", ".toml", ".json", ".txt"}]
    ours = [p for p in files if not any(part.startswith(".") for part in p.relative_to(ROOT).parts)]
    named = [path.name for path in ours if path != Path(__file__) and pattern.search(path.read_text())]
    assert named == []


@pytest.mark.parametrize(
    "name",
    [
        "language",
        "language_baselines",
        "language_lr",
        "language_pb2",
        "language_peers",
        "romul_language",
        "images",
        "images_lr",
        "dropout",
    ],
)
def test_the_tables_of_the_studies_are_the_committed_result(name):
    """What the page quotes of a study's results are lines of its committed output."""
    text = (ROOT / "benchmarks" / "results" / f"{name}.txt").read_text()
    page = (ROOT / "docs" / "studies.md").read_text()
    quoted = re.findall(rf"results/{name}\.txt`(?:(?!\.txt`|```).)*```text\n(.*?)\n```", page, re.DOTALL)
    assert quoted
    assert [block for block in quoted if f"{block}\n" not in text] == []


def ours() -> list[str]:
    """Rows on hoptim in the tables that compare features."""
    return re.findall(r"^\| hoptim \| (.*) \|$", FEATURES, re.MULTILINE)


def test_each_table_of_features_has_a_row_for_each_package():
    """hoptim is the first in each; two without schedules are not in the tables on these."""
    tables = re.findall(r"^\| package .*\n\|[-|]+\n((?:\|.*\n)+)", FEATURES, re.MULTILINE)
    packages = ["hoptim", "Ray Tune", "Syne Tune", "Optuna", "Nevergrad", "W&B sweeps"]
    rows = [re.findall(r"^\| (.*?) \|", table, re.MULTILINE) for table in tables]
    fewer = [name for name in packages if name not in ("Optuna", "W&B sweeps")]
    assert [names for names in rows if names != packages] == [fewer, fewer]
    assert len(rows) == len(ours()) > 12


@pytest.mark.skipif(not find_spec("click"), reason="needs the extra cli")
def test_what_hoptim_is_said_to_have_is_there():
    """What stands in code marks in its rows is a public name, a method, a keyword or a command."""
    from hoptim.cli.app import SECTIONS

    commands = {command.name for section in SECTIONS.values() for command in section}
    objects = {"hoptim": hoptim, "study": hoptim.Study, "trial": hoptim.Trial}
    takers = (hoptim.Study, hoptim.Options, hoptim.Float, hoptim.Trial.tell)
    keywords = {f"{name}=" for taker in takers for name in inspect.signature(taker).parameters}

    def exists(mark):
        place, _, name = mark.partition(".")
        program, _, command = mark.partition(" ")
        known = place in objects and not name.startswith("_") and hasattr(objects[place], name)
        return known or (program == "hoptim" and command in commands) or mark in keywords

    marks = [mark for row in ours() for mark in re.findall(r"`(.*?)`", row)]
    assert len(marks) > 20
    assert [mark for mark in marks if not exists(mark)] == []


def test_the_methods_that_hoptim_is_said_to_have_are_all():
    """The first row names every optimizer that can be chosen, and the one of new studies as the default."""
    bases = {hoptim.Optimizer, hoptim.Population}
    public = {getattr(hoptim, name) for name in hoptim.__all__}
    optimizers = {it for it in public if isinstance(it, type) and issubclass(it, hoptim.Optimizer)} - bases
    assert set(re.findall(r"`hoptim\.(\w+)`", ours()[0])) == {it.__name__ for it in optimizers}
    study = hoptim.Study(None, space={"x": hoptim.Float(0.0, 1.0)}, size=4, steps=1, mode="min")
    assert f"the default `hoptim.{type(study.optimizer).__name__}`" in ours()[0]


def test_the_versions_and_the_licence_of_the_comparison_are_right():
    """Those of the packages that were measured, and of hoptim itself."""
    measured = (ROOT / "benchmarks" / "results" / "compare.txt").read_text().replace("-", " ")
    said = re.findall(
        r"\b(Ray|Syne Tune|Optuna|Nevergrad)(?: Tune)? (\d[\d.]*\d)", FEATURES.partition("##")[0]
    )
    assert len(said) == 4
    assert [name for name, version in said if f" {name.lower()} {version}" not in measured] == []
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    assert f"hoptim {hoptim.__version__}" in FEATURES
    assert ours()[-1] == f"{project['license']} | {project['requires-python'].removeprefix('>=')} or later"


def test_no_code_mark_of_the_comparison_is_wider_than_a_phone():
    """A code mark is not broken in a table, so none is longer than fits beside the names at 390 px."""
    assert [mark for mark in re.findall(r"`(.*?)`", FEATURES) if len(mark) > 30] == []
