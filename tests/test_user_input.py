"""Whatever a user passes at any public entry: an error of ours or a result, and the study goes on."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import fractions
import itertools
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hoptim
import hoptim.remote
from tests.builders import space, study, train


class Refusal(Exception):
    """What an object's own code raises."""


class Refuses:
    """Raises in one of its special methods.

    Args:
        method: Name of the method.
    """

    def __new__(cls, method: str) -> Any:
        def refuse(self: object, *_: object) -> Any:
            raise Refusal(method)

        return object.__new__(type("Refusing", (Refuses,), {method: refuse, "__hash__": object.__hash__}))


def deep() -> list[Any]:
    """A list in a list, too deep for any recursion."""
    found: list[Any] = []
    for _ in range(100_000):
        found = [found]
    return found


def circle() -> list[Any]:
    """A list that holds itself."""
    found: list[Any] = []
    found.append(found)
    return found


METHODS = (
    "__float__", "__index__", "__int__", "__bool__", "__eq__", "__repr__", "__str__", "__iter__", "__len__",
    "__fspath__",
)  # fmt: skip
WILD: dict[str, Any] = {
    "None": None, "True": True, "0.5": 0.5, "-1": -1, "2**70": 2**70, "10**400": 10**400,
    "-10**400": -(10**400), "10**5000": 10**5000, "huge Fraction": fractions.Fraction(10**400, 3),
    "huge Decimal": decimal.Decimal("1e400"), "sNaN": decimal.Decimal("sNaN"), "NaN": float("nan"),
    "inf": float("inf"), "1j": 1j, "complex128": np.complex128(1 + 1j), "complex array": np.array(1j),
    "text": "x", "number as text": "5", "bytes": b"x", "number as bytes": b"5",
    "bytearray": bytearray(b"5"),
    "NUL": "a\0b", "surrogate": "\ud800", "2 MiB": "a" * (2 << 20), "list": [1, 2], "empty list": [],
    "nested": [[1]], "deep": deep(), "circle": circle(), "tuple": (1,), "set": {1}, "array": np.arange(3),
    "0-d array": np.array(2.0), "array of objects": np.array([None, 1], dtype=object),
    "empty array": np.array([]), "datetime64": np.datetime64("2020"),
    "datetime": datetime.datetime(1, 1, 1),
    "aware datetime": datetime.datetime(1, 1, 1, tzinfo=datetime.UTC), "dict": {},
    "1 and '1'": {1: 1, "1": 2},
    "unknown name": {"y": 1}, "list in a dict": {"x": [1]}, "object in a dict": {"x": object()},
    "None as a name": {None: 1}, "NUL as a name": {"\0": 1}, "10**400 in a dict": {"x": 10**400},
    "function": len, "class": int, "generator": iter([1]),
    **{method: Refuses(method) for method in METHODS},
}  # fmt: skip
ANY = st.sampled_from(list(WILD.values())) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.fractions() | st.decimals(allow_nan=True)
    | st.complex_numbers() | st.text(max_size=9) | st.binary(max_size=9) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip

Entry = Callable[[Any], object]
COUNT = itertools.count()


def in_study(name: str) -> Entry:
    """Make a study with one argument that may be anything."""
    return lambda value: study(**{name: value}).done


def claimed(study: hoptim.Study) -> hoptim.Trial:
    """The next trial of a study that has one."""
    trial = study.ask()
    assert trial is not None
    return trial


def goes_on(use: Callable[[hoptim.Trial, Any], object]) -> Entry:
    """Use a trial; if that is refused, the claim is kept, and the study is trained to its end."""

    def entry(value: Any) -> None:
        small = study(size=1, steps=2, max_attempts=1)
        trial = claimed(small)
        try:
            use(trial, value)
        finally:
            if trial.ended is None:
                trial.tell(1.0)
            claimed(small).tell(0.5)
            assert small.done
            assert len(small.results().trials) == 2

    return entry


def with_arrays() -> hoptim.Trial:
    """A trial whose hyperparameters are objects."""
    objects = {"array": {"a": np.arange(3)}, "refuses": {"a": Refuses("__eq__")}, "text": {"a": "b"}}
    choices = {name: hoptim.Choice(values) for name, values in objects.items()}
    return claimed(study(space={**space(), **choices}))


