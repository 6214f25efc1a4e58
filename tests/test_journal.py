"""The journal file: catching up, repairing, refusing, and its like in memory."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil

import pytest

from hoptim.errors import HoldLost, LockTimeout, StoreError, StudyDamaged, StudyMismatch
from hoptim.store import line_format
from hoptim.store.journal import FileJournal
from hoptim.store.memory_journal import MemoryJournal
from tests import reader
from tests.journals import append, ops, read

UUID = "0123456789abcdef"


@pytest.fixture
def path(tmp_path):
    """A journal with record 0."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(line_format.encode({"n": 0, "op": "create", "uuid": UUID}, line_format.start(UUID)))
    return path


def opened(path):
    """A reader and writer of its own, as another process would have."""
    return FileJournal(path.parent, UUID)


def test_two_see_what_each_other_wrote(path):
    """Each reader gets every record once and in order, whoever wrote it."""
    a, b = opened(path), opened(path)
    assert (ops(a), ops(b)) == (["create"], ["create"])
    append(a, "x", "y")
    append(b, "z")
    assert (ops(a), read(a)) == (["z"], (False, []))
    assert [r["n"] for r in reader.read(path)] == [0, 1, 2, 3]


def test_one_append_is_one_batch(path):
    """Records of one append say how far behind its first they are, and no others do."""
    journal = opened(path)
    append(journal, "x", "y", "z")
    append(journal, "w")
    assert [r.get("batch", 0) for r in reader.read(path)] == [0, 0, 1, 2, 0]


def test_every_torn_tail_is_repaired_by_the_next_holder(path, caplog):
    """Cut anywhere in the last append, the file is cut back to good records and the rest kept aside."""
    journal = opened(path)
    append(journal, "x")
    kept = path.stat().st_size
    append(journal, "y", "z")
    whole = path.read_bytes()
    for length in range(kept, len(whole)):
        path.write_bytes(whole[:length])
        good = [b"x", b"y"][: whole[kept:length].count(b"\n") + 1]
        with caplog.at_level(logging.WARNING, logger="hoptim"):
            append(opened(path), "next")
        assert [r["op"] for r in reader.read(path)] == ["create", *(g.decode() for g in good), "next"]
        aside = list(path.parent.glob("*.torn-*"))
        torn = length - kept - whole[kept:length].rfind(b"\n") - 1
        assert [f.stat().st_size for f in aside] == ([torn] if torn else [])
        for file in aside:
            file.unlink()
    assert "interrupted" in caplog.text


def test_a_reader_without_the_lock_stops_and_repairs_nothing(path):
    """A torn tail is not read and not touched by those who only look; it may still grow whole."""
    journal, looker = opened(path), opened(path)
    append(journal, "x", "y")
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert ops(looker) == ["create", "x"]
    assert path.read_bytes() == whole[:-5]
    path.write_bytes(whole)
    assert ops(looker) == ["y"]


@pytest.mark.parametrize("held", [True, False])
def test_damage_with_good_records_behind_is_refused(path, held):
    """Damage is reported with line and offset, never skipped or repaired, with the lock or without."""
    append(opened(path), "x")
    offset = path.stat().st_size
    append(opened(path), "y")
    append(opened(path), "z")
    data = bytearray(path.read_bytes())
    data[offset + 12] ^= 1
    path.write_bytes(bytes(data))
    journal = opened(path)
    with pytest.raises(StudyDamaged, match=f"line 3, byte {offset}"):
        if held:
            append(journal, "w")
        else:
            read(journal)
    assert path.read_bytes() == bytes(data)


def test_a_shorter_or_rewritten_file_is_read_from_the_front(path):
    """When the known bytes are gone, all old records are void and the file is read anew."""
    journal, looker = opened(path), opened(path)
    append(journal, "x")
    read(looker)
    before = path.read_bytes()
    append(journal, "y")
    read(looker)
    path.write_bytes(before)  # as a writer does that takes back an append that failed
    assert read(looker) == (True, reader.read(path))
    append(opened(path), "other")
    assert ops(looker) == ["other"]


def test_the_same_length_with_other_bytes_is_noticed(path):
    """A last line that was replaced by one of the same length is found by its bytes."""
    journal, looker = opened(path), opened(path)
    before = path.read_bytes()
    append(journal, "x")
    read(looker)
    path.write_bytes(before)
    append(opened(path), "y")
    assert read(looker) == (True, reader.read(path))


def test_a_vanished_or_empty_journal_is_an_error(path):
    """Nobody starts anew over a journal that is gone; it is never created by opening."""
    path.write_bytes(b"")
    with pytest.raises(StudyDamaged, match="the file is empty"):
        read(opened(path))
    path.unlink()
    with pytest.raises(StudyDamaged, match="is gone"):
        append(opened(path), "x")
    assert not path.exists()


def test_a_vanished_directory_is_called_so(path):
    """Of a study whose directory was removed it is not said that its study.json is there."""
    journal = opened(path)
    read(journal)
    shutil.rmtree(path.parent)
    with pytest.raises(StudyDamaged, match=f"The directory '{path.parent}' is gone"):
        read(journal)


