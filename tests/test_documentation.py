"""The pages of docs/: their code runs, what they quote is printed, and what they name is there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

import hoptim
from tests.builders import ROOT, records, wait_until
from tests.documents import DOCS, Reader, anchors, blocks, commands_in, links, paths

PAGES = {str(path.relative_to(DOCS)): path for path in sorted(DOCS.rglob("*.md"))}
READ = [  # alone, from top to bottom; recipes and scripts have tests of their own
    name
    for name, path in PAGES.items()
    if path.parent == DOCS
    and name not in ("tutorial.md", "own-script.md", "database.md")
    and any(b.language != "text" for b in blocks(path.read_text()))
]
API = (DOCS / "api.md").read_text()

needs_cli = pytest.mark.skipif(
    not all(map(find_spec, ("click", "rich"))), reason="the extra hoptim[cli] is not installed"
)
needs_pictures = pytest.mark.skipif(
    not find_spec("matplotlib"), reason="the extra hoptim[plot] is not installed"
)
needs_digits = pytest.mark.skipif(
    not find_spec("sklearn"), reason="the extra hoptim[examples] is not installed"
)


# -- what pages say to do ------------------------------------------------------------------------------


@needs_cli
@needs_pictures
@pytest.mark.parametrize("name", READ)
def test_a_page_can_be_followed_to_the_letter(name, tmp_path):
    """All blocks but excerpts run one after another, and print what the page says that they print."""
    text = PAGES[name].read_text()
    reader = Reader(tmp_path)
    reader.read(text)
    assert reader.compared == sum(block.language == "text" and not block.before for block in blocks(text))
    if name == "shell.md":
        continues_from_what_was_told_by_hand(hoptim.load(tmp_path / "runs" / "shell"))


def continues_from_what_was_told_by_hand(study):
    """Assert that the trial told by hand has its metric, and the next of its member has its weights."""
    first = study.trials[0]
    assert (study.done, first.value, first.metrics) == (True, 0.01, {"accuracy": 0.9})
    next_ = next(trial for trial in study.trials if trial.parent == 0)
    assert next_.value == pytest.approx((2.7 * (1 - 2 * next_.params["lr"])) ** 2, rel=1e-4)


@needs_cli
@needs_pictures
@needs_digits
def test_the_tutorial_can_be_followed_with_a_worker_killed_on_the_way(tmp_path):
    """Two workers, a look, one of them killed: the other finishes, and all that follows works."""
    text = PAGES["tutorial.md"].read_text()
    terminals = Terminals(tmp_path)
    reader = Reader(
        tmp_path,
        {
            "python pbt.py # in two terminals\n": terminals.start,
            "hoptim watch runs/digits\n": terminals.kill_one,
        },
        edit=terminals.edit,
        shape=lambda quoted: re.sub(r"[-\d].*", "...", quoted),  # values and timings are a run's own
    )
    with terminals:
        reader.read(text)
    assert reader.compared == 7
    assert reader.printed == "True\n"
    told = Counter(r["trial"] for r in records(tmp_path / "runs" / "digits") if r["op"] == "tell")
    assert (len(told), set(told.values())) == (8 * 10, {1})
    said = next(block.text for block in blocks(text) if "died" in block.text)
    pattern = re.sub(r"\d+", r"\\d+", said.strip()).replace("desk", r"\S+")
    assert re.fullmatch(pattern, terminals.said.strip())


class Terminals:
    """The two terminals of the tutorial: a smaller study, and an epoch is trained for each byte in a pipe.

    Args:
        folder: Where the scripts are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.gate = folder, folder / "gate"
        self.gate.write_bytes(b"")  # as good as a pipe that is closed: nobody waits
        self.processes: list[subprocess.Popen[str]] = []
        self.said = ""
        self._pipe: int | None = None

    def edit(self, code: str) -> str:
        """A file of the tutorial, as it is run here."""
        for there, here in (
            ("time.sleep(0.2)", "open('gate', 'rb', buffering=0).read(1)"),
            ("steps=30", "steps=10"),
        ):
            code = code.replace(there, here)
        return code

    def start(self) -> None:
        """Start both, and let them train twenty epochs and begin two more."""
        self.gate.unlink()
        os.mkfifo(self.gate)
        self._pipe = os.open(self.gate, os.O_RDWR)
        os.write(self._pipe, b"." * 20)
        self.processes = [
            subprocess.Popen(
                [sys.executable, "pbt.py"], cwd=self.folder, env=commands_in(self.folder),
                stderr=subprocess.PIPE, text=True,
            ) for _ in range(2)
        ]  # fmt: skip
        path = self.folder / "runs" / "digits"
        wait_until((path / "study.json").exists)
        study = hoptim.load(path)
        wait_until(lambda: len(study.trials) == 20 and len(study.status().running) == 2)

    def kill_one(self) -> None:
        """Kill one in the middle of its epoch, and wait for the other to do the rest."""
        killed, other = self.processes
        killed.send_signal(signal.SIGKILL)
        killed.communicate(timeout=30)
        self.open()
        self.said = other.communicate(timeout=120)[1]
        assert other.returncode == 0, self.said

    def open(self) -> None:
        """Let everybody train."""
        if self._pipe is not None:
            self.gate.unlink()
            self.gate.write_bytes(b"")
            os.close(self._pipe)
            self._pipe = None

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()
        self.open()


