"""Members that several processes train together: rank 0 asks and tells, all train."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch.distributed as dist

from hoptim import _reads
from hoptim.errors import (
    AlreadyTold,
    ArgumentError,
    ClaimLost,
    DeadlineNear,
    NothingDue,
    NotTold,
    TrialError,
)
from hoptim.study import Study
from hoptim.torch.group import Group
from hoptim.trial import Save, Trial

log = logging.getLogger("hoptim")

_LOOK_FOR = 5.0  # seconds that rank 0 waits for a trial before it sends the others a sign of life
_WARN_EVERY = 60.0  # seconds between two warnings that a job waits for a trial
_SENT = ("number", "member", "step", "age", "parent", "seed", "attempt", "continues", "token")


def trials(study: Study, group: Any = None, deadline: Any = None) -> Iterator[Trial]:
    """Yield the trials of a study, the same on every rank of a job that trains them together.

    Rank 0 asks and tells. On each rank the trial has the same hyperparameters (a `Choice` of
    objects gives each rank its own), seed, age, checkpoint and `continues`. Without an initialised
    process group, or in one of one process, this is `iter(study)`.

    - Every rank calls `trial.tell` alike, with the same `checkpoint=`; rank 0's value counts. It
      waits for all ranks before it publishes, so each may write its shard into the folder
      `trial.draft` and pass `checkpoint=trial.draft`. `save=` is called on rank 0 alone. An error
      of rank 0's, `ClaimLost` too, is raised on every rank.
    - `trial.fail`, and an exception that leaves `with trial:`, count from any rank. They do not wait
      for the other ranks, which may be inside a collective call. A rank that tells a trial that
      failed on another one gets a `TrialError` with that rank and the reason.
    - A rank that dies takes the job down, as always with torch: the collective calls of the others end
      in an error of torch or a signal of its launcher. The trial is handed out again, as it was.

    The process group's timeout must be longer than a checkpoint takes to write. Callbacks of the
    study are called on rank 0, and `failed` on the rank where a trial failed. All ranks leave the
    loop at the same trial or none does.

    Args:
        study: Study, opened on every rank with the same arguments; its path may differ between hosts.
        group: Process group whose ranks train together. Default: None, all ranks.
        deadline: End of the job as for `Study.until`, by rank 0's clock. Default: None, no end.

    Yields:
        A trial; its `tell` and `fail` are calls of the whole group, see above.

    Raises:
        ArgumentError: The ranks opened different studies, or one in memory; or this process is not
            in `group`.
        NotTold: A rank went on without `tell` or `fail`.
        StudyFailed: Every member's last trial failed for good.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size(group) == 1:
        yield from study if deadline is None else study.until(deadline)
        return
    ranks = Group(group)
    _check_same(study, ranks)
    ended = "not begun"
    while (trial := _next(_Leader(study, deadline), ranks, ended)) is not None:
        try:
            yield trial
            trial._require_ended(ranks.rank)
        finally:
            trial._leave()
        ended = trial._outcome


