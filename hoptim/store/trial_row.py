"""The row of a snapshot that stands for a trial: plain JSON, one entry for each field."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hoptim._arguments import json_metric
from hoptim._text import json_number
from hoptim.store.fields import metrics, moment, truth, whole, worker_name
from hoptim.store.trial_record import TrialRecord


def row_of(trial: TrialRecord) -> list[Any]:
    """Return the row of a trial."""
    return [_PLAIN.get(field, _same)(getattr(trial, field)) for field in FIELDS]


def trial_of(row: Any) -> TrialRecord:
    """Return the trial of a row, whose hyperparameters are not checked.

    Raises:
        TypeError, ValueError: Not what `row_of` returns.
    """
    found = zip(FIELDS.values(), row, strict=True)
    return TrialRecord(*(check(value) for check, value in found))


def _same(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"{value!r} is no text")
    return value


def _or_none(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else check(value)


def _reasons(value: Any) -> Any:
    return [_text(reason) for reason in value] or ()


def _value(value: Any) -> float:
    return math.nan if value == "nan" else float(value)


def _plain_metrics(value: Any) -> Any:
    return value and {name: json_metric(metric) for name, metric in value.items()}


def _metrics(value: Any) -> dict[str, Any]:
    return metrics({"metrics": value}, any_json=True)


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "value": json_number, "metrics": _plain_metrics, "reasons": list,
}  # fmt: skip
FIELDS: dict[str, Callable[[Any], Any]] = {  # of `TrialRecord`, in its order
    "number": whole, "member": whole, "step": whole, "parent": _or_none(whole), "params": _same,
    "x": _same, "memo": _same, "age": whole, "seed": whole, "asked": moment, "proposed": whole,
    "founder": whole, "retain": truth, "origin": _or_none(whole), "claimed": moment, "token": whole,
    "worker": _or_none(worker_name), "interruptions": whole, "losses": whole, "deaths": whole,
    "reasons": _reasons, "ended": _or_none(moment), "closed": whole, "id": _text, "value": _value,
    "metrics": _or_none(_metrics), "failed": _or_none(_text), "valued": truth, "since": _or_none(whole),
    "span": whole,
}  # fmt: skip
