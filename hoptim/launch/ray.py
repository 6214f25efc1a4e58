"""Workers as Ray tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hoptim.errors import MissingExtra

try:
    import ray
except ImportError as error:
    raise MissingExtra.of("The executor needs Ray, which is not installed", "ray") from error


class RayExecutor:
    """Executor for `hoptim.run` whose workers are tasks of the Ray that this process is connected to.

    All of Ray's nodes must see the study's directory, or reach its database and bucket.

    Args:
        **options: Options for each task, as for Ray's `options`: `num_gpus=1`, `num_cpus=4`,
            `resources=...`. `max_retries` is 0 unless given, so that `run` alone counts restarts.
    """

    def __init__(self, **options: Any) -> None:
        self._task = ray.remote(_call).options(**{"max_retries": 0, **options})

    def submit(self, call: Callable[..., Any], *args: Any) -> Any:
        """Start a task that calls `call(*args)`, and return its future."""
        return self._task.remote(call, *args).future()


def _call(call: Callable[..., Any], *args: Any) -> None:
    call(*args)