class RankTrial(Trial):
    """Trial that several processes train."""

    _ranks: Group | None = None  # not a field: a pickled copy ends without the other ranks
    _how: str | None = None  # how it ended on this rank, if not by a call here
    _outcome = ""  # how it ended on this rank, for the others to read
    _draft_of_rank_0: Path | None = None  # on the other ranks

    @property
    def draft(self) -> Path:
        """Return the private path of rank 0, where each rank may write its part."""
        return self._draft_of_rank_0 or super().draft

    @property
    def ended(self) -> str | None:
        """Return how the trial ended on this rank; None while it is in hand."""
        return self._how or super().ended

    def tell(
        self,
        value: Any,
        save: Save | None = None,
        checkpoint: str | Path | None = None,
        metrics: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        """End the trial as `Trial.tell` does, on all ranks together.

        Raises:
            TrialError: The trial failed on another rank.
        """
        tell = super().tell
        self._end_together(lambda: tell(value, save, checkpoint, metrics, params), "told", params)

    def advance(
        self,
        save: Save | None = None,
        checkpoint: str | Path | None = None,
        metrics: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        """End the trial as `Trial.advance` does, on all ranks together.

        Raises:
            TrialError: The trial failed on another rank.
        """
        advance = super().advance
        self._end_together(lambda: advance(save, checkpoint, metrics, params), "advanced", params)

    def _end_together(self, end: Callable[[], None], how: str, params: Mapping[str, Any] | None) -> None:
        """End the trial on all ranks, of which rank 0 records it."""
        ranks = self._ranks
        if ranks is None:
            return end()
        if params is not None:
            self.check(**params)
        if self.ended is not None:
            raise AlreadyTold(f"Trial {self.number} has been {self.ended} already.")
        self._meet(ranks)
        try:
            ranks.lead(end)
            self._end(how)
        except (AlreadyTold, ClaimLost) as error:
            self._end("told" if isinstance(error, AlreadyTold) else "lost to another worker")
            raise

    def fail(self, why: str, retry: bool = True) -> None:
        """End the attempt as `Trial.fail` does, without waiting for other ranks; the first call counts."""
        try:
            super().fail(why, retry)
        except ClaimLost:  # it has failed on another rank already, or its claim was lost
            self._end("failed")
        self._outcome = f"failed: {why}"

    def _require_ended(self, rank: int) -> None:
        """Raise `NotTold` unless the trial has ended on this rank."""
        if self.ended is None:
            raise NotTold(
                f"Trial {self.number} was neither told nor failed on rank {rank} before the loop went on. "
                "Every rank must call trial.tell(value), not rank 0 alone; the trial is released."
            )

    def _leave(self) -> None:
        """Release the trial unless it has ended; the loop goes on or ends."""
        if self.ended is None:
            if self._ranks is not None and self._ranks.rank == 0 and not self.keeper.inherited:
                self.release()
            self._end("released")

    def _end(self, how: str) -> None:
        self._how = how
        self._outcome = self._outcome or f"was {how}"

    def _meet(self, ranks: Group) -> None:
        """Wait until all ranks tell this trial; raise when one has gone on without."""
        messages = ranks.gather({"tells": self.number, "unread": _reads.unread(self)})
        gone = [f"on rank {rank} it {sent['went']}" for rank, sent in enumerate(messages) if "went" in sent]
        if gone:
            self._end("not told, for not all ranks told it")
            raise TrialError(
                f"Trial {self.number} was not told, because not all ranks tell it: {'; '.join(gone)}."
            )
        for name in _reads.unread(self):
            if any(name not in sent["unread"] for sent in messages):
                _reads.note(self, name)


def _check_same(study: Study, ranks: Group) -> None:
    opened = ranks.gather([study.path, study.uuid])
    if len({uuid for _, uuid in opened}) > 1 or study.path is None:
        raise ArgumentError(
            "The ranks of a job must all open the same study, in a directory that each can read. By "
            f"rank, they opened {[path or 'one in memory' for path, _ in opened]}."
        )


def _next(leader: _Leader, ranks: Group, ended: str) -> RankTrial | None:
    """Return the next trial, on every rank alike; None when all is done."""
    while not all("went" in message for message in ranks.gather({"went": ended})):
        pass  # another rank still tells: it learns from this that the trial did not end in a tell here
    while (sent := ranks.lead(leader.ask)) == "wait":
        pass
    if sent is None:
        return None
    trial = leader.trial or _following(leader.study, sent)
    trial._ranks = ranks
    return trial


class _Leader:
    """Part of rank 0, which asks for trials."""

    def __init__(self, study: Study, deadline: Any) -> None:
        self.trial: RankTrial | None = None
        self.study, self._deadline, self._said = study, deadline, time.monotonic()

    def ask(self) -> dict[str, Any] | str | None:
        """Return the next trial as JSON for the other ranks; "wait" if none is due, None at the end."""
        try:
            trial = self.study.ask(_LOOK_FOR, self._deadline)
        except DeadlineNear:
            return None
        except NothingDue as error:
            if time.monotonic() - self._said > _WARN_EVERY:
                self._said = time.monotonic()
                log.warning("%s", error)
            return "wait"
        if trial is None:
            return None
        self.trial = RankTrial(**{f.name: getattr(trial, f.name) for f in fields(Trial)})
        return {
            **{name: getattr(trial, name) for name in _SENT},
            "params": self.study.space.record(trial.params),
            "checkpoint": trial.checkpoint and _within(self.study, trial.checkpoint),
            "draft": _within(self.study, trial.draft),
        }


def _within(study: Study, path: str | Path) -> str:
    """Return a path as seen from a study's directory, which ranks may have elsewhere; others whole."""
    return os.path.relpath(path, study.path) if Path(path).is_relative_to(str(study.path)) else str(path)


def _following(study: Study, sent: Mapping[str, Any]) -> RankTrial:
    """Return the trial of rank 0 for another rank, with that rank's own objects and paths."""
    within, draft = sent["checkpoint"], os.path.join(str(study.path), sent["draft"])
    trial = RankTrial(
        **{name: sent[name] for name in _SENT},
        params=study.space.named(sent["params"]),
        checkpoint=within and os.path.join(str(study.path), within),
        path=study.path,
        keeper=study.keeper(),
    )
    trial._draft_of_rank_0 = Path(draft)
    return trial
