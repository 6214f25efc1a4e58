"""Installation: what is said about it everywhere, and who is told that hoptim cannot run."""

from __future__ import annotations

import re
import subprocess
import sys

import hoptim
from tests.builders import ROOT


def test_nobody_is_sent_to_the_package_index():
    """Its hoptim is another project: each command that installs names a clone, or a URL after `@`."""
    folders = [ROOT / name for name in ("docs", "hoptim", "examples", "benchmarks", "tests")]
    files = [*ROOT.glob("*.md"), ROOT / "mkdocs.yml", *(p for folder in folders for p in folder.rglob("*"))]
    texts = {p: p.read_text() for p in files if p.suffix in {".md", ".py", ".sh", ".yml"}}
    wrong = re.compile(r"pip install (?:-\S+ )*['\"]?hoptim\b(?!\[[\w,]+\] @ )")
    assert len(texts) > 100
    assert [str(path) for path, text in texts.items() if wrong.search(text)] == []


def test_a_missing_extra_says_the_command():
    """The message names the extra in a form that works in any clone, wherever that came from."""
    error = hoptim.MissingExtra.of("Pictures need matplotlib", "plot")
    assert str(error) == "Pictures need matplotlib. In a clone of hoptim: pip install -e '.[plot]'"
    assert isinstance(error, ImportError)


def test_windows_is_told_at_the_import():
    """The import itself fails, and says what is missing there and what works."""
    code = "import sys; sys.platform = 'win32'; import hoptim"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    said = ran.stderr.splitlines()[-1]
    assert said.startswith("ImportError: hoptim needs POSIX file locks, which Windows does not have.")
    assert "(WSL)" in said
