"""A study as its pictures see it."""

from __future__ import annotations

import hoptim
from hoptim.analysis.trial_table import TrialTable


def read(study: hoptim.Study, trial: hoptim.FinishedTrial | int | None = None) -> TrialTable:
    """Read a study once and return its finished trials, at least one.

    Args:
        study: Study to read, running or finished.
        trial: Trial to highlight, or its number. Default: the best of the members' latest.

    Raises:
        NoResult: No trial has finished yet.
        ArgumentError: `trial` is none of the study's finished trials.
    """
    results = study.results()
    if not results.trials:
        raise hoptim.NoResult(f"{study!r} has no finished trial yet, so there is nothing to draw.")
    return TrialTable.of(results, trial)
