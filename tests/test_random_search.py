"""Random search: whoever begins keeps its draw, for as long as it was told."""

import dataclasses
import math

import pytest

import hoptim
from hoptim import ArgumentError, OptimizerError, RandomSearch
from tests.builders import recompute, study, train


def drawn(made: hoptim.Study) -> list[list[tuple[int, float]]]:
    """Age and hyperparameter of each member's trials."""
    return [[(t.age, t.params["x"]) for t in made.trials if t.member == m] for m in range(made.size)]


def test_members_keep_their_first_draw():
    """Without a length there are as many configurations as members, each trained to the end."""
    for member in drawn(train(study(None, optimizer=RandomSearch()))):
        assert [age for age, _ in member] == [0, 1, 2, 3, 4]
        assert len({x for _, x in member}) == 1


def test_after_its_length_a_configuration_is_followed_by_a_fresh_one():
    """Every other trial begins anew with fresh weights and a draw that nobody had."""
    made = train(study(None, optimizer=RandomSearch(length=2)))
    for member in drawn(made):
        assert [age for age, _ in member] == [0, 1, 0, 1, 0]
        x = [x for _, x in member]
        assert (x[0], x[2]) == (x[1], x[3])
    assert len({x for member in drawn(made) for _, x in member}) == 12


def test_nobody_learns_from_anybody():
    """A member's trials are what they are whatever the others' values."""
    first, second = (study(None, optimizer=RandomSearch(length=3), synchronous=True) for _ in range(2))
    for made, sign in ((first, 1), (second, -1)):
        for trial in made:
            trial.tell(sign * trial.params["x"])
    assert drawn(first) == drawn(second)


def test_a_failed_configuration_is_given_up():
    """After a value that is not finite comes a fresh draw, which init does not decide."""
    space = {"x": hoptim.Float(0.0, 1.0, init=0.5)}
    made = study(None, space=space, optimizer=RandomSearch())
    for trial in made:
        trial.tell(math.nan if (trial.member, trial.step) == (1, 2) else 1.0)
    failing, *others = (drawn(made)[member] for member in (1, 0, 2, 3))
    assert [age for age, _ in failing] == [0, 1, 2, 0, 1]
    assert [x for _, x in failing][:3] == [0.5] * 3
    assert failing[3][1] == failing[4][1] != 0.5
    assert {x for member in others for _, x in member} == {0.5}


def test_it_is_found_again_by_its_path(tmp_path):
    """A study loaded by its path alone goes on, and its proposals follow from the journal."""
    made = study(tmp_path / "s", optimizer=RandomSearch(length=2))
    for trial in made:
        trial.tell(0.0)
        break
    train(hoptim.load(tmp_path / "s"))
    assert recompute(tmp_path / "s") == 20


@pytest.mark.parametrize("length", [0, -1, 1.5, "2", True])
def test_bad_lengths_are_refused(length):
    """A length is a whole number of at least 1."""
    with pytest.raises(ArgumentError, match=r"RandomSearch: length must be a whole number of at least 1"):
        RandomSearch(length=length)


def test_an_optimizer_of_ones_own_may_have_its_name(tmp_path):
    """A study that was made with another class of that name is read, and not asked as if it were ours."""

    @dataclasses.dataclass(frozen=True)
    class RandomSearch(hoptim.Optimizer):
        share: float = 0.25

        def propose(self, view, member, rng):
            return hoptim.Proposal(None, view.space.draw(rng))

    for trial in study(tmp_path / "s", optimizer=RandomSearch()):
        trial.tell(1.0)
        break
    found = hoptim.load(tmp_path / "s")
    assert len(found.trials) == 1
    with pytest.raises(OptimizerError, match="'RandomSearch' is not part of hoptim"):
        train(found)
    assert hoptim.load(tmp_path / "s", optimizer=RandomSearch()).ask() is not None
