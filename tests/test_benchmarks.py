"""The benchmarks repeat published results, and their command line says what it does."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import hoptim
from hoptim.benchmarks.__main__ import main
from hoptim.benchmarks.runner import run_tasks
from hoptim.benchmarks.toys import rosenbrock, rosenbrock_report
from hoptim.benchmarks.toys.rosenbrock import RosenbrockOptions, RosenbrockRow, measure

ROOT = Path(__file__).parent.parent
SMALL = ("--runs", "2", "--steps", "4", "--members", "4", "--workers", "1")

# Of an independent simulation: the mean of log10 of the final loss over 2,000 runs, and the interval
# into which the mean of 20 runs falls 98 times in 100.
EXPECTED = {
    "Initiator (0.8/1.2 mult. steps)": (-1.14, (-1.19, -1.10)),
    "Initiator (big steps)": (-0.62, (-0.62, -0.61)),
    "Initiator (small steps)": (-1.03, (-1.12, -0.99)),
    "ROMUL": (-2.23, (-2.75, -1.85)),
    "Truncation Selection": (-0.99, (-1.09, -0.85)),
}


@pytest.fixture(scope="module")
def rows() -> list[RosenbrockRow]:
    return measure(RosenbrockOptions(workers=2))


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env=environment(), capture_output=True, text=True, check=False
    )


def benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "hoptim.benchmarks", "rosenbrock", *arguments)


# -- what is measured ----------------------------------------------------------------------------


def test_rows_are_those_of_the_paper(rows):
    """Table 3 has five rows in the paper's order, with 20 runs each."""
    assert list(EXPECTED) == [row.name for row in rows]
    assert {20} == {len(row.final_losses) for row in rows}


@pytest.mark.parametrize("name", EXPECTED)
def test_mean_lies_in_its_band(rows, name):
    """The mean of seeds 0 to 19 lies where 98 of 100 sets of 20 runs lie."""
    low, high = EXPECTED[name][1]
    [row] = [row for row in rows if row.name == name]
    assert low <= row.mean <= high


def test_romul_is_told_apart_from_all_others(rows):
    """ROMUL's mean is the lowest, and Welch's p against each other row is below 0.001."""
    by_name = {row.name: row for row in rows}
    romul = by_name.pop("ROMUL")
    assert romul.p_value is None
    for row in by_name.values():
        assert romul.mean < row.mean
        assert row.p_value is not None
        assert row.p_value < 1e-3


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_mean_of_400_runs_is_the_expected_one():
    """With 400 runs each mean is within three standard errors and 0.02 of the expected one."""
    for row in measure(RosenbrockOptions(runs=400, workers=os.cpu_count() or 1)):
        expected = EXPECTED[row.name][0]
        assert abs(row.mean - expected) <= 3 * row.standard_error + 0.02, row.name


def test_figures_are_those_of_the_final_losses(rows):
    """Mean and population standard deviation are of log10 of the final losses, the runs' lowest."""
    for row in rows:
        logs = [math.log10(value) for value in row.final_losses]
        mean = sum(logs) / len(logs)
        assert mean == pytest.approx(row.mean)
        assert math.sqrt(sum((v - mean) ** 2 for v in logs) / len(logs)) == pytest.approx(row.std, abs=1e-9)
        assert [run.best.min() for run in row.runs] == row.final_losses


def test_all_runs_begin_at_the_start(rows):
    """The first step evaluates (0.8, 0.4), whose loss is 5.8, and lineages begin there."""
    for row in rows:
        for run in row.runs:
            assert pytest.approx(5.8) == run.best[0]
            assert pytest.approx([0.8, 0.4]) == run.lineage[0]
            assert len(run.lineage) == 100
            assert pytest.approx(run.best[-1]) == rosenbrock.loss(run.point)


def test_rosenbrock_function():
    """The loss is 0 at (1, ..., 1) and a sum over neighbours elsewhere."""
    assert rosenbrock.loss([1.0] * 5) == 0
    assert rosenbrock.loss([0.0, 1.0]) == 101
    assert rosenbrock.loss([0.0, 1.0, 0.0]) == 201


def test_workers_do_not_change_the_figures():
    """Two processes find what one finds."""
    one, two = (measure(RosenbrockOptions(2, steps=4, members=4, workers=workers)) for workers in (1, 2))
    assert [row.final_losses for row in one] == [row.final_losses for row in two]


def test_seeds_count_on_from_the_first():
    """The second run from seed 3 is the first one from seed 4."""
    third, fourth = (measure(RosenbrockOptions(2, steps=4, members=4, seed=seed))[3] for seed in (3, 4))
    assert third.final_losses[1] == fourth.final_losses[0]


