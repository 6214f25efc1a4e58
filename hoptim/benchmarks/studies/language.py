"""The language study: a population of small Transformer-XLs on text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

import hoptim
from hoptim.benchmarks.studies.adam import Adam
from hoptim.benchmarks.studies.text import Text, Words
from hoptim.benchmarks.studies.training import PopulationTraining
from hoptim.benchmarks.studies.transformer import DROPOUTS, Dropout, Transformer

_EVALUATED = 25  # rows that a part is cut into to be evaluated
_OUTSIDE = -100  # target that cross_entropy ignores


class LanguageTraining(PopulationTraining):
    """Members that read the same text, each at its own place, in rows with memory.

    Args:
        size: Members.
        text: Text in three parts.
        model: Architecture. Default: None, one layer of 32 units.
        rows: Rows that the training part is cut into, read side by side. Default: 6.
        updates: Updates of an interval. Default: 20.
    """

    name = "language"
    steps = 20
    measure = "perplexity"
    peak_lr = 0.015
    hand: ClassVar[Mapping[str, float]] = {
        "lr": 0.012, "embedding": 0.1, "hidden": 0.2, "attention": 0.1, "output": 0.2, "decay": 0.3,
    }  # fmt: skip

    def __init__(
        self, size: int, text: Text, model: Transformer | None = None, rows: int = 6, updates: int = 20
    ) -> None:
        super().__init__(size)
        self.text, self.model, self.updates = text, model or Transformer(text.vocabulary), updates
        self._train = _rows(text.train, rows, self.model.segment, whole=False)
        self._weights = {name: torch.zeros(size, *shape) for name, shape in self.model.shapes.items()}
        self._adam = Adam(self._weights, [n for n in self._weights if n.endswith(("_scale", "_bias"))])
        self._count = torch.zeros(size, dtype=torch.int64)  # updates, and so the place in the text
        self._memory = self._no_memory(rows)

    def _no_memory(self, rows: int) -> Tensor:
        model = self.model
        return torch.zeros(self.size, model.layers, rows, model.memory, model.width)

    @property
    def data(self) -> str:
        """Return the fingerprint of text, architecture and the size of an interval."""
        settings = f"{self.text.digest} {self.model} {self._memory.shape[2]} {self.updates}"
        return sha256(settings.encode("ascii")).hexdigest()[:16]

    @staticmethod
    def space(tune_lr: bool) -> dict[str, hoptim.Dimension]:
        """Return the dropouts and the weight decay, with the learning rate if it is tuned."""
        space: dict[str, hoptim.Dimension] = {name: hoptim.Float(0.0, 0.7) for name in DROPOUTS}
        space["decay"] = hoptim.Float(1e-3, 3.0, log=True)
        return {"lr": hoptim.Float(5e-4, 5e-2, log=True), **space} if tune_lr else space

    def begin(self, member: int, seed: int) -> None:
        """Draw a member's weights and set it to the text's beginning."""
        fresh = self.model.initial(torch.Generator().manual_seed(seed))
        for name, tensor in self._rows_of(member).items():
            if name in fresh:
                tensor.copy_(fresh[name])
            else:
                tensor.zero_()

    def state(self, member: int) -> dict[str, Tensor]:
        """Return a copy of a member's weights, optimizer state, place in the text and memory."""
        return {name: tensor.clone() for name, tensor in self._rows_of(member).items()}

    def load(self, member: int, state: Mapping[str, Tensor]) -> None:
        """Give a member what `state` returned."""
        for name, tensor in self._rows_of(member).items():
            tensor.copy_(state[name])

    def _rows_of(self, member: int) -> dict[str, Tensor]:
        """Return views of all that belongs to a member; the weights have their own names."""
        tensors = {"count": self._count, "memory": self._memory, **self._weights}
        tensors |= {f"mean of {name}": mean for name, mean in self._adam.means.items()}
        tensors |= {f"square of {name}": square for name, square in self._adam.squares.items()}
        return {name: tensor[member] for name, tensor in tensors.items()}

    def train(self, params: Sequence[Mapping[str, Any]], ages: Sequence[int], seed: int) -> None:
        """Train for a number of updates, a segment each, with truncated backpropagation."""
        rates = {name: torch.tensor([float(each[name]) for each in params]) for name in DROPOUTS}
        drop = Dropout(rates, torch.Generator().manual_seed(seed))
        lr = torch.tensor(self.learning_rates(params, ages))
        decay = torch.tensor([float(each["decay"]) for each in params])
        for _ in range(self.updates):
            gradients = self.gradients(drop)
            self._count += 1
            self._adam.step(gradients, self._count, lr, decay)

    def gradients(self, drop: Dropout | None = None) -> dict[str, Tensor]:
        """Return each member's gradients on its next segment, which its memory then holds.

        Args:
            drop: Dropout. Default: None, none.
        """
        place = self._count % len(self._train)
        words, targets = self._train[place].unbind(1)
        leaves = {name: weight.detach().requires_grad_() for name, weight in self._weights.items()}
        filled = (place * self.model.segment).clamp(max=self.model.memory)
        logits, memory = self.model.forward(leaves, words, self._memory, filled, drop)
        self._memory.copy_(memory)
        loss = functional.cross_entropy(logits.flatten(0, 2), targets.flatten(), reduction="sum")
        loss = loss * self.size / targets.numel()  # the sum of the members' means
        return dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def losses(self, part: str) -> list[float]:
        """Return each member's mean negative log probability of a word, in nats."""
        segments = _rows(getattr(self.text, part), _EVALUATED, self.model.segment, whole=True)
        memory, total = self._no_memory(_EVALUATED), torch.zeros(self.size)
        for number, (words, targets) in enumerate(segments):
            filled = torch.full((self.size,), min(number * self.model.segment, self.model.memory))
            everyone = words.expand(self.size, -1, -1)
            logits, memory = self.model.forward(self._weights, everyone, memory, filled)
            each = functional.cross_entropy(
                logits.flatten(0, 2), targets.repeat(self.size, 1).flatten(),
                reduction="none", ignore_index=_OUTSIDE,
            )  # fmt: skip
            total += each.view(self.size, -1).sum(1)
        losses: list[float] = (total / (segments[:, 1] != _OUTSIDE).sum()).tolist()
        return losses

    def shown(self, losses: Sequence[float], part: str) -> list[float]:
        """Return perplexities."""
        return [float(perplexity) for perplexity in np.exp(losses)]


def _rows(words: Words, rows: int, segment: int, whole: bool) -> Tensor:
    """Return words and their next words in rows of segments `(segments, 2, rows, segment)`.

    Args:
        words: Words of a part.
        rows: Rows.
        segment: Words of a segment.
        whole: Fill up the last segments instead of leaving their words out.
    """
    words, following = words[:-1], words[1:]
    group = rows * segment
    count = -(-len(words) // group) if whole else len(words) // group
    return torch.stack(
        [
            torch.from_numpy(_sized(each, count * group, fill)).view(rows, count, segment).transpose(0, 1)
            for each, fill in ((words, 0), (following, _OUTSIDE))
        ],
        dim=1,
    ).contiguous()


def _sized(words: Words, length: int, fill: int) -> Words:
    return np.concatenate([words[:length], np.full(max(0, length - len(words)), fill)])
