"""The real store on a simulated system: thousands of schedules, and mutants that must be caught."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import filelock
import pytest

from hoptim import _signals
from hoptim.store import heartbeat
from tests.builders import ROOT
from tests.simulated import install
from tests.simulated.scheduler import Killed
from tests.simulated_runs import assert_caught, assert_clean, assert_repeatable
from tests.simulation import prepare, simulate

MUTANTS = {  # and how many schedules at most it takes to see each
    "nosync": 100, "nodirsync": 100, "noforeign": 2000, "nolock": 100, "stale": 100, "nobeat": 100,
    "onespace": 100,
}  # fmt: skip


def test_many_schedules_are_clean():
    """Kills, stops, signals, errors, full disks and power cuts at random calls do no harm."""
    assert_clean(160)


def test_a_seed_is_a_schedule():
    """The same seeds make the same calls and the same bytes, whatever ran before and however sets hash."""
    assert_repeatable()


def lock_that_looks_once(lock):
    """A dependency that looks at the system when it is first used in a process, and remembers."""
    seen = []

    def lock_descriptor(*args, **more):
        if not seen:
            seen.append(True)
            with contextlib.suppress(OSError):
                os.stat("/proc/self/ns/pid")
        return lock(*args, **more)

    return lock_descriptor


def first_and_again(seed, lazy):
    """Two traces of a seed in this process: of its first schedule, and of a later one."""
    if lazy:
        filelock.lock_descriptor = lock_that_looks_once(filelock.lock_descriptor)
    prepare()
    first = simulate(seed, trace=True).trace
    for other in range(seed + 1, seed + 4):
        simulate(other, "nosync")
    return first, simulate(seed, trace=True).trace


@pytest.mark.parametrize("lazy", [False, True])
def test_a_schedule_does_not_depend_on_those_before_it(lazy):
    """A process's first schedule is like its later ones, even if a dependency does something once."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        first, again = pool.apply(first_and_again, (20, lazy))
    assert first == again
    assert len(first) > 100


def alone_and_beside_a_thread(seed):
    """Two traces of a seed in this process: the second beside a thread that some other test left."""
    prepare()
    alone, over, errors = simulate(seed, trace=True).trace, threading.Event(), []

    def other():
        try:
            while not over.is_set():
                time.sleep(1e-4)
                os.urandom(4)
                with _signals.signals_deferred():
                    heartbeat.threading.Event()
        except BaseException as error:
            errors.append(repr(error))

    thread = threading.Thread(target=other)
    thread.start()
    try:
        return alone, simulate(seed, trace=True).trace, errors
    finally:
        over.set()
        thread.join()


def test_a_thread_that_another_test_left_changes_nothing():
    """What other threads of the process call is answered by the real system, and is nobody's turn."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        alone, beside, errors = pool.apply(alone_and_beside_a_thread, (20,))
    assert errors == []
    assert beside == alone
    assert len(alone) > 100


def test_the_first_schedule_imports_nothing():
    """What is imported late is loaded before, even for the schedule that each process begins with."""
    script = "from tests.simulation import simulate; print(simulate(0).wrong)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught(mutant):
    """A system that breaks its word is found out, with a seed that shows it again."""
    assert_caught(mutant, "--runs", MUTANTS[mutant], "--seed", 150)  # the rarest is seen at 209


def test_a_kill_in_a_finalizer_is_no_error_of_the_schedule():
    """A process may be killed while an object of its goes; what else a finalizer raises is reported."""
    reported = []
    hook = install._unless_killed(reported.append)
    kill, error = (SimpleNamespace(exc_value=raised) for raised in (Killed(), OSError()))
    hook(kill)
    hook(error)
    assert reported == [error]
