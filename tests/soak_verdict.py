"""What is wrong with a study that `tests/soak.py` ran, from its files and the notes of its workers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tests import reader
from tests.herd import broken
from tests.notes import Notes
from tests.soak_train import value_of

Record = dict[str, Any]


def judge(study: Path, acks: Path, places: int | None) -> tuple[Counter[str], list[str]]:
    """Judge a study.

    Args:
        study: Its directory.
        acks: Folder with the notes of its workers.
        places: Steps of all members if it should be done; None if it was ended before.

    Returns:
        Counts, and what is wrong.
    """
    said = [line for path in acks.iterdir() for line in Notes.read(path)]
    told = [(number, token, value) for kind, number, token, value in (x for x in said if x[0] == "told")]
    records = reader.read(study / "journal.jsonl")
    wrong, done = reader.judge(study / "journal.jsonl", [(number, value) for number, _, value in told])
    tells = [record for record in records if record["op"] == "tell"]
    dropped = sum(len(record.get("drops", ())) for record in records)
    kept = {(record["trial"], record["token"], record["value"]) for record in tells}
    wrong += [f"the told claim {each} is gone" for each in told if each not in kept]
    wrong += [f"a worker ended with {text}" for kind, text in (x for x in said if x[0] == "error")]
    wrong += _values(records) + broken(records, study / "checkpoints")
    if not told:
        wrong.append("nothing was acknowledged")
    if places is not None and len(done) != places:
        wrong.append(f"{len(done)} of {places} steps are done")
    ops = Counter(record["op"] for record in records)
    return Counter(
        {
            "studies": 1, "records": len(records), "told": len(tells), "acknowledged": len(told),
            "lost claims": sum(line[0] == "lost" for line in said), "reclaims": ops["reclaim"],
            "deaths": sum(bool(record.get("died")) for record in records),
            "failed trials": len(done) - len(tells),
            "checkpoints looked at": len(tells) - dropped,
            "torn": len(list(study.glob("*.torn-*"))),
        }
    ), [f"{study.name}: {line}" for line in wrong]  # fmt: skip


def _values(records: list[Record]) -> list[str]:
    """Each value is that of the hyperparameters that its trial was first handed out with."""
    params: dict[int, Record] = {}
    for record in records:
        if record["op"] == "ask" and "params" in record:
            params.setdefault(record["trial"], record["params"])
    tells = [record for record in records if record["op"] == "tell"]
    return [
        f"the value of trial {record['trial']} is not that of its params"
        for record in tells
        if record["value"] != value_of(params[record["trial"]])
    ]
