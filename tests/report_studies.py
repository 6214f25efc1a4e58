"""Studies that reports are made of."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import hoptim

ATTACK = "</script><script>window.attacked = 1</script><img src=x onerror='window.attacked = 2'>"
SPACE: dict[str, hoptim.Dimension] = {
    "lr": hoptim.Float(1e-5, 1e-1, log=True),
    "dropout": hoptim.Float(0.0, 0.9),
    "batch": hoptim.Int(8, 512, log=True),
    "layers": hoptim.Int(1, 6, inherit=True),
    "activation": hoptim.Choice({"relu": abs, "tanh": math.tanh, "gelu": math.erf}),
    "width": hoptim.Ordinal([32, 64, 128, 256]),
}


def loss(trial: hoptim.Trial) -> float:
    """A noisy training curve, whose best learning rate falls and whose best width is 128."""
    wanted = -2 - 2 * math.exp(-trial.age / 8) - 0.02 * trial.age
    off = (math.log10(trial.params["lr"]) - wanted) ** 2 / 8 + (trial.params["dropout"] - 0.3) ** 2
    off += 0.1 * (trial.params["width"] != 128) + 0.05 * (trial.params["activation"] is abs)
    return float((0.1 + 2 / (1 + trial.age / 3)) * (1 + off) * (1 + (trial.seed % 97) / 970))


def mixed(path: Path | None = None, **changes: Any) -> hoptim.Study:
    """A finished study of all kinds of dimensions, with metrics, failures and non-finite values."""
    arguments: dict[str, Any] = {"space": SPACE, "size": 8, "steps": 20, "mode": "min"}
    study = hoptim.Study(path, **{**arguments, **changes})
    for trial in study:
        if trial.number % 41 == 13:
            trial.fail(f"CUDA out of memory in trial {trial.number}\n  {ATTACK}", retry=trial.attempt > 9)
        elif trial.number % 53 == 17:
            trial.tell([math.nan, math.inf, -math.inf][trial.number % 3])
        elif trial.number % 29 == 11 and trial.attempt == 1:
            trial.fail("a worker's disk was full")
        else:
            value = loss(trial)
            trial.tell(value, metrics={"accuracy": 1 / (1 + value)} if trial.number % 2 else None)
    return study


def hostile(path: Path | None = None) -> hoptim.Study:
    """A study whose every name and text tries to leave its place in a page."""
    space = {
        ATTACK: hoptim.Float(0.0, 1.0),
        "__proto__": hoptim.Int(1, 9),
        "value": hoptim.Choice(
            [ATTACK, "<b>", "1", 2**60, None, True, "NaN", 'a,"b"\n', "\u2028 --> <!-- \ud800"]
        ),
    }
    study = hoptim.Study(path, space=space, optimizer=hoptim.ROMUL(), size=4, steps=60, mode="max")
    for trial in study:
        if trial.number % 7 == 3:
            trial.fail(ATTACK + "&lt;\x00]]>" + "x" * 9000, retry=False)
        else:
            trial.tell(trial.params[ATTACK], metrics={ATTACK: 1.0, "constructor": -0.0})
    return study


def conditional(path: Path | None = None) -> hoptim.Study:
    """A study whose winner has changed its optimizer, and with it the hyperparameters that it has."""
    space: dict[str, Any] = {
        "optimizer": hoptim.Choice(["sgd", "adam"]),
        "momentum": hoptim.Float(0.0, 0.9, when={"optimizer": "sgd"}),
        "adam": {
            "beta": hoptim.Ordinal([0.9, 0.99, 0.999], when={"optimizer": "adam"}),
            "warmup": hoptim.Int(1, 9, when={"optimizer": "adam"}),
        },
    }
    optimizer = hoptim.TruncationSelection(0.5, resample=0.5)
    study = hoptim.Study(path, space=space, optimizer=optimizer, size=4, steps=12, mode="min")
    for trial in study:  # the best optimizer is now this one, now that
        best = "sgd" if trial.step // 4 % 2 else "adam"
        trial.tell((trial.params["optimizer"] != best) + (trial.seed % 7) / 10)
    return study


def large(size: int = 64, steps: int = 500, **changes: Any) -> hoptim.Study:
    """A study of many trials."""
    space = {name: SPACE[name] for name in ("lr", "dropout", "batch", "activation", "width")}
    study = hoptim.Study(None, space=space, size=size, steps=steps, mode="min", **changes)
    for trial in study:
        trial.tell(loss(trial))
    return study
