"""Importance of hyperparameters: of what matters, of what does nothing, and of what cannot be told."""

from __future__ import annotations

import numpy as np
import pytest

import hoptim
from hoptim.analysis.importance import importance

SPACE = {
    "x": hoptim.Float(0.0, 1.0),
    "kind": hoptim.Choice(["a", "b", "c"]),
    "idle": hoptim.Float(1e-4, 1.0, log=True),
    "drawn": hoptim.Int(1, 9, inherit=True),
}


def told(value, **changes):
    """A finished study in memory with many exploits."""
    arguments = {"space": SPACE, "size": 16, "steps": 30, "mode": "min", "seed": 3}
    optimizer = hoptim.TruncationSelection(0.4, resample=0.5)
    study = hoptim.Study(None, **{**arguments, "optimizer": optimizer, **changes})
    for trial in study:
        trial.tell(value(trial))
    return study


def found(study):
    """The importance by name `(w,)`, and all that is known."""
    known = importance(study.trials, study.space)
    return dict(zip(known.names, known.shares.T, strict=True)), known


def noise(trial):
    """A number between 0 and 1 that no hyperparameter knows."""
    return trial.seed % 997 / 997


def test_what_does_nothing_has_no_importance_and_what_matters_has():
    """An idle hyperparameter's is about 0 in each window; of a valley and of a choice it is not."""
    shares, known = found(
        told(lambda t: (t.params["x"] - 0.5) ** 2 + 0.1 * (t.params["kind"] == "b") + 0.02 * noise(t))
    )
    assert len(known.edges) > 3
    assert np.abs(shares["idle"]).max() < 0.1
    assert abs(shares["idle"].mean()) < 0.02
    assert shares["x"].mean() > 0.2
    assert shares["kind"].mean() > 0.2
    assert known.shares.shape == (len(known.edges) - 1, len(SPACE))


def test_what_never_varies_has_no_number():
    """Siblings share what they inherit, so nothing can be said of it."""
    shares, _ = found(told(lambda t: t.params["x"] + noise(t)))
    assert np.isnan(shares["drawn"]).all()
    assert not np.isnan(shares["x"]).any()


def test_a_lucky_lineage_makes_nothing_important():
    """Where values depend on the founder alone, they say nothing about hyperparameters that go with it."""
    luck = {}

    def value(trial):
        luck[trial.number] = luck[trial.parent] if trial.parent is not None else 100 * noise(trial)
        return luck[trial.number] + noise(trial)

    _, known = found(told(value, optimizer=hoptim.TruncationSelection(0.2)))
    assert np.nanmax(known.shares) < 0.15


def test_windows_are_of_enough_comparisons():
    """They follow one another over all steps, and each has four comparisons for each column."""
    study = told(lambda t: t.params["x"] + noise(t))
    _, known = found(study)
    children = [t.parent for t in study.trials if t.parent is not None]
    assert sum(known.comparisons) == len(children) - len(set(children))
    assert min(known.comparisons) >= 4 * (2 + 2 + 2 + 2)
    assert 1 <= len(known.comparisons) <= 10
    assert known.edges == sorted(set(known.edges))
    assert known.edges[-1] == study.steps


@pytest.mark.parametrize("changes", [{"size": 4, "steps": 5}, {"optimizer": hoptim.RandomSearch()}])
def test_of_too_little_there_is_none(changes):
    """A short study, or one without exploits, has no number at all."""
    study = told(noise, **changes)
    assert importance(study.trials, study.space) is None
    assert importance([], study.space) is None


def test_inactive_hyperparameters_and_failures_are_no_obstacle():
    """Only active ones are compared, and trials that failed are left out."""
    space = {**SPACE, "m": hoptim.Float(0.0, 1.0, when={"kind": ["a", "b"]})}
    shares, _ = found(told(lambda t: np.nan if t.number % 5 == 3 else t.params.get("m", 0.5), space=space))
    assert shares["m"].mean() > 0.5
    assert abs(np.nanmean(shares["x"])) < 0.1


EQUAL, HUGE = (lambda t: noise(t) if t.step < 6 else 0.0, lambda t: (1e308, -1e308, 5e-324)[t.seed % 3])


@pytest.mark.parametrize("value", [EQUAL, HUGE])
def test_equal_and_huge_values_are_no_obstacle(value):
    """Without differences nothing matters; the largest floats raise no warning."""
    _, known = found(told(value))
    assert np.nanmax(np.abs(known.shares)) < 0.3
