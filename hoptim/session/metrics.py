"""Metrics: what a user tells besides the value, as JSON that the journal has room for."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from typing import Any

from hoptim._arguments import json_metric, number_of
from hoptim._text import json_number, said, shown
from hoptim.errors import ArgumentError
from hoptim.store.fields import DEEPEST

log = logging.getLogger("hoptim")

_LONGEST = 1 << 16  # bytes as JSON of a metric that is no number
_LONGEST_TOGETHER = 1 << 18  # of all of them in one trial; a line of the journal has 1 MiB


class Metrics:
    """Turns metrics of any kind into JSON; what cannot be recorded is left out, with one warning each."""

    def __init__(self) -> None:
        self._named: set[str] = set()

    def recorded(self, trial: int, metrics: Mapping[Any, Any], any_json: bool) -> dict[str, Any]:
        """Return metrics as they are recorded.

        Args:
            trial: Number of the trial, for messages.
            metrics: Metrics as the user gave them.
            any_json: True in a study whose metrics may be any JSON and not numbers alone.

        Raises:
            ArgumentError: Two names are the same text.
        """
        names = [said(name) for name in metrics]
        if len(set(names)) < len(names):
            raise ArgumentError(
                f"Trial {trial}: the names of metrics must differ as text, found {shown(list(metrics))}."
            )
        found, room = {}, _LONGEST_TOGETHER
        for name, value in zip(names, metrics.values(), strict=True):
            try:
                found[name] = number = _number(value)
                if number is None:
                    found[name], size = _json(value, any_json)
                    room -= size
                    if room < 0:
                        raise ValueError(f"the trial's metrics take more than {_LONGEST_TOGETHER} bytes")
            except Exception as error:  # too deep, or what an object's own code raises
                found.pop(name, None)
                self._warn(trial, name, value, error)
        return found

    def _warn(self, trial: int, name: str, value: Any, error: Exception) -> None:
        if name not in self._named:
            self._named.add(name)
            log.warning(
                "Trial %d: metric %s is not recorded: %s, found %s. All else of the trial is. This is said "
                "once.", trial, shown(name), said(error), shown(value)
            )  # fmt: skip


def _number(value: Any) -> float | str | None:
    """Return a number of any library for JSON, None for what is none, such as an array."""
    if getattr(value, "ndim", 0):  # one of a single number would pass for it
        return None
    try:
        return json_number(number_of("a metric", value))
    except ArgumentError:
        return None


def _json(value: Any, any_json: bool) -> tuple[Any, int]:
    """Return a value as plain JSON, and the bytes that it takes.

    Raises:
        Exception: It is no JSON, takes too many bytes, or its own code raises.
    """
    if not any_json:
        raise TypeError("a study of format 1 records numbers alone")
    text = json.dumps(json_metric(_plain(value, 0)), allow_nan=False)
    if len(text) > _LONGEST:
        raise _too_long()
    plain = json.loads(text)
    if type(plain) is int:
        raise ValueError("no float can hold it")
    return plain, len(text)


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if depth == DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} times")
    if math.prod(getattr(value, "shape", ())) > _LONGEST:  # not to be made a list first
        raise _too_long()
    if isinstance(value, Mapping):
        return {said(name): _plain(each, depth + 1) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        if len(value) > _LONGEST:
            raise _too_long()
        return [_plain(each, depth + 1) for each in value]
    if hasattr(value, "tolist"):  # numpy's and torch's, scalars and arrays
        listed = value.tolist()
        if listed is not value:
            return _plain(listed, depth + 1)
    raise TypeError("it is no JSON")


def _too_long() -> ValueError:
    return ValueError(f"it takes more than {_LONGEST} bytes")
