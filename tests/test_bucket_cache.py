"""The cache of checkpoints: bounded, shared by processes, and never emptied under a reader."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from hoptim._files import close_read
from hoptim.errors import StoreError
from hoptim.store.published import Published
from hoptim.store.remote import cache as caches
from hoptim.store.remote.cache import Cache
from tests.builders import ROOT


@pytest.fixture
def cache(tmp_path):
    """A cache of 100 bytes."""
    return Cache(tmp_path / "cache", 100)


def fill(cache, name, size, when=None):
    """Have a copy of some bytes in a cache, last used at some time, and return what it is of."""
    use = cache.use(name)
    cache.path(name).write_bytes(b"x" * size)
    if when is not None:
        os.utime(use, (when, when))
    close_read(use)
    return Published(name, size, 1)


def names(cache):
    """What is in a cache."""
    return sorted(path.name for path in cache.folder.iterdir())


@contextmanager
def another_process_uses(cache, name):
    """Have a copy in use by another process for a block."""
    ready, told = os.pipe()
    waits, over = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(over)
        cache.use(name)
        os.write(told, b"!")
        os.read(waits, 1)
        os._exit(0)
    os.close(waits)
    assert os.read(ready, 1) == b"!"
    try:
        yield
    finally:
        os.close(over)
        os.waitpid(pid, 0)
        os.close(ready)
        os.close(told)


def test_what_was_not_used_for_longest_goes_first(cache):
    """Room is made until the new one fits, and no further; a lock file goes with its copy."""
    for number in range(4):
        fill(cache, f"{number}.1-00000000", 25, when=1000 + number)
    close_read(cache.use("0.1-00000000"))  # now the last one that was used
    cache.make_room(50)
    kept = ["0.1-00000000", "3.1-00000000"]
    assert names(cache) == sorted([*kept, *(f"{name}.lock" for name in kept)])


def test_what_is_in_use_stays(cache):
    """By this process or by another: there are then more bytes than the limit."""
    for number in range(3):
        fill(cache, f"{number}.1-00000000", 30, when=1000 + number)
    mine = cache.use("0.1-00000000")
    with another_process_uses(cache, "1.1-00000000"):
        cache.make_room(90)
        cache.remove("1.1-00000000")
        assert [name for name in names(cache) if ".lock" not in name] == ["0.1-00000000", "1.1-00000000"]
    close_read(mine)
    cache.make_room(90)
    assert names(cache) == []


def test_a_killed_download_is_tidied_up_and_a_living_one_is_not(cache):
    """What is being downloaded is in use by its downloader, and by nobody once that is dead."""
    fill(cache, "0.1-00000000", 10)
    for part in (".0.1-00000000-0123abcd", ".5.7-00000000-0123abcd"):
        (cache.folder / part).mkdir()
        (cache.folder / part / "half").write_text("x")
    (cache.folder / "work").mkdir()
    with another_process_uses(cache, "5.7-00000000"):
        cache.make_room(1)
        assert ".0.1-00000000-0123abcd" not in names(cache)
        assert ".5.7-00000000-0123abcd" in names(cache)
    Cache(cache.folder, 100).make_room(1)
    assert names(cache) == ["0.1-00000000", "0.1-00000000.lock", "work"]


def test_many_small_copies_are_seldom_looked_at(cache, monkeypatch):
    """Processes that fill a cache stay within its limit together, and look once for many copies."""
    looks, real = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: looks.append(0) or real(folder))
    monkeypatch.setattr(caches, "_PROCESSES", 4)
    sharing = [Cache(cache.folder, 4_000) for _ in range(4)]
    for number in range(1_000):
        each, name = sharing[number % 4], f"{number}.1-00000000"
        use = each.use(name)
        each.make_room(10)
        each.path(name).write_bytes(b"x" * 10)
        os.utime(use, (1000 + number, 1000 + number))
        close_read(use)
        here = [name for name in real(cache.folder) if ".lock" not in name]
        assert name in here
        assert (300 if number >= 400 else number) <= len(here) <= 400
    assert len(looks) < 100


def test_a_lock_file_that_went_meanwhile_is_no_lock(cache, monkeypatch):
    """Whoever waited while a copy was removed locks the file that others lock by then."""
    real, unlinked = fcntl.flock, []

    def flock(fd, how):
        if not unlinked:
            unlinked.append((cache.folder / "0.1-00000000.lock").unlink())
        real(fd, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    use = cache.use("0.1-00000000")
    assert os.path.samestat(os.fstat(use), os.stat(cache.folder / "0.1-00000000.lock"))
    close_read(use)


def test_a_copy_that_was_cut_is_removed(cache):
    """Another size than was published, as after a power cut, is no copy."""
    whole = fill(cache, "0.1-00000000", 10)
    assert cache.has(whole)
    assert not cache.has(whole._replace(size=11))
    assert not cache.path("0.1-00000000").exists()


def test_links_are_not_followed(cache, tmp_path):
    """A link in the place of a copy, of a lock file or of the cache itself leads nowhere."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "dear").write_text("x" * 200)
    fill(cache, "0.1-00000000", 10)
    cache.path("0.1-00000000").unlink()
    cache.path("0.1-00000000").symlink_to(tmp_path / "mine")
    assert not cache.has(Published("0.1-00000000", 200, 1))
    cache.path("1.1-00000000.lock").symlink_to(tmp_path / "made")
    with pytest.raises(StoreError, match="lock in"):
        cache.use("1.1-00000000")
    assert not (tmp_path / "made").exists()
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    with pytest.raises(StoreError, match="link"):
        Cache(tmp_path / "link").use("0.1-00000000")
    assert (tmp_path / "mine" / "dear").exists()


def test_a_cache_that_is_closed_keeps_what_others_use(cache):
    """Of a study that is over; else all stays for the next process."""
    for number in range(2):
        fill(cache, f"{number}.1-00000000", 0)
    with another_process_uses(cache, "1.1-00000000"):
        cache.close()
        assert len(names(cache)) == 4
        cache.is_over = True
        cache.close()
        assert names(cache) == ["1.1-00000000", "1.1-00000000.lock"]
    Cache(cache.folder / "none").close()


@pytest.mark.remote
@pytest.mark.parametrize("ends", [False, True])
def test_a_study_that_is_over_leaves_no_copies(tmp_path, ends):
    """They go when a process that saw its end exits, those too that its last trial has read."""
    pytest.importorskip("fsspec", reason="object storage needs the extra 'remote'")
    code = (
        "import sys; from tests.builders import *\n"
        "made = study(sys.argv[1], size=2, steps=3, checkpoints=sys.argv[2])\n"
        "for trial in made:\n"
        "    assert trial.checkpoint is None or Path(trial.checkpoint).exists()\n"
        f"    if trial.step == 2 and not {ends}: break\n"
        "    trial.tell(0.5, save=saving(''))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "s"), f"file://{tmp_path}/bucket"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    copies = [path for path in tmp_path.glob("cache/hoptim/*/*") if path.name != "work"]
    assert bool(copies) != ends


def test_the_cache_is_where_caches_are(monkeypatch):
    """Below XDG_CACHE_HOME, else in the home folder, a folder for each study."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/caches")
    assert Cache.default_folder("uuid") == Path("/var/caches/hoptim/uuid")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/srv/me")
    assert Cache.default_folder("uuid") == Path("/srv/me/.cache/hoptim/uuid")
