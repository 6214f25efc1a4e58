"""Dropout early and late: four schedules of the language study, as in the paper's Figure 5."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import hoptim
from hoptim.benchmarks import pictures
from hoptim.benchmarks.benchmark import Benchmark, BenchmarkResult
from hoptim.benchmarks.run_options import RunOptions, number
from hoptim.benchmarks.runner import Progress, run_tasks
from hoptim.benchmarks.scores import Floats, mean_interval
from hoptim.benchmarks.studies.language_options import LanguageOptions
from hoptim.benchmarks.studies.study_options import check_torch
from hoptim.benchmarks.tables import aligned, document, mean_and_spread

_INTERVALS, _RAISED, _TUNED = 40, 20, 34  # in all; before dropout is raised; before fine-tuning
_EARLY = 3  # intervals after which none is still better than high
_LOWERED = 0.1  # factor of the learning rate in fine-tuning
_DECAY = 0.01  # so small that dropout is what regularises

HIGH = "high"  # all others are compared with it
SCHEDULES: Mapping[str, Callable[[int], float]] = {  # strength of dropout by interval
    "none": lambda interval: 0.0,
    HIGH: lambda interval: 1.0,
    "none, then high": lambda interval: float(interval >= _RAISED),
    "high, tuned without": lambda interval: float(interval < _TUNED),
}
_NOTE = f"""Mean perplexities, in brackets standard deviations over the members; then the difference in test
perplexity from {HIGH} with the same seed and its 95 % confidence interval. After interval {_TUNED} the
learning rate is a tenth in all of them."""


@dataclass(frozen=True)
class DropoutOptions(RunOptions):
    """The number and size of the populations.

    Args:
        runs: Populations, one seed each; at least 2. Default: 2.
        members: Members of each population; a multiple of the number of schedules, whose members
            share their seeds. Default: 16.

    Raises:
        ArgumentError: A number below its minimum, or members that cannot be shared out.
        MissingExtra: PyTorch is not installed.
    """

    runs: int = field(default=2, metadata=number("populations, at least 2", minimum=2))
    members: int = field(
        default=16, metadata=number("members of each population, a multiple of 4", minimum=4)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_torch()
        if self.members % len(SCHEDULES):
            raise hoptim.ArgumentError(
                f"members must be a multiple of the {len(SCHEDULES)} schedules, found {self.members}."
            )


def run(options: DropoutOptions, progress: Progress | None = None) -> BenchmarkResult:
    """Train the populations."""
    tasks = {seed: partial(_train, options.members, seed) for seed in options.seeds}
    found = list(run_tasks(tasks, options.workers, progress).values())
    validation = _by_schedule([validation for validation, _ in found])
    test = {name: each[:, 0] for name, each in _by_schedule([test for _, test in found]).items()}
    title = f"Perplexity by schedule of dropout: {options.summary}, {_INTERVALS} intervals"
    schedules = [
        {"name": name, "validation": validation[name].tolist(), "test": test[name].tolist()}
        for name in SCHEDULES
    ]
    return BenchmarkResult(
        f"{title}\n\n{_table(validation, test)}\n\n{_NOTE}",
        document(options, schedules=schedules),
        partial(draw, validation),
    )


DROPOUT = Benchmark(
    name="dropout",
    summary="dropout early and late, raised, and left out at the end (needs PyTorch)",
    description="Trains the small Transformer-XLs of the benchmark language on the same text for "
    f"{_INTERVALS} intervals, with four schedules of dropout, and compares their perplexities: none; high, "
    f"that is, the rates set by hand there; none for {_RAISED} intervals and then high; high for {_TUNED} "
    f"intervals and then none. After interval {_TUNED} all train with a tenth of the learning rate.",
    options=DropoutOptions,
    run=run,
    json="write each member's perplexities to FILE",
    plot="draw perplexities by interval (needs matplotlib)",
)


def _train(members: int, seed: int) -> tuple[Floats, Floats]:
    """Return perplexities of validation `(members, intervals)` and test `(members, 1)`."""
    from hoptim.benchmarks.studies.one_thread import one_thread  # needs torch
    from hoptim.benchmarks.studies.transformer import DROPOUTS

    seeds = members // len(SCHEDULES)
    validation = []
    with one_thread():
        training = LanguageOptions().training(members)
        for member in range(members):
            training.begin(member, seed * seeds + member % seeds)
        for interval in range(_INTERVALS):
            lr = training.hand["lr"] * (_LOWERED if interval >= _TUNED else 1.0)
            params = [
                {
                    "lr": lr,
                    "decay": _DECAY,
                    **{name: training.hand[name] * each(interval) for name in DROPOUTS},
                }
                for each in SCHEDULES.values()
                for _ in range(seeds)
            ]
            draws = int(np.random.default_rng([seed, interval]).integers(2**31))
            training.train(params, [interval] * members, draws)
            validation.append(training.shown(training.losses("validation"), "validation"))
        test = training.shown(training.losses("test"), "test")
    return np.array(validation).T, np.array(test)[:, None]


def _by_schedule(runs: Sequence[Floats]) -> dict[str, Floats]:
    """Return the members of each schedule from all populations `(seeds, ...)`."""
    parts = [np.split(members, len(SCHEDULES)) for members in runs]
    return {
        name: np.concatenate(each) for name, each in zip(SCHEDULES, zip(*parts, strict=True), strict=True)
    }


def _table(validation: Mapping[str, Floats], test: Mapping[str, Floats]) -> str:
    shown = sorted({min(_EARLY, _INTERVALS), _RAISED, _TUNED, _INTERVALS})
    cells = [["dropout", *(f"after {interval}" for interval in shown), "test", f"test - {HIGH}'s"]]
    for name, values in validation.items():
        columns = [*(values[:, interval - 1] for interval in shown), test[name]]
        row = [mean_and_spread(float(np.mean(each)), float(np.std(each))) for each in columns]
        compared = ""
        if name != HIGH:
            mean, low, high = mean_interval((test[name] - test[HIGH]).tolist())
            compared = f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
        cells.append([name, *row, compared])
    return aligned(cells)


def draw(validation: Mapping[str, Floats], path: Path) -> None:
    """Draw mean validation perplexities by interval, with the range of the members, into a file."""
    with pictures.open_picture(path, 6.4, 4.0) as figure:
        ax: Any = figure.subplots()
        intervals = range(1, _INTERVALS + 1)
        for (name, values), style in zip(validation.items(), pictures.STYLES, strict=False):
            line = {"color": style["color"], "linestyle": style["linestyle"]}
            ax.plot(intervals, values.mean(axis=0), label=name, **line)
            pictures.draw_band(ax, intervals, values, (0, 100), line["color"])
        ax.axvline(_TUNED + 0.5, color=pictures.GREY, linewidth=0.8, linestyle=(0, (1, 2)))
        last = float(np.mean(validation[HIGH][:, -1]))  # without dropout, values soon are far above it
        ax.set(xlabel="interval", ylabel="validation perplexity", ylim=(0.8 * last, 1.5 * last))
        ax.legend(frameon=False, loc="upper right")
