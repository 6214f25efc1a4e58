"""For tests: nodes that share a network and nothing else, as processes in namespaces of their own."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from tests.builders import ROOT
from tests.node_process import Process, children

SERVERS, BUCKET = "10.77.0.1", "10.77.0.2"  # addresses of the namespace with the servers
_NEWNET = 0x40000000
_UNSHARE = ["unshare", *(f"--{kind}" for kind in ("net", "mount", "uts", "ipc", "pid", "fork"))]
_UNSHARE += ["--kill-child", "--mount-proc"]
_TOOLS = ("ip", "unshare", "nsenter", "mount")
_PRIVATE = "/tmp /var/tmp /dev/shm"
# Code below a private folder, whose paths are the arguments, is put aside while that is covered.
_SETUP = f"""\
set -e
mount --make-rprivate /
mount -t sysfs -o ro sysfs /sys
mount -t tmpfs tmpfs /mnt
n=0; for path; do n=$((n + 1)); mkdir /mnt/$n; mount --bind "$path" /mnt/$n; done
for folder in {_PRIVATE}; do mount -t tmpfs -o mode=1777 tmpfs $folder; done
n=0; for path; do
    n=$((n + 1)); mkdir -p "$path"; mount --bind /mnt/$n "$path"; mount -o remount,bind,ro "$path"
done
umount -l /mnt
mount -o remount,bind,ro /
hostname "$NODE" 2>/dev/null || echo "$NODE" > /proc/sys/kernel/hostname
echo ready
exec cat
"""


def why_missing() -> str | None:
    """Return why there can be no nodes here, None if there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "namespaces of the network and of mounts need root on Linux"
    if missing := [name for name in _TOOLS if _which(name) is None]:
        return f"not installed: {', '.join(missing)}"
    command = f"mount -t tmpfs tmpfs /mnt && {_which('ip')} link add hoptim0 type bridge"
    ran = subprocess.run([*_UNSHARE, "sh", "-c", command], capture_output=True, text=True, check=False)
    return f"namespaces are not permitted: {ran.stderr.strip()}" if ran.returncode else None


class Node:
    """A machine: its own network, host name, processes, /tmp and home; code can be read, not written.

    It is gone with the process that made it, whatever becomes of that: its first process reads a pipe.

    Args:
        number: Number of the node, from 1 on.

    Attributes:
        name: Its host name.
        inside: Words before a command that make it run in the node.
    """

    def __init__(self, number: int) -> None:
        self.name, self.port, self.address = f"node{number}", f"port{number}", f"10.77.0.{10 + number}"
        self._init = subprocess.Popen(
            [*_UNSHARE, "sh", "-c", _SETUP, "sh", *_needed()], env={**os.environ, "NODE": self.name},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._init.stdout is not None
        assert self._init.stdout.readline() == "ready\n", f"{self.name} could not be made"
        (self._pid,) = children(self._init.pid)
        self.inside = ["nsenter", "-t", str(self._pid), "-n", "-m", "-u", "-i", "-p", "--"]

    def connect(self) -> None:
        """Connect it to the bridge of the namespace that this thread is in."""
        _ip(f"link add {self.port} type veth peer name eth0 netns {self._pid}")
        _ip(f"link set {self.port} master hoptim0 up")
        for words in ("link set lo up", f"addr add {self.address}/24 dev eth0", "link set eth0 up"):
            subprocess.run([*self.inside, _which("ip") or "ip", *words.split()], check=True)

    def cut(self) -> None:
        """Take its link down: what is sent is lost, and nobody is told."""
        _ip(f"link set {self.port} down")

    def rejoin(self) -> None:
        """Take its link up again."""
        _ip(f"link set {self.port} up")

    def run(self, words: list[str], environment: Mapping[str, str]) -> Process:
        """Start a Python process in it; the arguments are those of `Process`."""
        return Process(words, environment, self.inside)

    def close(self) -> None:
        """End all of its processes."""
        self._init.communicate()


class Network:
    """A bridge with servers on one side and nodes on the other; see `network`.

    Attributes:
        nodes: The nodes.
    """

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes

    def hide(self, address: str) -> None:
        """Let nobody reach an address of the servers."""
        _ip(f"addr del {address}/24 dev hoptim0")

    def show(self, address: str) -> None:
        """Let everybody reach an address of the servers."""
        _ip(f"addr add {address}/24 dev hoptim0")


@contextmanager
def network(count: int) -> Iterator[Network]:
    """Move this thread into a network of its own, with some nodes on it, for a block.

    Servers that are started in the block are in it, and listen on its addresses.

    Args:
        count: Number of nodes.
    """
    with ExitStack() as stack:
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        stack.callback(os.close, before)
        _call("unshare", _NEWNET)
        stack.callback(_call, "setns", before, _NEWNET)
        for words in ("link set lo up", "link add hoptim0 type bridge", "link set hoptim0 up"):
            _ip(words)
        nodes = []
        for number in range(1, count + 1):
            nodes.append(Node(number))
            stack.callback(nodes[-1].close)
            nodes[-1].connect()
        made = Network(nodes)
        for address in (SERVERS, BUCKET):
            made.show(address)
        yield made


def _call(name: str, *arguments: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def _ip(words: str) -> None:
    subprocess.run([_which("ip") or "ip", *words.split()], check=True)


def _which(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def _needed() -> list[str]:
    """Return the folders with code that are below private ones, none within another."""
    folders = {str(ROOT), sys.prefix, sys.base_prefix, *filter(os.path.isdir, sys.path)}
    hidden = tuple(f"{folder}/" for folder in _PRIVATE.split())
    found: list[str] = []
    for folder in sorted(map(os.path.realpath, folders)):
        if folder.startswith(hidden) and not folder.startswith(tuple(f"{each}/" for each in found)):
            found.append(folder)
    return found
