"""Trials for loops in other languages: asked, kept alive and told by processes that end in between."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from hoptim._arguments import number_of, whole_of
from hoptim._files import explained
from hoptim._paths import absolute_path
from hoptim._text import said
from hoptim.errors import CheckpointError, ClaimLost, LockTimeout
from hoptim.options import OptionKeywords, Options
from hoptim.session.handle import resume
from hoptim.session.loop import Loop
from hoptim.session.session import Session
from hoptim.store.claim import Held
from hoptim.study import load


def ask(
    path: str | os.PathLike[str], lease: float = 600.0, timeout: float | None = None, **options: Any
) -> dict[str, Any] | None:
    """Claim the next trial for a process that lives on after this one.

    The claim is kept while the time between two heartbeats, the first of which is this call, stays
    below the lease: call `beat` more often than that, or take a lease that no interval exceeds.

    Args:
        path: Directory of the study.
        lease: Seconds without a heartbeat after which others may take the trial. Default: 600, as a loop
            in a shell that is killed cannot be proven dead.
        timeout: Seconds to wait for a trial that is due and for the study's lock, as for `Study.ask`.
            Default: None, which waits on.
        **options: Further options of this process, as for `Study`; see `Options`.

    Returns:
        The trial as plain JSON: number, token, member, step, age, parent, params, checkpoint, draft,
        scratch, seed and attempt. None when all is done or the study has stopped.

    Raises:
        NothingDue: Nothing became due in time, or the study's lock stayed taken.
        StudyFailed: Every member's last trial failed for good.
    """
    session = Session.open(path, Options.of({"lease": lease, **options}), guest=True)
    try:
        trial = Loop(session, load(path, **options)).ask(timeout)
    except BaseException:
        with suppress(LockTimeout):  # what is on its way says more
            session.store.leave(None if timeout is None else 0.0)
        raise
    if trial is None:
        with suppress(LockTimeout):  # of a study that has stopped the guest must leave here
            session.store.leave(None if timeout is None else 0.0)
        return None
    names = ("number", "token", "member", "step", "age", "parent", "checkpoint", "seed", "attempt")
    paths = {"draft": str(trial.draft), "scratch": str(trial.scratch)}
    params = {"params": session.config.space.plain(trial.params)}
    return {name: getattr(trial, name) for name in names} | params | paths


def beat(path: str | os.PathLike[str], number: int, token: int, **options: Unpack[OptionKeywords]) -> None:
    """Show that a trial is still being trained.

    Args:
        path: Directory of the study.
        number: Number of the trial.
        token: Token that `ask` gave.
        **options: Options of this process, as for `Study`; see `Options`.

    Raises:
        ClaimLost: The trial was given to another worker meanwhile.
    """
    number, token = _plain(number, token)
    session = Session.open(path, Options.of(options))
    worker, watch = _worker(session, session.store.resume_claim(number, token)), session.store.watch
    if worker is None or watch is None or not watch.beat(worker):
        raise ClaimLost(
            f"Trial {number} is no longer yours: it was given to another worker while there was no "
            "heartbeat, or has ended. Stop training it, and ask for the next one."
        )


def tell(
    path: str | os.PathLike[str],
    number: int,
    token: int,
    value: float,
    checkpoint: str | os.PathLike[str] | None = None,
    metrics: Mapping[str, Any] | None = None,
    **options: Unpack[OptionKeywords],
) -> None:
    """End a trial with its value; telling the same again is fine.

    Args:
        path: Directory of the study.
        number: Number of the trial.
        token: Token that `ask` gave.
        value: Value, as for `Trial.tell`.
        checkpoint: File or folder; the draft that `ask` named is moved, anything else is copied.
        metrics: Further things to record, as for `Trial.tell`.
        **options: Options of this process, as for `Study`; see `Options`.

    Raises:
        ClaimLost, AlreadyTold, NoCheckpoint, CheckpointError, ArgumentError: Same causes as `Trial.tell`.
    """
    number, token = _plain(number, token)
    result = number_of(f"Trial {number}: the value", value)
    session = Session.open(path, Options.of(options))
    trial = resume(session, number, token, _id(token, repr(result)))
    with _leaving(session, trial):
        trial.tell(value, **_saved(session, number, checkpoint), metrics=metrics)


def advance(
    path: str | os.PathLike[str],
    number: int,
    token: int,
    checkpoint: str | os.PathLike[str] | None = None,
    metrics: Mapping[str, Any] | None = None,
    **options: Unpack[OptionKeywords],
) -> None:
    """End a trial as trained and not valued, as `Trial.advance` does; saying the same again is fine.

    Args:
        path: Directory of the study.
        number: Number of the trial.
        token: Token that `ask` gave.
        checkpoint: File or folder, as for `tell`.
        metrics: Further things to record, as for `Trial.tell`.
        **options: Options of this process, as for `Study`; see `Options`.

    Raises:
        ClaimLost, AlreadyTold, NoCheckpoint, CheckpointError, ArgumentError: Same causes as
            `Trial.advance`.
    """
    number, token = _plain(number, token)
    session = Session.open(path, Options.of(options))
    trial = resume(session, number, token, _id(token, "advance"))
    with _leaving(session, trial):
        trial.advance(**_saved(session, number, checkpoint), metrics=metrics)


def fail(
    path: str | os.PathLike[str],
    number: int,
    token: int,
    why: str,
    retry: bool = True,
    **options: Unpack[OptionKeywords],
) -> None:
    """End an attempt as a failure; saying the same again is fine.

    Args:
        path: Directory of the study.
        number: Number of the trial.
        token: Token that `ask` gave.
        why: Reason, kept in the journal.
        retry: Hand the trial out again, as for `Trial.fail`. Default: True.
        **options: Options of this process, as for `Study`; see `Options`.

    Raises:
        ClaimLost: The trial was given to another worker meanwhile.
    """
    number, token = _plain(number, token)
    session = Session.open(path, Options.of(options))
    trial = resume(session, number, token, _id(token, said(why)))
    with _leaving(session, trial):
        trial.fail(why, retry)


def release(
    path: str | os.PathLike[str], number: int, token: int, **options: Unpack[OptionKeywords]
) -> None:
    """Hand a trial back that nobody began to train; it counts neither as failed nor as interrupted.

    Nothing happens if the trial was given to another worker, or has ended.

    Args:
        path: Directory of the study.
        number: Number of the trial.
        token: Token that `ask` gave.
        **options: Options of this process, as for `Study`; see `Options`.

    Raises:
        StoreError: The release could not be recorded; the claim is kept.
    """
    number, token = _plain(number, token)
    session = Session.open(path, Options.of(options))
    claim = session.store.resume_claim(number, token)
    with _leaving(session, claim):
        session.store.release(claim, unused=True)


def _plain(number: int, token: int) -> tuple[int, int]:
    """Return number and token of a claim, of any library, as plain ints."""
    return whole_of("number", number, 0), whole_of("token", token, 0)


def _saved(session: Session, number: int, checkpoint: str | os.PathLike[str] | None) -> dict[str, Any]:
    """Return the arguments of `Trial.tell` for a checkpoint: a draft is moved, anything else is copied."""
    source = None if checkpoint is None else absolute_path(checkpoint)
    if source is None or session.store.checkpoints.draft_at(source) is not None:
        return {"checkpoint": source}
    with explained("look at", source):
        found = source.exists()
    if not found:
        raise CheckpointError(
            f"Trial {number}: there is no checkpoint at {str(source)!r}. The claim is kept; tell again."
        )
    return {"save": partial(_copy, source)}


def _copy(source: Path, to: str) -> None:
    with explained("copy", source):
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, to)


def _worker(session: Session, held: Held) -> str | None:
    """Return the worker of a claim, None when the claim is no longer valid."""
    found = session.store.state.held(held.number, held.token)
    return None if found is None else found.worker


@contextmanager
def _leaving(session: Session, held: Held) -> Iterator[None]:
    """Remove the heartbeat of a guest once the block has ended its one claim; nobody else would."""
    worker = _worker(session, held)
    yield
    if worker is not None and session.store.watch is not None:
        session.store.watch.dismiss(worker)


def _id(token: int, what: str) -> str:
    """Return the same for the same word on the same claim, so that saying it twice is saying it once."""
    return f"{zlib.crc32(f'{token} {what}'.encode(errors='backslashreplace')):08x}"
