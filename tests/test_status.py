"""How a study stands, for people."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import replace
from typing import Any

import pytest

import hoptim
from tests import builders
from tests.builders import loss, saving, study, train


def test_a_new_study_has_nothing_to_show(tmp_path):
    """Before the first trial all is zero or None, and somebody should begin."""
    seen = study(tmp_path / "s").status()
    assert (seen.size, seen.steps, seen.finished, seen.progress) == (4, 5, 0, [0, 0, 0, 0])
    assert (seen.best, seen.best_ever, seen.running, seen.rate, seen.remaining) == (
        None,
        None,
        [],
        None,
        None,
    )
    assert seen.warnings == ["No active workers; 20 trials remain: start a worker to continue."]


@pytest.mark.parametrize("where", ["memory", "files"])
def test_a_finished_study_is_summed_up(tmp_path, where):
    """Counts, best, founders and disk are those that the trials and the directory show."""
    made = train(study(None if where == "memory" else tmp_path / "s"), saves=True)
    seen = made.status()
    assert (seen.done, seen.finished, seen.progress, seen.remaining) == (True, 20, [5] * 4, 0.0)
    assert (seen.best, seen.best_ever) == (made.best, made.best_ever)
    assert seen.founders == made.family.survivors()
    assert seen.warnings == []
    if where == "files":
        kept = list((tmp_path / "s" / "checkpoints").iterdir())
        assert seen.bytes["checkpoints"] == sum(p.stat().st_size for p in kept) > 0
        assert seen.bytes["journal"] == (tmp_path / "s" / "journal.jsonl").stat().st_size


def test_what_runs_is_shown_with_who_and_how_long(tmp_path):
    """A trial in hand is shown with its worker's process, host and seconds, to any other process."""
    made = study(tmp_path / "s")
    before = time.time()
    trial = made.ask()
    (held,) = hoptim.load(tmp_path / "s").status().running
    assert (held.number, held.member, held.step, held.attempt) == (trial.number, trial.member, 0, 1)
    assert held.pid == str(os.getpid())
    assert held.host in held.worker
    assert 0 <= held.seconds <= time.time() - before + 0.01
    assert held.silent is not None
    assert not held.lost
    trial.tell(1.0)
    assert made.status().running == []


def test_failures_and_interruptions_are_counted(tmp_path):
    """Failed attempts, trials that failed for good, and claims handed back, each apart."""
    made = study(tmp_path / "s", max_attempts=2)
    for _ in range(2):
        made.ask().fail("x")
    made.ask().tell(math.nan)
    for _ in made:
        break
    seen = made.status()
    assert (seen.attempts, seen.failed, seen.interruptions) == (2, 2, 1)


def test_the_trial_of_a_dead_worker_is_pointed_out(tmp_path):
    """A killed process on this host is known to be dead, and the status says that its trial comes back."""
    hold = tmp_path / "hold"
    hold.mkdir()
    (hold / "1").touch()
    (tmp_path / "acks").mkdir()
    process = builders.run("train.py", tmp_path / "s", tmp_path / "acks", HOLD=str(hold))
    made = study(tmp_path / "s", steps=8)
    builders.wait_until(lambda: made.status().running)
    process.kill()
    process.communicate()
    seen = made.status()
    assert seen.running[0].lost
    assert seen.warnings[0].startswith(f"Trial 0 is held by process {process.pid} on ")
    assert "takes it back" in seen.warnings[0]


def test_a_worker_that_is_silent_beyond_its_lease_is_pointed_out(tmp_path):
    """Somebody elsewhere whose sign of life is old is named with the seconds."""
    made = study(tmp_path / "s", lease=60)
    trial = made.ask()
    (sign,) = (tmp_path / "s" / "workers").iterdir()
    text = json.loads(sign.read_text())
    sign.write_text(json.dumps({**text, "space": "elsewhere"}))
    os.utime(sign, (time.time() - 200,) * 2)
    (warning,) = made.status().warnings
    assert "gave no heartbeat for 200 s" in warning
    trial.tell(1.0)


