"""Results: one consistent view of a study, whatever others do meanwhile."""

from __future__ import annotations

import pytest

import hoptim
from tests.builders import loss, saving, study, train


def part(made, count):
    """Train a few trials."""
    for _ in range(count):
        trial = made.ask()
        trial.tell(loss(trial), save=saving("w"))
    return made


def seen(results):
    """All that results say."""
    return [
        results.best, results.best_ever, results.trials, results.schedule().to_json(), results.progress,
        results.lineage().line, results.done, results.finished, results.steps, results.failed,
        results.attempts, results.interruptions, results.founders, results.diversity, results.rate,
        [(record.number, record.token, record.worker) for record in results.running],
    ]  # fmt: skip


@pytest.mark.parametrize("read_first", [True, False])
def test_results_do_not_change(tmp_path, read_first):
    """What was told, failed, released or extended later is not in them, read before or only then."""
    made = part(study(tmp_path, size=3, steps=4), 5)
    held = made.ask()
    twin = made.results()
    results = made.results()
    before = seen(results if read_first else twin)
    held.fail("broke")
    made.ask().release()
    part(made, 3)
    study(tmp_path, size=3, steps=6)
    for trial in made:
        trial.tell(-1.0, save=saving("w"))
    assert seen(results) == before
    assert made.results().best.value == -1.0


def test_best_is_of_one_trial(tmp_path):
    """Value and params of one `Results` belong together though a better trial is told in between."""
    made = part(study(tmp_path, size=2, steps=4), 2)
    results = made.results()
    value = results.best.value
    part(made, 2)
    assert [t.value for t in made.trials if t.params == results.best.params and t.number < 2] == [value]


def test_results_are_what_the_study_shows(tmp_path):
    """Each property of a study that nobody trains is that of its results."""
    made = train(study(tmp_path))
    results, status = made.results(), made.status()
    assert (results.best, results.best_ever) == (made.best, made.best_ever)
    assert (list(results.trials), results.steps, results.done) == (made.trials, made.steps, made.done)
    assert results.schedule() == made.schedule()
    assert results.lineage().line == made.lineage().line
    shared = ("size", "steps", "mode", "done", "finished", "progress", "best", "best_ever", "failed",
              "attempts", "interruptions", "founders", "diversity", "rate")  # fmt: skip
    assert [getattr(results, name) for name in shared] == [getattr(status, name) for name in shared]


def test_results_of_nothing_say_so():
    """Before the first finite value there is no best, and the message names the study."""
    results = study(None).results()
    for name in ("best", "best_ever"):
        with pytest.raises(hoptim.NoResult, match=r"hoptim\.Study in memory: 4 members, 5 steps"):
            getattr(results, name)
    assert (results.trials, results.rate, results.collapsed, results.done) == ((), None, None, False)


def test_results_of_a_fork_reach_back(tmp_path):
    """The schedule of a fork begins where the old study's did."""
    train(study(tmp_path / "a"))
    new = train(hoptim.fork(tmp_path / "a", tmp_path / "b", at_step=2, steps=4))
    assert [interval.age for interval in new.results().schedule()] == list(range(6))
