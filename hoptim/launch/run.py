"""`hoptim.run`: a training function for several workers, until the study is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hoptim._arguments import whole_of
from hoptim._text import shown
from hoptim.errors import ArgumentError
from hoptim.study import Study


def run(
    train: Callable[[Study], object],
    study: Study,
    workers: int,
    executor: Any = None,
    restarts: int = 3,
) -> Study:
    """Train a study with several workers, and restart those that are lost.

    A worker that ends with an error, is killed, or loses its machine is submitted again while the
    study is not done, after 1 s, 2 s, 4 s and so on up to a minute; one that returns has finished. None
    of this costs the study anything.

    Args:
        train: Function with the loop `for trial in study:`, called as `train(study)`. It runs in other
            processes: define it at the top level of a file, not in a notebook.
        study: Study to train, in a directory that the workers must see too.
        workers: Number of workers. More than members have nothing to do but replace others.
        executor: Object with `submit(fn, *args)` that returns a future with `done()` and `result()`: of
            concurrent.futures, a submitit executor (Slurm), a Dask client, or
            `hoptim.launch.ray.RayExecutor`. Default: None, which starts processes on this machine; a
            script that does so keeps the call under `if __name__ == "__main__":`.
        restarts: Restarts in a row after which a worker is given up; the count begins anew once it has
            run for ten minutes while the study made progress, and when the study records its end: as a
            failed attempt, or on this machine as a death in a trial. Default: 3.

    Returns:
        The study, when it is done or every worker has returned, as when it has stopped. Workers of an
        executor may then be about to return; those of this machine have returned.

    Raises:
        ArgumentError: The study is in memory, or another argument cannot work.
        WorkersFailed: Workers were given up and the rest returned before the study was done; chained
            to the last error as the executor gave it.
        StudyFailed: Every member's last trial failed for good.

    Ctrl-C, SIGTERM or SIGHUP stops this machine's workers, which hand back their trials; workers of a
    given executor are left to it.

    >>> import tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import hoptim
    >>> def train(study):
    ...     for trial in study:
    ...         trial.tell((trial.params["x"] - 0.3) ** 2)
    >>> with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as threads:
    ...     space = {"x": hoptim.Float(0.0, 1.0)}
    ...     study = hoptim.Study(folder, space=space, size=4, steps=10, mode="min")
    ...     hoptim.run(train, study, workers=2, executor=threads).done
    True
    """
    _check(train, study, workers, executor, restarts)
    from hoptim.launch.executors import train_with  # `import hoptim` shall not wait for what launches

    train_with(executor, train, study, workers, restarts)
    return study


def _check(train: Any, study: Any, workers: Any, executor: Any, restarts: Any) -> None:
    """Raise `ArgumentError` if an argument of `run` cannot work."""
    if not callable(train):
        raise ArgumentError(f"train must be a function of a study, found {shown(train)}.")
    if not isinstance(study, Study):
        raise ArgumentError(f"study must be a hoptim.Study, found {shown(study)}.")
    if study.path is None:
        raise ArgumentError(
            "A study in memory cannot be shared by workers; give it a directory that they all see."
        )
    whole_of("workers", workers, 1)
    whole_of("restarts", restarts, 0)
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ArgumentError(f"executor must have a method submit(fn, *args), found {shown(executor)}.")
