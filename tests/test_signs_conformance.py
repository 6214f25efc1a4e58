"""The contract of signs of life, kept by those that come with hoptim and missed by broken ones."""

from __future__ import annotations

import itertools
import time

import pytest

from hoptim.store.file_signs import FileSigns
from hoptim.store.signs import Sign
from hoptim.testing import SignsConformance, signs


class TestFileSigns(SignsConformance):
    """Files in a folder that the first sign makes."""

    @pytest.fixture(autouse=True)
    def study(self, tmp_path):
        """A folder of a study."""
        self.folder = tmp_path / "workers"

    def make(self):
        return FileSigns(self.folder)


class DictSigns:
    """Signs in a dictionary, which keep the contract."""

    ticks = itertools.count()

    def __init__(self, shown):
        self.shown = shown

    def show(self, names, about):
        """Implement `Signs.show`."""
        for name in names:
            self.shown[name] = about, next(self.ticks), time.monotonic()

    def hide(self, names):
        """Implement `Signs.hide`."""
        for name in names:
            self.shown.pop(name, None)

    def beat(self, names):
        """Implement `Signs.beat`."""
        there = [name for name in names if name in self.shown]
        for name in there:
            self.show([name], self.shown[name][0])
        return len(there)

    def is_shown(self, name):
        """Implement `Signs.is_shown`."""
        return name in self.shown

    def look(self, name):
        """Implement `Signs.look`."""
        if name not in self.shown:
            return None
        about, stamp, moment = self.shown[name]
        return Sign(about, stamp, time.monotonic() - moment)

    def looks(self, names):
        """Implement `Signs.looks`."""
        return {name: self.look(name) for name in names if name in self.shown}

    def names(self):
        """Implement `Signs.names`."""
        return list(self.shown)


class TestDictSigns(SignsConformance):
    """Signs in a dictionary."""

    kind = DictSigns

    @pytest.fixture(autouse=True)
    def study(self):
        """A dictionary without signs."""
        self.shown = {}

    def make(self):
        return self.kind(self.shown)


class Undead(DictSigns):
    """A beat shows again what was hidden."""

    def beat(self, names):
        self.show(names, b"")
        return len(names)


class Cut(DictSigns):
    """Keeps 255 bytes of what a process writes of itself."""

    def show(self, names, about):
        super().show(names, about[:255])


class Frozen(DictSigns):
    """A beat leaves the stamp."""

    def beat(self, names):
        return sum(name in self.shown for name in names)


class Restless(DictSigns):
    """Each look has a stamp of its own."""

    def look(self, name):
        sign = super().look(name)
        return sign and sign._replace(stamp=next(self.ticks))


class Spilling(DictSigns):
    """A beat for one is a beat for all."""

    def beat(self, names):
        super().beat(list(self.shown))
        return sum(name in self.shown for name in names)


class Deaf(DictSigns):
    """The silence grows from when a sign was shown, whatever beats."""

    def beat(self, names):
        before = dict(self.shown)
        count = super().beat(names)
        self.shown.update({n: (*self.shown[n][:2], before[n][2]) for n in names if n in before})
        return count


class Timeless(DictSigns):
    """Nothing is ever silent."""

    def look(self, name):
        sign = super().look(name)
        return sign and sign._replace(silent=0.0)


class Sure(DictSigns):
    """Takes its own signs for shown though others have taken them away."""

    def is_shown(self, name):
        return name in self.own

    def show(self, names, about):
        self.own = {*names}
        super().show(names, about)

    def hide(self, names):
        self.own = set()
        super().hide(names)


class Shortsighted(DictSigns):
    """Looks at no more than 32 signs at once."""

    def looks(self, names):
        return super().looks(names[:32])


class Mistaken(DictSigns):
    """Sees in each of many signs the last one."""

    def looks(self, names):
        found = super().looks(names)
        return dict.fromkeys(found, list(found.values())[-1])


class Some(DictSigns):
    """Shows no more than 100 signs at once."""

    def show(self, names, about):
        super().show(names[:100], about)


class Jumbled(DictSigns):
    """Shows what was written last for all."""

    def look(self, name):
        sign = super().look(name)
        return sign and sign._replace(about=list(self.shown.values())[-1][0])

    def beat(self, names):
        time.sleep(0.01)
        return super().beat(names)


BROKEN = [
    ("nothing_is_shown_at_first", Undead, "Nothing must be shown at first"),
    ("what_one_shows_others_see", Cut, "Others must see"),
    ("a_stamp_changes_with_each_beat", Frozen, "A stamp must change with beats, but did not"),
    ("a_stamp_changes_with_each_beat", Restless, "A stamp must change by beats alone"),
    ("a_stamp_changes_with_each_beat", Spilling, "must leave 'b' as it was"),
    ("silence_grows_until_a_beat", Timeless, "The silence of a sign must grow, but did not"),
    ("silence_grows_until_a_beat", Deaf, "A sign must not be silent for"),
    ("what_is_hidden_is_gone", Undead, "'a' must be gone"),
    ("others_take_a_sign_away", Sure, "A sign that others took away must be gone"),
    ("many_signs_at_once", Some, "A beat must count all 300 signs, found 100"),
    ("many_are_looked_at_by_one_call", Shortsighted, "100 signs must be seen, found 32"),
    ("many_are_looked_at_by_one_call", Mistaken, "A look at '000' must find"),
    ("threads_beat_side_by_side", Jumbled, "must not be another one's"),
]


@pytest.mark.parametrize(("check", "kind", "message"), BROKEN)
def test_broken_signs_are_found(check, kind, message, monkeypatch):
    """Each way to break the contract fails the test of its clause, and the message says which."""
    if kind in {Frozen, Timeless}:
        monkeypatch.setattr(signs, "LIMIT", 0.5)
    suite = TestDictSigns()
    suite.kind, suite.shown = kind, {}
    with pytest.raises(AssertionError, match=message):
        getattr(suite, f"test_{check}")()


def test_each_check_finds_something():
    """No test of the suite is without signs that fail it."""
    checks = {name for name in dir(SignsConformance) if name.startswith("test_")}
    assert checks == {f"test_{check}" for check, _, _ in BROKEN}
