"""A generation: the members' trials after one step, and what a fork brings over from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from hoptim._arguments import whole_of
from hoptim.analysis.ranking import best_first
from hoptim.errors import ArgumentError, SpaceError
from hoptim.session.session import Session
from hoptim.space.space import Space
from hoptim.start import GIVEN
from hoptim.store.adoption import AdoptedTrial
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord


def generation_step(session: Session, state: State, at_step: int | None) -> int:
    """Return the step whose generation a fork begins with.

    Args:
        session: Session on the old study.
        state: Its state.
        at_step: Step asked for. Default: the slowest member's last.

    Raises:
        ArgumentError: Not all members have done it, or its checkpoints were dropped.
    """
    done = min(map(len, state.members)) - 1
    at = done if at_step is None else whole_of("at_step", at_step, 0)
    if done < 0 or at > done:
        raise ArgumentError(
            f"at_step must be a step that all members of {session.path!r} have done, found {at}; "
            + (f"the last is {done}." if done >= 0 else "there is none yet.")
        )
    lack = [
        t.member for t in state.level(at) if state.stateful and t.healthy and t.number not in state.saved
    ]
    if lack:
        when = f"at step {done}" if at < done else "once all members have done the same step"
        raise ArgumentError(
            f"The checkpoints of members {lack} after step {at} were dropped. Fork {when}, or keep them in "
            "time with Study(keep=...)."
        )
    return at


def choose_members(generation: Sequence[TrialRecord], size: int, mode: str) -> list[TrialRecord]:
    """Return the trial that each member of a fork begins with: the best ones, then copies of them.

    Args:
        generation: Trials of the old study's members, one each.
        size: Number of members of the fork.
        mode: "min" or "max".
    """
    order = best_first(generation, mode)
    kept = sorted(order[:size], key=lambda trial: trial.member)
    return kept + [order[i % len(order)] for i in range(size - len(kept))]


def bring_over(
    chosen: Sequence[TrialRecord],
    checkpoints: Mapping[int, str],
    old: Session,
    new: Session,
    revalued: bool,
) -> list[AdoptedTrial]:
    """Return the first generation of a fork.

    Args:
        chosen: Trial of the old study that each member begins with.
        checkpoints: Paths of their checkpoints by number; none for a trial without.
        old: Session on the old study.
        new: Session on the fork, which has no trials yet.
        revalued: True if values mean something else in the fork; the optimizer then begins without what it
            remembers, which may hold some of the old ones.
    """
    before, now = old.config, new.config
    same_space, recorded = _searched(now.space) == _searched(before.space), now.optimizer.describe()
    same_optimizer = not revalued and recorded == before.optimizer.describe()
    same_kind = not revalued and _kinds(recorded) == _kinds(before.optimizer.describe())
    generation = []
    for member, record in enumerate(chosen):
        x = (
            record.x
            if same_space
            else _coordinates(_known(record, before.space), now.space, [now.seed, member])
        )
        first = {} if same_optimizer else new.propose(new.store.state, member, member)
        adopted = AdoptedTrial(
            params=record.params if same_space else now.space.names(x), x=list(x),
            memo=record.memo if same_kind else first.get("memo"),
            retain=first.get("retain", same_optimizer and record.retain),
            origin=record.number, age=record.age, seed=record.seed,
            value=record.value if record.valued else None, metrics=record.metrics,
            checkpoint=checkpoints.get(record.number),
            worker=GIVEN if record.worker == GIVEN else "fork",
        )  # fmt: skip
        generation.append(adopted)
    return generation


def _searched(space: Space) -> list[Any]:
    """Return what coordinates stand for: the dimensions in their order, without constants."""
    return [(name, dim.to_json()) for name, dim in space.dimensions.items()]


def _kinds(described: Mapping[str, Any]) -> list[str]:
    """Return the name of an optimizer and of what it is wrapped around: who can read whose memos."""
    within = described.get("optimizer")
    return [described["name"], *(_kinds(within) if isinstance(within, Mapping) else ())]


def _known(record: TrialRecord, space: Space) -> dict[str, Any]:
    """Return a trial's values by name, those too that are not active and come back when they are."""
    pairs = zip(space.dimensions.items(), record.x, strict=True)
    return {name: dim.name(u) for (name, dim), u in pairs} | record.params


def _coordinates(params: Mapping[str, Any], space: Space, seed: Sequence[int]) -> list[float]:
    """Return coordinates of hyperparameters of another space, as near as they come."""
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