def test_the_tutorial_adds_six_lines():
    """Between the two scripts of the tutorial at most six lines are new or different."""
    scripts = {block.text.split("\n")[0]: block.text for block in blocks(PAGES["tutorial.md"].read_text())}
    plain, pbt = scripts["# plain.py"], scripts["# pbt.py"]
    kept = {line.strip() for line in plain.splitlines()}
    assert len([line for line in pbt.splitlines()[1:] if line.strip() and line.strip() not in kept]) <= 6


# -- what pages name -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    """Each relative link names a file that is there, and a heading of it."""
    page = PAGES[name]
    for link in links(page.read_text()):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target.read_text()), link
        assert target.is_relative_to(DOCS), f"{link} leads out of what the site has"


@pytest.mark.parametrize("name", PAGES)
def test_files_and_names_that_are_mentioned_exist(name):
    """Files of the repository in code marks are there, and what is called a name of hoptim's is one."""
    text = PAGES[name].read_text()
    assert [path for path in paths(text) if not (ROOT / path).exists()] == []
    public = set(re.findall(r"\bhoptim\.([A-Z]\w+|load|fork|run)\b", text))
    assert public <= set(hoptim.__all__)


def test_each_page_is_in_the_menu():
    """The site's menu has all pages, and nothing else."""
    menu = re.findall(r"^ +- .*?([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(menu) == sorted([*PAGES, "changelog.md"])  # the hook adds that one


def test_the_page_on_installation_has_all_extras():
    """What a user may install besides the core is on the page."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = set(tomllib.load(file)["project"]["optional-dependencies"]) - {"browser", "test"}
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", PAGES["install.md"].read_text(), re.MULTILINE)
    assert {name.strip("`") for row in rows for name in row.split(", ")} == extras


def test_the_reference_has_each_public_name_once():
    """Everything in `__all__` has its place in the reference, once, and nothing else of hoptim itself."""
    named = re.findall(
        r"^::: hoptim\.(?:fork\.)?(\w+)$", API, re.MULTILINE
    )  # a function in a file of its name
    own = [name for name in named if name in hoptim.__all__]
    assert sorted(own) == sorted(hoptim.__all__)
    assert set(named) - set(own) == {"loggers", "plot", "remote", "report", "testing", "torch"}


@needs_cli
def test_the_table_of_commands_is_the_command_lines_own():
    """The table has each command in the order of the help, with all options that it has and no others."""
    from hoptim.cli.app import SECTIONS

    rows = re.findall(r"^\| `hoptim ([\w-]+)(.*)$", PAGES["looking.md"].read_text(), re.MULTILINE)
    commands = [command for section in SECTIONS.values() for command in section]
    assert [name for name, _ in rows] == [command.name for command in commands]
    for command, (_, row) in zip(commands, rows, strict=True):
        options = [param.opts for param in command.params if param.param_type_name == "option"]
        said = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row))
        assert said <= {word for words in options for word in words}, command.name
        assert all(said & set(words) for words in options if words != ["--json"]), command.name


# -- the site ------------------------------------------------------------------------------------------


@pytest.mark.skipif(not find_spec("mkdocs"), reason="the extra hoptim[docs] is not installed")
def test_the_site_builds_without_a_warning(tmp_path):
    """`mkdocs build --strict` makes a site whose pages load nothing from anywhere else."""
    if not find_spec("mkdocstrings_handlers"):
        pytest.skip("the extra hoptim[docs] is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    for name in [*PAGES, "changelog.md"]:
        page = (tmp_path / "site" / name).with_suffix(".html").read_text()
        loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"', page)
        assert loaded == [], name
    reference = (tmp_path / "site" / "api.html").read_text()
    explained = set(re.findall(r'id="hoptim\.(?:fork\.)?([\w.]+)"', reference))
    assert explained >= {
        *hoptim.__all__,
        "plot.overview.overview",
        "torch.trials",
        "remote.ask",
        "report.write",
    }
    shutil.rmtree(tmp_path / "site")
