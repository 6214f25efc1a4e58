"""Virtual environments of the peers, one for each since their requirements differ."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

ENVIRONMENTS: Mapping[str, tuple[str, ...]] = {  # what is installed; without any, hoptim's own will do
    "hoptim": (),
    "numpy": (),
    "ray": ("ray[tune]==2.60.0", "scikit-learn==1.9.1"),
    "syne_tune": ("syne-tune==0.16.0", "scikit-learn==1.9.1"),
    "nevergrad": ("nevergrad==1.0.12", "cma==4.5.0", "scikit-learn==1.9.1"),
    "optuna": ("optuna==5.0.0", "cmaes==0.13.1", "scikit-learn==1.9.1"),
}


def python_of(peer: str, folder: Path | None, *more: str) -> str:
    """Return the interpreter that runs an adapter, after making its environment if there is none.

    Args:
        peer: Name in `ENVIRONMENTS`.
        folder: Folder of the environments; None will do for hoptim's own.
        more: Requirements beside the peer's, such as "torch==2.13.0", in an environment named after both.
    """
    if not ENVIRONMENTS[peer]:
        return sys.executable
    if folder is None:
        raise SystemExit(f"{peer} needs an environment of its own: say where with --envs DIR.")
    place = folder / "-".join([peer, *(requirement.partition("==")[0] for requirement in more)])
    python = place / "bin" / "python"
    if not (place / "installed").exists():
        packages = [*ENVIRONMENTS[peer], *more]
        print(f"installing {', '.join(packages)} in {place}", file=sys.stderr)
        venv.create(place, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
        (place / "installed").touch()  # at the end, so that an interrupted installation is made anew
    return str(python)
