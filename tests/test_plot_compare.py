"""Several studies in one picture."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import hoptim
from tests.builders import study, train
from tests.test_plot import HOSTILE, draw, trained

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from hoptim.plot import compare as compare_studies
from hoptim.plot import save
from hoptim.plot.compare import mean, names

curves = st.integers(0, 4).flatmap(
    lambda first: st.integers(1, 6).flatmap(
        lambda count: arrays(float, count, elements=st.floats(-9, 9)).map(
            lambda y: (np.arange(first, first + count), y)
        )
    )
)


def labels(figure):
    """Texts of the legend."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_each_study_has_its_curve_and_its_name(tmp_path):
    """A line is the best so far of one study, the legend names it by its folder and says its best."""
    studies = [train(study(tmp_path / name, seed=seed)) for seed, name in enumerate(["_a", "$b_{$", "c"])]
    figure = compare_studies(studies)
    *lines, averaged = figure.axes[0].lines
    for line, each in zip(lines, studies, strict=True):
        values = [t.value for t in each.trials]
        so_far = [min(v for v, t in zip(values, each.trials, strict=True) if t.step <= s) for s in range(5)]
        assert line.get_ydata().tolist() == so_far
    assert averaged.get_ydata() == pytest.approx(np.mean([line.get_ydata() for line in lines], axis=0))
    bests = [f"best {each.best_ever.value:.4g}" for each in studies]
    wanted = [f"{best}, {name}" for best, name in zip(bests, ["_a", "$b_{$", "c"], strict=True)]
    assert labels(draw(figure)) == [*wanted, "mean of 3"]
    save(figure, tmp_path / "a.png")
    assert b"Software\0hoptim" in (tmp_path / "a.png").read_bytes()[:4096]


def test_equal_names_have_as_much_of_the_path_as_tells_them_apart(tmp_path):
    """Two folders of one name are told by those above; a study that is given twice has one name."""
    first, other = study(tmp_path / "x" / "run"), study(tmp_path / "y" / "run")
    assert names([first]) == ["run"]
    assert names([first, other]) == ["x/run", "y/run"]
    assert names([first, first]) == ["run", "run"]
    assert names([study(), study()]) == ["study 0", "study 1"]


def test_a_study_without_finite_values_is_named_and_left_out_of_the_mean():
    """Its name says so, and the others are drawn."""
    figure = compare_studies([trained(lambda _: math.nan, steps=2), trained(lambda t: 1.0 + t.number)])
    assert labels(figure) == ["no finite value, study 0", "best 1, study 1"]


@pytest.mark.parametrize("value", HOSTILE)
def test_any_values_can_be_compared(value):
    """Failures and the largest floats draw without a warning."""
    draw(compare_studies([trained(HOSTILE[value]), trained(lambda t: 1.0 / (1 + t.number), mode="min")]))


def test_what_cannot_be_compared_is_refused():
    """No study, two modes, or a study before its first trial."""
    with pytest.raises(hoptim.ArgumentError, match="at least one study"):
        compare_studies([])
    with pytest.raises(hoptim.ArgumentError, match=r"modes \['max', 'min'\]"):
        compare_studies([study(), study(mode="max")])
    with pytest.raises(hoptim.NoResult):
        compare_studies([train(study()), study()])


@given(st.lists(curves, min_size=1, max_size=4))
def test_the_mean_is_of_the_steps_that_all_have_reached(found):
    """At each such step it is the mean of the curves there, and there are no others."""
    steps, y = mean(found)
    common = set.intersection(*({*steps.tolist()} for steps, _ in found))
    assert sorted(common) == steps.tolist()
    for step, value in zip(steps, y, strict=True):
        assert value == pytest.approx(np.mean([dict(zip(*curve, strict=True))[step] for curve in found]))
