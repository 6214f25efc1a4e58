"""The scripts in examples/own: what hoptim takes in each, and what docs/own-script.md shows of it."""

from __future__ import annotations

import contextlib
import difflib
import re
import runpy
from importlib.util import find_spec
from pathlib import Path

import pytest

import hoptim
from tests.builders import ROOT, records
from tests.documents import Reader, blocks
from tests.terminal import Terminal, screen

OWN = ROOT / "examples" / "own"
PAGE = (ROOT / "docs" / "own-script.md").read_text()
ROWS = dict(re.findall(r"^\| `(\w+)\.py` \|[^|]*\| (\d+) \|", PAGE, re.MULTILINE))  # lines, by script
SHIFTED = pytest.param(
    "shifted",
    id="shifted_torch",
    marks=pytest.mark.skipif(
        not all(map(find_spec, ("torch", "sklearn"))), reason="needs the extras torch and examples"
    ),
)
LOAD = "        if trial.checkpoint:\n"
APPLY = "        hoptim.torch.apply(optimizer, trial.params, scheduler=scheduler)\n"


def small(name: str) -> str:
    """A script with hoptim, for three members and three steps."""
    code = (OWN / f"{name}_pbt.py").read_text()
    for old, new in ((" = 20", " = 3"), ("size=8", "size=3"), ("repeats=100", "repeats=2")):
        code = code.replace(old, new)
    return code


def played(code: str, folder: Path) -> str:
    """What is on the terminal when a script has ended."""
    (folder / "script.py").write_text(code)
    terminal = Terminal()
    try:
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(terminal.stream),
            contextlib.redirect_stderr(terminal.stream),
        ):
            runpy.run_path("script.py", run_name="__main__")
    finally:
        text = terminal.text()
    return screen(text)


def shape(text: str) -> str:
    """A text without what differs between runs: its numbers, founders that are left, units."""
    text = re.sub(r"(left: |disk +).*", r"\1...", text)
    return re.sub(r"-?\b\d[\d.]*(e-\d+)?\b", "...", text)


def pair(name: str) -> tuple[list[str], list[str]]:
    """The lines of a script without and with hoptim."""
    before, after = OWN / f"{name}.py", OWN / f"{name}_pbt.py"
    return before.read_text().splitlines(), after.read_text().splitlines()


def diff(name: str) -> str:
    """What changed, as the page shows it."""
    lines = difflib.unified_diff(*pair(name), f"{name}.py", f"{name}_pbt.py", n=1, lineterm="")
    return "\n".join([*lines, ""])


def added(name: str) -> int:
    """How many lines a script has with hoptim and not without, empty ones aside."""
    lines = difflib.ndiff(*pair(name))
    return sum(line.startswith("+ ") and bool(line[2:].strip()) for line in lines)


def section(name: str) -> str:
    """The page's section on a script."""
    return next(part for part in PAGE.split("\n## ") if f"+++ {name}_pbt.py" in part)


def test_the_page_is_on_all_scripts():
    """Each script is there twice, and has a row."""
    assert {path.stem for path in OWN.glob("*.py")} == {*ROWS, *(f"{name}_pbt" for name in ROWS)}


def test_the_page_shows_what_changed_and_counts_it():
    """Its diffs are those of the files, and table and README have the numbers of new or changed lines."""
    diffs = [block.text for block in blocks(PAGE) if block.language == "diff"]
    assert diffs == [diff(name) for name in ROWS]
    assert {name: int(count) for name, count in ROWS.items()} == {name: added(name) for name in ROWS}
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert "{}, {} and {} in [three ordinary scripts](docs/own-script.md)".format(*ROWS.values()) in readme


@pytest.mark.skipif(
    not all(map(find_spec, ("click", "rich", "matplotlib"))), reason="needs the extras cli and plot"
)
@pytest.mark.parametrize("name", ["spirals", SHIFTED, "balance"])
def test_a_script_goes_on_and_shows_what_the_page_quotes(name, tmp_path, monkeypatch):
    """Interrupted it goes on, each step is trained once and the page holds; again it only prints."""
    path, tell, printed = tmp_path / "runs" / name, hoptim.Trial.tell, []

    def told():
        return [record["trial"] for record in records(path) if record["op"] == "tell"]

    def interrupted(trial, *args, **keywords):
        tell(trial, *args, **keywords)
        if trial.number == 3:
            raise KeyboardInterrupt

    def run():
        reader.printed = played(small(name), tmp_path)
        printed.append(reader.printed)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(hoptim.Trial, "tell", interrupted)
        played(small(name), tmp_path)
    assert told() == [0, 1, 2, 3]
    reader = Reader(tmp_path, {f"python {name}_pbt.py\n": run}, shape=shape)
    reader.read(section(name))
    quoted = [block for block in blocks(section(name)) if block.language == "text" and not block.before]
    assert reader.compared == len(quoted) > 1
    run()
    assert told() == list(range(9))
    assert printed[0] == printed[1]
    assert hoptim.load(path).status().warnings == []  # each trial loaded its checkpoint


@pytest.mark.parametrize("name", ["spirals", SHIFTED])
def test_the_script_as_it_was_ends_where_the_page_says(name, tmp_path):
    """Without hoptim it trains to the loss that the page compares with."""
    printed = played((OWN / f"{name}.py").read_text(), tmp_path)
    [ends] = re.findall(r"The script as it was ends at (\d\.\d+)", section(name))
    assert float(printed.split()[-1]) == pytest.approx(
        float(ends), rel=0.1
    )  # other processors round otherwise


def assert_quoted(mistake: str, code: str, folder: Path) -> None:
    """A script ends with the error that the page quotes behind a comment, whatever the numbers."""
    with pytest.raises(hoptim.HoptimError) as error:
        played(code, folder)
    [quoted] = [block.text for block in blocks(PAGE) if block.before.endswith(f"<!-- {mistake} -->")]
    assert shape(" ".join(quoted.split())) == shape(str(error.value))


def test_weights_saved_under_another_name_are_told_of_as_quoted(tmp_path):
    """With `np.savez(path)` as it was, the first trial ends in the error of the page."""
    open_file = '    with open(path, "wb") as file:\n        np.savez(file'
    assert_quoted("np.savez(path)", small("spirals").replace(open_file, "    np.savez(path"), tmp_path)


@pytest.mark.parametrize("name", [SHIFTED])
def test_hyperparameters_applied_before_loading_are_told_of_as_quoted(name, tmp_path):
    """With `apply` above the lines that load, `check` raises the error of the page."""
    code = small(name).replace(APPLY, "").replace(LOAD, APPLY + LOAD)
    assert_quoted("applied before loading", code, tmp_path)
