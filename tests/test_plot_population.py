"""Pictures of the population and its exploits: parallel coordinates, importance, and who copied whom."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

import hoptim
from tests import report_studies
from tests.test_plot import HOSTILE, SPACE, draw, highlighted, noisy, trained

plot = pytest.importorskip("hoptim.plot", exc_type=hoptim.MissingExtra)

from hoptim.analysis.importance import importance  # noqa: E402 - matplotlib may be absent
from hoptim.plot import style  # noqa: E402


@pytest.fixture(scope="module")
def study():
    """A finished study with every kind of dimension."""
    return trained(noisy, steps=20)


def test_a_line_leads_through_the_coordinates_to_the_value(study):
    """Each member's latest trial is a line; its heights are its coordinates, and rise with its value."""
    [ax] = draw(plot.parallel_coordinates(study)).axes
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert names == [*SPACE, "value (log)"]
    _, y = highlighted(ax)
    at = dict(zip(names, y, strict=True))
    best = study.best.params
    assert at["momentum"] == pytest.approx((best["momentum"] + 1) / 2)
    assert at["lr"] == pytest.approx(math.log10(best["lr"]) / 5 + 1)
    assert at["$m_{$"] == [None, "a_b^{c$", 3, True].index(best["$m_{$"]) / 3
    lines = [line for line in ax.lines if len(line.get_xdata()) == len(names)]
    ends = [line.get_ydata()[-1] for line in lines if line.get_color() != style.HIGHLIGHT]
    assert len(ends) == study.size
    assert ends == sorted(ends, reverse=True)  # the best is drawn last, and darkest
    greys = [line.get_color()[0] for line in lines if line.get_color() != style.HIGHLIGHT]
    assert greys == sorted(greys, reverse=True)


def test_what_was_not_active_is_a_gap_and_a_failure_is_marked():
    """A line is dotted past what was not active; a failed trial's does not reach the value."""
    conditional = report_studies.conditional()
    [ax] = draw(plot.parallel_coordinates(conditional)).axes
    sgd = conditional.best.params["optimizer"] == "sgd"
    gaps = np.isnan(highlighted(ax)[1]).tolist()
    assert gaps == [False, not sgd, sgd, sgd, False]
    dotted = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert len(dotted) == conditional.size + 1  # each, and the winner once more
    assert dotted[-1].get_xdata().tolist() == [i for i, gap in enumerate(gaps) if not gap]
    failing = trained(lambda t: math.nan if t.member == 2 else noisy(t), steps=1)
    [ax] = draw(plot.parallel_coordinates(failing)).axes
    failed = [line for line in ax.lines if line.get_color() == style.FAILED]
    assert [np.isnan(line.get_ydata()).tolist() for line in failed] == [[False] * len(SPACE) + [True]]
    assert "a latest trial that failed" in {text.get_text() for text in ax.figure.legends[0].get_texts()}


def test_the_matrix_counts_who_copied_whom(study):
    """A cell has the exploits of a row's member that copied a column's; the winner's have rings."""
    ax = draw(plot.exploits(study)).axes[0]
    counts = Counter((exploit.trial.member, exploit.donor.member) for exploit in study.family.exploits)
    shown = ax.images[0].get_array().filled(0)
    assert {cell: shown[cell] for cell in counts} == counts
    assert shown.sum() == len(study.family.exploits) == sum(int(text.get_text() or 0) for text in ax.texts)
    [rings] = ax.lines
    own = [(exploit.donor.member, exploit.trial.member) for exploit in study.lineage().exploits]
    assert list(zip(rings.get_xdata(), rings.get_ydata(), strict=True)) == own


def test_importance_is_drawn_as_it_is_counted():
    """A cell has the number, none below 0, or a dash where nothing varied; a column has its steps."""
    study = trained(noisy, size=12, steps=40, optimizer=hoptim.TruncationSelection(0.4, resample=0.2))
    known = importance(study.trials, study.space)
    ax = draw(plot.importance(study)).axes[0]
    texts = ["\N{EN DASH}" if np.isnan(s) else f"{max(s, 0.0):.2f}" for s in known.shares.T.flat]
    assert [text.get_text() for text in ax.texts] == texts
    assert [float(label.get_text()) for label in ax.get_xticklabels()] == known.edges[:-1]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(SPACE)


def test_too_few_exploits_for_importance_are_said():
    """Where nothing can be compared, a message says what is missing."""
    with pytest.raises(hoptim.NoResult, match="has too few exploits to tell the importance"):
        plot.importance(trained(noisy, steps=2))


@pytest.mark.parametrize("value", ["infinite", "all huge", "tiny"])
def test_any_population_can_be_drawn(value):
    """Failures, infinities, and huge values draw without a warning."""
    study = trained(HOSTILE[value], space={name: SPACE[name] for name in ("lr", "layers", "act")}, steps=6)
    draw(plot.parallel_coordinates(study))
    draw(plot.exploits(study))
