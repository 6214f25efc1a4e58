"""Tell the arms of three spirals apart: a network in numpy, trained by minibatches."""

import numpy as np

EPOCHS = 20


def spirals(n, seed):
    """Return noisy points, and the arm that each is on."""
    rng = np.random.default_rng(seed)
    arm, radius = rng.integers(3, size=n), rng.uniform(0.1, 1, size=n)
    angle = 5 * radius + 2 * np.pi / 3 * arm + rng.normal(0, 0.3, size=n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), arm


def fresh(rng):
    """Return the weights of an untrained network."""
    return {"w": rng.normal(0, 2, (2, 64)), "b": rng.normal(0, 1, 64), "v": rng.normal(0, 0.1, (64, 3))}


def forward(net, x):
    """Return the hidden layer, and the probability of each arm."""
    hidden = np.tanh(x @ net["w"] + net["b"])
    logits = hidden @ net["v"]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return hidden, odds / odds.sum(axis=1, keepdims=True)


def train_epoch(net, rng, lr, l2, batch):
    """Train on all points once."""
    x, arm = spirals(500, seed=0)
    for rows in np.array_split(rng.permutation(500), 500 // batch):
        hidden, chances = forward(net, x[rows])
        error = (chances - np.eye(3)[arm[rows]]) / len(rows)
        back = error @ net["v"].T * (1 - hidden**2)
        gradients = {"w": x[rows].T @ back, "b": back.sum(axis=0), "v": hidden.T @ error}
        for name, gradient in gradients.items():
            net[name] = net[name] - lr * (gradient + l2 * net[name])


def loss(net):
    """Return the cross-entropy on other points."""
    x, arm = spirals(500, seed=1)
    return float(-np.mean(np.log(forward(net, x)[1][range(500), arm] + 1e-12)))


def save(net, path):
    """Write the weights."""
    np.savez(path, **net)


def load(path):
    """Read weights that were saved."""
    with np.load(path) as data:
        return dict(data)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    net = fresh(rng)
    for epoch in range(EPOCHS):
        train_epoch(net, rng, lr=0.1, l2=1e-4, batch=32)
        save(net, "spirals.npz")
        print(f"epoch {epoch}: loss {loss(net):.3f}")
    print(f"saved: loss {loss(load('spirals.npz')):.3f}")
