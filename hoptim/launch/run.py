"""`hoptim.run`: hands a training function to an executor until the study is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hoptim.study import Study


def run(
    train: Callable[[Study], object],
    study: Study,
    workers: int,
    executor: Any = None,
    restarts: int = 3,
) -> Study:
    """Train a study with several workers, and start those again that are lost.

    A worker that ends with an error, is killed, or loses its machine is submitted again while the
    study is not done, after 1 s, 2 s, 4 s and so on up to a minute; one that returns has finished. The
    study loses nothing by any of it.

    Args:
        train: `train(study)` has the loop `for trial in study:`. It runs in other processes: define it
            at the top level of a file.
        study: The study; it has a directory, which the workers must see too.
        workers: How many. More than members have nothing to do but replace others.
        executor: Anything with `submit(fn, *args)` that returns a future with `done()` and
            `result()`: of concurrent.futures, a submitit executor (Slurm), a Dask client, or
            `hoptim.launch.ray.RayExecutor`. None starts processes on this machine. A script that does
            so keeps the call under `if __name__ == "__main__":`.
        restarts: How often in a row each worker is submitted again; the count begins anew once it has
            worked for ten minutes and the study has come on.

    Returns:
        The study, when it is done or every worker has returned. An executor's workers may then be
        about to return; this machine's have.

    Raises:
        ArgumentError: A study in memory, or another argument that cannot work.
        WorkersFailed: Workers were given up and the rest returned before the study was done; chained
            to the last error as the executor gave it.
        StudyFailed: Every member's last trial failed for good.

    Ctrl-C or SIGTERM stops this machine's workers, which hand back their trials; those of a given
    executor are its own affair.

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
    from hoptim.launch import crew  # `import hoptim` shall not wait for what launches

    crew.check(train, study, workers, executor, restarts)
    if executor is not None:
        crew.Crew(train, study, executor, workers, restarts).work()
    else:
        crew.work_here(train, study, workers, restarts)
    return study
