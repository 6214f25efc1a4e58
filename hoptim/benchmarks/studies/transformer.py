"""Transformer-XL: a language model with memory of past segments, for many members at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Weights = Mapping[str, Tensor]
Drop = Callable[[Tensor, str], Tensor]  # of values and the name of their dropout

DROPOUTS = ("embedding", "hidden", "attention", "output")


@dataclass(frozen=True)
class Transformer:
    """The architecture of Dai et al. 2019 (arXiv 1901.02860), section 3, for a batch of members.

    Each layer attends to its own segment and to the hidden states of past ones, through which no gradient
    flows, by content and by distance. Unlike there, layers are normalised before attention (Xiong et al.
    2020, arXiv 2002.04745), which trains without warm-up, and all layers share one projection of distances.

    All arrays have the members as their first axis: n members, b rows of text, t words of a segment, m
    words of memory, d units.

    Args:
        vocabulary: Number of different words.
        layers: Layers. Default: 1.
        width: Units of a hidden state, d. Default: 32.
        heads: Heads of attention; divide the width. Default: 2.
        inner: Units inside a feed-forward layer. Default: 64.
        segment: Words of a segment, t. Default: 20.
        memory: Words of memory, m. Default: 20.
    """

    vocabulary: int
    layers: int = 1
    width: int = 32
    heads: int = 2
    inner: int = 64
    segment: int = 20
    memory: int = 20

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight of one member."""
        layers, width, inner = self.layers, self.width, self.inner
        return {
            "words": (self.vocabulary, width), "words_bias": (self.vocabulary,),
            "distances": (width, width), "content_bias": (width,), "distance_bias": (width,),
            "query": (layers, width, width), "key_value": (layers, width, 2 * width),
            "attended": (layers, width, width),
            "inner": (layers, width, inner), "inner_bias": (layers, inner), "outer": (layers, inner, width),
            "attention_scale": (layers, width), "inner_scale": (layers, width), "last_scale": (width,),
        }  # fmt: skip

    def initial(self, generator: torch.Generator | None = None, device: str = "cpu") -> dict[str, Tensor]:
        """Return random weights of one member.

        Args:
            generator: Source of randomness. Default: None, torch's own.
            device: Device of the weights; "meta" counts them without memory. Default: "cpu".
        """
        weights = {}
        for name, shape in self.shapes.items():
            if name.endswith("_scale"):
                weights[name] = torch.ones(shape, device=device)
            elif name.endswith("_bias"):
                weights[name] = torch.zeros(shape, device=device)
            else:
                spread = 0.1 if name == "words" else shape[-2] ** -0.5
                weights[name] = spread * torch.randn(shape, generator=generator, device=device)
        return weights

    def forward(
        self, weights: Weights, words: Tensor, memory: Tensor, filled: Tensor, drop: Drop | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the logits of each next word and the memory for the next segment.

        Args:
            weights: Weights `(n, ...)` by name.
            words: Words `(n, b, t)`; a segment may have any length.
            memory: Hidden states of past segments `(n, layers, b, m, d)`.
            filled: Words `(n,)` at the end of the memory that are attended to.
            drop: Dropout. Default: None, none.

        Returns:
            Logits `(n, b, t, vocabulary)` and memory `(n, layers, b, m, d)`.
        """
        drop = drop or _keep
        table = drop(weights["words"], "embedding")
        members = torch.arange(len(words), device=words.device)[:, None, None]
        hidden = functional.embedding(words + self.vocabulary * members, table.flatten(0, 1))
        hidden = drop(hidden * self.width**0.5, "hidden")
        hides = _hidden_places(words.shape[-1], memory.shape[3], filled)
        remembered = []
        for layer in range(self.layers):
            seen = torch.cat([memory[:, layer], hidden], 2)
            remembered.append(seen[:, :, words.shape[-1] :].detach())
            own = {name: weights[name][:, layer] for name in _BY_LAYER}
            shared = {name: weights[name] for name in _SHARED}
            hidden = hidden + drop(self._attend(own | shared, seen, hides, drop), "hidden")
            inner = _times(_normal(hidden, own["inner_scale"]), own["inner"])
            inner = functional.relu(inner + own["inner_bias"][:, None, None])
            hidden = hidden + drop(_times(inner, own["outer"]), "hidden")
        hidden = drop(_normal(hidden, weights["last_scale"]), "output")
        logits = _times(hidden, weights["words"].transpose(1, 2)) + weights["words_bias"][:, None, None]
        return logits, torch.stack(remembered, 1)

    def _attend(self, weights: Weights, seen: Tensor, hides: Tensor, drop: Drop) -> Tensor:
        """Return what each word of the segment takes from those that it sees `(n, b, m + t, d)`."""
        length = hides.shape[-2]
        normal = _normal(seen, weights["attention_scale"])
        query = _times(normal[:, :, -length:], weights["query"])
        key, value = _times(normal, weights["key_value"]).chunk(2, -1)
        distance = _distances(seen.shape[2], self.width, seen.device) @ weights["distances"]
        by_content = self._split(query + weights["content_bias"][:, None, None]) @ self._split(key).mT
        by_distance = self._split(query + weights["distance_bias"][:, None, None])
        by_distance = _shifted(by_distance @ self._split(distance[:, None]).mT)
        scores = (by_content + by_distance) * (self.width // self.heads) ** -0.5
        shares = drop(scores.masked_fill(hides, -torch.inf).softmax(-1), "attention")
        return _times((shares @ self._split(value)).transpose(2, 3).flatten(-2), weights["attended"])

    def _split(self, units: Tensor) -> Tensor:
        """Return units `(n, b, t, d)` as heads `(n, b, heads, t, d / heads)`."""
        return units.unflatten(-1, (self.heads, -1)).transpose(2, 3)


_BY_LAYER = (
    "query", "key_value", "attended", "inner", "inner_bias", "outer", "attention_scale", "inner_scale",
)  # fmt: skip
_SHARED = ("distances", "content_bias", "distance_bias")


class Dropout:
    """Dropout at each member's own rates; whole words are dropped from the embedding.

    Args:
        rates: Rate `(n,)` of each dropout by name.
        generator: Source of randomness.
    """

    def __init__(self, rates: Mapping[str, Tensor], generator: torch.Generator) -> None:
        self._rates, self._generator = rates, generator

    def __call__(self, values: Tensor, name: str) -> Tensor:
        """Return values with some set to 0 and the others scaled up, which keeps their mean."""
        shape = (*values.shape[:-1], 1) if name == "embedding" else values.shape
        rate = self._rates[name].view(-1, *[1] * (values.dim() - 1))
        drawn = torch.rand(shape, generator=self._generator, device=values.device)
        return values * ((drawn >= rate) / (1 - rate))


def _keep(values: Tensor, name: str) -> Tensor:
    return values


def _times(values: Tensor, matrices: Tensor) -> Tensor:
    """Return `(n, b, t, i)` times each member's matrix `(n, i, o)`."""
    product: Tensor = torch.bmm(values.flatten(1, 2), matrices).view(*values.shape[:-1], -1)
    return product


def _normal(values: Tensor, scale: Tensor) -> Tensor:
    return functional.layer_norm(values, values.shape[-1:]) * scale[:, None, None]


def _hidden_places(length: int, memory: int, filled: Tensor) -> Tensor:
    """Return True `(n, 1, 1, t, m + t)` where a word may not look: ahead, and into unfilled memory."""
    places = torch.arange(memory + length, device=filled.device) - memory
    ahead = places[None] > torch.arange(length, device=filled.device)[:, None]
    unfilled = places < -filled[:, None]
    return (ahead | unfilled[:, None])[:, None, None]


def _distances(count: int, width: int, device: torch.device) -> Tensor:
    """Return sinusoids `(count, width)` of distances, the largest first."""
    distance = torch.arange(count - 1, -1, -1.0, device=device)
    pace = torch.exp(torch.arange(0, width, 2, device=device) * (-math.log(10_000) / width))
    angle = distance[:, None] * pace
    return torch.cat([angle.sin(), angle.cos()], -1)


def _shifted(scores: Tensor) -> Tensor:
    """Return scores by place `(..., t, k)` from scores by distance, the largest first.

    Row i moves left by t - 1 - i. What comes in from the right lies ahead of the word, and is hidden.
    """
    *others, length, count = scores.shape
    padded = functional.pad(scores, (1, 0)).reshape(*others, count + 1, length)
    return padded[..., 1:, :].reshape(scores.shape)
