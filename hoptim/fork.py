"""Forking: a study that goes on from a generation of another one, with other settings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from hoptim._arguments import check_whole
from hoptim._files import explained, remove
from hoptim.analysis.ranking import best_first
from hoptim.errors import ArgumentError, SpaceError
from hoptim.optimizers.base import Optimizer
from hoptim.session.study_config import space_of
from hoptim.space.dimensions import Dimension
from hoptim.space.space import Space
from hoptim.store.adoption import AdoptedTrial
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord
from hoptim.study import ORIGIN, Study, load


def fork(
    path: str | os.PathLike[str],
    new_path: str | os.PathLike[str],
    *,
    at_step: int | None = None,
    space: Mapping[str, Dimension] | Space | None = None,
    optimizer: Optimizer | None = None,
    size: int | None = None,
    steps: int | None = None,
    seed: int | None = None,
) -> Study:
    """A new study that begins with a generation of another one; what is not given stays as it was.

    Step 0 of the new study is that generation, as it was told: `FinishedTrial.origin` is its number
    in the old one. Checkpoints are shared by hard links, and copied only to another file system. The
    old study's journal comes along as `study.origin`, so that lineages and schedules reach back. The
    old study is not changed, and others may go on with it.

    Args:
        path: The old study's directory; others may be training it.
        new_path: The new study's directory, not there yet or empty.
        at_step: The generation after this step, counted from 0: each member's last trial up to it. None
            takes the slowest member's last. Checkpoints of earlier ones are there only if they were kept.
        space: Hyperparameters it has already keep their values, moved to the bounds where outside; others
            begin at `init`, else with a draw.
        optimizer: Who decides from here on.
        size: Number of members. Fewer are the best ones; more begin as copies, the best first.
        steps: Trials of each member, the one it begins with included. None goes as far as the old study.
        seed: Of the new study; None takes the old one's and 1, so that nothing is drawn twice.

    Raises:
        ArgumentError: No study in `path`, something in `new_path`, a generation that is not there or
            whose checkpoints were dropped, or a setting that cannot work.

    >>> import hoptim, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> space = {"x": hoptim.Float(0.0, 1.0)}
    >>> for trial in hoptim.Study(f"{folder}/a", space=space, size=4, steps=5, mode="min"):
    ...     trial.tell(trial.params["x"])
    >>> new = hoptim.fork(f"{folder}/a", f"{folder}/b", at_step=2, size=8, steps=10)
    >>> new.size, new.steps, len(new.trials), new.trials[0].age
    (8, 10, 8, 2)
    """
    old, target = load(path), Path(new_path).absolute()
    with explained("look at", target):
        if target.exists() and any(target.iterdir()):
            raise ArgumentError(f"{str(target)!r} is not empty; a fork needs a directory of its own.")
    with old._store._hold() as state:  # nobody drops a checkpoint between the look and the link
        at = _generation(old, state, at_step)
        chosen = _members(state.level(at), old.size if size is None else size, old.mode)
        draft = target.with_name(f".{target.name}-{os.urandom(4).hex()}")
        try:
            new = Study(
                draft, space=old.space if space is None else space_of(space),
                optimizer=old.optimizer if optimizer is None else optimizer, size=len(chosen),
                steps=max(state.steps - at, 1) if steps is None else steps, mode=old.mode,
                seed=old.seed + 1 if seed is None else seed,
            )  # fmt: skip
            _begin(new, old, state, chosen)
            _bring_history(old, draft)
            with explained("make", target):
                os.rename(draft, target)
        except BaseException:
            remove(draft)
            raise
    return load(target, space=new.space, optimizer=new.optimizer)


def _generation(old: Study, state: State, at_step: int | None) -> int:
    done = min(map(len, state.members)) - 1
    if at_step is not None:
        check_whole("at_step", at_step, 0)
    at = done if at_step is None else int(at_step)
    if done < 0 or at > done:
        raise ArgumentError(
            f"at_step must be a step that all members of {old.path!r} have done, found {at_step!r}; "
            + (f"the last is {done}." if done >= 0 else "there is none yet.")
        )
    lack = [
        t.member for t in state.level(at) if state.stateful and t.finite and t.number not in state.saved
    ]
    if lack:
        raise ArgumentError(
            f"The checkpoints of members {lack} after step {at} were dropped. Fork at step {done}, or keep "
            "them in time with Study(keep=...)."
        )
    return at


def _members(generation: Sequence[TrialRecord], size: int, mode: str) -> list[TrialRecord]:
    check_whole("size", size, 1)
    order = best_first(generation, mode)
    kept = sorted(order[:size], key=lambda trial: trial.member)
    return kept + [order[i % len(order)] for i in range(size - len(kept))]


def _begin(new: Study, old: Study, state: State, chosen: Sequence[TrialRecord]) -> None:
    """Record the generation as the new study's first."""
    same = new.space == old.space
    now, before = new.optimizer.describe(), old.optimizer.describe()
    generation = []
    for member, entry in enumerate(chosen):
        x = entry.x if same else _brought(entry.params, new.space, [new.seed, member])
        first = {} if now == before else new._decide(new._store.state, member, member)
        saved = entry.finite and bool(state.stateful)
        generation.append(
            AdoptedTrial(
                params=entry.params if same else new.space.names(x), x=list(x),
                memo=entry.memo if _kinds(now) == _kinds(before) else first.get("memo"),
                retain=first.get("retain", now == before and entry.retain),
                origin=entry.number, age=entry.age, seed=entry.seed, value=entry.value,
                metrics=entry.metrics,
                checkpoint=(
                    old._store.checkpoints.path(entry.number, state.saved[entry.number]) if saved else None
                ),
            )
        )  # fmt: skip
    new._store.adopt_generation(generation)


def _kinds(described: Mapping[str, Any]) -> list[str]:
    """The name of an optimizer and of what it is wrapped around: who can read whose memos."""
    within = described.get("optimizer")
    return [described["name"], *(_kinds(within) if isinstance(within, Mapping) else ())]


def _brought(params: Mapping[str, Any], space: Space, seed: Sequence[int]) -> list[float]:
    """Coordinates of hyperparameters of another space, as near as they come."""
    given = {}
    for name, dim in space.dimensions.items():
        if name in params:
            value = params[name]
            if isinstance(value, (int, float)) and hasattr(dim, "low") and hasattr(dim, "high"):
                value = min(max(round(value) if isinstance(dim.low, int) else value, dim.low), dim.high)
            with suppress(SpaceError):  # a value that is none of a list's begins anew
                dim.encode(value)
                given[name] = value
    return space.first(np.random.default_rng([*seed, 0]), given).tolist()  # type: ignore[no-any-return]


def _bring_history(old: Study, draft: Path) -> None:
    """What is needed to read the old study, and what it was forked from itself."""
    source, target = Path(str(old.path)), draft / ORIGIN
    with explained("copy the history of", source):
        target.mkdir()
        for name in ("study.json", "journal.jsonl"):
            shutil.copyfile(source / name, target / name)
        if (source / ORIGIN).is_dir():
            shutil.copytree(source / ORIGIN, target / ORIGIN)
