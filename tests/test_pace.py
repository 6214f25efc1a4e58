"""Workers of unequal speed: a slow one leaves to the others what they end sooner, and never for long."""

from __future__ import annotations

import math
import time
from contextlib import suppress

import pytest

import hoptim
from hoptim.store.pace import Pace
from tests.builders import loss, recompute, study
from tests.simulated.install import installed
from tests.simulated.judge import FOLDER
from tests.simulated.system import System
from tests.simulated.world import World
from tests.test_state import Log


def seconds(speeds, size=8, steps=10, lead=1, leave_after=math.inf):
    """Virtual seconds that workers take for a study, by the seconds of a trial of each.

    Args:
        leave_after: Trials after which each worker but the last leaves.
    """
    world = World(0)
    world.faults.left, world.nfs = 0, False
    ends, left = [], []

    def work(each):
        def script(process):
            made = hoptim.Study(
                FOLDER, space={"x": hoptim.Float(0.0, 1.0)}, optimizer=hoptim.RandomSearch(), mode="min",
                size=size, steps=steps, lead=lead,
            )  # fmt: skip
            for trials, trial in enumerate(made, 1):
                time.sleep(each)
                trial.tell(trial.params["x"])
                if trials >= leave_after and each != speeds[-1]:
                    left.append(process)
                    break
            made._session.store.leave()
            ends.append(world.now)
            process.exiting = True

        return script

    with installed(System(world)):
        try:
            for each in speeds:
                world.spawn(work(each), 1e-3 * len(world.tasks))
            world.run(lambda cut: None)
        finally:
            world.end()
    assert len(ends) == len(speeds)
    return max(ends)
