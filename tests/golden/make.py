"""Makes the studies in a folder beside it, and what hoptim showed of them, with a hoptim of their format.

    PYTHONPATH=<a clone of that hoptim> python tests/golden/make.py [NAME ...]

It uses public names only. A journal holds times and random names, so no two runs make the same bytes.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import hoptim
from hoptim.options import START

FORMAT = 2  # of what is made; what an earlier hoptim made stays as it is
FORMATS = {n: Path(__file__).parent / f"format{n}" for n in (1, 2)}
HERE = FORMATS[FORMAT]
LEFT_OUT = ("lock", "queue", "reserve", "workers", "scratch")  # made anew when a study is opened
FIELDS = (
    "number", "member", "step", "age", "parent", "params", "seed", "value", "metrics", "checkpoint",
    "attempt", "interruptions", "failed", "worker", "asked", "claimed", "ended", "origin", "records",
    "x", "memo",
)  # fmt: skip
NUMBERS: dict[str, hoptim.Dimension] = {
    "lr": hoptim.Float(1e-4, 1.0, log=True, init=1e-2),
    "dropout": hoptim.Float(0.0, 0.5),
    "layers": hoptim.Int(1, 8, inherit=True),
}
KINDS: dict[str, hoptim.Dimension] = {
    "activation": hoptim.Choice(["relu", "tanh", "gelu"]),
    "width": hoptim.Ordinal([64, 128, 256, 512]),
    "batch": hoptim.Int(1, 256, log=True),
}


# -- the studies


def stateful(folder: Path) -> hoptim.Study:
    """Checkpoints, exploits, and all that may go wrong with a trial; extended, and not at its end."""
    made = hoptim.Study(folder, space=NUMBERS, size=4, steps=5, mode="min", seed=1)
    train(made, saves=True, until=3)
    trial = asked(made)
    trial.fail("out of memory")  # and is tried again
    with suppress(KeyboardInterrupt), asked(made):
        raise KeyboardInterrupt  # hands the trial back
    killed_with_a_trial(made)
    asked(made).fail("diverged for good", retry=False)
    asked(made).tell(math.nan)
    train(made, saves=True)
    made = hoptim.Study(folder, space=NUMBERS, size=4, steps=8, mode="min", seed=1)
    train(made, saves=True, until=26)
    return made


def forked(folder: Path) -> hoptim.Study:
    """The same study from its third generation on, with another space and optimizer."""
    space = {**NUMBERS, "momentum": hoptim.Float(0.0, 0.99, init=0.9)}
    made = hoptim.fork(
        folder.parent / "stateful", folder, space=space, optimizer=hoptim.TruncationSelection(), size=5,
        steps=5,
    )  # fmt: skip
    train(made, saves=True, until=14)
    return made


def stateless(folder: Path) -> hoptim.Study:
    """No checkpoints, known first configurations, dimensions that are no floats, a value to maximize."""
    start: list[dict[str, Any]] = [{"activation": "tanh", "width": 128, "batch": 32}, {"batch": 1}]
    made = hoptim.Study(
        folder, space=KINDS, optimizer=hoptim.Initiator(), size=5, steps=5, mode="max", seed=2, start=start,
    )  # fmt: skip
    train(made, until=20)
    return made


def asha(folder: Path) -> hoptim.Study:
    """Configurations that wait with their checkpoints, and pass from member to member."""
    made = hoptim.Study(
        folder, space=NUMBERS, optimizer=hoptim.ASHA(max_resource=4, reduction_factor=2), size=3, steps=8,
        mode="min", seed=3, lead=2,
    )  # fmt: skip
    train(made, saves=True, until=18)
    return made


def patient(folder: Path) -> hoptim.Study:
    """An optimizer around another one, with notes of its own; every generation waits for the one before."""
    made = hoptim.Study(
        folder, space=NUMBERS, optimizer=hoptim.Patient(), size=4, steps=6, mode="min", seed=4,
        synchronous=True,
    )  # fmt: skip
    train(made, saves=True, until=20)
    return made


def eventful(folder: Path) -> hoptim.Study:
    """What format 2 has a record for: a checkpoint that was lost, and a trial that ends its worker."""
    made = hoptim.Study(folder, space=NUMBERS, size=4, steps=6, mode="min", seed=5, max_deaths=2)
    train(made, saves=True, until=9)
    lost = Path(str(made.best.checkpoint))
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    train(made, saves=True, until=14)
    for start in ("0000000a", "0000000b"):
        os.environ[START] = start
        killed_with_a_trial(made)
        made.record_deaths(start)
    del os.environ[START]
    train(made, saves=True, until=20)
    return made


def unvalued(folder: Path) -> hoptim.Study:
    """Trials without a value, some of them the members' latest, and metrics that are no numbers."""
    made = hoptim.Study(folder, space=NUMBERS, size=4, steps=8, mode="max", seed=6)
    metrics = {"note": "x", "counts": [1, None, math.inf], "none": None, "by class": {"a": 0.5}}
    while len(made.trials) < 26:
        trial = asked(made)
        if trial.step % 3 == 2:
            trial.tell(value(trial), save=saving(trial.number), metrics=metrics)
        else:
            trial.advance(save=saving(trial.number), metrics=metrics)
    return made