def telling(name: str) -> Entry:
    """Tell with one argument that may be anything."""
    return goes_on(lambda trial, value: trial.tell(1.0, **{name: value}))


def saving(trial: hoptim.Trial, value: Any) -> None:
    """Tell with anything as `save`, but for what raises errors of its own."""
    if value is not int:
        trial.tell(1.0, save=value)


def checking(name: str) -> Entry:
    """Check one hyperparameter that may be anything."""
    return lambda value: with_arrays().check(**{name: value})


def raising(trial: hoptim.Trial, value: Any) -> None:
    """Leave a trial by an exception that says anything."""
    with pytest.raises(RuntimeError), trial:
        raise RuntimeError(value)
    assert trial.ended == "failed"


def asked(name: str, **others: Any) -> Entry:
    """Ask with one argument that may be anything, when all is done: no value makes it wait."""
    return lambda value: train(study(size=1, steps=1)).ask(**{**others, name: value})


def setting(kind: type[hoptim.Optimizer], name: str) -> Entry:
    """Train with one setting of an optimizer that may be anything."""
    needed = {"max_resource": 4} if kind is hoptim.ASHA else {}
    return lambda value: train(study(optimizer=kind(**{**needed, name: value})))


def once(function: Callable[..., object], *arguments: Any, **named: Any) -> Entry:
    """Call with a value in place of each `...`, and with new names in place of each 'new'."""

    def entry(value: Any) -> object:
        def fill(each: Any) -> Any:
            return value if each is ... else f"new-{next(COUNT)}" if each == "new" else each

        return function(*map(fill, arguments), **{name: fill(each) for name, each in named.items()})

    return entry


def revalued(values: Any) -> hoptim.Study:
    """Fork a study with anything in place of its values, but for what raises errors of its own."""
    return hoptim.fork("good", f"new-{next(COUNT)}", values=values)


