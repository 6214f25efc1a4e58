"""Forged studies: valid lines whose records contradict. Run it: python -m tests.forged COUNT [SEED]."""

# ruff: noqa: T201 - prints what came of it

from __future__ import annotations

import copy
import hashlib
import json
import logging
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

import hoptim
from hoptim import report
from hoptim.cli.app import commands
from hoptim.store import line_format
from tests import hostile
from tests.builders import loss, saving, study
from tests.wild import change

GOLDEN = Path(__file__).parent / "golden"
Record = dict[str, Any]
FOREIGN: list[Record] = [  # records of format 2 that this version's own workers write seldom or never
    {"op": "stop", "why": "enough"}, {"op": "stop", "why": None}, {"op": "drop", "drops": [0]},
    {"op": "extend", "steps": 9}, {"op": "tell", "trial": 0, "token": 1, "value": None},
    {"op": "tell", "trial": 1, "token": 2, "value": 1, "metrics": {"a": [1, {"b": None}], "c": "nan"}},
    {"op": "reclaim", "trial": 1, "token": 2, "died": True, "final": True},
]  # fmt: skip


class Study(NamedTuple):
    """Content of a real study.

    Attributes:
        settings: Content of study.json.
        records: Content of the journal.
        files: Folder that the rest is copied from.
    """

    settings: dict[str, Any]
    records: list[Record]
    files: Path

    @classmethod
    def of(cls, folder: Path) -> Study:
        """Return the content of a folder."""
        lines = (folder / "journal.jsonl").read_bytes().splitlines()
        settings = json.loads((folder / "study.json").read_bytes())
        return cls(settings, [json.loads(line[9:]) for line in lines], folder)


def build(folder: Path) -> Path:
    """Make a study with records of each kind, among them values and metrics of any JSON, not at its end."""
    made = study(folder, size=3, steps=3)
    for i in range(6):
        trial = made.ask()
        assert trial is not None
        if i == 1:
            trial.release()
        elif i == 2:
            trial.fail("made to fail")
        else:
            value = float("nan") if i == 4 else loss(trial)
            trial.tell(value, save=saving("weights"), metrics={"accuracy": 0.5, "loss": float("inf")})
    held = made.ask()
    assert held is not None
    made._session.store.leave()
    return folder


def sources(place: Path) -> list[Study]:
    """Return real studies of both formats; one of them is made in a folder."""
    kept = [GOLDEN / "format1" / "stateful", GOLDEN / "format1" / "asha", GOLDEN / "format2" / "eventful"]
    return [Study.of(folder) for folder in (build(place / "made"), *kept)]


def forge(folder: Path, made: Study) -> None:
    """Write a study whose lines and digests are valid, whatever its records say."""
    shutil.copytree(made.files, folder)
    shutil.rmtree(folder / "workers", ignore_errors=True)
    data = json.dumps(made.settings).encode()
    (folder / "study.json").write_bytes(data)
    uuid = str(made.settings.get("uuid")).encode(errors="replace")
    digits, lines = line_format.digits(b"", uuid), []
    for i, record in enumerate(made.records):
        digest = {"study": hashlib.sha256(data).hexdigest()} if i == 0 and "study" in record else {}
        payload = json.dumps({**record, "n": i, **digest}, separators=(",", ":")).encode()
        digits = line_format.digits(digits, payload)
        lines.append(digits + b" " + payload + b"\n")
    (folder / "journal.jsonl").write_bytes(b"".join(lines))


def mutated(made: Study, rng: random.Random) -> Study:
    """Return a study with one to three changes of its records or its settings."""
    found = copy.deepcopy(made)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        rng.choice(MUTATIONS)(found, rng)
    return found


def _change(made: Study, rng: random.Random) -> None:
    change(rng.choice(made.records), rng)


def _change_settings(made: Study, rng: random.Random) -> None:
    change(made.settings, rng)


def _remove(made: Study, rng: random.Random) -> None:
    del made.records[rng.randrange(len(made.records))]


def _repeat(made: Study, rng: random.Random) -> None:
    at = rng.randrange(len(made.records))
    made.records.insert(rng.randrange(at, len(made.records)) + 1, copy.deepcopy(made.records[at]))


