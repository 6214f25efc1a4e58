"""Balance a pole on a cart in gusts of wind: a linear policy that learns by random search."""

import numpy as np

import hoptim

EPOCHS, STEPS = 20, 100


def play(weights, seed, episodes):
    """Return for how many steps the pole stays up and the cart on its track, in each episode."""
    rng = np.random.default_rng(seed)
    state = rng.uniform(-0.1, 0.1, (4, episodes))
    returns, up = np.zeros(episodes), np.full(episodes, True)
    for _ in range(STEPS):
        place, speed, angle, spin = state
        force = 10 * np.tanh(weights @ state) + rng.normal(0, 10, episodes)
        turn = 20 * np.sin(angle) - 1.5 * force * np.cos(angle)
        state = state + 0.04 * np.stack([speed, force, spin, turn])
        up &= (np.abs(place) < 2.4) & (np.abs(angle) < 0.4)
        returns += up
    return returns


def train_epoch(weights, seed, lr, sigma):
    """Try five changes of the weights both ways, and go to the better side of each."""
    rng = np.random.default_rng(seed)
    for _ in range(5):
        change, wind = sigma * rng.normal(size=4), int(rng.integers(2**31))
        gain = play(weights + change, wind, 4).mean() - play(weights - change, wind, 4).mean()
        weights = weights + lr * gain / STEPS * change / sigma
    return weights


def save(weights, path):
    """Write the weights."""
    with open(path, "wb") as file:
        np.save(file, weights)


def again(path, params, seed):
    """Return what saved weights achieve in other wind."""
    return play(np.load(path), seed, episodes=10).mean()


if __name__ == "__main__":
    space = {"lr": hoptim.Float(0.1, 10.0, log=True), "sigma": hoptim.Float(0.05, 5.0, log=True)}
    study = hoptim.Study(
        "runs/balance", space=space, size=8, steps=EPOCHS, mode="max", synchronous=True, progress=True
    )
    for trial in study:
        weights = np.load(trial.checkpoint) if trial.checkpoint else np.zeros(4)
        weights = train_epoch(weights, trial.seed, **trial.params)
        returns = play(weights, 1000 + trial.step, episodes=10)  # the same wind for all members of a step
        trial.tell(returns.mean(), save=lambda path: save(weights, path))
    for row in hoptim.reevaluate(study, again, top=3, repeats=100):
        print(f"trial {row.trial.number}: return {row.mean:.1f} +- {row.error:.1f}")
