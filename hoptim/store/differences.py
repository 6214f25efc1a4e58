"""Differences between the settings that a study was made with and those of a call that opens it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hoptim.errors import StudyMismatch


def require_same(path: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise `StudyMismatch` with each difference between a recorded and a wanted identity."""
    if lines := _differences("", found, wanted):
        raise StudyMismatch(
            f"The study in {path!r} was made with other settings. Open it with its own, or use "
            "another directory:\n" + "\n".join(lines)
        )


def require_bucket(path: str, recorded: str | None, asked: str | None) -> None:
    """Raise `StudyMismatch` unless checkpoints are where a call wants them; None wants nothing."""
    if asked is not None and asked != recorded:
        there = "in its directory" if recorded is None else f"at {recorded!r}"
        raise StudyMismatch(
            f"The study in {path!r} was made with its checkpoints {there}, asked for {asked!r}. "
            "They cannot move: leave the argument out, or copy the study with `hoptim copy`."
        )


def _differences(where: str, found: Any, wanted: Any) -> list[str]:
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        kind = [k for k in ("name", "type") if k in found and k in wanted and found[k] != wanted[k]]
        return [  # of another kind of thing, the kind says it all
            line
            for key in kind or sorted({*found, *wanted})
            for line in _differences(f"{where}.{key}" if where else key, found.get(key), wanted.get(key))
        ]
    if found == wanted:
        return []
    if _of_mappings(found) and _of_mappings(wanted) and len(found) == len(wanted):
        return [
            line
            for i, pair in enumerate(zip(found, wanted, strict=True))
            for line in _differences(f"{where}.{i}", *pair)
        ]
    return [f"  {where}: recorded {json.dumps(found)}, asked for {json.dumps(wanted)}"]


def _of_mappings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)
