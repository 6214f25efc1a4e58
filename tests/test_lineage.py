"""Ancestors, descendants, exploits and founders."""

from __future__ import annotations

import itertools
import logging
import math
import random
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import pytest

import hoptim
from hoptim.analysis.family import Family
from hoptim.analysis.lineage import chosen
from hoptim.analysis.ranking import rank_key
from tests.builders import loss, saving, study, train


@pytest.fixture(scope="module")
def made():
    """A finished study with many exploits, some of them after failures."""
    made = study(None, size=6, steps=12, optimizer=hoptim.TruncationSelection())
    for trial in made:
        trial.tell(math.nan if trial.number % 11 == 5 else loss(trial))
    return made


def test_a_line_goes_from_a_fresh_trial_to_the_trial(made):
    """Along a line each is the parent of the next, ages count from 0, and the first is fresh."""
    for trial in made.trials:
        line = made.lineage(trial).line
        assert [t.age for t in line] == list(range(len(line)))
        assert [t.number for t in line[:-1]] == [t.parent for t in line[1:]]
        assert line[0].parent is None
        assert line[-1] == trial


def test_descendants_are_those_it_is_an_ancestor_of(made):
    """Descent read downwards is descent read upwards."""
    lineages = {trial.number: made.lineage(trial.number) for trial in made.trials}
    for number, lineage in lineages.items():
        below = [n for n, other in lineages.items() if number in [t.number for t in other.ancestors]]
        assert [t.number for t in lineage.descendants] == below


def test_an_exploit_is_a_parent_of_another_member(made):
    """The exploits are exactly the trials whose parent another member trained."""
    trials = {t.number: t for t in made.trials}
    copies = [t.number for t in made.trials if t.parent is not None and trials[t.parent].member != t.member]
    assert [e.trial.number for e in made.family.exploits] == copies
    assert len(copies) > 5
    for exploit in made.family.exploits:
        assert exploit.donor == trials[exploit.trial.parent]
        assert (exploit.left.member, exploit.left.step) == (exploit.trial.member, exploit.trial.step - 1)


def test_exploits_along_a_line_are_where_it_changes_members(made):
    """A lineage's own exploits are its changes of member."""
    line, exploits = made.lineage().line, made.lineage().exploits
    changes = [b.number for a, b in itertools.pairwise(line) if a.member != b.member]
    assert [exploit.trial.number for exploit in exploits] == changes


class Recorded(NamedTuple):
    """A trial among others, as the store records it."""

    number: int
    member: int
    step: int
    parent: int | None
    founder: int
    value: float
    proposed: int
    closed: int
    valued: bool = True

    @property
    def finite(self):
        """Whether the value is a finite number."""
        return math.isfinite(self.value)


def apart(size, steps, ahead):
    """Trials of members that are up to some steps apart: copies, also of old ones, failed, not valued."""
    rng = random.Random(0)
    trials, done, begun = [], [[] for _ in range(size)], {}
    for at in itertools.count():
        most = min(steps, min(map(len, done)) + ahead + 1)
        free = [member for member in range(size) if member not in begun and len(done[member]) < most]
        if not free and not begun:
            break
        if free and (len(begun) < 4 or rng.random() < 0.5):
            member = rng.choice(free)
            own = done[member]
            donor = own if rng.random() < 0.7 else rng.choice([one for one in done if one] or [own])
            parent = rng.choice(donor).number if donor else None
            begun[member] = Recorded(len(trials), member, len(own), parent, 0, math.nan, at, -1)
            trials.append(begun[member])
        else:
            trial = begun.pop(rng.choice(list(begun)))
            value = math.nan if rng.random() < 0.1 else float(rng.randrange(9))
            valued = value != 8.0
            trials[trial.number] = trial._replace(
                value=value if valued else math.nan, closed=at, valued=valued
            )
            done[trial.member].append(trials[trial.number])
    return {trial.number: trial for trial in trials}


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("ahead", [0, 1, 5])
def test_all_exploits_have_the_ranks_of_each_alone(ahead, mode):
    """One pass over the records finds the ranks that looking at all members for each exploit finds."""
    trials = apart(7, 12, ahead)
    family = Family(trials, trials.__getitem__, 7, mode)
    found = family.exploits
    assert [exploit.standing for exploit in found] == [family.exploit(e.trial).standing for e in found]
    seen = [e for e in found if e.left.valued]
    assert [e.standing.left for e in seen] == [e.rank(e.left.member) for e in seen]
    assert len(found) > 15


def test_all_exploits_take_one_pass(monkeypatch):
    """The ranks of all exploits cost some keys for each trial, not one for each member of each exploit."""
    trials, keys = apart(60, 12, 1), []

    def counted(mode):
        return lambda trial: (keys.append(trial.number), rank_key(mode)(trial))[1]

    monkeypatch.setattr("hoptim.analysis.populations.rank_key", counted)
    found = Family(trials, trials.__getitem__, 60, "min").exploits
    assert 60 * len(found) > 12 * len(trials)
    assert len(keys) < 8 * len(trials)


@pytest.mark.parametrize("lead", [0, 1, 3])
def test_what_was_seen_is_what_the_optimizer_was_given(lead):
    """The values behind a decision are the very population that the optimizer compared."""
    given = {}

    class Watching(hoptim.TruncationSelection):
        def propose(self, view, member, rng):
            proposal = super().propose(view, member, rng)
            given[len(given)] = (
                member,
                dict(zip(view.population.member.tolist(), view.population.loss.tolist(), strict=True)),
            )
            return proposal

    made = study(None, size=5, steps=8, lead=lead, optimizer=Watching())
    hands = []
    while not made.done:  # several in hand, told out of order, so that members are apart
        with suppress(hoptim.NothingDue):
            hands.append(made.ask(timeout=0))
            if len(hands) < 3:
                continue
        trial = hands.pop(len(given) % len(hands))
        trial.tell(loss(trial))
    family = made.family
    for trial in made.trials:
        assert {t.member: t.value for t in family.seen(trial)} == given[trial.number][1]