def test_figure3_has_a_row_for_each_contender_and_dimension():
    """Dimensions are sorted and told once; p compares with ROMUL in as many dimensions."""
    rows = measure(RosenbrockOptions(runs=2, steps=6, members=4, dims=[3, 2, 3]))
    assert [row.dims for row in rows] == [2, 2, 2, 3, 3, 3]
    assert [r.name for r in rows] == [
        "ROMUL",
        "Truncation Selection",
        "Initiator (0.8/1.2 mult. steps)",
    ] * 2
    assert [row.p_value is None for row in rows] == [True, False, False] * 2
    assert [row.runs[0].lineage.shape for row in rows] == [(6, 2)] * 3 + [(6, 3)] * 3


@pytest.mark.parametrize("workers", [1, 2])
def test_tasks_keep_their_order_and_report_progress(workers):
    """Results have the keys and the order of the tasks, and progress is reported after each."""
    reported: list[tuple[int, int]] = []
    tasks = {"c": partial(abs, -1), "a": partial(abs, -2), "b": partial(abs, -3)}
    done = run_tasks(tasks, workers, lambda *counts: reported.append(counts))
    assert list(done.items()) == [("c", 1), ("a", 2), ("b", 3)]
    assert reported == [(1, 3), (2, 3), (3, 3)]


def test_the_claim_of_the_paper_is_held_against_what_was_measured():
    """Beside the paper's words stand the dimensions in which others lead, and by how many errors."""
    rows = measure(RosenbrockOptions(runs=4, steps=30, dims=[2, 30]))
    said = rosenbrock_report.figure3(rows).splitlines()
    assert said[-4].startswith("The paper: ROMUL is best in most dimensions")
    assert said[-3:-1] == [
        f"Here: dimensions in which {name} has a lower mean than ROMUL: {leads(rows, name)}"
        for name in ("Truncation Selection", "Initiator (0.8/1.2 mult. steps)")
    ]


def leads(rows: list[RosenbrockRow], name: str) -> str:
    """Where a contender's mean is below ROMUL's, worked out by hand."""
    found = []
    for n in (2, 30):
        own, romul = (next(r for r in rows if (r.dims, r.name) == (n, who)) for who in (name, "ROMUL"))
        error = math.hypot(own.standard_error, romul.standard_error)
        if own.mean < romul.mean:
            found.append(f"{n} ({(romul.mean - own.mean) / error:.1f})")
    return ", ".join(found) or "none"


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_task_is_raised(workers):
    """An error in a task, here or in a worker, is raised by `run_tasks`."""
    with pytest.raises(ValueError, match="math domain"):
        run_tasks({x: partial(math.log, x) for x in (1.0, -1.0, 2.0)}, workers)


def test_workers_never_see_an_interrupt():
    """Workers block SIGINT, which could hang the pool during their imports; their parent receives it."""
    block_nothing_more = partial(signal.pthread_sigmask, signal.SIG_BLOCK)
    tasks = {worker: partial(block_nothing_more, ()) for worker in (1, 2)}
    for blocked in run_tasks(tasks, workers=2).values():
        assert signal.SIGINT in blocked
    assert signal.SIGINT not in block_nothing_more(())


# -- the command line ----------------------------------------------------------------------------


def test_table_is_printed_and_nothing_else():
    """Piped, the table goes to stdout and there is no progress; published figures stand beside."""
    done = benchmark(*SMALL)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "2 runs (seeds 0 to 1), 4 members, 4 steps" in lines[0]
    [romul] = [line.split() for line in lines if line.startswith("ROMUL")]
    assert romul[:3] == ["ROMUL", "-2.101", "0.678"]
    assert len(romul) == 5
    assert len({len(line) for line in lines if line.startswith(("Init", "Trunc"))}) == 1


def test_progress_is_shown_on_a_terminal():
    """A person sees a line that counts the runs, and it is wiped at the end."""
    ours, theirs = os.openpty()
    subprocess.run(
        [sys.executable, "-m", "hoptim.benchmarks", "rosenbrock", *SMALL],
        env=environment(), stdout=subprocess.DEVNULL, stderr=theirs, check=True,
    )  # fmt: skip
    os.close(theirs)
    seen = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert seen.startswith("\r1 of 10 runs\r2 of 10 runs")
    assert seen.split("\r")[-3:] == ["10 of 10 runs", " " * 40, ""]


