"""Tables and pictures of the studies: what each method delivers, and with which schedules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hoptim.benchmarks import pictures
from hoptim.benchmarks.benchmark import Benchmark, BenchmarkResult
from hoptim.benchmarks.runner import Progress, run_tasks
from hoptim.benchmarks.scores import Interval, mean_interval
from hoptim.benchmarks.studies.methods import METHODS, REFERENCE
from hoptim.benchmarks.studies.study_options import StudyOptions
from hoptim.benchmarks.studies.training import PopulationTraining
from hoptim.benchmarks.tables import aligned, document, mean_and_spread, versions

_PARTS = ("validation", "test")
_NOTE = f"""Means over the runs, in brackets standard deviations; then the mean difference from {REFERENCE} with
the same seed, its 95 % confidence interval (Student's t), and the runs in which it is negative, that is,
better. A run delivers the model with the lowest validation loss among its members' last trials; random
and ASHA deliver their best of all trials. All methods begin with the same hyperparameters, but for
constant, whose members have those set by hand and differ by their seeds. s: seconds of a run."""


@dataclass(frozen=True, eq=False)
class StudyResult:
    """The runs of all methods.

    Attributes:
        training: Training of one member, for its names.
        options: Number of runs, methods and variant.
        runs: Runs of each method, by seed.
    """

    training: PopulationTraining
    options: StudyOptions
    runs: Mapping[str, Sequence[Any]]

    def measured(self, method: str, part: str) -> list[float]:
        """Return the measure of each run's delivered model."""
        return [getattr(run, part) for run in self.runs[method]]

    def differences(self, method: str, part: str) -> list[float] | None:
        """Return a method's measures less those of the reference; None without any."""
        if method == REFERENCE or REFERENCE not in self.runs:
            return None
        pairs = zip(self.measured(method, part), self.measured(REFERENCE, part), strict=True)
        return [one - other for one, other in pairs]

    @property
    def title(self) -> str:
        """Return what was trained and how often as a phrase."""
        lr = "learning rate tuned" if self.options.tune_lr else "learning rate lowered by a cosine"
        return f"{self.training.name}, {lr}: {self.options.summary}, {self.training.steps} intervals"


def study_benchmark(options: type[StudyOptions], name: str, summary: str, description: str) -> Benchmark:
    """Return the command of a study of real training."""
    return Benchmark(
        name=name, summary=summary, description=description, options=options, run=run,
        json="write the table and each run to FILE",
        plot="draw losses and schedules (needs matplotlib)",
    )  # fmt: skip


def run(options: StudyOptions, progress: Progress | None = None) -> BenchmarkResult:
    """Train all methods with all seeds."""
    result = measure(options, progress)
    used = ", ".join(f"{name} {version}" for name, version in _versions().items())
    return BenchmarkResult(
        f"{result.title}\n{used}\n\n{_table(result)}\n\n{_NOTE}",
        document(options, study=result.training.name, methods=[_to_json(result, m) for m in result.runs]),
        partial(draw, result),
    )


def measure(options: StudyOptions, progress: Progress | None = None) -> StudyResult:
    """Train each method with each seed, or what is left of it.

    Args:
        options: Number of runs, methods and folder.
        progress: Function called after each run. Default: None.
    """
    from hoptim.benchmarks.studies.study_run import run_study  # needs torch

    tasks: dict[tuple[str, int], Callable[[], Any]] = {
        (name, seed): partial(
            run_study, options.training, name, options.tune_lr, options.members, seed,
            options.path(name, seed),
        )
        for seed in options.seeds
        for name in options.names
    }  # fmt: skip
    done = run_tasks(tasks, options.workers, progress)
    runs = {name: [done[name, seed] for seed in options.seeds] for name in options.names}
    return StudyResult(options.training(1), options, runs)


def _versions() -> dict[str, str]:
    import torch

    return {**versions(), "torch": str(torch.__version__)}


def _table(result: StudyResult) -> str:
    heading = [f"{part} - {REFERENCE}'s" for part in _PARTS]
    cells = [[result.training.measure, *_PARTS, *(h for each in heading for h in (each, "lower")), "s"]]
    for name, runs in result.runs.items():
        row = [name, *(_mean(result.measured(name, part)) for part in _PARTS)]
        for part in _PARTS:
            differences = result.differences(name, part)
            row += ["", ""] if differences is None else _compared(differences)
        cells.append([*row, f"{np.mean([run.seconds for run in runs]):.0f}"])
    return aligned(cells)


def _mean(values: Sequence[float]) -> str:
    return mean_and_spread(float(np.mean(values)), float(np.std(values)))


def _compared(differences: Sequence[float]) -> list[str]:
    mean, low, high = mean_interval(differences)
    lower = sum(each < 0 for each in differences)
    return [f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]", f"{lower} of {len(differences)}"]


def _to_json(result: StudyResult, method: str) -> dict[str, Any]:
    return {
        "name": method,
        **{part: result.measured(method, part) for part in _PARTS},
        "differences": {
            part: None if (found := result.differences(method, part)) is None else _interval_to_json(found)
            for part in _PARTS
        },
        "losses": [list(run.losses) for run in result.runs[method]],
        "schedules": [[dict(params) for params in run.schedule] for run in result.runs[method]],
        "seconds": [run.seconds for run in result.runs[method]],
    }


def _interval_to_json(differences: Sequence[float]) -> dict[str, float]:
    found: Interval = mean_interval(differences)
    return found._asdict()


# -- pictures ------------------------------------------------------------------------------------------

_WIDTH, _HEIGHT = 4.2, 3.0  # of a panel, in inches
_COLUMNS = 3


def draw(result: StudyResult, path: Path) -> None:
    """Draw losses by interval, and each hyperparameter's schedules by age, into a file."""
    space = result.training.space(result.options.tune_lr)
    lines = -(-(1 + len(space)) // _COLUMNS)
    with pictures.open_picture(path, _WIDTH * _COLUMNS, _HEIGHT * lines + 0.4) as figure:
        panels = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
        for name, runs in result.runs.items():
            _draw_losses(panels[0], name, [run.losses for run in runs])
            for panel, tuned in zip(panels[1:], space, strict=False):
                schedules = [[params[tuned] for params in run.schedule] for run in runs]
                _draw_schedule(panel, name, schedules)
        panels[0].set(xlabel="interval", ylabel="lowest validation loss")
        for panel, (label, dimension) in zip(panels[1:], space.items(), strict=False):
            panel.set(xlabel="age (intervals trained)", ylabel=label)
            if getattr(dimension, "log", False):
                panel.set_yscale("log")
        for panel in panels[1 + len(space) :]:
            panel.axis("off")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper left", ncols=len(names), frameon=False)


def _style(method: str) -> dict[str, Any]:
    style = pictures.STYLES[[*METHODS].index(method) % len(pictures.STYLES)]
    return {name: style[name] for name in ("color", "linestyle")}


def _draw_losses(ax: Any, method: str, losses: Sequence[Sequence[float]]) -> None:
    """Draw the mean over the runs."""
    ax.plot(np.arange(1, len(losses[0]) + 1), np.mean(losses, axis=0), label=method, **_style(method))


def _draw_schedule(ax: Any, method: str, schedules: Sequence[Sequence[float]]) -> None:
    """Draw the median over the delivered models up to the age that all reached; the reference's quartiles."""
    reached = min(map(len, schedules))
    values = [each[:reached] for each in schedules]
    style, age = _style(method), range(reached)
    ax.plot(age, np.median(values, axis=0), label=method, **style)
    if method == REFERENCE:
        pictures.draw_band(ax, age, values, (25, 75), style["color"])
