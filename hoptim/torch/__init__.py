"""PyTorch: one member trained by several processes, and hyperparameters in a torch optimizer.

Needs the extra `torch`. `docs/recipes/pytorch.md` shows both at work.
"""

from __future__ import annotations

from hoptim.errors import MissingExtra

try:
    import torch as _torch  # noqa: F401 - the others import it; here its absence is explained
except ImportError as error:
    raise MissingExtra.of("hoptim.torch needs PyTorch, which is not installed", "torch") from error

from hoptim.torch.hyperparameters import apply, in_force
from hoptim.torch.ranks import trials

__all__ = ["apply", "in_force", "trials"]