def test_json_holds_settings_and_rows(tmp_path):
    """The file has the settings with versions, and each row's figures and final losses."""
    file = tmp_path / "table.json"
    assert main(["rosenbrock", *SMALL, "--seed", "7", "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert {"settings", "rows"} == set(found)
    settings = {"runs": 2, "steps": 4, "members": 4, "seed": 7, "hoptim": hoptim.__version__}
    assert settings.items() <= found["settings"].items()
    assert {"numpy", "python"} <= set(found["settings"])
    assert list(EXPECTED) == [row["name"] for row in found["rows"]]
    for row in found["rows"]:
        assert {"name", "published", "mean", "std", "p_value", "final_losses"} <= set(row)
        assert {"mean", "std"} == set(row["published"])
        assert len(row["final_losses"]) == 2
        assert (row["p_value"] is None) == (row["name"] == "ROMUL")


def test_equal_runs_have_no_p_value(tmp_path):
    """With one step all runs end at the start: no spread, no p, and still valid JSON."""
    file = tmp_path / "table.json"
    assert main(["rosenbrock", *SMALL, "--steps", "1", "--json", str(file)]) == 0
    rows = json.loads(file.read_text())["rows"]
    assert [(row["p_value"], row["std"]) for row in rows] == [(None, 0.0)] * 5


def test_dims_prints_a_line_for_each(tmp_path):
    """`--dims` prints mean and standard error by dimension, and writes the same rows."""
    file = tmp_path / "figure.json"
    done = benchmark(*SMALL, "--dims", "2", "5", "--json", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    rows = json.loads(file.read_text())["rows"]
    assert [row["dims"] for row in rows] == [2, 2, 2, 5, 5, 5]
    assert {None} == {row["published"] for row in rows}
    [line] = [line for line in done.stdout.splitlines() if line.startswith("5 ")]
    printed = [f"{row['mean']:.3f} ({row['standard_error']:.3f})" for row in rows[3:]]
    assert printed == [f"{mean} {error}" for mean, error in zip(*[iter(line.split()[1:])] * 2, strict=True)]


def test_store_keeps_real_studies(tmp_path):
    """Every run is a study that can be opened, found again by the next call, and equal to memory."""
    in_memory, stored, again = (tmp_path / f"{name}.json" for name in ("memory", "stored", "again"))
    assert main(["rosenbrock", *SMALL, "--json", str(in_memory)]) == 0
    for file in (stored, again):
        done = benchmark(*SMALL, "--store", str(tmp_path / "runs"), "--json", str(file))
        assert (done.returncode, done.stderr) == (0, "")
    assert in_memory.read_text() == stored.read_text() == again.read_text()
    assert len(list((tmp_path / "runs").glob("*/*/study.json"))) == 10
    [romul] = [row for row in json.loads(stored.read_text())["rows"] if row["name"] == "ROMUL"]
    for seed, final in enumerate(romul["final_losses"]):
        study = hoptim.load(tmp_path / "runs" / "romul" / str(seed))
        assert study.done
        assert study.seed == seed
        assert study.best_ever.value == final


def test_another_study_in_the_store_is_an_error(tmp_path):
    """Fewer steps than stored fail with exit code 1 and one line, no traceback."""
    assert benchmark(*SMALL, "--store", str(tmp_path)).returncode == 0
    done = benchmark(*SMALL, "--steps", "3", "--store", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("python -m hoptim.benchmarks: error: The study in")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--runs", "1"), "runs must be a whole number of at least 2, found 1."),
        (("--steps", "0"), "steps must be a whole number of at least 1, found 0."),
        (("--members", "0"), "members must be a whole number of at least 1, found 0."),
        (("--seed", "-1"), "seed must be a whole number of at least 0, found -1."),
        (("--workers", "0"), "workers must be a whole number of at least 1, found 0."),
        (("--dims", "4", "1"), "dims must be whole numbers of at least 2, found [4, 1]."),
        (("--runs", "many"), "invalid int value: 'many'"),
        (("--dims", "1", "--plot", "a.png"), "dims must be whole numbers of at least 2, found [1]."),
        (("--json", "/"), "'/' cannot be written"),
        (("--json", "nowhere/table.json"), "'nowhere/table.json' cannot be written"),
        (("--plot", "nowhere/picture.png"), "'nowhere/picture.png' cannot be written"),
    ],
)
def test_bad_arguments_exit_with_2(arguments, says, capsys, tmp_path, monkeypatch):
    """What cannot work is said before anything runs."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["rosenbrock", *arguments])
    assert left.value.code == 2
    printed = capsys.readouterr()
    assert says in printed.err
    assert printed.out == ""
    assert list(tmp_path.iterdir()) == []


def test_interrupt_ends_quietly(tmp_path):
    """Ctrl-C amid the work ends all processes, which share the pipes, with 130 and no traceback."""
    running = subprocess.Popen(
        [sys.executable, "-m", "hoptim.benchmarks", "rosenbrock", "--workers", "2", "--store", tmp_path],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    until = time.monotonic() + 60
    while not list(tmp_path.glob("*/*/study.json")) and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (130, b"", b"")


# -- optional and slow packages ------------------------------------------------------------------


def test_help_waits_for_no_slow_package():
    """Asking for help imports neither scipy nor matplotlib nor the process pool."""
    done = python(
        "-c",
        "import sys\n"
        "from hoptim.benchmarks.__main__ import main\n"
        "try: main(['rosenbrock', '--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(not {'scipy', 'matplotlib', 'multiprocessing'}.isdisjoint(sys.modules))",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--dims" in done.stdout


def test_missing_matplotlib_names_the_extra(tmp_path):
    """Without matplotlib `--plot` fails before the work, and drawing says which extra is missing."""
    done = python(
        "-c",
        "import sys; sys.modules['matplotlib'] = None\n"
        "import hoptim\n"
        "from hoptim.benchmarks.__main__ import main\n"
        "from hoptim.benchmarks.pictures import open_picture\n"
        "try: open_picture(None, 1, 1).__enter__()\n"
        "except hoptim.MissingExtra: print('missing')\n"
        f"sys.exit(main(['rosenbrock', '--plot', {str(tmp_path / 'picture.png')!r}]))",
    )
    assert (done.returncode, done.stdout) == (1, "missing\n")
    assert "pip install -e '.[plot]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed"
)


@needs_matplotlib
@pytest.mark.parametrize(
    ("name", "begins"), [("picture.png", b"\x89PNG"), ("picture.svg", b"<?xml"), ("P.PDF", b"%PDF")]
)
def test_plot_writes_a_picture(tmp_path, name, begins):
    """`--plot` writes a picture of the kind that the file's name ends with."""
    done = benchmark(*SMALL, "--plot", str(tmp_path / name))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / name).read_bytes().startswith(begins)


@needs_matplotlib
def test_plot_refuses_unknown_kinds(tmp_path, capsys):
    """A name that ends like no picture is an error before the work."""
    with pytest.raises(SystemExit) as left:
        main(["rosenbrock", "--plot", str(tmp_path / "picture.txt")])
    assert left.value.code == 2
    assert "must end in one of" in capsys.readouterr().err


@needs_matplotlib
def test_plot_leaves_global_state_alone(tmp_path):
    """Drawing needs no pyplot, so a notebook's figures and backend stay as they are."""
    done = python(
        "-c",
        "import sys\n"
        "from hoptim.benchmarks.__main__ import main\n"
        f"main(['rosenbrock', *{SMALL!r}, '--plot', {str(tmp_path / 'picture.png')!r}])\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)",
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_matplotlib
def test_picture_shows_all_rows(rows, tmp_path, monkeypatch):
    """Five maps hold a winner's lineage and start each, the sixth axes a line for each row."""
    from matplotlib.figure import Figure

    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    rosenbrock_report.draw_table3(rows, tmp_path / "picture.png")
    *maps, curves = drawn[0].axes
    assert [row.name for row in rows] == [ax.get_title() for ax in maps]
    for ax in maps:
        lineage, start = ax.get_lines()[:2]
        assert np.shape(lineage.get_xydata()) == (100, 2)
        assert np.array_equal(start.get_xydata(), [rosenbrock.START])
    assert [row.name for row in rows] == [line.get_label() for line in curves.get_lines()]
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in drawn[0].axes)


@needs_matplotlib
def test_figure3_shows_each_contender_by_dimension(tmp_path, monkeypatch):
    """`--dims` with `--plot` draws means with errors for each contender, and the paper's window."""
    from matplotlib.figure import Figure

    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    file = tmp_path / "figure.json"
    asked = ["--dims", "2", "3", "9", "--plot", str(tmp_path / "picture.png"), "--json", str(file)]
    assert main(["rosenbrock", *SMALL, *asked]) == 0
    rows = json.loads(file.read_text())["rows"]
    [ax] = drawn[0].axes
    shown = {box.get_label(): box.lines[0].get_ydata() for box in ax.containers}
    assert list(shown) == [row["name"] for row in rows[:3]]
    for name, means in shown.items():
        assert means.tolist() == [row["mean"] for row in rows if row["name"] == name]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["2", "3", "9"]
    assert ["the paper:" in text.get_text() for text in ax.texts] == [True]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("dimensions", "log10 of the final loss")
