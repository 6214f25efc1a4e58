"""Population based training of a torch network, with its optimizer and learning-rate schedule.

    python examples/torch_digits.py [DIR] [--device cuda]

Start it in as many terminals as there are devices; the processes share the trials.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import hoptim

try:
    import torch
    from sklearn.datasets import load_digits

    import hoptim.torch
except ImportError as error:
    raise hoptim.MissingExtra.of("This example needs torch and scikit-learn", "torch,examples") from error

SPACE = {
    "lr": hoptim.Float(1e-3, 1.0, log=True),
    "momentum": hoptim.Float(0.0, 0.99),
    "weight_decay": hoptim.Float(1e-6, 1e-2, log=True),
    "dropout": hoptim.Float(0.0, 0.8),
}


def train(study: hoptim.Study, device: str = "cpu") -> None:
    """Train until every member has done its steps; any number of processes may call this."""
    digits = Digits(device)
    for trial in study:
        if not trial.continues:
            trainer = Trainer(trial.seed, device)
            if trial.checkpoint:
                trainer.load(trial.checkpoint)
        trainer.apply(trial.params)  # after load, which restored the parent's
        trial.check(**trainer.in_force(trial.age))
        torch.manual_seed(trial.seed)
        trainer.train_epoch(digits)
        loss, accuracy = trainer.evaluate(*digits.validation)
        trial.tell(loss, save=trainer.save, metrics={"accuracy": accuracy})


def warm_up(age: int) -> float:
    """Return the factor of the learning rate after `age` epochs."""
    return min(1.0, (age + 1) / 3)


class Trainer:
    """A network with its optimizer and scheduler, whose states are saved and loaded together.

    The scheduler and population based training are compatible because each has its own factor: the
    learning rate in force is the trial's `lr` times `warm_up`. The scheduler's counter is
    inherited with the weights, so it equals `trial.age`.
    """

    def __init__(self, seed: int, device: str) -> None:
        torch.manual_seed(seed)
        self.device = device
        self.dropout = torch.nn.Dropout()
        self.model = torch.nn.Sequential(
            torch.nn.Linear(64, 64), torch.nn.ReLU(), self.dropout, torch.nn.Linear(64, 10)
        ).to(device)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1.0)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, warm_up)

    def apply(self, params: Mapping[str, Any]) -> None:
        """Set a trial's hyperparameters; call it after `load`, which restores the parent's."""
        self.dropout.p = params["dropout"]
        hoptim.torch.apply(self.optimizer, params, scheduler=self.scheduler)

    def in_force(self, age: int) -> dict[str, float]:
        """Return the hyperparameters that the optimizer and the model will really use."""
        found = hoptim.torch.in_force(self.optimizer, SPACE)
        rate = self.optimizer.param_groups[0]["lr"] / warm_up(age)  # also detects a wrong counter
        return {**found, "lr": rate, "dropout": self.dropout.p}

    def save(self, path: str) -> None:
        """Write the states of model, optimizer and scheduler."""
        parts = {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}
        torch.save({name: part.state_dict() for name, part in parts.items()}, path)

    def load(self, path: str) -> None:
        """Restore the states that were saved, from whichever device."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])

    def train_epoch(self, digits: Digits) -> None:
        """Train for one pass over the training images in batches of 32."""
        images, labels = digits.training
        self.model.train()
        for rows in torch.randperm(len(labels)).to(self.device).split(32):
            self.optimizer.zero_grad()
            torch.nn.functional.cross_entropy(self.model(images[rows]), labels[rows]).backward()
            self.optimizer.step()
        self.scheduler.step()

    def evaluate(self, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
        """Return the mean cross-entropy and the fraction of correct predictions."""
        self.model.eval()
        with torch.no_grad():
            logits = self.model(images)
        right = (logits.argmax(dim=1) == labels).float().mean()
        return torch.nn.functional.cross_entropy(logits, labels).item(), right.item()


class Digits:
    """Images and labels on a device, in a fixed split."""

    def __init__(self, device: str) -> None:
        data = load_digits()
        order = torch.randperm(len(data.target), generator=torch.Generator().manual_seed(0))
        images = (torch.from_numpy(data.data).float()[order] / 16).to(device)
        labels = torch.from_numpy(data.target).long()[order].to(device)
        self.training = images[:400], labels[:400]
        self.validation = images[400:1000], labels[400:1000]
        self.test = images[1000:], labels[1000:]


def main() -> None:
    """Train the rest of the study in the directory, then print the accuracy of its best network."""
    parser = argparse.ArgumentParser(description="Population based training of a torch network.")
    parser.add_argument("dir", nargs="?", default="runs/torch_digits")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20, help="epochs of each member")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)  # more threads slow down a network this small
    study = hoptim.Study(
        args.dir, space=SPACE, size=args.members, steps=args.steps, mode="min", seed=args.seed
    )
    train(study, args.device)
    best = study.best
    winner = Trainer(best.seed, args.device)
    winner.load(str(best.checkpoint))
    _, accuracy = winner.evaluate(*Digits(args.device).test)
    print(f"Best of the latest trials: {best.params}, validation loss {best.value:.3f}")
    print(f"Held-out accuracy: {100 * accuracy:.2f} %")


if __name__ == "__main__":
    main()
