"""What is done while the lock of a study is held, when others have been busy."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

import hoptim
from hoptim.store.state import State
from tests.builders import loss, saving, study

FOREIGN = 40  # trials of another process, two records each
ENDS: dict[str, Callable[[hoptim.Study, hoptim.Trial], object]] = {
    "a tell": lambda made, trial: trial.tell(loss(trial)),
    "a tell that saves": lambda made, trial: trial.tell(loss(trial), save=saving("x")),
    "a failure": lambda made, trial: trial.fail("broke"),
    "a failure for good": lambda made, trial: trial.fail("broke", retry=False),
    "a release": lambda made, trial: trial.release(),
    "an ask": lambda made, trial: made.ask(timeout=0),
    "an extension": lambda made, trial: made._session.store.extend(999),
    "a departure": lambda made, trial: made._session.store.leave(),
    "a pin": lambda made, trial: made._session.store.pin(lambda state: list(state.saved)).release(),
}


@pytest.mark.parametrize("name", ENDS)
def test_others_records_are_read_before_the_hold(name, tmp_path, monkeypatch):
    """However many trials others have ended meanwhile, a hold of the lock folds its own records alone."""
    mine = study(tmp_path / "study", steps=99, lead=99, lease=999.0)
    other = hoptim.load(mine.path, lead=99)
    trial = mine.ask()
    assert trial is not None
    for _ in range(FOREIGN):
        their = other.ask()
        assert their is not None
        their.tell(loss(their), save=saving("x") if "saves" in name or "pin" in name else None)
    folded = {True: 0, False: 0}
    journal, apply = mine._session.store.journal, State.apply

    def counting(state: State, record: dict[str, object]) -> None:
        folded[journal._held is not None] += 1
        apply(state, record)

    monkeypatch.setattr(State, "apply", counting)
    ENDS[name](mine, trial)
    assert folded[False] >= 2 * FOREIGN
    assert folded[True] <= 2


def test_no_garbage_is_collected_in_a_hold(tmp_path):
    """A collection in a process with many objects takes long, and can wait until the lock is free."""
    journal, enabled = study(tmp_path / "study")._session.store.journal, []
    with journal.hold(None, lambda: enabled.append(gc.isenabled())):
        enabled.append(gc.isenabled())
    enabled.append(gc.isenabled())
    with pytest.raises(KeyError), journal.hold(None):
        raise KeyError
    assert [*enabled, gc.isenabled()] == [True, False, True, True]
