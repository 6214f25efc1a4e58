"""The processes that train together, and plain words that go round among them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist

from hoptim import errors
from hoptim.errors import ArgumentError, HoptimError, TrialError


class Group:
    """A process group in which rank 0 leads.

    What goes round is JSON in tensors of bytes: torch's own exchange of objects unpickles what it
    is sent, and hoptim unpickles nothing.

    Args:
        group: The process group, None for the default one.

    Raises:
        ArgumentError: This process is not in the group.

    Attributes:
        rank: Of this process, in the group.
        size: Number of processes.
    """

    def __init__(self, group: Any = None) -> None:
        self._group = group
        self.rank: int = dist.get_rank(group)
        self.size: int = dist.get_world_size(group)
        if self.rank < 0:
            raise ArgumentError(
                "This process is in none of the ranks of group=...; give each process the group that it "
                "trains in."
            )
        self._device = _device(group)

    def gather(self, word: Any) -> list[Any]:
        """What each rank says, by rank; waits until all have come here.

        Args:
            word: Plain JSON.
        """
        said = torch.frombuffer(bytearray(json.dumps(word).encode()), dtype=torch.uint8)
        lengths = [int(length) for length in self._gather(torch.tensor([len(said)]))]
        padded = torch.zeros(max(lengths), dtype=torch.uint8)
        padded[: len(said)] = said
        texts = zip(self._gather(padded), lengths, strict=True)
        return [json.loads(bytes(text[:length].tolist())) for text, length in texts]

    def _gather(self, mine: torch.Tensor) -> list[torch.Tensor]:
        mine = mine.to(self._device)
        everybody = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(everybody, mine, group=self._group)
        return [tensor.cpu() for tensor in everybody]

    def lead(self, act: Callable[[], Any]) -> Any:
        """What a call came to on rank 0, or the error that it raised there; on every rank alike.

        Args:
            act: Called on rank 0 alone; returns plain JSON.
        """
        word: dict[str, Any] = {}
        mine: Exception | None = None
        if self.rank == 0:
            try:
                word = {"result": act()}
            except Exception as error:
                mine, word = error, {"error": type(error).__name__, "message": str(error)}
        word = self.gather(word)[0]
        if mine is not None:
            raise mine
        if "error" in word:
            raise _as_raised(word["error"], word["message"])
        return word["result"]


def _device(group: Any) -> torch.device:
    """Where tensors must be for a group to send them: on the CPU, if its backends can."""
    kinds = [part.split(":")[0] for part in str(dist.get_backend_config(group)).split(",")]
    if "cpu" in kinds:
        return torch.device("cpu")
    return torch.device(kinds[0], torch.get_device_module(kinds[0]).current_device())


def _as_raised(name: str, message: str) -> HoptimError:
    """An error of rank 0 on another rank: the same one of hoptim's, else a `TrialError` that names it."""
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, HoptimError):
        return kind(message)
    return TrialError(f"Rank 0 raised {name}: {message}")
