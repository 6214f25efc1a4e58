"""Options: what a process asks of a study, the same words wherever a study is opened."""

from __future__ import annotations

import dataclasses
from typing import get_type_hints

import pytest

import hoptim
from hoptim import remote
from hoptim.options import OptionKeywords
from hoptim.store.locking import lock, mounts
from tests.builders import study, train

OPENERS = {
    "Study": study,
    "load": hoptim.load,
    "fork": lambda path, **options: hoptim.fork(path, f"{path}-fork", **options),
    "remote.ask": remote.ask,
    "remote.beat": lambda path, **options: remote.beat(path, 0, 1, **options),
    "remote.tell": lambda path, **options: remote.tell(path, 0, 1, 1.0, **options),
    "remote.fail": lambda path, **options: remote.fail(path, 0, 1, "why", **options),
}


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"leese": 3}, "There is no option 'leese'. Did you mean 'lease'?"),
        ({"guest": True}, "There is no option 'guest'. The options are lead, synchronous, keep"),
        ({"max_attempts": 0}, "max_attempts must be a whole number of at least 1, found 0"),
        ({"lock_timeout": "soon"}, "lock_timeout must be a number"),
        ({"callbacks": [object()]}, "A callback must have at least one of the methods"),
    ],
)
def test_a_bad_option_is_refused_everywhere(tmp_path, opener, options, message):
    """An option that there is not, or that cannot work, is named before anything is written."""
    train(study(tmp_path / "s"))
    before = (tmp_path / "s" / "journal.jsonl").read_bytes()
    with pytest.raises(hoptim.ArgumentError) as caught:
        OPENERS[opener](tmp_path / "s", **options)
    assert message in str(caught.value)
    assert (tmp_path / "s" / "journal.jsonl").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_the_keywords_are_the_fields():
    """What type checkers are told is what the dataclass has, type by type."""
    fields = {field.name for field in dataclasses.fields(hoptim.Options)}
    assert get_type_hints(OptionKeywords).keys() == fields
    names = vars(hoptim.options)
    assert get_type_hints(OptionKeywords, names) == get_type_hints(hoptim.Options, names)


def test_options_can_be_read(tmp_path):
    """A study shows the options of this process, and each process has its own."""
    made = study(tmp_path, lead=3, lease=60.0)
    assert (made.options.lead, made.options.lease, made.options.ahead) == (3, 60.0, 3)
    assert hoptim.load(tmp_path, synchronous=True).options.ahead == 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.options.lead = 2


def test_a_fork_carries_its_options(tmp_path, monkeypatch):
    """On a mount that needs `single_host=True` a study can be forked, and the fork has the options."""
    train(study(tmp_path / "a"))

    def refuse(path):
        raise hoptim.StoreError("locks do not reach other machines")

    monkeypatch.setattr(mounts, "require_shared_locks", refuse)
    lock._registry.clear()  # as in a process that has not locked it yet
    with pytest.raises(hoptim.StoreError):
        hoptim.fork(tmp_path / "a", tmp_path / "b")
    new = hoptim.fork(tmp_path / "a", tmp_path / "b", single_host=True, max_attempts=1)
    assert (new.options.single_host, new.options.max_attempts) == (True, 1)