def test_an_exploit_says_when_who_and_why(made):
    """Its sentence names the step, both members, their values and ranks."""
    exploit = next(e for e in made.lineage().exploits if e.left.finite)
    own, donor = exploit.left, exploit.donor
    assert str(exploit) == (
        f"step {exploit.trial.step}: member {own.member} ({own.value:.6g}, rank {exploit.rank(own.member)} "
        f"of {len(exploit.seen)}) copied member {donor.member} ({donor.value:.6g}, rank "
        f"{exploit.rank(donor.member)} of {len(exploit.seen)})"
    )
    assert exploit.seen[own.member] == own.value
    assert exploit.rank(donor.member) < exploit.rank(own.member)


def test_a_donor_from_earlier_is_not_given_the_rank_of_a_later_one():
    """A trial that waited was not among those seen: its place is where it comes from."""
    made = study(None, size=2, steps=3, lead=0, optimizer=hoptim.ASHA(2, reduction_factor=4))
    for trial in made:
        trial.tell(float((2, 1, 3, 5, 4, 6)[trial.number]))
    (exploit,) = made.family.exploits
    assert (exploit.donor.number, exploit.donor.step, exploit.trial.step) == (1, 0, 2)
    assert exploit.place(exploit.donor) == "kept from step 0"
    assert str(exploit).endswith("copied member 1 (1, kept from step 0)")


def test_ranks_follow_the_mode():
    """With mode max the highest value has rank 1, and one that is not finite the last."""
    made = study(None, size=4, steps=3, mode="max", optimizer=hoptim.TruncationSelection())
    for trial in made:
        trial.tell(math.nan if trial.member == 0 else trial.member)
    exploit = made.family.exploits[0]
    assert [exploit.rank(member) for member in (3, 2, 1, 0)] == [1, 2, 3, 4]


def test_survivors_are_counted_by_founder(made):
    """Each member's founder is the start of its line; the counts add up to the population."""
    for step in (0, 5, 11):
        last = [t for t in made.trials if t.step == step]
        expected = {}
        for trial in last:
            founder = made.lineage(trial).founder.number
            expected[founder] = expected.get(founder, 0) + 1
        found = made.family.survivors(step)
        assert found == expected
        assert list(found.values()) == sorted(found.values(), reverse=True)
    assert made.family.survivors() == made.family.survivors(11)


def test_collapse_is_the_first_step_with_one_founder(made):
    """After that step all weights began with the same trial, before it they did not."""
    step = made.family.collapsed
    assert len(made.family.survivors(step)) == 1
    assert len(made.family.survivors(step - 1)) > 1


def test_without_exploits_nothing_collapses():
    """A population in burn-in keeps all its founders."""
    made = train(study(None, size=3, steps=4, optimizer=hoptim.ROMUL(burn_in=9)))
    assert made.family.collapsed is None
    assert made.family.survivors() == {0: 1, 1: 1, 2: 1}
    assert made.family.exploits == made.lineage().exploits == []


def test_an_early_collapse_is_said_once(caplog):
    """A run in which one founder takes all in the first steps says so, once, in a sentence."""
    made = study(None, size=2, steps=100, optimizer=hoptim.TruncationSelection(fraction=0.5))
    with caplog.at_level(logging.WARNING, "hoptim"):
        for trial in made:
            trial.tell(trial.member, save=saving("weights"))
    assert made.family.collapsed == 1
    (text,) = [r.getMessage() for r in caplog.records]
    assert text.startswith("All 2 members descend from trial 0 since step 1 of 100")
    assert made.status().warnings == [text]


def test_without_checkpoints_no_weights_are_lost(caplog):
    """A founder that takes all early is no news of a study whose trials have no weights."""
    made = study(None, size=2, steps=100, optimizer=hoptim.TruncationSelection(fraction=0.5))
    with caplog.at_level(logging.WARNING, "hoptim"):
        for trial in made:
            trial.tell(trial.member)
    assert made.family.collapsed == 1
    assert caplog.records == []
    assert made.status().warnings == []


def test_a_later_collapse_is_no_news(caplog):
    """That one founder takes all in the end is how it works, and nothing is said."""
    made = study(None, size=2, steps=20, optimizer=hoptim.TruncationSelection(fraction=0.5, burn_in=8))
    with caplog.at_level(logging.WARNING, "hoptim"):
        for trial in made:
            trial.tell(trial.member, save=saving("weights"))
    assert made.family.collapsed is not None
    assert caplog.records == []
    assert made.status().warnings == []


@pytest.mark.parametrize("wrong", [99, -1, "3", 1.0, None])
def test_a_trial_that_has_not_ended_is_refused(made, wrong):
    """A number that is no finished trial's is an error that says how many there are."""
    with pytest.raises(hoptim.ArgumentError, match="72 trials have ended"):
        chosen(made.family.trials, wrong)


def test_numbers_of_any_library_are_welcome(made):
    """A trial's number may come from an array."""
    assert made.lineage(np.int64(3)).trial.number == 3


def test_without_a_finite_value_there_is_no_best_line():
    """Nothing has finished yet, so there is nothing whose line could be followed."""
    with pytest.raises(hoptim.NoResult):
        study(None).lineage()
