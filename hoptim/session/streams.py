"""Streams of random numbers: the generator that each trial's proposal is drawn from."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random.bit_generator import ISpawnableSeedSequence, SeedSequence

if TYPE_CHECKING:  # numpy.typing takes a millisecond to import
    from numpy.typing import NDArray

    Words = NDArray[np.uint32]

_BLOCK = 64  # trials that are hashed at once
_WORD = 2**32


class Streams:
    """Makes the generators of `np.random.default_rng([seed, number])`, in a tenth of the time.

    Most of that time numpy hashes the two numbers. So where a process asks for one trial after another,
    it hashes those of a whole block; beside other workers, which have the numbers between, mostly not.
    """

    def __init__(self) -> None:
        self._last = self._first = -1, -1  # seed and number, of the last call and of the block
        self._states = np.empty((0, 4), np.uint64)

    def __call__(self, seed: int, number: int) -> np.random.Generator:
        """Return the generator of a trial, as if it had not been used before.

        Args:
            seed: Seed of the study.
            number: Number of the trial.
        """
        follows, self._last = self._last == (seed, number - 1), (seed, number)
        at = number - self._first[1]
        if seed != self._first[0] or not 0 <= at < len(self._states):
            if not follows or seed >= _WORD or number + _BLOCK > _WORD:
                return np.random.Generator(np.random.PCG64([seed, number]))
            self._first, self._states, at = (seed, number), _states(seed, number), 0
        hashed = _Hashed(seed, number, self._states[at])
        return np.random.Generator(np.random.PCG64(hashed))  # type: ignore[arg-type]  # of numpy's stubs


class _Hashed(ISpawnableSeedSequence):
    """The seed sequence `SeedSequence([seed, number])`, of which the state of a `PCG64` is known."""

    def __init__(self, seed: int, number: int, state: NDArray[np.uint64]) -> None:
        self._entropy, self._state = [seed, number], state

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        if n_words == 4 and dtype is np.uint64:
            return self._state
        return self._plain.generate_state(n_words, dtype)

    def spawn(self, n_children: int) -> Any:
        return self._plain.spawn(n_children)

    @cached_property
    def _plain(self) -> SeedSequence:
        return SeedSequence(self._entropy)


class _Hash:
    """The hash function of `SeedSequence`, whose constant changes with each use.

    numpy has promised not to change it; it is O'Neill's `seed_seq_fe` of 2015, and so are the names.
    """

    def __init__(self, init: int, mult: int) -> None:
        self._const, self._mult = init, mult

    def __call__(self, value: Words) -> Words:
        value = value ^ np.uint32(self._const)
        self._const = self._const * self._mult % _WORD
        value = value * np.uint32(self._const)
        return value ^ value >> np.uint32(16)


def _mix(x: Words, y: Words) -> Words:
    mixed: Words = x * np.uint32(0xCA01F9DD) - y * np.uint32(0x4973F715)
    return mixed ^ mixed >> np.uint32(16)


def _states(seed: int, first: int) -> NDArray[np.uint64]:
    """Return `SeedSequence([seed, number]).generate_state(4, np.uint64)` of a block `(_BLOCK, 4)`.

    Args:
        seed: Seed of the study, of 32 bits.
        first: Number of the first trial, of 32 bits as all are.
    """
    numbers = np.arange(first, first + _BLOCK, dtype=np.uint32)
    zero = np.zeros_like(numbers)
    hashed = _Hash(0x43B0D7E5, 0x931E8875)
    pool = [hashed(word) for word in (np.full_like(numbers, seed), numbers, zero, zero)]
    for source in range(4):
        for target in range(4):
            if source != target:
                pool[target] = _mix(pool[target], hashed(pool[source]))
    hashed = _Hash(0x8B51F9DD, 0x58F38DED)
    words = np.array([hashed(word) for word in 2 * pool], np.uint64)
    return np.ascontiguousarray((words[::2] | words[1::2] << np.uint64(32)).T)
