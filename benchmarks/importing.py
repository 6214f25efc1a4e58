"""The time of `import hoptim` in a fresh process, beside numpy's.

`import hoptim` alone loads no package; the first use of a public name loads numpy and the library.
Minima and medians over many new interpreters, in turns, with bytecode as after any earlier run.

    python benchmarks/importing.py [--runs 40]
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import hoptim

_TIMED = """
import sys, time
sys.path.insert(0, sys.argv[1])
{before}
wall, cpu = time.perf_counter(), time.process_time()
{code}
print(time.perf_counter() - wall, time.process_time() - cpu)
"""
_CASES = {  # what is timed, and what is loaded before
    "import numpy": ("import numpy", ""),
    "import hoptim": ("import hoptim", ""),
    "hoptim.Study, beyond numpy": ("import hoptim; hoptim.Study", "import numpy"),
}


def seconds(code: str, before: str, cache: str) -> tuple[float, float]:
    """Return the wall and CPU seconds of some code in a new interpreter.

    Args:
        code: What is timed.
        before: What is run before.
        cache: Folder of bytecode, filled by the first run.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    root = str(Path(hoptim.__file__).parent.parent)
    command = [sys.executable, "-c", _TIMED.format(before=before, code=code), root]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=True,
        env={**environment, "PYTHONPYCACHEPREFIX": cache},
    )  # fmt: skip
    wall, cpu = map(float, ran.stdout.split())
    return wall, cpu


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=40, help="new interpreters of each case")
    runs = parser.parse_args().runs
    print(f"hoptim {hoptim.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores")
    print(f"{'ms':28}{'wall min':>10}{'median':>10}{'CPU min':>10}{'median':>10}{'CPU / numpy':>13}")
    with tempfile.TemporaryDirectory() as cache:
        rounds = [[seconds(*case, cache) for case in _CASES.values()] for _ in range(1 + runs)][1:]
    base = min(cpu for (_, cpu), *_ in rounds)
    for name, found in zip(_CASES, zip(*rounds, strict=True), strict=True):
        wall, cpu = zip(*found, strict=True)
        cells = [min(wall), statistics.median(wall), min(cpu), statistics.median(cpu)]
        print(f"{name:28}" + "".join(f"{1e3 * cell:10.1f}" for cell in cells) + f"{min(cpu) / base:13.2f}")


if __name__ == "__main__":
    main()
