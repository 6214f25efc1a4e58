"""Pictures under settings of matplotlib that a user or a notebook has made: a picture, or one line."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import matplotlib
import pytest

import hoptim
from tests.builders import ROOT, redirected, train
from tests.builders import study as built
from tests.test_plot import draw, noisy, trained

plot = pytest.importorskip("hoptim.plot", exc_type=hoptim.MissingExtra)


@pytest.mark.parametrize("name", ["hyperparameters", "parallel-coordinates"])
def test_latex_is_not_needed(name):
    """With `text.usetex` a name may hold what TeX takes for markup, and LaTeX need not be there."""
    space = {"a_b%^{$": hoptim.Float(0, 1), "c": hoptim.Choice(["d_e", "\\f"])}
    with matplotlib.rc_context({"text.usetex": True}):
        figure = plot.PLOTS[name](trained(lambda t: float(t.seed % 9), space=space, size=3, steps=3))
        draw(figure)
    draw(figure)


def test_characters_without_a_glyph_are_one_message(caplog, tmp_path):
    """A picture whose names the font lacks is drawn, and the log says once what to set."""
    space = {"\u5b66\u7fd2\u7387": hoptim.Float(0, 1)}
    with caplog.at_level(logging.WARNING, "hoptim"):
        draw(plot.hyperparameters(trained(lambda t: t.params["\u5b66\u7fd2\u7387"], space=space, steps=2)))
    assert [record.message for record in caplog.records] == [
        "Some characters of a name are drawn as boxes: matplotlib's font has no glyphs for them. Set "
        "font.family in a matplotlibrc file to one that has."
    ]


def test_other_warnings_stay_warnings():
    """What else matplotlib warns of while it draws is not lost."""
    figure = plot.values(trained(noisy, steps=2))
    figure.axes[0].text(0, 0, "x", font="no such font of this name")
    figure.set_size_inches(0.1, 0.1)
    with pytest.warns(UserWarning, match="constrained_layout not applied"):
        draw(figure)


def test_the_command_needs_no_backend(tmp_path):
    """A notebook hands its backend down to commands; one that is not installed here changes nothing."""
    pytest.importorskip("click", reason="commands need the extra 'cli'")
    study = train(built(tmp_path / "study"))
    words = ["plot", study.path, "values", "-o", tmp_path / "a.png"]
    done = redirected(words, env={**os.environ, "MPLBACKEND": "not_installed"})
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"Wrote {tmp_path / 'a.png'}.\n")


def test_a_benchmark_needs_no_backend(tmp_path):
    """`--plot` draws into a file, whatever backend is named, or names the file that it cannot draw."""
    command = [sys.executable, "-m", "hoptim.benchmarks", "rosenbrock", "--plot", str(tmp_path / "a.odd")]
    environment = {**os.environ, "MPLBACKEND": "not_installed"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "a.odd" in done.stderr
    assert "Traceback" not in done.stderr
