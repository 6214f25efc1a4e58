"""Population based training of a small Transformer language model on a text, one member per process.

    python examples/language.py [DIR] [--data FILE] [--device cuda]

Start it in as many terminals as there are cores or devices; the processes share the
trials. Two of them: `hoptim run runs/language -n 2 -- python examples/language.py runs/language`.
"""

from __future__ import annotations

import argparse
import gzip
import math
import re
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import hoptim

try:
    import torch
    from torch import Tensor, nn
except ImportError as error:
    raise hoptim.MissingExtra.of("This example needs torch", "torch") from error

SPACE = {
    "embedding": hoptim.Float(0.0, 0.7),  # dropouts
    "hidden": hoptim.Float(0.0, 0.7),
    "output": hoptim.Float(0.0, 0.7),
    "weight_decay": hoptim.Float(1e-3, 3.0, log=True),
}
TEXT = Path(hoptim.__file__).parent / "benchmarks" / "studies" / "texts" / "kingjames.txt.gz"
VOCABULARY, WIDTH, HEADS, LAYERS = 1000, 64, 4, 2
BATCH, LENGTH = 16, 32  # rows of an update, and words of a row
PEAK_LR = 3e-3


def train(study: hoptim.Study, text: Text, device: str = "cpu") -> None:
    """Train until every member has done its steps; any number of processes may call this."""
    for trial in study:
        torch.manual_seed(trial.seed)
        params = dict(trial.params)
        weight_decay = params.pop("weight_decay")
        model = LanguageModel(text.vocabulary, **params).to(device)
        optimizer = torch.optim.AdamW(model.parameters())
        if trial.checkpoint:
            state = torch.load(trial.checkpoint, map_location=device, weights_only=True)
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
        lr = PEAK_LR * (1 + math.cos(math.pi * trial.age / study.steps)) / 2
        for group in optimizer.param_groups:  # after loading, which restored the parent's
            group.update(lr=lr, weight_decay=weight_decay)
        trial.check(weight_decay=optimizer.param_groups[0]["weight_decay"])
        train_epoch(model, optimizer, text.train.to(device))
        trial.tell(evaluate(model, text.validation.to(device)), save=partial(save, model, optimizer))


def save(model: nn.Module, optimizer: torch.optim.Optimizer, path: str) -> None:
    """Write the states of model and optimizer."""
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)


class LanguageModel(nn.Module):  # type: ignore[misc]
    """A Transformer in which a word sees those before it; input and output share their weights."""

    def __init__(self, vocabulary: int, embedding: float, hidden: float, output: float) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, dropout=hidden, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        self.words, self.places = nn.Embedding(vocabulary, WIDTH), nn.Embedding(LENGTH, WIDTH)
        nn.init.normal_(self.words.weight, std=WIDTH**-0.5)
        self.before, self.after = nn.Dropout(embedding), nn.Dropout(output)

    def forward(self, words: Tensor) -> Tensor:
        """Return the logits `(rows, LENGTH, vocabulary)` of each next word of `words` `(rows, LENGTH)`."""
        ahead = torch.ones(LENGTH, LENGTH, dtype=torch.bool, device=words.device).triu(1)
        hidden = self.before(WIDTH**0.5 * self.words(words) + self.places.weight)
        return self.after(self.layers(hidden, mask=ahead)) @ self.words.weight.T


def train_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, words: Tensor) -> None:
    """Train on as many words as there are, in rows that begin anywhere."""
    model.train()
    for _ in range(len(words) // (BATCH * LENGTH)):
        starts = torch.randint(len(words) - LENGTH, (BATCH, 1))
        loss = losses(model, words[starts + torch.arange(LENGTH + 1)]).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def evaluate(model: nn.Module, words: Tensor) -> float:
    """Return the mean negative log probability of a word, given those before it in its row."""
    model.eval()
    rows = words.unfold(0, LENGTH + 1, LENGTH)
    with torch.no_grad():
        return float(torch.cat([losses(model, some) for some in rows.split(BATCH)]).mean())


def losses(model: nn.Module, rows: Tensor) -> Tensor:
    """Return the negative log probability of each word but the first of each row."""
    logits = model(rows[:, :-1])
    return nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten(), reduction="none")


class Text:
    """A file's words as numbers, in parts of 70 % to train, 15 % to validate and 15 % to test."""

    def __init__(self, path: Path) -> None:
        opened: Any = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8") as file:
            words = re.findall(r"\w+|[^\w\s]", file.read().lower())
        if len(words) < 1000:
            sys.exit(f"The text in {str(path)!r} must have at least 1000 words, found {len(words)}.")
        first, second = int(0.7 * len(words)), int(0.85 * len(words))
        known = Counter(words[:first]).most_common(VOCABULARY - 1)
        index = {word: number for number, (word, _) in enumerate(known, 1)}  # 0 is any other word
        numbers = torch.tensor([index.get(word, 0) for word in words])
        self.train, self.validation, self.test = numbers.tensor_split((first, second))
        self.vocabulary = len(index) + 1


def main() -> None:
    """Train the rest of the study in the directory, then print the perplexities of its best model."""
    parser = argparse.ArgumentParser(description="Population based training of a language model.")
    parser.add_argument("dir", nargs="?", default="runs/language")
    parser.add_argument("--data", type=Path, default=TEXT, help="text in UTF-8, plain or .gz")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20, help="epochs of each member")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)  # several processes share the cores
    text = Text(args.data)
    study = hoptim.Study(
        args.dir, space=SPACE, size=args.members, steps=args.steps, mode="min", seed=args.seed
    )
    train(study, text, args.device)
    print(f"Best of the latest trials: {study.best.params}")
    perplexities = [math.exp(trial.value) for trial in study.lineage().line]
    print("Validation perplexity by age:", *(f"{each:.0f}" for each in perplexities))
    model = LanguageModel(text.vocabulary, embedding=0, hidden=0, output=0).to(args.device)
    state = torch.load(str(study.best.checkpoint), map_location=args.device, weights_only=True)
    model.load_state_dict(state["model"])
    print(f"Test perplexity: {math.exp(evaluate(model, text.test.to(args.device))):.1f}")


if __name__ == "__main__":
    main()
