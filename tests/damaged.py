"""Studies to be damaged, and ways to do it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hoptim.store.check.inspection import check
from tests import builders
from tests.builders import saving, study

Lines = list[bytes]


@contextmanager
def begun(folder: Path) -> Iterator[Path]:
    """A study with checkpoints whose worker, this process, holds one trial with draft and scratch."""
    mine = study(folder)
    for _ in range(11):
        trial = mine.ask()
        assert trial is not None
        trial.tell(builders.loss(trial), save=saving(f"weights of {trial.number}"))
    held = mine.ask()
    assert held is not None
    held.draft.write_text("half")
    held.scratch.joinpath("log").write_text("text")
    yield folder
    held.fail("over")


def found(folder: Path, *levels: str) -> list[tuple[str, str]]:
    """Kinds and paths of what a check finds."""
    return [(f.kind, f.path) for f in check(folder, 5.0).findings if f.level in (levels or ("error",))]


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every name below a folder with its bytes, without the locks, which a look may use."""
    paths = [path for path in folder.rglob("*") if path.name not in ("lock", "queue")]
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in paths}


def lines_of(folder: Path) -> Lines:
    """The lines of the journal."""
    return (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)


def write(folder: Path, lines: Lines) -> None:
    """Write the lines of the journal."""
    (folder / "journal.jsonl").write_bytes(b"".join(lines))


def flipped(lines: Lines, i: int, byte: int) -> Lines:
    """Lines with one bit changed."""
    line = bytearray(lines[i])
    line[byte] ^= 1
    return [*lines[:i], bytes(line), *lines[i + 1 :]]


def checkpoint_of(folder: Path) -> Path:
    """One that is recorded."""
    return min(path for path in (folder / "checkpoints").iterdir() if path.name[0] != ".")


def litter(folder: Path) -> set[tuple[str, str]]:
    """Leave what killed processes leave; what of it a check should call leftovers."""
    (folder / "checkpoints" / "2.999").write_text("published, never told")
    (folder / "checkpoints" / ".draft-2.999").mkdir()
    (folder / "checkpoints" / ".draft-2.999" / "part").write_text("part")
    (folder / "checkpoints" / ".trash-0.1-0123abcd").write_text("dropped")
    (folder / "checkpoints" / "link").symlink_to("/")
    (folder / "scratch" / "3").mkdir()
    (folder / ".study.json-0123abcd").write_text("{")
    dead = json.loads(next((folder / "workers").iterdir()).read_text())
    (folder / "workers" / "host.7.abc").write_text(json.dumps({**dead, "start": "0"}))
    (folder / "pins").mkdir()
    (folder / "pins" / "0.1.host.7.abc").write_text(json.dumps({**dead, "start": "0"}))
    names = ["2.999", ".draft-2.999", ".trash-0.1-0123abcd", "link"]
    return {
        *(("orphan", f"checkpoints/{name}") for name in names), ("orphan", "scratch/3"),
        ("draft", ".study.json-0123abcd"), ("dead-worker", "workers/host.7.abc"),
        ("dead-pin", "pins/0.1.host.7.abc"),
    }  # fmt: skip
