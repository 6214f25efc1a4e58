"""Pictures of a study: what their lines say, and that any study can be drawn."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import hoptim
from tests import builders, report_studies

pytest.importorskip("matplotlib", reason="matplotlib is not installed")
plot = pytest.importorskip("hoptim.plot")

from hoptim.analysis.trial_table import TrialTable  # noqa: E402
from hoptim.plot import style  # noqa: E402 - matplotlib may be absent
from hoptim.plot.scale import value_scale  # noqa: E402
from hoptim.plot.tree_layout import TreeLayout  # noqa: E402
from hoptim.report.data import data_of  # noqa: E402

SPACE = {
    "lr": hoptim.Float(1e-5, 1.0, log=True),
    "momentum": hoptim.Float(-1.0, 1.0),
    "batch": hoptim.Int(1, 512, log=True),
    "layers": hoptim.Int(1, 8, inherit=True),
    "act": hoptim.Choice({"relu": np.abs, "tanh": np.tanh}),
    "$m_{$": hoptim.Choice([None, "a_b^{c$", 3, True]),
    "width": hoptim.Ordinal([64, 128, 256]),
    "pool": hoptim.Ordinal({"mean": np.mean, "max": np.max}),
}
FINITE = {
    "falling": lambda t: 1 / (1 + t.age),
    "equal": lambda t: 0.5,
    "negative": lambda t: -float(t.number),
}
HOSTILE = {
    "failing": lambda t: math.nan,
    "some failing": lambda t: math.nan if t.number % 3 else 1.0,
    "infinite": lambda t: (math.inf, -math.inf, 2.0)[t.number % 3],
    "exploding": lambda t: 1e308 if t.number % 5 == 1 else 1.0 + t.number,
    "all huge": lambda t: (1e308, -1e308)[t.number % 2],
    "tiny": lambda t: (5e-324, 1e-3, 1e305)[t.number % 3],
}
VALUES = FINITE | HOSTILE


def trained(value, stop=10**9, **changes):
    """A study in memory, trained until a number of trials has been told."""
    arguments = {"space": SPACE, "size": 6, "steps": 12, "mode": "min", "seed": 1}
    study = hoptim.Study(None, **{**arguments, **changes})
    try:
        for trial in study:
            if trial.number >= stop:
                break
            trial.tell(value(trial))
    except hoptim.StudyFailed:
        pass
    return study


def noisy(trial):
    """A value that makes exploits."""
    return (trial.params["momentum"] - 0.3) ** 2 + (trial.seed % 97) / 1000


def highlighted(ax):
    """The data of the highlighted line."""
    lines = [x for x in ax.lines if x.get_color() == style.HIGHLIGHT and x.get_linestyle() in ("-", "--")]
    assert len(lines) == 1
    return lines[0].get_xdata(), lines[0].get_ydata()


def draw(figure):
    """Lay a figure out and render it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure).draw()  # a bare figure's own canvas draws nothing
    return figure


@pytest.fixture(scope="module")
def study():
    """A finished study with every kind of dimension."""
    return trained(noisy, steps=20)


def test_a_line_has_a_gap_where_a_hyperparameter_is_not_active():
    """Its panel shows the trials in which it was there; one that never was has an empty panel."""
    study = report_studies.conditional()
    axes = {ax.get_title(): ax for ax in draw(plot.hyperparameters(study)).axes}
    line = study.lineage().line
    steps, y = highlighted(axes["momentum"])
    assert steps.tolist() == [trial.step for trial in line]
    assert np.isnan(y).tolist() == [trial.params["optimizer"] == "adam" for trial in line]
    assert 0 < np.isnan(y).sum() < len(y)
    assert np.isnan(highlighted(axes["adam.beta"])[1]).tolist() == (~np.isnan(y)).tolist()
    space = {
        **study.space.dimensions,
        "optimizer": hoptim.Choice(["sgd", "adam"], init="sgd", inherit=True),
    }
    never = trained(lambda trial: trial.seed % 7, space=space, size=3, steps=2)
    assert draw(plot.hyperparameters(never)).axes[2].get_title() == "adam.beta"
    assert draw(plot.overview(never))


