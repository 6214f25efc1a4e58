"""Tests of the contract of signs of life."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from hoptim.store.signs import Sign, Signs
from hoptim.testing._peer import LIMIT, elsewhere


class SignsConformance:
    """Tests of the contract of signs of life, `hoptim.store.signs.Signs`.

    Derive a class whose name starts with `Test`, define `make`, and let pytest collect it. Before each test
    there must be a study of its own that shows no sign.
    """

    def make(self) -> Signs:
        """Return new signs of the test's study, as another process would have; called often."""
        raise NotImplementedError

    def test_nothing_is_shown_at_first(self) -> None:
        """Require that a study without signs can be looked at, beaten for and cleared."""
        signs = self.make()
        signs.hide(["a"])
        found = signs.names(), signs.look("a"), signs.is_shown("a"), signs.beat(["a"]), signs.beat([])
        assert found == ([], None, False, 0, 0), f"Nothing must be shown at first, found {found}."

    def test_what_one_shows_others_see(self) -> None:
        """Require that others see the names, and what a process wrote of itself to the last byte."""
        for name, about in (("a", bytes(range(256)) * 16), ("b", b""), ("c", b'{"pid": 1}\n')):
            self.make().show([name], about)
            found = self._looked(self.make(), name).about
            assert found == about, f"Others must see {about[:20]!r}..., found {found[:20]!r}..."
        names = sorted(self.make().names())
        assert names == ["a", "b", "c"], f"The names must be a, b and c, found {names}."

    def test_a_stamp_changes_with_each_beat(self) -> None:
        """Require a stamp that is the same in each look until the next beat, for others too."""
        one, other = self.make(), self.make()
        one.show(["a", "b"], b"")
        still = self._looked(other, "b").stamp
        for _ in range(3):
            before = self._looked(other, "a").stamp
            again = self._looked(self.make(), "a").stamp
            assert before == again, f"A stamp must change by beats alone, found {before}, then {again}."
            self._until(partial(self._changed, one, before), "A stamp must change with beats")
        found = self._looked(other, "b").stamp
        assert found == still, f"A beat for 'a' must leave 'b' as it was, {still}, found {found}."

    def test_silence_grows_until_a_beat(self) -> None:
        """Require seconds since the last beat, which grow, and fall with a beat."""
        one, other = self.make(), self.make()
        one.show(["a"], b"")
        shown = time.monotonic()
        first = self._looked(other, "a").silent
        assert 0 <= first < LIMIT, f"A new sign must not have been silent for {first} s."
        self._until(lambda: self._looked(other, "a").silent > 0.5, "The silence of a sign must grow")
        took = time.monotonic() - shown
        assert took > 0.4, f"A sign must not be silent for 0.5 s after {took:.2f} s."
        began = time.monotonic()
        one.beat(["a"])
        silent, took = self._looked(other, "a").silent, time.monotonic() - began
        assert silent < took + 0.1, f"A sign must not be silent for {silent:.2f} s after a beat."

    def test_what_is_hidden_is_gone(self) -> None:
        """Require that others see no sign that was taken away, and that no beat brings it back."""
        one, other = self.make(), self.make()
        one.show(["a", "b"], b"")
        one.hide(["a", "unknown"])
        one.hide(["a"])
        for signs in (one, other):
            found = signs.beat(["a"]), signs.look("a"), signs.is_shown("a"), signs.names()
            assert found == (0, None, False, ["b"]), f"'a' must be gone, and 'b' there, found {found}."
        counted = one.beat(["a", "b"])
        assert counted == 1, f"A beat must count what is still shown, 1, found {counted}."

    def test_others_take_a_sign_away(self) -> None:
        """Require that a process learns that another one has taken its sign away."""
        one, other = self.make(), self.make()
        one.show(["a"], b"")
        assert one.is_shown("a"), "A sign must be shown once `show` has returned."
        other.hide(["a"])
        found = one.is_shown("a"), one.beat(["a"])
        assert found == (False, 0), f"A sign that others took away must be gone, found {found}."

    def test_many_signs_at_once(self) -> None:
        """Require that hundreds of signs are shown, beaten for and hidden by one call each."""
        one, other = self.make(), self.make()
        names = [f"{i:04d}" for i in range(300)]
        one.show(names, b"many")
        counted = one.beat(names)
        assert counted == len(names), f"A beat must count all {len(names)} signs, found {counted}."
        one.hide(names[::2])
        found = sorted(other.names())
        assert found == names[1::2], f"150 signs must be left, found {len(found)}."
        counted = one.beat(names)
        assert counted == 150, f"A beat must count the 150 signs that are left, found {counted}."

    def test_many_are_looked_at_by_one_call(self) -> None:
        """Require that a look at many signs finds each that is shown, and as a look at it alone does."""
        one, other = self.make(), self.make()
        names = [f"{i:03d}" for i in range(100)]
        for name in names:
            one.show([name], name.encode())
        found = other.looks([*names, "unknown"])
        assert sorted(found) == names, f"100 signs must be seen, found {len(found)}."
        for name in names[::25]:
            alone, together = self._looked(other, name)[:2], found[name][:2]
            assert alone == together, f"A look at {name!r} must find {alone}, found {together}."
        nothing = other.looks([])
        assert nothing == {}, f"A look at no sign must find none, found {nothing}."

    def test_threads_beat_side_by_side(self) -> None:
        """Require that each of several threads beats for its signs while others show, look and hide."""
        shared = self.make()
        counts = elsewhere(*[partial(self._live, shared, f"t{i}") for i in range(4)])
        assert counts == [10] * 4, f"Each of 10 beats must count one sign, found {counts}."
        assert shared.names() == [], f"All signs must be gone, found {shared.names()}."

    def _live(self, signs: Signs, name: str) -> int:
        signs.show([name], name.encode())
        count = 0
        for _ in range(10):
            count += signs.beat([name])
            assert name in signs.names(), f"{name!r} must be listed while it is shown."
            assert self._looked(signs, name).about == name.encode(), f"{name!r} must not be another one's."
        signs.hide([name])
        return count

    def _looked(self, signs: Signs, name: str) -> Sign:
        sign = signs.look(name)
        assert sign is not None, f"The sign {name!r} must be shown, but look() gave None."
        return sign

    def _changed(self, signs: Signs, before: object) -> bool:
        signs.beat(["a"])
        return self._looked(signs, "a").stamp != before

    def _until(self, done: Callable[[], object], what: str) -> None:
        """Try until something holds; a clock may take some milliseconds for its next tick."""
        end = time.monotonic() + LIMIT
        while not done():
            assert time.monotonic() < end, f"{what}, but did not within {LIMIT:.0f} s."
            time.sleep(0.005)