NUMBERS, LISTED = (hoptim.Float, hoptim.Int), (hoptim.Choice, hoptim.Ordinal)
OPTIMIZERS = (
    hoptim.ROMUL, hoptim.TruncationSelection, hoptim.Initiator, hoptim.Patient, hoptim.MultiFrequency,
    hoptim.MixedHorizon, hoptim.PB2, hoptim.RandomSearch, hoptim.ASHA, hoptim.Fixed,
)  # fmt: skip
ENTRIES: dict[str, Entry] = {
    **{f"Study({name}=)": in_study(name) for name in ("space", "size", "steps", "mode", "seed", "start")},
    **{f"Study({f.name}=)": in_study(f.name) for f in dataclasses.fields(hoptim.Options)},
    "Study(optimizer=)": in_study("optimizer"),
    "Study(path)": lambda value: None if value is None else study(value).done,
    "Study(space={x: ...})": lambda value: study(space={"x": value}),
    "Study(start=[...])": lambda value: study(start=[value]),
    "Study(start=[{x: ...}])": lambda value: study(start=[{"x": value}]),
    "Study(start=[{k: ...}])": lambda value: study(start=[{"k": value}]),
    "Start(params)": lambda value: study(start=[hoptim.Start(value, "good")]),
    "Start(checkpoint=)": lambda value: hoptim.Start({}, value),  # not copied: it may name the root
    "Start(age=)": lambda value: study(start=[hoptim.Start({}, "good", age=value)]),
    **{
        f"{kind.__name__}({name}=)": once(kind, **{**base, name: ...})
        for kinds, base in ((NUMBERS, {"low": 0, "high": 5}), (LISTED, {"values": ["a", 1]}))
        for kind in kinds
        for name in (f.name for f in dataclasses.fields(kind))
    },
    "Choice([...])": lambda value: hoptim.Choice([1, value]),
    "Choice of arrays": lambda value: hoptim.Choice({"a": np.arange(3), "b": 1}, init=value),
    "Float.encode": hoptim.Float(0, 1).encode, "Int.encode": hoptim.Int(0, 5).encode,
    "Ordinal.encode": hoptim.Ordinal([1, 2]).encode, "Choice.encode": hoptim.Choice(["a", 1]).encode,
    **{
        f"{kind.__name__}({f.name}=)": setting(kind, f.name)
        for kind in OPTIMIZERS for f in dataclasses.fields(kind)
    },
    "tell": goes_on(lambda trial, value: trial.tell(value)),
    **{f"tell({name}=)": telling(name) for name in ("checkpoint", "metrics", "params")},
    "tell(save=)": goes_on(saving),
    "tell(metrics={m: ...})": goes_on(lambda trial, value: trial.tell(1.0, metrics={"m": value})),
    "tell(params={x: ...})": goes_on(lambda trial, value: trial.tell(1.0, params={"x": value})),
    "fail": goes_on(lambda trial, value: trial.fail(value)),
    "fail(retry=)": goes_on(lambda trial, value: trial.fail("why", retry=value)),
    "with trial: raise": goes_on(raising),
    **{f"check({name}=)": checking(name) for name in ("x", "k", "array", "refuses", "text")},
    "ask(timeout=)": asked("timeout"), "ask(deadline=)": asked("deadline"),
    "ask(margin=)": asked("margin", deadline=1e12),
    "until": lambda value: next(study().until(value), None),
    "lineage": lambda value: train(study(size=1, steps=1)).lineage(value),
    "schedule": lambda value: train(study(size=1, steps=1)).schedule(value),
    "load": once(hoptim.load, ...), "load(space=)": once(hoptim.load, "good", space=...),
    "load(optimizer=)": once(hoptim.load, "good", optimizer=...),
    "fork": once(hoptim.fork, ..., "new"), "fork(new_path)": once(hoptim.fork, "good", ...),
    **{
        f"fork({name}=)": once(hoptim.fork, "good", "new", **{name: ...})
        for name in ("at_step", "space", "optimizer", "size", "steps", "seed", "mode")
    },
    "fork(values=)": lambda value: None if callable(value) else revalued(value),
    "fork(values=) returns": lambda value: revalued(lambda trial: value),
    "remote.ask": once(hoptim.remote.ask, ..., timeout=0),
    "remote.ask(lease=)": once(hoptim.remote.ask, "asked", lease=..., timeout=0),
    "remote.beat(number)": once(hoptim.remote.beat, "good", ..., 1),
    "remote.beat(token)": once(hoptim.remote.beat, "good", 0, ...),
    "remote.tell(number)": once(hoptim.remote.tell, "good", ..., 2, 1.0),
    "remote.tell(token)": once(hoptim.remote.tell, "good", 0, ..., 1.0),
    "remote.tell(value)": once(hoptim.remote.tell, "good", 0, 2, ...),
    "remote.tell(checkpoint=)": once(hoptim.remote.tell, "good", 0, 2, 1.0, checkpoint=...),
    "remote.tell(metrics=)": once(hoptim.remote.tell, "good", 0, 2, 1.0, metrics=...),
    "remote.fail(why)": once(hoptim.remote.fail, "good", 0, 2, ...),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def here(tmp_path_factory):
    """A folder with a finished study and one to ask, where relative paths lead."""
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("here"))
    train(study("good", size=1, steps=1))
    study("asked")
    yield
    os.chdir(before)


def refuse_raw_errors(name: str, value: Any) -> None:
    """Call an entry; an error of ours may come of it, and its message can be printed."""
    try:
        ENTRIES[name](value)
    except hoptim.HoptimError as error:
        said = str(error)
        assert said


@pytest.mark.filterwarnings("ignore:Conversion of an array")  # numpy says what it will refuse itself
@pytest.mark.parametrize("name", ENTRIES)
def test_no_raw_error_comes_of_wild_values(name):
    """Each wild value at each public entry is taken or refused by an error of ours, and nothing is lost."""
    raw = []
    for label, value in WILD.items():
        try:
            refuse_raw_errors(name, value)
        except Exception as error:
            raw.append(f"{label}: {type(error).__name__}: {error!s:.200}")
    assert raw == []


@pytest.mark.filterwarnings("ignore:Conversion of an array")
@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(list(ENTRIES)), value=ANY)
def test_no_raw_error_comes_of_any_value(name, value):
    """Any value at any public entry is taken or refused by an error of ours, and nothing is lost."""
    refuse_raw_errors(name, value)
