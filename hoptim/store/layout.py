"""Names of what is in a study's directory."""

from __future__ import annotations

import os
import re

STUDY = "study.json"  # identity and settings, written once
JOURNAL = "journal.jsonl"  # the records
LOCK = "lock"  # kernel lock of the study
QUEUE = "queue"  # kernel lock that waiters block on
RESERVE = "reserve"  # room for records on a full disk
SNAPSHOT = "snapshot.json"  # derived from the journal, to open it sooner; never needed
BUCKET = "bucket"  # URL of the object storage with the checkpoints, where they are not here
WORKERS = "workers"  # heartbeat files of processes that train
PINS = "pins"  # heartbeat files of processes that read checkpoints
CHECKPOINTS = "checkpoints"  # published checkpoints, see `Checkpoints`
TRASH = "trash-"  # within it, hidden: a dropped checkpoint until it is removed
SCRATCH = "scratch"  # private folders of trials
LOGS = "logs"  # output of launched workers
ORIGIN = "origin"  # a fork's copy of the journal that it was forked from

FILES = frozenset({STUDY, JOURNAL, LOCK, QUEUE, RESERVE, SNAPSHOT, BUCKET})


def hidden_name(name: str) -> str:
    """Return a name for a draft of a file or folder, `.<name>-<8 hex digits>`, different each time."""
    return f".{name}-{os.urandom(4).hex()}"


def is_hidden_name(found: str, name: str) -> bool:
    """Return whether a name is one that `hidden_name` gives for another."""
    before, _, digits = found.rpartition("-")
    return before == f".{name}" and re.fullmatch("[0-9a-f]{8}", digits) is not None