def _swap(made: Study, rng: random.Random) -> None:
    one, other = rng.randrange(len(made.records)), rng.randrange(len(made.records))
    made.records[one], made.records[other] = made.records[other], made.records[one]


def _insert(made: Study, rng: random.Random) -> None:
    at = rng.randrange(1, len(made.records) + 1)
    held = [i for i, record in enumerate(made.records[:at]) if record.get("op") == "ask"]
    claim = {"trial": made.records[held[-1]].get("trial"), "token": held[-1]} if held else {}
    foreign = copy.deepcopy(rng.choice(FOREIGN))
    made.records.insert(at, foreign | (claim if "token" in foreign else {}))


def _exchange(made: Study, rng: random.Random) -> None:
    """Give a field of one record the value that another has."""
    field = rng.choice(
        ["member", "trial", "token", "step", "parent", "worker", "checkpoint", "x", "params"]
    )
    having = [record for record in made.records if field in record]
    if len(having) > 1:
        one, other = rng.sample(having, 2)
        one[field] = copy.deepcopy(other[field])


MUTATIONS: Sequence[Callable[[Study, random.Random], None]] = (
    *[_change] * 6, _change_settings, _remove, _repeat, _swap, *[_insert] * 2, *[_exchange] * 2,
)  # fmt: skip


def use(folder: Path) -> None:
    """Do all that can be done with a study; raise what is no error of hoptim's."""
    for use_once in (_check, _look, _train, _fork, *map(_command, COMMANDS)):
        with suppress(hoptim.HoptimError):
            use_once(folder)


COMMANDS = (
    ["status", "--json"], ["export"], ["export", "--json"], ["lineage", "--json"], ["schedule"], ["check"],
    ["best"],
)  # fmt: skip


def _check(folder: Path) -> None:
    from hoptim.store.check.inspection import check

    check(folder).to_json()


def _look(folder: Path) -> None:
    found = hoptim.load(folder)
    repr(found)
    found.status().to_json(found.space)
    results = found.results()
    for trial in results.trials:
        with suppress(hoptim.HoptimError):
            results.lineage(trial)
        with suppress(hoptim.HoptimError):
            results.schedule(trial).to_csv()
    found.check()
    report.page(found)
    _ = results.best.finite, results.best_ever.finite


def _train(folder: Path) -> None:
    found = hoptim.load(folder)
    for end in ("tell", "fail", "release", "tell"):
        with suppress(hoptim.HoptimError):
            trial = found.ask(timeout=0)
            if trial is None:
                return
            trial.check(**trial.params)
            _ = trial.scratch
            if end == "tell":
                trial.tell(0.5, save=saving("weights"))
            else:
                getattr(trial, end)(*["why"] if end == "fail" else [])
    found._session.store.leave()


def _fork(folder: Path) -> None:
    hoptim.fork(folder, folder.with_name("fork"))


def _command(words: Sequence[str]) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        result = CliRunner().invoke(commands, [words[0], str(folder), *words[1:]])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception

    return run


def raw_error(folder: Path) -> BaseException | None:
    """Return an error that is not hoptim's, or of a call that hangs or takes a gigabyte; None without."""
    try:
        with hostile.within(30):
            use(folder)
    except (Exception, hostile.Hangs) as error:
        return error
    return None


def main() -> None:
    """Forge many studies, and print the raw errors by where they were raised."""
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    raw: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        made = sources(Path(place))
        for i in range(seed, seed + count):
            rng = random.Random(i)
            folder = Path(place) / "forged"
            forge(folder, mutated(made[i % len(made)], rng))
            error = raw_error(folder)
            if error is not None:
                last = traceback.extract_tb(error.__traceback__)[-1]
                raw[f"{type(error).__name__} at {last.filename}:{last.lineno}: {error!s:.90}"] += 1
                print(f"seed {i}: {type(error).__name__}", flush=True)
            shutil.rmtree(folder)
            shutil.rmtree(folder.with_name("fork"), ignore_errors=True)
    for what, number in raw.most_common():
        print(f"{number:4} {what}")
    print(f"{sum(raw.values())} raw errors of {count} forged studies")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    main()
