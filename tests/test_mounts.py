"""Mounts whose locks lie are refused by name; what is unknown is not."""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import hoptim
from hoptim.errors import StoreError
from hoptim.store.locking import mounts
from tests.builders import ROOT, study

ROOT_LINE = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard"
LIES = {
    "NFSv3 without locks": ("nfs", "rw,vers=3,nolock,local_lock=all,addr=10.0.0.1"),
    "NFS with all locks local": ("nfs", "rw,vers=3,local_lock=all"),
    "NFS with local flock": ("nfs4", "rw,vers=4.2,local_lock=flock"),
    "Lustre with local locks": ("lustre", "rw,localflock,lazystatfs"),
    "Lustre without flock": ("lustre", "rw,noflock"),
    "SMB without byte ranges": ("cifs", "rw,vers=3.0,nobrl"),
    "sshfs": ("fuse.sshfs", "rw,user_id=0"),
    "OCFS2 with local flock": ("ocfs2", "rw,_netdev,localflocks"),
    "GFS2 with local flock": ("gfs2", "rw,localflocks"),
    "s3fs": ("fuse.s3fs", "rw,user_id=0"),
    "gcsfuse": ("fuse.gcsfuse", "rw,user_id=0"),
    "rclone": ("fuse.rclone", "rw,user_id=0"),
    "goofys": ("fuse.goofys", "rw,user_id=0"),
    "mount-s3": ("fuse.mount-s3", "rw,user_id=0"),
    "mount-s3, as it names itself": ("fuse", "rw,user_id=0", "mountpoint-s3"),
    "davfs": ("davfs", "rw"),
    "davfs, as it names itself": ("fuse", "rw,user_id=0", "https://server/dav"),
}
DOUBTFUL = {
    "WSL": ("9p", r"rw,aname=drvfs;path=C:\;uid=1000,trans=fd", r"C:\134"),
    "9p": ("9p", "rw,trans=virtio,version=9p2000.L"),
    "Docker Desktop": ("virtiofs", "rw"),
    "Docker Desktop, gRPC": ("fuse.grpcfuse", "rw"),
    "Vagrant": ("vboxsf", "rw,nodev"),
    "bindfs": ("fuse.bindfs", "rw"),
    "BeeGFS": ("beegfs", "rw,cfgFile=/etc/beegfs/beegfs-client.conf"),
    "GPFS": ("gpfs", "rw"),
    "goofys, which names its bucket alone": ("fuse", "rw,user_id=0", "bucket"),
}
HONEST = {
    "NFSv4": ("nfs4", "rw,vers=4.2,local_lock=none"),
    "NFS with local fcntl locks": ("nfs", "rw,vers=3,local_lock=posix"),
    "Lustre with flock": ("lustre", "rw,flock"),
    "SMB": ("cifs", "rw,vers=3.0"),
    "ext4": ("ext4", "rw"),
    "overlay": ("overlay", "rw,lowerdir=/nolock"),
    "overlay of a container without root": ("fuse.fuse-overlayfs", "rw"),
    "OCFS2": ("ocfs2", "rw,_netdev"),
    "CephFS": ("ceph", "rw"),
}


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Makes the mount table say that the test's folder is on a file system of the caller's choice."""

    def as_(kind: str, options: str, source: str = "server:/x", more: Sequence[str] = ()) -> Path:
        point = str(tmp_path).replace(" ", r"\040")
        line = f"40 22 0:50 / {point} rw,noatime shared:9 master:1 - {kind} {source} {options}"
        table = tmp_path / "mountinfo"
        table.write_text("\n".join([ROOT_LINE, line, *more]) + "\n")
        monkeypatch.setattr(mounts, "_TABLE", str(table))
        monkeypatch.setattr(mounts, "_warned", set())
        return Path(tmp_path)

    return as_


@pytest.mark.parametrize("name", LIES)
def test_mounts_that_lie_are_refused(mounted, name):
    """A study cannot be made there; the error names mount and option, and what can be done."""
    folder = mounted(*LIES[name])
    with pytest.raises(StoreError, match=f"{folder} is mounted as .*single_host=True") as caught:
        study(folder / "s")
    assert caught.value.errno == errno.ENOLCK
    assert not (folder / "s" / "study.json").exists()


@pytest.mark.parametrize("name", HONEST)
def test_other_mounts_are_fine(mounted, name, caplog):
    """What is not known to lie is taken without a word."""
    study(mounted(*HONEST[name]) / "s").ask()
    assert caplog.records == []


@pytest.mark.parametrize("name", DOUBTFUL)
def test_mounts_that_may_lie_are_warned_of_once(mounted, name, caplog):
    """A study is made there all the same; one warning names the mount, a test and the way out."""
    folder = mounted(*DOUBTFUL[name])
    with caplog.at_level(logging.WARNING, logger="hoptim"):
        study(folder / "s").ask().tell(1.0)
        study(folder / "t").ask().tell(1.0)
    (said,) = caplog.messages
    assert f"{folder} is mounted as {DOUBTFUL[name][0]}: " in said
    assert "check-dir" in said
    assert "single_host=True" in said


def test_a_user_who_knows_is_not_warned(mounted, caplog):
    """Told that all processes run on one machine, hoptim has nothing to warn of."""
    study(mounted(*DOUBTFUL["WSL"]) / "s", single_host=True).ask()
    assert caplog.records == []


@pytest.mark.parametrize(("heading", "cases"), [("## Refused", LIES), ("## Warned of", DOUBTFUL)])
def test_each_sort_of_mount_is_in_the_docs(heading, cases):
    """The page of file systems lists each type that is refused or warned of, in the right table."""
    page = (ROOT / "docs" / "mounts.md").read_text()
    section = page.partition(heading)[2].partition("\n## ")[0]
    rows = [row for row in section.splitlines() if row.startswith("| `")]
    types = {kind for row in rows for kind in re.findall(r"`([^`]+)`", row.split("|")[1])}
    assert {kind for kind, *_ in cases.values()} <= types
    for kind in types - {kind for kind, *_ in HONEST.values()}:
        rules = mounts._UNSHARED if cases is LIES else mounts._DEPENDING
        assert any(re.fullmatch(rule.kind, kind) for rule in rules), kind


def test_single_host_is_the_users_word(mounted):
    """Told that all processes run on one machine, hoptim needs no locks that reach further."""
    folder = mounted(*LIES["NFSv3 without locks"])
    made = study(folder / "s", single_host=True)
    made.ask().tell(1.0)
    assert len(hoptim.load(folder / "s").trials) == 1


def test_reading_is_never_refused_and_asking_is(mounted):
    """A study that was made elsewhere can be looked at anywhere, for reading takes no lock."""
    folder = mounted(*HONEST["ext4"])
    study(folder / "s")
    mounted(*LIES["sshfs"])
    found = hoptim.load(folder / "s")
    found._session.store.journal._lock.single_host = False  # as in a process that never took the lock
    assert found.trials == []
    with pytest.raises(StoreError, match="sshfs keeps locks"):
        found.ask()
    hoptim.load(folder / "s", single_host=True).ask()


def test_the_innermost_and_last_mount_counts(mounted, tmp_path):
    """A mount hides what it is mounted over, and a longer name beside it is another folder."""
    inner = f"41 40 0:51 / {tmp_path}/in rw - nfs x rw,nolock"
    over = f"42 40 0:52 / {tmp_path}/in rw - ext4 x rw"
    beside = f"43 40 0:53 / {tmp_path}/inner rw - nfs x rw,nolock"
    mounted("ext4", "rw", more=[inner])
    assert mounts.why_unshared(tmp_path / "in" / "deep" / "s") is not None
    assert mounts.why_unshared(tmp_path / "s") is None
    mounted("ext4", "rw", more=[inner, over, beside])
    assert mounts.why_unshared(tmp_path / "in" / "s") is None
    assert mounts.why_unshared(tmp_path / "inner") is not None


def test_a_link_leads_to_the_mount_that_counts(mounted, tmp_path):
    """Where a path really is decides, not how it is spelt."""
    mounted("ext4", "rw", more=[f"41 40 0:51 / {tmp_path}/far rw - nfs x rw,nolock"])
    (tmp_path / "near").symlink_to(tmp_path / "far")
    assert mounts.why_unshared(tmp_path / "near" / "s") is not None


def test_names_with_spaces_are_read(mounted, tmp_path):
    """The kernel writes blanks in names as octal numbers."""
    mounted("ext4", "rw", more=[rf"41 40 0:51 / {tmp_path}/my\040data rw - nfs x rw,nolock"])
    assert mounts.why_unshared(tmp_path / "my data") is not None


def test_without_a_mount_table_nothing_is_refused(monkeypatch, tmp_path):
    """Where the system has no such table, or it cannot be read, there is nothing to know."""
    for table in ("gone", "odd"):
        (tmp_path / "odd").write_text("what is this\n")
        monkeypatch.setattr(mounts, "_TABLE", str(tmp_path / table))
        assert mounts.why_unshared(ROOT) is None


@pytest.mark.skipif(not Path(mounts._TABLE).exists(), reason="Linux has this table")
def test_the_real_table_is_understood():
    """The mount of the root folder is found in this machine's own table."""
    found = mounts.of(Path("/"))
    assert found is not None
    assert (found.point, bool(found.kind)) == ("/", True)
