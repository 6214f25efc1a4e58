"""File calls that explain themselves."""

from __future__ import annotations

import errno
import os

import pytest

from hoptim import _files
from hoptim.errors import HoptimError, StoreError, StudyDamaged


def test_an_error_names_what_where_and_why(tmp_path):
    """An OSError becomes a StoreError with the path, the cause and the errno, and what to do."""
    missing = tmp_path / "missing"
    with pytest.raises(StoreError) as caught, _files.explained("read", missing):
        missing.read_bytes()
    assert caught.value.errno == errno.ENOENT
    assert isinstance(caught.value, OSError)
    for part in ("read", str(missing), "No such file", "again"):
        assert part in str(caught.value)


@pytest.mark.parametrize("error", [StudyDamaged("x"), KeyError("x"), StoreError(5, "x")])
def test_other_errors_pass_as_they_are(error):
    """hoptim's own errors and what is no OSError are not wrapped."""
    with pytest.raises((HoptimError, KeyError)) as caught, _files.explained("read", "x"):
        raise error
    assert caught.value is error


def test_short_writes_are_continued(tmp_path, monkeypatch):
    """A write that takes fewer bytes than given goes on behind them."""
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: real(fd, data[:3], offset))
    _files.write_new(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_a_new_file_replaces_nothing(tmp_path):
    """write_new refuses a name that is taken and leaves nothing when it fails."""
    _files.write_new(tmp_path / "a", b"first")
    with pytest.raises(FileExistsError):
        _files.write_new(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"first"


def test_a_failed_new_file_is_taken_away(tmp_path, monkeypatch):
    """A file whose bytes did not reach the disk does not stay under its name."""

    def full(fd, data, offset):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space"):
        _files.write_new(tmp_path / "a", b"bytes")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_in_one_step(tmp_path):
    """The new file takes the old one's name, links still lead to it, and nothing is left beside it."""
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "link").symlink_to("a")
    inode = (tmp_path / "a").stat().st_ino
    _files.replace_whole(tmp_path / "link", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").stat().st_ino != inode
    assert (tmp_path / "link").is_symlink()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("call", ["pwrite", "replace"])
def test_a_file_that_cannot_be_replaced_stays(tmp_path, monkeypatch, call):
    """When the disk refuses, the old file is whole, nothing is left beside it, and the error names it."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, call, full)
    with pytest.raises(StoreError, match=r"Could not write .*a': No space left"):
        _files.replace_whole(tmp_path / "a", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_a_device_is_written_to():
    """What nothing may replace, such as a device or a pipe, is written to."""
    _files.replace_whole(os.devnull, b"new")
    assert not os.path.isfile(os.devnull)


def test_only_regular_files_are_read(tmp_path):
    """Links, pipes and folders are refused without hanging; of a file, no more than asked for is read."""
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    assert _files.read_front(tmp_path / "file", 4) == b"1234"
    for name in ("link", "pipe", "."):
        with pytest.raises(OSError):
            _files.read_front(tmp_path / name, 4)
