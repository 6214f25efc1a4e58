"""Noisy values: the best by the mean of a lineage's last values, and measured again."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hoptim
from tests.builders import advance, records, saving, study, train


def by_hand(made: hoptim.Study, last: int) -> list[tuple[float, int, tuple[float, ...]]]:
    """Mean, number and values of each member's latest finite trial, from its lineage, the best first."""
    sign = 1 if made.mode == "min" else -1
    found = []
    for trial in made.results().latest:
        if trial.finite:
            values = tuple(each.value for each in made.lineage(trial).line[-last:])
            found.append((math.fsum(v / len(values) for v in values), trial.number, values))
    return sorted(found, key=lambda row: (sign * row[0], row[1]))


@settings(max_examples=20, deadline=None)
@given(
    values=st.lists(st.sampled_from([0.0, 1.0, 1.7e308, math.nan, math.inf]), min_size=20, max_size=20),
    last=st.integers(1, 7), n=st.integers(1, 6), mode=st.sampled_from(["min", "max"]),
)  # fmt: skip
def test_top_is_the_order_of_the_means_along_lineages(values, last, n, mode):
    """Whatever is told, the first n by mean and number, with the last values of each lineage."""
    made = study(mode=mode)
    given_values = iter([0.5] * 4 + values)
    for trial in made:
        trial.tell(next(given_values))
    found = made.top(n, last=last)
    assert [(c.trial.number, c.values) for c in found] == [row[1:] for row in by_hand(made, last)[:n]]
    assert [c.mean for c in found] == pytest.approx([row[0] for row in by_hand(made, last)[:n]])


def test_the_first_of_top_is_the_best():
    """By one value each, `top` begins with `best`."""
    made = train(study())
    assert (made.top()[0].trial, made.top()[0].mean) == (made.best, made.best.value)
    assert len(made.top()) == 4


def test_before_the_first_value_there_is_no_top():
    """It is empty, and so is what is measured again."""
    made = study()
    assert made.top() == hoptim.reevaluate(made, lambda path, params, seed: 0.0) == []


def test_a_view_ranks_what_it_saw(tmp_path):
    """Trials that ended later change nothing in a `Results`."""
    made = study(tmp_path / "s")
    advance(made)
    results = made.results()
    before = results.top(last=3)
    advance(made)
    assert results.top(last=3) == before


@pytest.mark.parametrize("wrong", [{"n": 0}, {"last": 0}, {"n": 1.5}, {"last": "2"}])
def test_a_number_below_one_is_refused(wrong):
    """It is named."""
    with pytest.raises(hoptim.ArgumentError, match=next(iter(wrong))):
        study().top(**wrong)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_best_are_measured_again(tmp_path, mode):
    """Each of the best with the same seeds; mean and standard error are those of the values; no record."""
    made = train(study(tmp_path / "s", mode=mode), saves=True)
    before = records(tmp_path / "s")
    calls = []

    def evaluate(path: str, params: dict, seed: int) -> float:
        number = int(Path(path).read_text())
        calls.append((number, seed, params))
        return number + seed % 2

    rows = hoptim.reevaluate(made, evaluate, top=3, repeats=4)
    best = [c.trial for c in made.top(3)]
    assert calls == [(trial.number, seed, trial.params) for trial in best for seed in range(4)]
    assert [row.trial.number for row in rows] == sorted((t.number for t in best), reverse=mode == "max")
    assert {row.trial.number: row.trial.value for row in rows} == {t.number: t.value for t in best}
    assert rows[0].values == tuple(rows[0].trial.number + x for x in (0, 1, 0, 1))
    assert rows[0].mean == rows[0].trial.number + 0.5
    assert rows[0].error == pytest.approx(math.sqrt(1 / 3) / 2)
    assert records(tmp_path / "s") == before
    assert not any((tmp_path / "s" / "pins").iterdir())


@pytest.mark.parametrize("place", [None, "s"])
def test_checkpoints_stay_while_they_are_measured(tmp_path, place):
    """Others train on meanwhile and drop what nobody needs: not what is being read."""
    made = study(place and tmp_path / place)
    advance(made)

    def evaluate(path: str, params: dict, seed: int) -> float:
        if seed == 0 and made.results().finished == 4:
            for _ in range(3):
                advance(made)
        return float(Path(path).read_text())

    rows = hoptim.reevaluate(made, evaluate, top=4, repeats=2)
    assert sorted(row.mean for row in rows) == [0.0, 1.0, 2.0, 3.0]
    advance(made)
    assert not any(Path(row.trial.checkpoint).exists() for row in rows)


def test_an_error_of_the_function_lets_go_of_the_checkpoints(tmp_path):
    """It passes as it is."""
    made = train(study(tmp_path / "s"), saves=True)
    with pytest.raises(ZeroDivisionError):
        hoptim.reevaluate(made, lambda path, params, seed: 1 / 0)
    assert not any((tmp_path / "s" / "pins").iterdir())


def test_a_value_that_is_not_finite_ranks_last():
    """Its mean is NaN, and the others are as they are."""
    made = study(size=2, steps=1)
    for trial in made:
        trial.tell(trial.number, save=saving(str(trial.number)))
    rows = hoptim.reevaluate(
        made, lambda path, params, seed: math.nan if Path(path).read_text() == "0" else 2.0
    )
    assert [row.trial.number for row in rows] == [1, 0]
    assert (rows[0].mean, math.isnan(rows[1].mean), math.isnan(rows[1].error)) == (2.0, True, True)


def test_a_study_without_checkpoints_is_measured_by_its_hyperparameters(tmp_path):
    """The path is None, on disk and in memory."""
    for made in (train(study(tmp_path / "s")), train(study())):
        rows = hoptim.reevaluate(made, lambda path, params, seed: params["x"] if path is None else math.nan)
        assert [row.mean for row in rows] == pytest.approx(sorted(row.trial.params["x"] for row in rows))


@pytest.mark.parametrize("wrong", [
    {"study": "runs/x"}, {"evaluate": 3}, {"top": 0}, {"repeats": 1}, {"last": 0},
    {"evaluate": lambda path, params, seed: "low"},
])  # fmt: skip
def test_arguments_that_cannot_work_are_named(wrong):
    """At once, before anything is measured; what is no number when it is returned."""
    good = {"study": train(study()), "evaluate": lambda path, params, seed: 0.0}
    with pytest.raises(hoptim.ArgumentError, match=next(iter(wrong))):
        hoptim.reevaluate(**{**good, **wrong})
