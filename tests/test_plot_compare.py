"""Several studies in one picture."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import hoptim
from tests.builders import study, train
from tests.test_plot import HOSTILE, draw, trained

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from hoptim.analysis.names import names
from hoptim.plot import compare as compare_studies
from hoptim.plot import save, style
from hoptim.plot.compare import mean, repetitions

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
    studies = [train(study(tmp_path / name, size=3 + i)) for i, name in enumerate(["_a", "$b_{$", "c"])]
    figure = compare_studies(studies)
    for line, each in zip(figure.axes[0].lines, studies, strict=True):
        values = [t.value for t in each.trials]
        so_far = [min(v for v, t in zip(values, each.trials, strict=True) if t.step <= s) for s in range(5)]
        assert line.get_ydata().tolist() == so_far
    bests = [f"best {each.best_ever.value:.4g}" for each in studies]
    assert labels(draw(figure)) == [f"{b}, {n}" for b, n in zip(bests, ["_a", "$b_{$", "c"], strict=True)]
    assert len({line.get_color() for line in figure.axes[0].lines}) == 3
    save(figure, tmp_path / "a.png")
    assert b"Software\0hoptim" in (tmp_path / "a.png").read_bytes()[:4096]


def test_repetitions_have_a_mean_and_a_spread(tmp_path):
    """Studies that differ by their seed alone share a colour, a thick mean and a band of one deviation."""
    seeds = [train(study(tmp_path / f"s{seed}", seed=seed)) for seed in range(3)]
    other = train(study(tmp_path / "other", optimizer=hoptim.RandomSearch()))
    figure = draw(compare_studies([seeds[0], other, *seeds[1:]]))
    assert repetitions([seeds[0], other, *seeds[1:]]) == [[0, 2, 3], [1]]
    *own, averaged, alone = figure.axes[0].lines
    at = np.array([line.get_ydata() for line in own])
    assert averaged.get_ydata() == pytest.approx(at.mean(axis=0))
    [band] = figure.axes[0].collections
    edges = band.get_paths()[0].vertices[:, 1]
    assert edges.min() == pytest.approx((at.mean(axis=0) - at.std(axis=0, ddof=1)).min())
    assert edges.max() == pytest.approx((at.mean(axis=0) + at.std(axis=0, ddof=1)).max())
    assert {line.get_color() for line in (*own, averaged)} == {style.SERIES[0]}
    assert len({line.get_linestyle() for line in own}) == 3
    assert alone.get_color() == style.SERIES[1]
    assert labels(figure)[3:5] == ["mean of 3 as s0", "standard deviation"]


def test_equal_names_have_as_much_of_the_path_as_tells_them_apart():
    """Two folders of one name are told by those above; a study that is given twice has one name."""
    assert names(["/x/run"]) == ["run"]
    assert names(["/x/run", "/y/run"]) == ["x/run", "y/run"]
    assert names(["/x/run", "/x/run"]) == ["run", "run"]
    assert names([None, None]) == ["study 0", "study 1"]


def test_a_study_without_finite_values_is_named_and_left_out_of_the_mean():
    """Its name says so, and the others are drawn."""
    failing = trained(lambda _: math.nan, steps=2)
    others = [trained(lambda t: 1.0 + t.number, steps=2) for _ in range(2)]
    assert labels(compare_studies([failing, *others])) == [
        "no finite value, study 0", "best 1, study 1", "best 1, study 2", "mean of 2 as study 0",
        "standard deviation",
    ]  # fmt: skip
    assert labels(compare_studies([failing])) == ["no finite value, study 0"]


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


@given(st.lists(curves, min_size=2, max_size=4))
def test_the_mean_is_of_the_steps_that_all_have_reached(found):
    """At each such step it is the mean of the curves there, with their deviation; there are no others."""
    steps, y, deviation = mean(found)
    common = set.intersection(*({*steps.tolist()} for steps, _ in found))
    assert sorted(common) == steps.tolist()
    for step, value, spread in zip(steps, y, deviation, strict=True):
        at = [dict(zip(*curve, strict=True))[step] for curve in found]
        assert value == pytest.approx(statistics.fmean(at), abs=1e-9)
        assert spread == pytest.approx(statistics.stdev(at), abs=1e-6)
