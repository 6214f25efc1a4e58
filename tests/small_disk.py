"""A small disk that can be filled, in a mount namespace of its own, so that nothing stays mounted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.builders import ROOT

PAGE = 4096
DISK = 256 * PAGE


def in_namespace(*arguments: object, seconds: float) -> subprocess.CompletedProcess[str]:
    """Run this script where it may mount."""
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "tests.full_disk"]
    return subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True, text=True, cwd=ROOT, timeout=seconds, check=False,
    )  # fmt: skip


def may_mount() -> bool:
    """Whether this process could mount a disk in a namespace of its own."""
    return shutil.which("unshare") is not None and in_namespace("may", seconds=30).returncode == 0


class Disk:
    """A small disk with a study on it.

    Args:
        point: Where to mount it.
        size: Bytes.
    """

    def __init__(self, point: Path, size: int = DISK) -> None:
        self.point, self.study, self._ballast = point, point / "study", point / "ballast"
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(point)], check=True)

    def free(self) -> int:
        """Bytes that are left."""
        found = os.statvfs(self.point)
        return found.f_bavail * found.f_frsize

    def fill(self, leave: int) -> None:
        """Leave so many bytes."""
        with self._ballast.open("ab") as ballast:
            ballast.write(bytes(max(0, self.free() - leave)))

    def clear(self) -> None:
        """Free what was filled."""
        self._ballast.unlink(missing_ok=True)

    def remount(self, mode: str) -> None:
        """Make it "ro" or "rw"."""
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self.point)], check=True)

    def wipe(self) -> None:
        """Empty it."""
        for path in self.point.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
