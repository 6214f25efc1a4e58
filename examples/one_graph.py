"""Population based training of a whole population in one process and one graph.

    python examples/one_graph.py [DIR] [--members 16] [--device cuda]

One small network leaves a GPU, or a core, mostly idle. Stacked into one tensor for each weight, all members
train side by side. The study is asked for a generation in one go; killed, the script goes on with what is
left of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import hoptim

try:
    import torch
    from sklearn.datasets import load_digits
    from torch import Tensor
    from torch.func import functional_call, grad, vmap
except ImportError as error:
    raise hoptim.MissingExtra.of("This example needs torch and scikit-learn", "torch,examples") from error

SPACE = {
    "lr": hoptim.Float(1e-3, 1.0, log=True),
    "momentum": hoptim.Float(0.0, 0.99),
    "weight_decay": hoptim.Float(1e-6, 1e-2, log=True),
    "dropout": hoptim.Float(0.0, 0.8),
}
BATCH = 32


def train(study: hoptim.Study, population: Population) -> None:
    """Train generation after generation until every member has done its steps; one process alone."""
    held: dict[int, int] = {}  # trials whose weights the members have
    while trials := due(study):
        for trial in trials:
            if trial.parent is None:
                population.begin(trial.member, trial.seed)
            elif held.get(trial.member) != trial.parent:
                population.load(trial.member, str(trial.checkpoint))
        # Members that were told before a kill train along, and nobody reads what comes of it.
        params = [dict.fromkeys(SPACE, 0.0) for _ in range(study.size)]
        for trial in trials:
            params[trial.member] = trial.params
        torch.manual_seed(trials[0].seed)
        population.train_epoch(params)
        losses = population.losses()
        for trial in trials:
            trial.tell(losses[trial.member], save=partial(population.save, trial.member))
            held[trial.member] = trial.number


def due(study: hoptim.Study) -> list[hoptim.Trial]:
    """Return what is due of a synchronous study's generation; nothing when all is done."""
    trials: list[hoptim.Trial] = []
    try:
        while len(trials) < study.size and (trial := study.ask(timeout=0 if trials else None)) is not None:
            trials.append(trial)
    except hoptim.NothingDue:
        pass  # the others were told before
    return trials


class Population:
    """Networks as one tensor for each weight, with the member as first axis, and their momentum."""

    def __init__(self, members: int, device: str) -> None:
        self.device = device
        self.network = network()
        named = dict(self.network.named_parameters())
        self.weights = {name: torch.zeros(members, *w.shape, device=device) for name, w in named.items()}
        self.velocities = {name: torch.zeros_like(w) for name, w in self.weights.items()}
        data = load_digits()
        images, labels = torch.from_numpy(data.data).float() / 16, torch.from_numpy(data.target).long()
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
        images, labels = images[order].to(device), labels[order].to(device)
        self.training = images[:400], labels[:400]
        self.validation = images[400:1000], labels[400:1000]
        self.gradients = vmap(grad(self.loss), in_dims=(0, None, None, 0), randomness="different")

    def begin(self, member: int, seed: int) -> None:
        """Give a member fresh weights."""
        torch.manual_seed(seed)
        for name, weight in network().named_parameters():
            self.weights[name][member] = weight.detach()
            self.velocities[name][member] = 0.0

    def save(self, member: int, path: str) -> None:
        """Write a member's weights and momentum."""
        state = {"weights": self.weights, "velocities": self.velocities}
        torch.save(
            {kind: {n: t[member].clone() for n, t in found.items()} for kind, found in state.items()}, path
        )

    def load(self, member: int, path: str) -> None:
        """Continue from what a member saved."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        for name, weight in self.weights.items():
            weight[member] = state["weights"][name]
            self.velocities[name][member] = state["velocities"][name]

    def loss(
        self, weights: Mapping[str, Tensor], images: Tensor, labels: Tensor, dropout: Tensor
    ) -> Tensor:
        """Return the mean cross-entropy of one network; `vmap` makes it that of all."""
        kept = (torch.rand_like(images) >= dropout) / (1 - dropout)
        logits = functional_call(self.network, dict(weights), (images * kept,))
        return torch.nn.functional.cross_entropy(logits, labels)

    def train_epoch(self, params: Sequence[Mapping[str, Any]]) -> None:
        """Train all members for one pass over the same batches, each by its own hyperparameters."""
        of = {name: torch.tensor([p[name] for p in params], device=self.device) for name in SPACE}
        images, labels = self.training
        for rows in torch.randperm(len(labels)).to(self.device).split(BATCH):
            gradients = self.gradients(self.weights, images[rows], labels[rows], of["dropout"])
            for name, weight in self.weights.items():
                lr, momentum, decay = (
                    of[key].view(-1, *[1] * (weight.dim() - 1))
                    for key in ("lr", "momentum", "weight_decay")
                )
                velocity = self.velocities[name].mul_(momentum).add_(gradients[name] + decay * weight)
                weight.sub_(lr * velocity)

    def losses(self) -> list[float]:
        """Return each member's loss on the validation images."""
        nothing = torch.zeros((), device=self.device)
        every = vmap(partial(self.loss, dropout=nothing), in_dims=(0, None, None), randomness="different")
        with torch.no_grad():
            losses: list[float] = every(self.weights, *self.validation).tolist()
        return losses


def network() -> torch.nn.Module:
    """Return one network with fresh weights."""
    return torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))


def main() -> None:
    """Train the rest of the study in the directory, then print its best network's hyperparameters."""
    parser = argparse.ArgumentParser(description="Population based training in one graph.")
    parser.add_argument("dir", nargs="?", default="runs/one_graph")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--steps", type=int, default=20, help="epochs of each member")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    study = hoptim.Study(
        args.dir, space=SPACE, size=args.members, steps=args.steps, mode="min", seed=args.seed,
        synchronous=True,
    )  # fmt: skip
    train(study, Population(args.members, args.device))
    best = study.best
    print(f"Best of the latest trials: {best.params}, validation loss {best.value:.3f}")


if __name__ == "__main__":
    main()
