"""Seeds of trials: a function of the study's seed and the trial's number."""

from __future__ import annotations

from functools import lru_cache


def trial_seed(seed: int, number: int) -> int:
    """Return the seed of a trial, 31 bits.

    Args:
        seed: Seed of the study.
        number: Number of the trial.
    """
    return _mix(_scattered(seed) + number) >> 33


@lru_cache  # the same for all trials of a study
def _scattered(seed: int) -> int:
    return _mix(seed)


def _mix(z: int) -> int:
    """Scatter 64 bits; SplitMix64 of Steele, Lea and Flood 2014 ('Fast splittable generators')."""
    z = (z + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    z = (z ^ z >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return z ^ z >> 31