KINDS = ["values", "step-sizes", "family-tree", "hyperparameters", "exploits"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_has_a_name_and_a_legend_of_all_marks(tmp_path, kind):
    """Its title is the study's folder, and each kind of line and dot has its word in the legend, once."""
    path, optimizer = tmp_path / "my_$run", hoptim.ROMUL()
    study = hoptim.Study(path, space=SPACE, optimizer=optimizer, size=6, steps=9, mode="min")
    for trial in study:
        trial.tell(math.nan if trial.number == 7 else noisy(trial))
    figure = draw(plot.PLOTS[kind](study))
    assert figure.get_suptitle() == "my_$run"
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    marks = [mark for ax in figure.axes for mark in (*ax.lines, *ax.collections)]
    drawn = {mark.get_label() for mark in marks if mark.axes.get_label() != "<colorbar>"}
    assert sorted(named) == sorted(drawn)
    assert not any(name.startswith("_") for name in named)


def test_a_step_is_at_one_place_in_values_and_tree(study):
    """On the overview what spans the page has the same axis of steps, at the same places."""
    values, sizes, tree, *panels = draw(plot.overview(study)).axes
    places = [(ax.get_position().x0, ax.get_position().x1, ax.get_xlim()) for ax in (values, sizes, tree)]
    assert places[0] == places[1] == places[2]
    assert panels[0].get_position().x0 == pytest.approx(places[0][0])
    assert max(ax.get_position().x1 for ax in panels) == pytest.approx(places[0][1])


def test_a_colour_means_the_same_in_pictures_and_report():
    """The winner's blue and the failures' vermillion do; no family has either, nor what is pinned."""
    folder = Path(hoptim.__file__).parent / "report"
    css, script = (folder / "page.css").read_text(), (folder / "plot.js").read_text()
    assert re.search(r"--winner: (#\w+);", css)[1] == style.HIGHLIGHT.lower()
    assert re.search(r'FAILED = "(#\w+)"', script)[1] == style.FAILED.lower()
    assert set(re.findall(r"--marked: (.+);", css)) == {"var(--text)"}
    assert len({style.HIGHLIGHT, style.FAILED, style.FAINT, *style.SERIES}) == 3 + len(style.SERIES)


@pytest.mark.parametrize("name", SPACE)
@pytest.mark.parametrize("which", [None, 40])
def test_the_winners_line_is_its_lineage(study, name, which):
    """Its data are steps and hyperparameters of the lineage, whatever the kind of the dimension."""
    dim = SPACE[name]
    line = study.lineage(which).line
    steps, y = highlighted(plot.hyperparameters(study, which).axes[list(SPACE).index(name)])
    found = y.tolist()
    if not isinstance(dim, (hoptim.Float, hoptim.Int)):
        names = dim.to_json()["values"]
        found = [dim.named(names[int(place)]) for place in found]
    assert steps.tolist() == [trial.step for trial in line]
    assert found == [trial.params[name] for trial in line]


def test_a_panel_suits_its_dimension(study):
    """Logarithms are drawn as such, lists have their names, whole numbers whole ticks."""
    figure = draw(plot.hyperparameters(study))
    axes = {ax.get_title(): ax for ax in figure.axes}
    assert list(axes) == list(SPACE)
    assert {name for name, ax in axes.items() if ax.get_yscale() == "log"} == {"lr", "batch"}
    labels = {name: [label.get_text() for label in ax.get_yticklabels()] for name, ax in axes.items()}
    assert labels["act"] == ["relu", "tanh"]
    assert labels["$m_{$"] == ["None", "a_b^{c$", "3", "True"]
    assert all(float(label).is_integer() for label in labels["batch"] + labels["layers"] if label)


def test_other_lines_go_from_parent_to_child(study):
    """Each trial with a parent has one faint line, which begins at the parent's values."""
    [ax, *_] = plot.hyperparameters(study).axes
    drawn = np.concatenate([np.array(c.get_segments()) for c in ax.collections]).reshape(-1, 4)
    trials = {trial.number: trial for trial in study.trials}
    pairs = [(trials[t.parent], t) for t in trials.values() if t.parent is not None]
    expected = [(a.step, a.params["lr"], b.step, b.params["lr"]) for a, b in pairs]
    assert sorted(map(tuple, drawn.tolist())) == sorted(expected)


def test_many_lines_are_drawn_by_member(study, monkeypatch):
    """Above a number of lines each member has one with gaps, made of the same segments."""

    def segments():
        ax = plot.hyperparameters(study).axes[0]
        lines = [path.vertices for c in ax.collections for path in c.get_paths()]
        pairs = [np.stack([line[:-1], line[1:]], axis=1) for line in lines]
        finite = [pair for found in pairs for pair in found.tolist() if np.isfinite(pair).all()]
        return len(lines), sorted(finite)

    count, few = segments()
    monkeypatch.setattr(style, "_MANY", 3)
    by_member, many = segments()
    assert many == few
    assert by_member <= 2 * study.size < count


def test_values_show_the_best_so_far(study):
    """The dashed line is the best of all values up to each step; the winner's ends at its value."""
    [ax] = plot.values(study).axes
    best = next(line for line in ax.lines if line.get_label() == "best so far")
    values = np.array([[t.value for t in study.trials if t.step == step] for step in range(20)])
    assert best.get_ydata().tolist() == np.minimum.accumulate(values.min(1)).tolist()
    assert highlighted(ax)[1].tolist() == [t.value for t in study.lineage().line]


def test_higher_is_better_where_mode_says_so():
    """In a study that maximizes the best so far rises, and failures are marked below."""
    study = trained(lambda t: math.nan if t.number == 7 else -noisy(t), mode="max")
    [ax] = plot.values(study).axes
    best = next(line for line in ax.lines if line.get_label() == "best so far")
    assert np.all(np.diff(best.get_ydata()) >= 0)
    assert best.get_ydata()[-1] == study.best_ever.value
    failed = next(line for line in ax.lines if line.get_label() == "1 failed")
    assert failed.get_ydata().tolist() == [0.0]


def test_values_that_explode_do_not_hide_the_others():
    """The axis keeps near the medians, and says how many values it leaves out."""
    study = trained(lambda t: 1e30 if t.number % 6 == 1 else 2 - t.step / 100)
    [ax] = draw(plot.values(study)).axes
    assert ax.get_ylim()[1] < 10
    assert ax.get_title(loc="right") == "12 of 72 values lie above"


@pytest.mark.parametrize(
    ("value", "scale"),
    [
        (lambda t: 10.0**-t.step, "log"),
        (lambda t: 1.0 / (1 + t.step), "log"),
        (lambda t: 1.0 / (1 + t.step / 2), "linear"),
        (lambda t: 1.0 - 0.98 * 0.5**t.step, "linear"),
        (lambda t: 10.0**-t.step - 1, "linear"),
    ],
)
def test_values_that_fall_over_decades_have_a_logarithmic_axis(value, scale):
    """Positive values do of which most lie at the lower end, in the report too; others do not."""
    study = trained(value)
    assert plot.values(study).axes[0].get_yscale() == scale
    assert data_of(study)["log"] == (scale == "log")


def test_step_sizes_are_the_memos(study):
    """The winner's line is its lineage's sigma, the dashed one each step's median."""
    [ax] = plot.step_sizes(study).axes
    assert highlighted(ax)[1].tolist() == [t.memo["sigma"] for t in study.lineage().line]
    median = next(line for line in ax.lines if line.get_label() == "median of the step")
    last = [t.memo["sigma"] for t in study.trials if t.step == 19]
    assert median.get_ydata()[-1] == pytest.approx(np.median(last))


def test_without_step_sizes_the_message_names_the_optimizer():
    """An optimizer without step sizes is told by name, and the overview leaves their panel out."""
    study = trained(noisy, optimizer=hoptim.TruncationSelection())
    with pytest.raises(hoptim.ArgumentError, match="TruncationSelection notes no 'sigma'"):
        plot.step_sizes(study)
    labels = {ax.get_ylabel() for ax in plot.overview(study).axes}
    assert "value" in labels
    assert "step size" not in labels


@pytest.mark.parametrize("optimizer", [hoptim.ROMUL(), hoptim.TruncationSelection()])
def test_lines_of_the_tree_do_not_cross(optimizer):
    """From one step to the next, children are in the order of their parents; the winner is on top."""
    study = trained(noisy, size=16, steps=30, optimizer=optimizer, synchronous=True)
    layout = TreeLayout(TrialTable.of(study.results()))
    table, y = layout.table, layout.position
    for step in range(1, 30):
        rows = np.flatnonzero((table.step == step) & (table.parent >= 0))
        parents = table.parent[rows]
        assert (table.step[parents] == step - 1).all()
        assert (np.diff(y[parents][np.argsort(y[rows])]) >= 0).all()
    assert (y[table.line] == 0).all()


def test_a_place_of_the_tree_is_taken_once():
    """The trials of a step have the places from 0 on, each its own, also in an unfinished study."""
    layout = TreeLayout(TrialTable.of(trained(noisy, size=8, steps=30, stop=133).results()))
    for step in np.unique(layout.table.step):
        places = np.sort(layout.position[layout.table.step == step])
        assert places.tolist() == list(range(len(places)))


def test_the_tree_says_how_many_descend_from_each_founder(study):
    """Its labels are the survivors that the library counts; its title, how many founders are left."""
    [ax] = plot.family_tree(study).axes
    left = study.family.survivors()
    trials = {trial.number: trial for trial in study.trials}
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == [f"member {trials[n].member}: {count}" for n, count in left.items()]
    assert ax.get_title() == f"Founders with living descendants: {len(left)} of 6"


def test_the_tree_counts_the_exploits_of_the_line(study):
    """The legend says how often the winner's weights moved to another member."""
    [ax] = plot.family_tree(study).axes
    count = len(study.lineage().exploits)
    assert count > 1
    dots = next(line for line in ax.lines if line.get_label() == f"{count} exploits on its line")
    assert dots.get_xdata().tolist() == [exploit.trial.step for exploit in study.lineage().exploits]


def test_a_large_tree_leaves_brief_branches_out():
    """Of many branches those that lasted longest are drawn, and it says so; the line is all there."""
    study = trained(noisy, space=builders.space() | {"momentum": SPACE["momentum"]}, size=24, steps=60)
    [ax] = draw(plot.family_tree(study)).axes
    layout = TreeLayout(TrialTable.of(study.results()))
    assert layout.min_length > 1
    assert 0 < int(layout.shown.sum()) < len(study.trials)
    assert ax.get_xlabel() == f"step (branches under {layout.min_length} steps left out)"
    assert len(highlighted(ax)[0]) == len(study.lineage().line)
    drawn = sum(len(c.get_segments()) for c in ax.collections)
    assert drawn == int((layout.shown & (layout.table.parent >= 0)).sum())


def test_any_trial_may_be_highlighted_in_the_tree():
    """The line of a trial whose branch died out at once is drawn too, and on top."""
    study = trained(noisy, space=builders.space() | {"momentum": SPACE["momentum"]}, size=24, steps=60)
    layout = TreeLayout(TrialTable.of(study.results()))
    brief = study.trials[int(np.flatnonzero((layout.alive == 0) & ~layout.shown)[-1])]
    steps, y = highlighted(draw(plot.family_tree(study, brief)).axes[0])
    assert steps.tolist() == [trial.step for trial in study.lineage(brief).line]
    assert not y.any()


@dataclass(frozen=True)
class Resting(hoptim.ROMUL):
    """An optimizer of one's own whose first members take no steps."""

    def propose(self, view, member, rng):
        proposal = super().propose(view, member, rng)
        return dataclasses.replace(proposal, memo={"sigma": 0.0 if member < 2 else 0.2})


def test_step_sizes_of_zero_are_left_out():
    """A logarithmic axis has no place for zero; the others are drawn."""
    [ax] = draw(plot.step_sizes(trained(lambda t: -t.member, steps=1, optimizer=Resting()))).axes
    dots = next(line for line in ax.lines if line.get_label() == style.ALONE)
    assert len(dots.get_ydata()) == 4
    assert ax.get_ylim()[0] > 0


SHAPES = {
    "one trial": {"size": 1, "steps": 1},
    "one member": {"size": 1, "steps": 9},
    "one step": {"size": 6, "steps": 1},
    "just begun": {"size": 6, "steps": 12, "stop": 1},
    "half done": {"size": 6, "steps": 12, "stop": 31},
    "maximized": {"size": 3, "steps": 6, "mode": "max"},
}
PAIRS = [("one member", value) for value in VALUES] + [
    (shape, value) for shape in SHAPES if shape != "one member" for value in ("some failing", "exploding")
]


@pytest.mark.parametrize(("shape", "value"), PAIRS)
def test_any_study_can_be_drawn(shape, value):
    """Few trials, failures, infinities, equal and huge values: a picture, without a warning."""
    space = {name: SPACE[name] for name in ("lr", "layers", "act")}
    kind = "overview" if value == "some failing" else "values"  # nothing else depends on how large they are
    draw(plot.PLOTS[kind](trained(VALUES[value], space=space, **SHAPES[shape])))


@pytest.mark.parametrize(("count", "inches"), [(1, (4, 3)), (5, (24, 18)), (12, (4, 3))])
def test_any_number_of_panels_at_any_size(count, inches):
    """From one to twelve hyperparameters, on a postage stamp and on a poster."""
    space = {f"a rather long name of number {i}": hoptim.Float(0, 1) for i in range(count)}
    figure = plot.hyperparameters(trained(lambda t: t.number / 7, space=space, size=3, steps=4))
    figure.set_size_inches(*inches)
    assert len(draw(figure).axes) == count


def test_long_lists_show_some_names():
    """Of many listed values a few are labelled, and long names are cut."""
    space = {"c": hoptim.Choice([f"{i} is a choice with a long name" for i in range(40)])}
    [ax] = plot.hyperparameters(trained(lambda t: 1.0, space=space)).axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert len(labels) == 10
    assert labels[0] == "0 is a choice w…"


def test_nothing_to_draw_is_said(tmp_path):
    """A study without a finished trial has no picture yet."""
    study = builders.study(tmp_path / "study")
    for draws in plot.PLOTS.values():
        with pytest.raises(hoptim.NoResult, match="has no finished trial yet, so there is nothing to draw"):
            draws(study)


@pytest.mark.parametrize("name", sorted(plot.PLOTS.keys() - {"importance"}))
def test_a_trial_that_is_none_is_refused(study, name):
    """A number that no finished trial has is an argument that cannot work."""
    with pytest.raises(hoptim.ArgumentError, match="trial must be a finished trial"):
        plot.PLOTS[name](study, 9999)


def test_a_running_study_is_read_once_and_left_alone(tmp_path, monkeypatch):
    """With trials open and others ended a picture comes from one reading, and writes nothing."""
    study = builders.study(tmp_path / "study", size=4)
    for _ in range(7):
        study.ask().tell(1.0)
    held = [study.ask(), study.ask()]
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name == "journal.jsonl"}
    reads = []
    whole = hoptim.Study.results
    monkeypatch.setattr(hoptim.Study, "results", lambda self: reads.append(1) or whole(self))
    for draws in plot.PLOTS.values():
        reads.clear()
        with suppress(hoptim.NoResult):  # there are no exploits yet
            draws(hoptim.load(tmp_path / "study"))
        assert reads == [1]
    assert files == {path: path.stat().st_mtime_ns for path in files}
    held[0].tell(2.0)


