"""Processes that train together, and the exchange of JSON between them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist

from hoptim import errors
from hoptim.errors import ArgumentError, HoptimError, TrialError


class Group:
    """Process group in which rank 0 leads.

    Messages are JSON in tensors of bytes: torch's own exchange of objects unpickles what it receives,
    and hoptim unpickles nothing.

    Args:
        group: Process group of torch. Default: None, the group of all ranks.

    Raises:
        ArgumentError: This process is not in the group.

    Attributes:
        rank: Rank of this process in the group.
        size: Number of processes.
    """

    def __init__(self, group: Any = None) -> None:
        self._group = group
        self.rank: int = dist.get_rank(group)
        self.size: int = dist.get_world_size(group)
        if self.rank < 0:
            raise ArgumentError(
                "This process is not in group=...; pass each process the group that it trains in."
            )
        self._device = _device(group)

    def gather(self, message: Any) -> list[Any]:
        """Return the messages of all ranks, by rank; wait until each rank has called this.

        Args:
            message: Plain JSON of this rank.
        """
        data = torch.frombuffer(bytearray(json.dumps(message).encode()), dtype=torch.uint8)
        lengths = [int(length) for length in self._gather(torch.tensor([len(data)]))]
        padded = torch.zeros(max(lengths), dtype=torch.uint8)
        padded[: len(data)] = data
        texts = zip(self._gather(padded), lengths, strict=True)
        return [json.loads(bytes(text[:length].tolist())) for text, length in texts]

    def _gather(self, mine: torch.Tensor) -> list[torch.Tensor]:
        mine = mine.to(self._device)
        gathered = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(gathered, mine, group=self._group)
        return [tensor.cpu() for tensor in gathered]

    def lead(self, act: Callable[[], Any]) -> Any:
        """Call a function on rank 0 and return its result, or raise its error, on every rank.

        Args:
            act: Function to call on rank 0 alone; it returns plain JSON.
        """
        outcome: dict[str, Any] = {}
        mine: Exception | None = None
        if self.rank == 0:
            try:
                outcome = {"result": act()}
            except Exception as error:
                mine, outcome = error, {"error": type(error).__name__, "message": str(error)}
        outcome = self.gather(outcome)[0]
        if mine is not None:
            raise mine
        if "error" in outcome:
            raise _as_raised(outcome["error"], outcome["message"])
        return outcome["result"]


def _device(group: Any) -> torch.device:
    """Return the device from which a group's backends can send: the CPU if any can."""
    kinds = [part.split(":")[0] for part in str(dist.get_backend_config(group)).split(",")]
    if "cpu" in kinds:
        return torch.device("cpu")
    return torch.device(kinds[0], torch.get_device_module(kinds[0]).current_device())


def _as_raised(name: str, message: str) -> HoptimError:
    """Return an error of rank 0 for another rank: the same class if it is hoptim's, else a `TrialError`."""
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, HoptimError):
        return kind(message)
    return TrialError(f"Rank 0 raised {name}: {message}")
