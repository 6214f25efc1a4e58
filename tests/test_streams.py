"""The generators of trials: numpy's own, however they are made."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hoptim.session.streams import Streams

SEEDS = st.one_of(st.integers(0, 3), st.integers(0, 2**32 - 1), st.integers(2**32 - 2, 2**130))
FIRST = st.one_of(st.integers(0, 300), st.integers(2**32 - 100, 2**32 + 5), st.integers(0, 2**40))


@given(SEEDS, FIRST, st.lists(st.integers(0, 70), max_size=5))
@settings(deadline=None, max_examples=25)
def test_equal_numpys(seed, first, jumps):
    """Numbers one after another, over the ends of blocks and of words, and then any of them again."""
    streams = Streams()
    for number in [*range(first, first + 70), *(first + jump for jump in jumps)]:
        expected = np.random.default_rng([seed, number])
        found = streams(seed, number)
        assert found.bit_generator.state == expected.bit_generator.state


def test_with_other_seeds():
    """A block of one seed does not serve another one."""
    streams = Streams()
    for number in range(3):
        for seed in (1, 1, 2):
            found = streams(seed, number).random(3).tolist()
            assert found == np.random.default_rng([seed, number]).random(3).tolist()


def test_each_call_begins_anew():
    """What was drawn for a trial before has no effect on it."""
    streams = Streams()
    streams(7, 0), streams(7, 1)
    drawn = [streams(7, 2).standard_normal(5).tolist() for _ in range(2)]
    assert drawn[0] == drawn[1] == np.random.default_rng([7, 2]).standard_normal(5).tolist()


def test_spawn_as_numpys():
    """An optimizer may spawn generators, and they are those of numpy."""
    streams = Streams()
    for number in range(3):
        found, expected = streams(5, number), np.random.default_rng([5, number])
        for _ in range(2):
            children = zip(found.spawn(2), expected.spawn(2), strict=True)
            assert all(mine.random() == theirs.random() for mine, theirs in children)
        asked = (found.bit_generator.seed_seq.generate_state(3) for found in (found, expected))
        assert next(asked).tolist() == next(asked).tolist()


def test_a_block_is_hashed_only_in_a_row():
    """Beside other workers a block would serve once and cost more than numpy's own hash."""
    streams = Streams()
    for number in range(0, 100, 2):
        streams(0, number)
    assert not len(streams._states)
    streams(0, 99)
    assert len(streams._states)