def test_a_directory_made_anew_is_not_written(path):
    """A worker of an old study refuses a new study's journal under the same name."""
    journal = opened(path)
    read(journal)
    line = line_format.encode({"n": 0, "op": "create", "uuid": "f" * 16}, line_format.start("f" * 16))
    path.write_bytes(line)
    with pytest.raises(StudyMismatch, match="made anew"):
        append(journal, "x")
    assert path.read_bytes() == line


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_links_and_special_files_are_refused(path, kind):
    """A journal that is a link, a pipe or a folder is neither read nor written, and nothing hangs."""
    moved = path.rename(path.with_name("moved"))
    {"link": lambda: path.symlink_to(moved), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()
    with pytest.raises((StoreError, StudyDamaged)):
        append(opened(path), "x")
    assert len(reader.read(moved)) == 1


@pytest.mark.parametrize("call", ["pwrite", "fsync"])
@pytest.mark.parametrize("code", [errno.EIO, errno.EROFS, errno.ESTALE])
def test_a_failed_append_is_taken_back_and_can_be_repeated(path, monkeypatch, call, code):
    """An error in the middle of an append names path and cause; the bytes go, the next append works."""
    journal = opened(path)
    append(journal, "x")
    before, real = path.read_bytes(), getattr(os, call)
    failed = []

    def fail_once(fd, *rest):
        if os.fstat(fd).st_size and os.path.samestat(os.fstat(fd), path.stat()) and not failed:
            failed.append(call)
            if call == "pwrite":
                real(fd, rest[0][:9], rest[1])
            raise OSError(code, os.strerror(code))
        return real(fd, *rest)

    monkeypatch.setattr(os, call, fail_once)
    with pytest.raises(StoreError, match=os.strerror(code)) as caught:
        append(journal, "y")
    assert (failed, str(path) in str(caught.value)) == ([call], True)
    assert path.read_bytes() == before
    append(journal, "y")
    assert [r["op"] for r in reader.read(path)] == ["create", "x", "y"]


def test_foreign_bytes_are_synced_before_anything_is_built_on_them(path, monkeypatch):
    """What a process left that died before its fsync is made durable before an append goes behind it."""
    mine, other = opened(path), opened(path)
    append(mine, "x")
    append(other, "y")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, line_format.encode({"n": 3, "op": "unsynced"}, lines[-1][:8])]))
    calls = []
    real_sync, real_write = os.fsync, os.pwrite

    def named(what, fd):
        if os.path.samestat(os.fstat(fd), path.stat()):
            calls.append(what)

    monkeypatch.setattr(os, "fsync", lambda fd: (named("sync", fd), real_sync(fd)))
    monkeypatch.setattr(os, "pwrite", lambda fd, *rest: (named("write", fd), real_write(fd, *rest))[1])
    append(mine, "z")
    assert calls == ["write", "sync", "write", "sync"]  # a failed fsync may have made them seem clean
    calls.clear()
    append(mine, "w")  # nobody else wrote in between
    assert calls == ["write", "sync"]
    calls.clear()
    append(other, "v")  # the last holder left word that all is durable
    assert calls == ["write", "sync"]
    calls.clear()
    (path.parent / "lock").write_bytes(
        b"durable: 00000000 " + b"9" * 20
    )  # words of other bytes say nothing
    append(mine, "u")
    assert calls == ["write", "sync", "write", "sync"]
    assert [r["n"] for r in reader.read(path)] == list(range(8))


def test_a_whole_append_is_secured(path, monkeypatch):
    """All records of the last append are written again, and nothing of what lies before it."""
    mine, other = opened(path), opened(path)
    append(other, "a")
    append(other, "b", "c", "d")
    (path.parent / "lock").write_bytes(b"")
    before, real, written = path.read_bytes(), os.pwrite, []

    def pwrite(fd, data, offset):
        if os.path.samestat(os.fstat(fd), path.stat()):
            written.append((bytes(data), offset))
        return real(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    with mine.hold(None):
        read(mine)
    ((data, offset),) = written
    assert data == b"".join(before.splitlines(keepends=True)[-3:])
    assert before[offset:] == data


def test_names_made_by_others_are_made_durable_first(path, monkeypatch):
    """Whoever made the study may have died before its names were on the disk: the first hold syncs them."""
    real, synced = os.fsync, []

    def fsync(fd):
        synced.append(os.fstat(fd).st_ino)
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    journal = opened(path)
    with journal.hold(None):
        pass
    assert {path.parent.stat().st_ino, path.parent.parent.stat().st_ino} <= set(synced)
    synced.clear()
    with journal.hold(None):
        pass
    assert synced == []


def test_the_journal_itself_is_locked_while_it_is_written(path):
    """Nobody enters while its own lock is kept, as over NFS until a killed writer's bytes are there."""
    journal = opened(path)
    with path.open("rb") as file:
        with journal.hold(None), pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(LockTimeout), journal.hold(0.1):
            pass
    append(journal, "x")


def test_a_hold_that_was_lost_is_noticed(path):
    """Where others appended within a hold, as over NFS a lock may be lost, nothing is written over that."""
    journal = opened(path)
    append(journal, "x")
    before = path.read_bytes()
    others = line_format.encode({"n": 2, "op": "others"}, before.splitlines()[-1][:8])
    with pytest.raises(HoldLost, match="though this one held the lock"), journal.hold(None):
        read(journal)
        path.write_bytes(before + others)
        journal.append([{"op": "stale"}])
    assert path.read_bytes() == before + others
    append(journal, "again")
    assert [record["op"] for record in reader.read(path)] == ["create", "x", "others", "again"]


def test_the_memory_journal_keeps_the_same_promises():
    """In memory, records come once and in order, and all again after forget."""
    journal = MemoryJournal()
    append(journal, "x", "y")
    assert (read(journal), journal.count) == ((False, []), 2)
    journal.forget()
    void, records = read(journal)
    assert (void, [r["op"] for r in records]) == (True, ["x", "y"])
