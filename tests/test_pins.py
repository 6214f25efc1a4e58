"""Pins: checkpoints that somebody is reading are not dropped, until he is done or dead."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import hoptim
from hoptim.errors import CheckpointError
from hoptim.store import liveness
from tests.builders import ROOT, advance, records, saving, study, wait_until

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="deaths are proven by /proc")
PINNER = """
import sys, hoptim
pin = hoptim.load(sys.argv[1])._session.store.pin(lambda state: state.saved)
print("pinned", flush=True)
sys.stdin.readline()
pin.release()
"""


@pytest.fixture
def made(tmp_path):
    """A study whose first generation has checkpoints."""
    made = study(tmp_path / "s", size=2, steps=6, optimizer=hoptim.ROMUL())
    advance(made)
    return made


def there(made):
    """Published checkpoints, by trial."""
    return {name.split(".")[0] for name in os.listdir(Path(made.path) / "checkpoints")}


def pins(made):
    """Names of the pins."""
    folder = Path(made.path) / "pins"
    return sorted(os.listdir(folder)) if folder.exists() else []


def dropped(made):
    """Trials whose checkpoint is recorded as dropped."""
    return {number for record in records(made.path) for number in record.get("drops", ())}


def pinner(made):
    """Another process that has pinned everything."""
    process = subprocess.Popen(
        [sys.executable, "-c", PINNER, str(made.path)], text=True, cwd=ROOT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == "pinned\n"
    return process


def test_what_is_pinned_is_not_dropped(made):
    """It stays, recorded and on disk, as long as the pin does; the next tell after that drops it."""
    with made._session.store.pin(lambda state: [0, 1]) as pin:
        assert [name.split(".")[0] for name in pins(made)] == ["0", "1"]
        for _ in range(3):
            advance(made)
        pin.require()
        assert {"0", "1"} <= there(made)
        assert not dropped(made) & {0, 1}
    assert pins(made) == []
    advance(made)
    best = made.best_ever.number
    assert {0, 1} - {best} <= dropped(made)
    assert made.check().ok


def test_another_process_pins_too(made):
    """A pin of another process holds, and goes when that process lets go."""
    other = pinner(made)
    for _ in range(3):
        advance(made)
    assert {"0", "1"} <= there(made)
    other.communicate("\n")
    advance(made)
    assert len(there(made) & {"0", "1"}) <= 1


@linux
def test_a_killed_pinner_keeps_nothing(made):
    """On the same host a death is proven at once: the next tell removes the pin, and drops."""
    other = pinner(made)
    advance(made)
    other.kill()
    other.communicate()
    assert len(pins(made)) == 2
    for _ in range(2):
        advance(made)
    assert pins(made) == []
    assert len(there(made) & {"0", "1"}) <= 1


@linux
def test_a_stopped_pinner_keeps_its_pin(made):
    """A process that lives on this host is not taken for dead within the lease."""
    other = pinner(made)
    other.send_signal(signal.SIGSTOP)
    for _ in range(3):
        advance(made)
    assert {"0", "1"} <= there(made)
    other.send_signal(signal.SIGCONT)
    other.communicate("\n")


def test_a_pin_of_another_host_lasts_for_its_lease(made, monkeypatch):
    """Without a beat for a lease of looks it goes; the beats of a living one keep it."""
    clock = [1000.0]
    monkeypatch.setattr(liveness.time, "monotonic", lambda: clock[0])
    name = made._session.store.state.saved[0].name
    about = {"host": "far", "pid": 1, "start": "5", "boot": "b", "space": "x", "lease": 30.0}
    folder = Path(made.path) / "pins"
    folder.mkdir()
    pin = folder / f"{name}.far.1.abcdef"
    pin.write_text(json.dumps(about))
    pins = made._session.store._pins
    for i in range(40):
        os.utime(pin, ns=(i // 5, i // 5))
        assert pins.pinned({name}) == {name}
        clock[0] += 15.0
    os.utime(pin, ns=(99, 99))
    looks = []
    for _ in range(8):
        looks.append(bool(pins.pinned({name})))
        clock[0] += 20.0  # a beat of the default lease, which is longer
    assert looks == [True] * 6 + [False] * 2
    assert not pin.exists()


def test_a_pin_that_was_lost_is_noticed(made):
    """Who stood still for so long that his pin was removed hears of it before he uses what he read."""
    with made._session.store.pin(lambda state: [0]) as pin:
        (Path(made.path) / "pins" / pins(made)[0]).unlink()
        with pytest.raises(CheckpointError, match=r"removed: this process had no heartbeat"):
            pin.require()


def test_what_has_no_checkpoint_cannot_be_pinned(made):
    """A trial without one, or whose checkpoint was dropped, is named."""
    with pytest.raises(CheckpointError, match=r"\[7\] have no checkpoints"):
        made._session.store.pin(lambda state: [0, 7])
    assert pins(made) == []
    with pytest.raises(hoptim.ArgumentError, match="memory"):
        study(None)._session.store.pin(lambda state: [])


@pytest.mark.parametrize("name", ["0.5", "x.y.z", "0.5.far.1.abcdef.b", ".0.5.far.1.ab", "-1.5.a.1.b"])
def test_names_that_are_no_pins_keep_nothing(made, name):
    """Odd names in the folder are ignored; a check reports them."""
    folder = Path(made.path) / "pins"
    folder.mkdir()
    (folder / name).write_text("{}")
    for _ in range(3):
        advance(made)
    assert len(there(made) & {"0", "1"}) <= 1
    assert (folder / name).exists()


def test_planted_links_are_not_followed(made, tmp_path):
    """A pin that is a link is no pin for long, its target stays; a folder that is a link is refused."""
    name = made._session.store.state.saved[0].name
    target = tmp_path / "precious"
    target.write_text("{}")
    folder = Path(made.path) / "pins"
    folder.mkdir()
    link = folder / f"{name}.far.1.abcdef"
    link.symlink_to(target)
    assert made._session.store._pins.pinned({name}) == {name}  # nothing is proven
    link.unlink()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(hoptim.StoreError, match="pins"):
        made._session.store.pin(lambda state: [0])
    with pytest.raises(hoptim.StoreError, match="pins"):
        for _ in range(3):
            advance(made)
    assert target.read_text() == "{}"


def test_pins_beat(tmp_path):
    """A pin's time stamp moves while it is held, by one thread for all of a study."""
    made = study(tmp_path / "s", size=2, lease=0.06)
    advance(made)
    before = threading.active_count()
    with made._session.store.pin(lambda state: [0, 1]):
        assert threading.active_count() <= before  # those of earlier studies may come to their end
        path = Path(made.path) / "pins" / pins(made)[1]
        first = path.stat().st_mtime_ns
        wait_until(lambda: path.stat().st_mtime_ns > first)


def test_a_child_does_not_remove_its_parents_pins(made):
    """A fork of the pinning process ends without a trace."""
    with made._session.store.pin(lambda state: [0]) as pin:
        pid = os.fork()
        if pid == 0:
            pin.release()
            os._exit(0)
        os.waitpid(pid, 0)
        pin.require()


def test_nothing_is_looked_at_while_nothing_is_dropped(made, monkeypatch):
    """A tell that drops nothing lists no folder."""
    listed = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: listed.append(path) or listdir(path))
    trial = made.ask(timeout=0)
    listed.clear()
    trial.tell(0.5, save=saving("x"))
    assert listed == []
