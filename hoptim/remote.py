"""Trials for loops in other languages: asked, kept alive and told by processes that end in between."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hoptim._arguments import number_of
from hoptim.errors import CheckpointError, ClaimLost
from hoptim.study import Study, load
from hoptim.trial import Trial


def ask(
    path: str | os.PathLike[str], lease: float = 600.0, timeout: float | None = None, **options: Any
) -> dict[str, Any] | None:
    """Claim the next trial for somebody who lives on after this process.

    The claim is kept while the time between two signs of life, the first of which is this call, stays
    below the lease: call `beat` more often than that, or take a lease that no interval exceeds.

    Args:
        path: The study's directory.
        lease: Seconds without a sign of life after which others may take the trial; 600, as a loop in a
            shell that is killed cannot be proven dead.
        timeout: Seconds to wait for a trial that is due; None waits on.
        **options: As for `hoptim.load`: `lead`, `synchronous`, `single_host` and the like.

    Returns:
        The trial as plain JSON: number, token, member, step, age, parent, params, checkpoint, draft,
        scratch, seed and attempt. None when all is done.

    Raises:
        NothingDue: Nothing became due in time.
        StudyFailed: Every member's last trial failed for good.
    """
    study = load(path, lease=lease, guest=True, **options)
    try:
        trial = study.ask(timeout)
    except BaseException:
        study._store.leave()
        raise
    if trial is None:
        return None
    names = ("number", "token", "member", "step", "age", "parent", "checkpoint", "seed", "attempt")
    paths = {"draft": str(trial.draft), "scratch": str(trial.scratch)}
    params = {"params": study.space.record(trial.params)}
    return {name: getattr(trial, name) for name in names} | params | paths


def beat(path: str | os.PathLike[str], number: int, token: int, single_host: bool = False) -> None:
    """Show that a trial is still being trained.

    Args:
        path: The study's directory.
        number: The trial.
        token: As `ask` gave it.
        single_host: As for `hoptim.load`.

    Raises:
        ClaimLost: The trial was given to another worker meanwhile.
    """
    study, trial = _found(path, number, token, single_host)
    worker, watch = _holder(study, trial), study._store.watch
    if worker is None or watch is None or not watch.beat(worker):
        raise ClaimLost(
            f"Trial {trial.number} is no longer yours: it was given to another worker while there was no "
            "sign of life, or has ended. Stop training it, and ask for the next one."
        )


def tell(
    path: str | os.PathLike[str],
    number: int,
    token: int,
    value: float,
    checkpoint: str | os.PathLike[str] | None = None,
    metrics: Mapping[str, float] | None = None,
    single_host: bool = False,
) -> None:
    """End a trial with its value; telling the same again is fine.

    Args:
        path: The study's directory.
        number: The trial.
        token: As `ask` gave it.
        value: As for `Trial.tell`.
        checkpoint: File or folder; the draft that `ask` named is moved, anything else is copied.
        metrics: Further numbers to record.
        single_host: As for `hoptim.load`.

    Raises:
        ClaimLost, AlreadyTold, NoCheckpoint, CheckpointError, ArgumentError: As for `Trial.tell`.
    """
    study, trial = _found(path, number, token, single_host)
    number_of(f"Trial {number}: the value", value)
    trial._id = _id(token, repr(float(value)))
    worker = _holder(study, trial)
    if checkpoint is None or Path(checkpoint).absolute() == trial.draft:
        trial.tell(value, checkpoint=None if checkpoint is None else trial.draft, metrics=metrics)
    else:
        source = Path(checkpoint)
        if not source.exists():
            raise CheckpointError(
                f"Trial {number}: there is no checkpoint at {str(source)!r}. The claim is kept; tell again."
            )
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        trial.tell(value, save=lambda to: copy(source, to), metrics=metrics)
    _leave(study, worker)


def fail(
    path: str | os.PathLike[str],
    number: int,
    token: int,
    why: str,
    retry: bool = True,
    single_host: bool = False,
) -> None:
    """End an attempt as a failure; saying the same again is fine.

    Args:
        path: The study's directory.
        number: The trial.
        token: As `ask` gave it.
        why: The reason, kept in the journal.
        retry: As for `Trial.fail`.
        single_host: As for `hoptim.load`.

    Raises:
        ClaimLost: The trial was given to another worker meanwhile.
    """
    study, trial = _found(path, number, token, single_host)
    trial._id = _id(token, why)
    worker = _holder(study, trial)
    trial.fail(why, retry)
    _leave(study, worker)


def _found(path: str | os.PathLike[str], number: int, token: int, single_host: bool) -> tuple[Study, Trial]:
    """The study, and the trial as whoever asked for it holds it."""
    study = load(path, single_host=single_host)
    return study, study._session.lend(study._store.resume_claim(number, token))


def _holder(study: Study, trial: Trial) -> str | None:
    """The worker of a claim, None when the claim is no longer valid."""
    held = study._store.state.held(trial.number, trial.token)
    return None if held is None else held.worker


def _leave(study: Study, worker: str | None) -> None:
    """A guest has one claim, so its sign of life goes with it; nobody else would remove it."""
    if worker is not None and study._store.watch is not None:
        study._store.watch.dismiss(worker)


def _id(token: int, what: str) -> str:
    """The same whenever the same is said of the same claim, so that saying it twice is saying it once."""
    return f"{zlib.crc32(f'{token} {what}'.encode()):08x}"