def conditional(folder: Path) -> hoptim.Study:
    """Hyperparameters that are there only for some values of others, within dicts too."""
    space: dict[str, Any] = {
        "optimizer": hoptim.Choice(["sgd", "adam"]),
        "sgd": {"momentum": hoptim.Float(0.0, 0.99, when={"optimizer": "sgd"})},
        "beta": hoptim.Float(0.5, 0.999, init=0.9, when={"optimizer": ["adam"], "amsgrad": True}),
        "amsgrad": hoptim.Choice([False, True], when={"optimizer": "adam"}),
        "lr": hoptim.Float(1e-4, 1.0, log=True),
    }
    start: list[dict[str, Any]] = [{"optimizer": "adam", "amsgrad": True}, {"optimizer": "sgd"}]
    made = hoptim.Study(
        folder, space=space, optimizer=hoptim.ROMUL(resample_choice=0.5), size=5, steps=6, mode="min",
        seed=7, start=start,
    )  # fmt: skip
    train(made, saves=True, until=23)
    return made


def given(folder: Path) -> hoptim.Study:
    """Members that begin with trained weights, a file and a folder, beside one with fresh ones."""
    for number in (0, 1):
        saving(number)(str(folder.parent / f"trained {number}"))
    start: list[hoptim.Start | dict[str, Any]] = [
        hoptim.Start({"lr": 0.1}, folder.parent / "trained 0", age=12), {"dropout": 0.25},
        hoptim.Start({}, folder.parent / "trained 1"),
    ]  # fmt: skip
    made = hoptim.Study(folder, space=NUMBERS, size=4, steps=4, mode="min", seed=8, start=start)
    train(made, saves=True, until=14)
    return made


STUDIES: dict[str, Callable[[Path], hoptim.Study]] = {
    made.__name__: made
    for made in (stateful, forked, stateless, asha, patient, eventful, unvalued, conditional, given)
}


# -- their training


def train(study: hoptim.Study, saves: bool = False, until: int | None = None) -> None:
    """Go on until so many trials have ended; None goes to the end."""
    while (until is None or len(study.trials) < until) and not study.done:
        trial = asked(study)
        metrics = {"accuracy": 1 / (1 + trial.seed % 9)}
        if not saves:
            metrics |= {"ratio": math.nan, "slope": -math.inf}
        trial.tell(value(trial), save=saving(trial.number) if saves else None, metrics=metrics)


def asked(study: hoptim.Study) -> hoptim.Trial:
    """The next trial, which there is."""
    trial = study.ask(timeout=60)
    assert trial is not None
    return trial


def value(trial: hoptim.Trial) -> float:
    """A number that hyperparameters, age and seed make."""
    numbers = [each for each in trial.params.values() if isinstance(each, (int, float))]
    return sum(math.log1p(each) for each in numbers) / (1 + trial.age) + trial.seed % 7 / 10


def saving(number: int) -> Callable[[str], object]:
    """A checkpoint: a file, or of every third trial a folder."""

    def save(path: str) -> None:
        if number % 3 == 0:
            os.mkdir(path)
        Path(path, "weights" if number % 3 == 0 else "").write_text(f"weights of {number}\n")

    return save


def killed_with_a_trial(study: hoptim.Study) -> None:
    """A process asks for a trial and is killed."""
    child = os.fork()
    if child == 0:
        asked(study)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


# -- what is shown of them


def shown(study: hoptim.Study) -> dict[str, Any]:
    """All that a user can see of a study, as JSON."""
    lineage, family = study.lineage(), study.family
    return as_json(
        {
            "settings": [study.size, study.steps, study.mode, study.seed, type(study.optimizer).__name__],
            "done": study.done,
            "trials": [trial_shown(trial) for trial in study.trials],
            "best": study.best.number,
            "best_ever": study.best_ever.number,
            "schedule": study.schedule().to_json(),
            "schedule of best_ever": study.schedule(study.best_ever).to_json(),
            "ancestors": [trial.number for trial in lineage.ancestors],
            "descendants": [trial.number for trial in study.lineage(0).descendants],
            "founder": lineage.founder.number,
            "exploits": [[e.trial.number, e.donor.number, e.left.number, e.seen] for e in family.exploits],
            "founders": dict(family.founders),
            "survivors": family.survivors(),
            "origin": None if study.origin is None else shown(study.origin),
        }
    )


def trial_shown(trial: hoptim.FinishedTrial) -> dict[str, Any]:
    """A trial's fields, and in the place of its checkpoint's path what is there; nothing in an `origin`."""
    found = {name: getattr(trial, name) for name in FIELDS}
    if trial.checkpoint is not None:
        path = Path(trial.checkpoint)
        text = path / "weights" if path.is_dir() else path
        found["checkpoint"] = text.read_text() if text.exists() else None
    return found


def as_json(content: dict[str, Any]) -> dict[str, Any]:
    """What comes back when it is written as JSON and read."""
    back: dict[str, Any] = json.loads(json.dumps(content))
    return back


def main() -> None:
    """Make those that are named anew, else all."""
    os.uname = lambda: os.uname_result(("Linux", "golden", "", "", ""))  # journals name the host
    file, names = HERE / "expected.json", sys.argv[1:] or list(STUDIES)
    expected = json.loads(file.read_text()) if sys.argv[1:] else {}
    with tempfile.TemporaryDirectory() as temporary:
        for name in names:
            folder = Path(temporary, name)
            study = STUDIES[name](folder)
            assert not study.check().findings, study.check()
            ignored = shutil.ignore_patterns(*LEFT_OUT)
            shutil.rmtree(HERE / name, ignore_errors=True)
            shutil.copytree(folder, HERE / name, ignore=ignored)
            expected[name] = shown(study)
    lines = (f"{json.dumps(name)}:{json.dumps(e, separators=(',', ':'))}" for name, e in expected.items())
    file.write_text("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    main()