def test_diversity_is_one_when_fresh_and_zero_when_equal():
    """Values spread as a fresh draw show about 1, equal ones 0, for each kind of dimension."""
    space = {
        "a": hoptim.Float(1e-5, 1.0, log=True),
        "b": hoptim.Choice(["x", "y", "z"]),
        "c": hoptim.Ordinal([1, 2, 3]),
        "d": hoptim.Int(1, 9, init=3),
        "e": hoptim.Choice(["x", "y"], init="y"),
    }
    made = hoptim.Study(None, space=space, size=200, steps=1, mode="min")
    for trial in made:
        trial.tell(0.0)
    found = made.status().diversity
    assert all(0.9 < found[name] < 1.1 for name in "abc")
    assert found["d"] == pytest.approx(0)
    assert found["e"] == 0


def test_the_rate_tells_how_long_it_will_take(tmp_path):
    """Trials a second of late, and what is left at that rate while somebody trains."""
    made = study(tmp_path / "s", size=2, steps=50)
    for count, trial in enumerate(made):
        if count == 10:
            seen = made.status()
            assert seen.rate > 0
            assert seen.remaining == pytest.approx(90 / seen.rate)
            break
        trial.tell(loss(trial))
        time.sleep(0.002)  # record times have milliseconds
    assert made.status().remaining is None


def test_a_status_is_plain_json(tmp_path):
    """All of it goes through JSON, objects behind names by their names."""
    space = {"f": hoptim.Choice({"up": math.ceil, "down": math.floor}), "x": hoptim.Float(0.0, 1.0)}
    made = hoptim.Study(tmp_path / "s", space=space, size=2, steps=2, mode="max")
    made.ask().tell(0.5, save=saving("w"))
    made.ask()
    seen = made.status().to_json(made.space)
    assert json.loads(json.dumps(seen, allow_nan=False)) == {**seen, "founders": {"0": 1}}
    assert seen["best"]["params"]["f"] in ("up", "down")
    assert seen["best"]["checkpoint"] == made.best.checkpoint


def test_looking_writes_nothing(tmp_path):
    """A status leaves the directory as it was and takes no lock."""
    made = study(tmp_path / "s")
    made.ask().tell(1.0)
    with made._session.store.journal._lock.hold(None):
        before = {p: p.stat().st_mtime_ns for p in (tmp_path / "s").rglob("*")}
        assert hoptim.load(tmp_path / "s").status().finished == 1
        assert {p: p.stat().st_mtime_ns for p in (tmp_path / "s").rglob("*")} == before


def test_a_user_optimizer_is_named(tmp_path):
    """A study with an optimizer that is not at hand shows its recorded name."""
    from tests.test_study import Stay

    study(tmp_path / "s", optimizer=Stay())
    assert hoptim.load(tmp_path / "s").status().optimizer == "Stay"


class Newest(dict[Any, Any]):
    """Finished trials, of which only the newest may be looked at."""

    def values(self):
        """All of them, for those who begin at the end."""
        return self

    def __reversed__(self):
        yield from list(super().values())[: -1 - 4 * 4 : -1]
        pytest.fail("an old trial was looked at")

    def __iter__(self):
        pytest.fail("an old trial was looked at")


class Last(list[Any]):
    """A member's trials, of which only the last may be looked at."""

    def __getitem__(self, at):
        assert at in (-1, len(self) - 1)
        return super().__getitem__(at)

    def __iter__(self):
        pytest.fail("an old trial was looked at")


def test_a_status_looks_at_no_old_trial():
    """However many trials have ended, a status takes the last of each member, four each for the rate."""
    made = study(None, steps=30)
    for trial in made:
        trial.tell(loss(trial), save=saving("w"))
    expected = made.status()
    state = made._session.store.state
    state.members = list(map(Last, state.members))
    state.finished = Newest(state.finished)
    found = made.status()
    assert repr(found) == repr(replace(expected, at=found.at))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_sole_founder_is_noticed_when_it_is_the_last(size):
    """The records' fold finds the step that the family's descent has, and no member alone has one."""
    for seed in range(4):
        made = train(study(None, size=size, steps=12, seed=seed, optimizer=hoptim.TruncationSelection()))
        sole = made._session.store.state.founders.sole
        assert made.family.collapsed == (None if sole is None else sole.step)
        assert sole is None or {sole.founder: size} == made.family.survivors(sole.step)
        assert (sole is None) == (size == 1)
