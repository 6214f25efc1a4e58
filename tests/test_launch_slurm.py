"""The Slurm scripts, run here with the variables that Slurm would set, and what docs/slurm.md says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import launched
from tests.builders import ROOT

SCRIPTS = sorted((ROOT / "examples" / "slurm").glob("*.sh"))
ARRAY = ROOT / "examples" / "slurm" / "array.sh"
TEXT = (ROOT / "docs" / "slurm.md").read_text()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_shell(script):
    """bash reads each script to its end, and options of sbatch stand before the first command."""
    subprocess.run(["bash", "-n", str(script)], check=True)
    lines = script.read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    assert not [line for line in lines[first:] if line.startswith("#SBATCH")]


def task(folder: Path, number: int, *words: str) -> subprocess.Popen[str]:
    """A task of the array, as Slurm starts it: the script under another name, in some folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    slurm = {"SLURM_ARRAY_JOB_ID": "17", "SLURM_ARRAY_TASK_ID": str(number)}
    environment = {**os.environ, **slurm, "PYTHONPATH": str(ROOT), "PATH": path}
    return subprocess.Popen(
        ["bash", str(ARRAY), str(folder / "study"), *words], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
    )  # fmt: skip


def test_an_array_trains_one_study(tmp_path):
    """Three tasks share the work, and each says which it is."""
    launched.made(tmp_path)
    words = (sys.executable, str(ROOT / "tests" / "launched.py"), "train")
    tasks = [task(tmp_path, number, *words) for number in range(3)]
    for number, process in enumerate(tasks):
        output, errors = process.communicate(timeout=launched.LIMIT)
        assert (process.returncode, errors) == (0, "")
        assert output.startswith(f"worker {number} of job 17 on ")
    launched.assert_complete(tmp_path)


def test_an_array_runs_train_py_by_itself(tmp_path):
    """Without a command it is `python train.py DIR`, as most will have it."""
    (tmp_path / "train.py").write_text("import sys; print('trains', *sys.argv[1:])")
    output, errors = task(tmp_path, 4).communicate(timeout=60)
    assert (output.splitlines()[1:], errors) == ([f"trains {tmp_path / 'study'}"], "")


def test_slurms_signal_reaches_the_training(tmp_path):
    """The command has the shell's place, so that a signal to the batch script is one to it."""
    process = task(tmp_path, 0, sys.executable, "-c", "import os; print(os.getpid())")
    output, _ = process.communicate(timeout=60)
    assert output.splitlines()[1] == str(process.pid)


def test_the_documents_code_is_python():
    """Every Python block can be compiled, and the classes and functions that it names are there."""
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        compile(block, "slurm.md", "exec")
    exec(blocks[0], {"__name__": "train"})
