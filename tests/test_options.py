"""The options that were measured are changes of ROMUL, and of nothing else."""

import pytest
from variants import Variant

import hoptim
from hoptim.benchmarks.toys import mixed

CHANGES = (
    {"own": True}, {"rate": 0.0}, {"recombine": "mean"}, {"recombine": "each"}, {"initiator": True},
    {"differential": 0.5}, {"differential": 0.5, "pool": "all"}, {"direction": 0.5},
    {"switch": "shared"}, {"switch": "adaptive"}, {"switch": "sigma"}, {"cells": 0.3},
)  # fmt: skip


def path_of(optimizer: hoptim.Optimizer) -> list[object]:
    """Parents and hyperparameters of a small study."""
    study = hoptim.Study(None, space=mixed.SPACE, optimizer=optimizer, size=8, steps=8, mode="min")
    for trial in study:
        trial.tell(mixed.loss(trial.params))
    return [(trial.parent, trial.params) for trial in study.trials]


def test_without_a_change_it_is_romul():
    """All parents and hyperparameters are ROMUL's, to the last bit."""
    assert path_of(hoptim.ROMUL()) == path_of(Variant())


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_each_change_changes_something(change):
    """No option is measured that does nothing, and none leaves the space."""
    assert path_of(Variant(**change)) != path_of(Variant())
