"""Read digits that may be shifted: a torch network with augmentation, a cosine schedule and checkpoints."""

import torch
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy

import hoptim.torch

EPOCHS = 20
torch.set_num_threads(1)

digits = load_digits()
order = torch.randperm(1797, generator=torch.Generator().manual_seed(0))
images = torch.tensor(digits.images, dtype=torch.float32)[order] / 16
labels = torch.tensor(digits.target)[order]


def build(seed):
    """Return a fresh network, its optimizer and its scheduler."""
    torch.manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    return model, optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS)


def augment(batch, shift, noise):
    """Move images by up to a pixel each way, with a probability, and add noise."""
    n = len(batch)
    by = (torch.rand(2, n, 1) < shift) * torch.randint(-1, 2, (2, n, 1))
    rows, columns = (torch.arange(8) + by) % 8
    moved = batch[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None]]
    return moved + noise * torch.randn(n, 8, 8)


def train_epoch(model, optimizer, scheduler, shift, noise):
    """Train on the first 1000 images once."""
    for rows in torch.randperm(1000).split(50):
        optimizer.zero_grad()
        cross_entropy(model(augment(images[rows], shift, noise)), labels[rows]).backward()
        optimizer.step()
    scheduler.step()


def evaluate(model):
    """Return the cross-entropy on the other images, moved down by a pixel."""
    with torch.no_grad():
        return cross_entropy(model(images[1000:].roll(1, dims=1)), labels[1000:]).item()


def save(parts, path):
    """Write the states of network, optimizer and scheduler."""
    torch.save([part.state_dict() for part in parts], path)


def load(parts, path):
    """Restore the states that were saved."""
    for part, state in zip(parts, torch.load(path), strict=True):
        part.load_state_dict(state)


if __name__ == "__main__":
    space = {
        "lr": hoptim.Float(1e-3, 1.0, log=True),
        "momentum": hoptim.Float(0.0, 0.99),
        "shift": hoptim.Float(0.0, 1.0),
        "noise": hoptim.Float(0.01, 1.0, log=True),
    }
    for trial in hoptim.Study("runs/shifted", space=space, size=8, steps=EPOCHS, mode="min", progress=True):
        parts = model, optimizer, scheduler = build(trial.seed)
        if trial.checkpoint:
            load(parts, trial.checkpoint)
        hoptim.torch.apply(optimizer, trial.params, scheduler=scheduler)
        trial.check(**hoptim.torch.in_force(optimizer, trial.params, scheduler=scheduler))
        train_epoch(*parts, shift=trial.params["shift"], noise=trial.params["noise"])
        trial.tell(evaluate(model), save=lambda path: save(parts, path))
