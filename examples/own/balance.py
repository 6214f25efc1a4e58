"""Balance a pole on a cart in gusts of wind: a linear policy that learns by random search."""

import numpy as np

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


if __name__ == "__main__":
    weights = np.zeros(4)
    for epoch in range(EPOCHS):
        weights = train_epoch(weights, epoch, lr=1.0, sigma=0.5)
        returns = play(weights, 1000 + epoch, episodes=10)
        print(f"epoch {epoch}: return {returns.mean():.1f}")
    print(f"weights {weights.round(2)}")
