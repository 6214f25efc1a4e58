"""The hot state: what of a state decisions need, as plain JSON, and a state that begins with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import astuple
from itertools import islice
from typing import Any

from hoptim.stopping import Stopped
from hoptim.store.counts import Counts
from hoptim.store.effort import Effort
from hoptim.store.fields import check_params, moment, truth, whole, worker_name
from hoptim.store.format import known_format
from hoptim.store.founders import Sole
from hoptim.store.past import LazyFinished, LazyTrials, Past
from hoptim.store.published import Published
from hoptim.store.shape import StudyShape
from hoptim.store.state import State
from hoptim.store.trial_record import TrialRecord
from hoptim.store.trial_row import row_of, trial_of

LATEST = 4  # trials for each member that ended last, from which rates and durations are estimated


def first_step(state: State) -> int:
    """Return the lowest step that any ask may still compare; what is before it is past."""
    return max(state.slowest - 1, 0)


def count_hot(state: State) -> int:
    """Return about how many trials `pack` would write."""
    first = first_step(state)
    return sum(len(trials) - first for trials in state.members) + len(state.saved) + LATEST * state.size


def pack(state: State) -> dict[str, Any]:
    """Return what decisions need of a state, as plain JSON."""
    first = first_step(state)
    latest = [*islice(reversed(state.finished.values()), LATEST * state.size)][::-1]
    hot = {trial.number: trial for trials in state.members for trial in trials[first:]}
    hot.update((trial.number, trial) for trial in latest)
    needed = {*state.saved, *state.retained, *(trial.parent for trial in state.open.values())}
    hot.update((number, state.finished[number]) for number in needed if number is not None)
    if state.best_ever is not None:
        hot[state.best_ever.number] = state.best_ever
    return {
        "format": state.format, "n": state.n, "time": state.time, "steps": state.steps,
        "count": state.count, "stateful": state.stateful,
        "stopped": None if state.stopped is None else astuple(state.stopped),
        "lost": sorted(state.lost), "gone": sorted(state.gone), "retained": sorted(state.retained),
        "saved": [[number, saved.record()] for number, saved in state.saved.items()],
        "counts": astuple(state.counts), "effort": astuple(state.effort), "sole": state.founders.sole,
        "best": None if state.best_ever is None else state.best_ever.number,
        "lengths": list(map(len, state.members)), "latest": [trial.number for trial in latest],
        "open": list(map(row_of, state.open.values())), "finished": list(map(row_of, hot.values())),
    }  # fmt: skip


def unpack(found: Any, shape: StudyShape, past: Past) -> State:
    """Return a state that begins with what `pack` returned.

    Args:
        found: Plain JSON that anybody may have written.
        shape: Settings of the study.
        past: Reads what is not packed.

    Raises:
        ValueError, TypeError, KeyError, NewerFormat: Not what this version packs.
    """
    state = State(shape)
    state.format = known_format(found["format"])
    state.n, state.count, state.steps = (whole(found[name]) for name in ("n", "count", "steps"))
    state.time = moment(found["time"])
    state.stopped = None if found["stopped"] is None else _stopped(*found["stopped"])
    state.lost = set(map(worker_name, found["lost"]))
    state.gone.update(map(whole, found["gone"]))
    state.retained.update(map(whole, found["retained"]))
    state.counts, state.effort = Counts(*map(whole, found["counts"])), Effort.read(found["effort"])
    state.founders.sole = None if found["sole"] is None else Sole(*map(whole, found["sole"]))
    finished, opened = (_trials(found[name], shape, state.format) for name in ("finished", "open"))
    for number, record in found["saved"]:
        state.saved[number] = _published(finished[number], record, state.format)
    state.best_ever = None if found["best"] is None else finished[found["best"]]
    lengths = list(map(whole, found["lengths"]))
    if any(trial.step != lengths[trial.member] for trial in opened.values()):
        raise ValueError("an open trial is not its member's next")
    if len({trial.member for trial in opened.values()}) < len(opened):
        raise ValueError("a member has two open trials")
    if len(lengths) != state.size or sum(lengths) + len(opened) != state.count:
        raise ValueError(f"{sum(lengths)} trials of {len(lengths)} members are not all")
    members = list(_members(lengths, finished.values(), past))
    latest = LazyTrials(
        sum(lengths) - len(found["latest"]), [finished[number] for number in found["latest"]], past
    )
    lazy = LazyFinished(latest, opened.keys(), state.count, finished)
    past.lacks(members, lazy)
    stateful = found["stateful"]
    state.resume(members, lazy, opened.values(), None if stateful is None else truth(stateful))
    return state


def _trials(rows: Any, shape: StudyShape, format: int) -> dict[int, TrialRecord]:
    names = None if shape.names is None else set(shape.names)
    trials = {trial.number: trial for trial in map(trial_of, rows)}
    for trial in trials.values():
        if not 0 <= trial.member < shape.size:
            raise ValueError(f"there is no member {trial.member}")
        check_params(trial.params, trial.x, names, partial=format > 1)
    return trials


def _stopped(why: Any, by: Any, at: Any) -> Stopped:
    return Stopped(str(why), str(by), moment(at))


def _published(trial: TrialRecord, record: Any, format: int) -> Published:
    claim = f"{trial.number}.{trial.token}"
    return Published(claim) if format == 1 else Published.recorded(record, claim)


def _members(lengths: list[int], finished: Iterable[TrialRecord], past: Past) -> Iterator[LazyTrials]:
    """Yield the last trials of each member, which are all that decisions look at."""
    first = max(min(lengths) - 1, 0)
    known: list[list[TrialRecord]] = [[] for _ in lengths]
    for trial in finished:
        if trial.step >= first:
            known[trial.member].append(trial)
    for length, own in zip(lengths, known, strict=True):
        own.sort(key=lambda trial: trial.step)
        if [trial.step for trial in own] != list(range(first, length)):
            raise ValueError(f"of {length} trials of a member, not all from step {first} on are there")
        yield LazyTrials(first, own, past)
