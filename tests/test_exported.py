"""Trials that are pickled and end in another process keep the options of the session that lent them."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
from functools import partial

import pytest

import hoptim
from hoptim.session import exported
from hoptim.session.exported import CarriedOptions, FunctionName
from hoptim.store.locking import lock, mounts
from tests.builders import ROOT, loss, saving, study


def keep_all(trial):
    """A `keep=` that pickles by name."""
    return True


class Told:
    """A callback that notes, for all of its copies in this process, what was told."""

    numbers: list[int] = []

    def told(self, finished):
        """Note a trial."""
        Told.numbers.append(finished.number)


@pytest.fixture(autouse=True)
def fresh():
    """Nothing was warned of, and nothing told, in this process yet."""
    exported._warned.clear()
    Told.numbers.clear()


def told_elsewhere(made):
    """Run a study to its end through pickled copies of its trials."""
    while (trial := made.ask()) is not None:
        pickle.loads(pickle.dumps(trial)).tell(loss(trial), save=saving("w"))
    return made


def test_keep_travels_with_a_trial(tmp_path):
    """`keep=` everything leaves every checkpoint, wherever the trials were told."""
    made = told_elsewhere(study(tmp_path, size=2, steps=3, keep=keep_all))
    assert sum(trial.checkpoint is not None for trial in made.trials) == 6


def test_max_attempts_travels_with_a_trial(tmp_path):
    """With one attempt a trial that fails elsewhere has failed for good."""
    made = study(tmp_path, size=1, steps=2, max_attempts=1)
    pickle.loads(pickle.dumps(made.ask())).fail("it broke")
    assert [trial.failed for trial in made.trials] == ["it broke"]


def test_single_host_travels_with_a_trial(tmp_path, monkeypatch):
    """On a mount that needs `single_host=True` a pickled trial can be told."""

    def refuse(path):
        raise hoptim.StoreError("locks do not reach other machines")

    monkeypatch.setattr(mounts, "require_shared_locks", refuse)
    sent = pickle.dumps(study(tmp_path, single_host=True).ask())
    lock._registry.clear()  # as in a process of its own
    pickle.loads(sent).tell(1.0)
    assert [trial.value for trial in hoptim.load(tmp_path).trials] == [1.0]


def test_callbacks_travel_where_they_pickle(tmp_path):
    """A callback of an importable class is called where the trial is told."""
    told_elsewhere(study(tmp_path, size=1, steps=3, callbacks=[Told()]))
    assert Told.numbers == [0, 1, 2]


def test_what_cannot_be_pickled_is_warned_of_once(tmp_path, caplog):
    """A trial pickles whatever `keep=` and callbacks are; the first tell elsewhere names what is lost."""
    made = study(tmp_path, size=2, steps=2, keep=lambda trial: True, callbacks=[lambda_callback()])
    with caplog.at_level(logging.WARNING, "hoptim"):
        told_elsewhere(made)
    (message,) = [record.message for record in caplog.records if "cannot be pickled" in record.message]
    assert "keep= and callbacks=" in message
    assert made.done


def lambda_callback():
    """A callback whose class no other process can find."""

    class Local:
        def told(self, finished):
            pass

    return Local()


def test_a_trial_loads_where_its_script_is_not(tmp_path):
    """A `keep=` of the script itself is found where that script runs; elsewhere it costs a warning."""
    script = tmp_path / "script.py"
    script.write_text(
        "import pickle, sys, hoptim\n"
        "def keep(trial): return True\n"
        "class Note:\n"
        "    def told(self, finished): pass\n"
        "space = {'x': hoptim.Float(0.0, 1.0)}\n"
        "options = {'keep': keep, 'callbacks': [Note()]}\n"
        "made = hoptim.Study(sys.argv[1], space=space, size=1, steps=2, mode='min', **options)\n"
        "sent = pickle.dumps(made.ask())\n"
        "open(sys.argv[2], 'wb').write(sent)\n"
        "assert pickle.loads(sent).keeper.options.unpack()[0].keep is keep\n"
        "import os; os._exit(0)\n"
    )
    command = [sys.executable, str(script), str(tmp_path / "study"), str(tmp_path / "trial")]
    subprocess.run(command, check=True, cwd=ROOT)
    trial = pickle.loads((tmp_path / "trial").read_bytes())
    options, lost = trial.keeper.options.unpack()
    assert (options.keep, options.callbacks, set(lost)) == (None, (), {"keep", "callbacks"})
    trial.tell(1.0)
    assert [trial.value for trial in hoptim.load(tmp_path / "study").trials] == [1.0]


def test_a_copy_of_a_copy_carries_the_same(tmp_path):
    """Pickled again, before or after its end, a trial knows its options and how it ended."""
    trial = study(tmp_path, max_attempts=7).ask()
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(trial))))
    assert again.keeper.options.plain.max_attempts == 7
    again.tell(1.0)
    ended = pickle.loads(pickle.dumps(again))
    assert ended.ended == "told"
    with pytest.raises(hoptim.AlreadyTold):
        ended.tell(1.0)


@pytest.mark.parametrize(
    ("keep", "carried"),
    [
        (None, None),
        (keep_all, FunctionName(__name__, "keep_all")),
        (partial(keep_all), None),
        (lambda trial: True, None),
    ],
)
def test_functions_go_by_name(keep, carried):
    """Plain functions are carried by name, other objects as they are, what does not pickle not at all."""
    found = CarriedOptions.of(hoptim.Options(keep=keep)).keep
    assert isinstance(found, partial) if isinstance(keep, partial) else found == carried
