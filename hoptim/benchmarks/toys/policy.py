"""A policy gradient on a bandit with many arms: a large rate settles early on an arm that is merely good.

REINFORCE with a softmax policy, a running baseline and an entropy bonus. A large rate and a small bonus
raise the reward at once and stop the search for the best arm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import hoptim
from hoptim.benchmarks.problem import TrainingProblem
from hoptim.benchmarks.scores import Floats

_REWARDS: Floats = np.append(np.linspace(0, 0.8, 19), 1.0)  # mean rewards of the arms
_BATCH = 20  # arms pulled in a step
_NOISE = 0.5  # standard deviation of a reward


class Policy(NamedTuple):
    """Preferences of the arms, and the running mean of the rewards."""

    preferences: Floats
    baseline: float


@dataclass(frozen=True)
class PolicyGradient(TrainingProblem):
    """60 updates of 20 arms pulled; the loss is what the policy's expected reward lacks."""

    name = "policy gradient"
    steps = 60
    space = {"lr": hoptim.Float(0.01, 10.0, log=True), "entropy": hoptim.Float(1e-3, 1.0, log=True)}

    def begin(self, seed: int) -> Policy:
        """Return a uniform policy, whatever the seed."""
        return Policy(np.zeros(len(_REWARDS)), 0.0)

    def train(
        self, state: Policy, params: Mapping[str, Any], steps: int, seed: int
    ) -> tuple[Policy, float]:
        """Apply updates with a constant rate and bonus."""
        rng = np.random.default_rng([seed, 1])
        preferences, baseline = state
        for _ in range(steps):
            odds = _softmax(preferences)
            arms = rng.choice(len(odds), _BATCH, p=odds)
            rewards = _REWARDS[arms] + _NOISE * rng.standard_normal(_BATCH)
            gains = np.bincount(arms, rewards - baseline, len(odds)) / _BATCH
            surprise = -np.log(odds) - float(-odds @ np.log(odds))
            preferences = preferences + params["lr"] * (
                gains - odds * gains.sum() + params["entropy"] * odds * surprise
            )
            preferences = np.clip(preferences - preferences.max(), -20, 0)  # no arm's odds become 0
            baseline += 0.1 * (float(rewards.mean()) - baseline)
        return Policy(preferences, baseline), 1 - float(_softmax(preferences) @ _REWARDS)


def _softmax(preferences: Floats) -> Floats:
    weights = np.exp(preferences - preferences.max())
    odds: Floats = weights / weights.sum()
    return odds
