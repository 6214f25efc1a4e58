"""Methods that the studies compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import hoptim
from hoptim.benchmarks.studies.training import PopulationTraining


class Method(NamedTuple):
    """A row of the table.

    Attributes:
        optimizer: Function of a study's training and its hand-set hyperparameters.
        ever: Deliver the best trial of all, for methods whose members begin anew; otherwise the best of
            the members' last.
    """

    optimizer: Callable[[PopulationTraining, Mapping[str, Any]], hoptim.Optimizer]
    ever: bool = False


REFERENCE = "ROMUL"  # all others are compared with it
COSINE = "cosine"  # constant but for the learning rate, where that is tuned

METHODS: Mapping[str, Method] = {
    "constant": Method(lambda training, hand: hoptim.Fixed(hand)),
    COSINE: Method(
        lambda training, hand: hoptim.Fixed(
            [{**hand, "lr": training.scheduled_lr(age)} for age in range(training.steps)]
        )
    ),
    "random": Method(lambda training, hand: hoptim.RandomSearch(), ever=True),
    "ASHA": Method(lambda training, hand: hoptim.ASHA(max_resource=training.steps), ever=True),
    "Truncation": Method(lambda training, hand: hoptim.TruncationSelection()),
    "Initiator": Method(lambda training, hand: hoptim.Initiator()),
    REFERENCE: Method(lambda training, hand: hoptim.ROMUL()),
    "MultiFrequency": Method(lambda training, hand: hoptim.MultiFrequency()),
    "Patient": Method(lambda training, hand: hoptim.Patient()),
    "MixedHorizon": Method(lambda training, hand: hoptim.MixedHorizon()),
    "PB2": Method(lambda training, hand: hoptim.PB2()),
}