def test_objects_of_a_choice_need_not_be_at_hand(tmp_path):
    """A study opened by path alone has names in place of objects, and is drawn the same."""
    study = hoptim.Study(tmp_path / "study", space=SPACE, size=3, steps=4, mode="min")
    for trial in study:
        trial.tell(noisy(trial))
    place = list(SPACE).index("act")
    lines = [highlighted(plot.hyperparameters(s).axes[place])[1] for s in (study, hoptim.load(study.path))]
    assert lines[0].tolist() == lines[1].tolist()


def test_save_writes_what_the_name_says(study, tmp_path):
    """The ending decides the format; an unknown one is refused with the known ones."""
    figure = plot.values(study)
    for name, begins in (("a.png", b"\x89PNG"), ("a.PDF", b"%PDF"), ("a.svg", b"<?xml")):
        plot.save(figure, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(begins)
    with pytest.raises(hoptim.ArgumentError, match=r"must end in one of \[.*'png'.*\], found"):
        plot.save(figure, tmp_path / "a.txt")


def test_the_axis_of_values_shows_the_winner():
    """Whatever has exploded, the best of the members' latest lies inside."""
    for value in FINITE.values():
        table = TrialTable.of(trained(value).results())
        assert value_scale(table).outside(table.value[table.line[-1:]]) == 0


def test_colours_differ_in_grey():
    """The highlighted line is clearly darker than the others in a grey print."""
    from matplotlib.colors import to_rgb

    grey = {
        name: np.dot(to_rgb(getattr(style, name)), (0.299, 0.587, 0.114)) for name in ("HIGHLIGHT", "FAINT")
    }
    assert grey["FAINT"] - grey["HIGHLIGHT"] > 0.15


def run(code):
    """What a fresh interpreter prints, as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_a_missing_matplotlib_names_the_extra():
    """Without it `import hoptim` works, and `import hoptim.plot` says what to install."""
    said = run(
        "import sys, json; sys.modules['matplotlib'] = None\n"
        "import hoptim\n"
        "try: import hoptim.plot\n"
        "except hoptim.MissingExtra as error: print(json.dumps(str(error)))"
    )
    assert said == (
        "Pictures need matplotlib, which is not installed. In a clone of hoptim: pip install -e '.[plot]'"
    )


def test_pyplot_stays_out():
    """Drawing needs no pyplot, so a notebook's figures and settings stay as they are."""
    loaded = run(
        "import io, sys, json, hoptim, hoptim.plot, matplotlib\n"
        "look = lambda: {k: repr(matplotlib.rcParams[k]) for k in matplotlib.rcParams if k != 'backend'}\n"
        "before = look()\n"
        "study = hoptim.Study(None, space={'x': hoptim.Float(0, 1)}, size=2, steps=2, mode='min')\n"
        "for trial in study: trial.tell(1.0)\n"
        "hoptim.plot.overview(study).savefig(io.BytesIO(), format='png')\n"
        "print(json.dumps(['matplotlib.pyplot' in sys.modules, before == look()]))"
    )
    assert loaded == [False, True]
