"""The few requests of ptrace that `tests/traced/tracer.py` makes; Linux on x86-64 alone."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys
from contextlib import suppress

_TRACEME, _CONTINUE, _GETREGS, _SETREGS, _SYSCALL, _SETOPTIONS = 0, 7, 12, 13, 24, 0x4200
_OPTIONS = 0x1 | 0x8 | 0x100000  # mark system calls, follow threads, die with the tracer
_DEATH_SIGNAL = 1  # of prctl
_REGISTERS = struct.Struct("27Q")
_AT_FDCWD = 0xFFFFFF9C

WALL = 0x40000000  # for waitpid: threads too
MARKED = signal.SIGTRAP | 0x80  # what stops at a system call
RESULT, THIRD, NUMBER = 10, 12, 15  # positions of rax, rdx and orig_rax
ARGUMENTS = (14, 13, 12, 7)  # of rdi, rsi, rdx and r10

# What each file call works on, by its number: a name without what tells its variants apart, then
# where that is: f means that the argument behind it is a descriptor, p a path, a the descriptor of a
# folder and then a path in it. What only Python calls and no disk can fail is left out: lseek, ioctl,
# fcntl.
CALLS = {
    0: ("read", "f0"), 1: ("write", "f0"), 2: ("open", "p0"), 3: ("close", "f0"), 4: ("stat", "p0"),
    5: ("stat", "f0"), 6: ("stat", "p0"), 17: ("pread", "f0"), 18: ("pwrite", "f0"), 20: ("write", "f0"),
    21: ("access", "p0"), 73: ("flock", "f0"), 74: ("fsync", "f0"), 75: ("fsync", "f0"),
    76: ("ftruncate", "p0"), 77: ("ftruncate", "f0"), 82: ("rename", "p1"), 83: ("mkdir", "p0"),
    84: ("rmdir", "p0"), 86: ("link", "p1"), 87: ("unlink", "p0"), 88: ("symlink", "p1"),
    89: ("readlink", "p0"), 90: ("chmod", "p0"), 91: ("chmod", "f0"), 92: ("chown", "p0"),
    93: ("chown", "f0"), 137: ("statfs", "p0"), 138: ("statfs", "f0"), 217: ("getdents", "f0"),
    257: ("open", "a0"), 258: ("mkdir", "a0"), 260: ("chown", "a0"), 262: ("stat", "a0"),
    263: ("unlink", "a0"), 264: ("rename", "a2"), 265: ("link", "a2"), 266: ("symlink", "a1"),
    267: ("readlink", "a0"), 268: ("chmod", "a0"), 269: ("access", "a0"), 280: ("utime", "a0"),
    285: ("fallocate", "f0"), 295: ("pread", "f0"), 296: ("pwrite", "f0"), 316: ("rename", "a2"),
    326: ("write", "f2"), 332: ("stat", "a0"), 439: ("access", "a0"),
}  # fmt: skip
COUNTED = (0, 1, 17, 18)  # those whose third argument is a number of bytes
FLAGS = {2: 1, 257: 2}  # argument that says how an open opens

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def let_trace(parent: int) -> None:
    """In a child: stop, to be traced by the parent, and never outlive it."""
    assert _libc is not None
    _libc.prctl(_DEATH_SIGNAL, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # another process would be asked to trace
        os.kill(os.getpid(), signal.SIGKILL)
    _ask(_TRACEME, 0)
    os.kill(os.getpid(), signal.SIGSTOP)


def begin(pid: int) -> None:
    """Follow a stopped child from now on."""
    _ask(_SETOPTIONS, pid, ctypes.c_void_p(_OPTIONS))


def go(thread: int, deliver: int, look: bool) -> None:
    """Let a stopped thread go on.

    Args:
        thread: Its number; gone is fine.
        deliver: The signal that it gets, 0 for none.
        look: Whether it stops at the next system call.
    """
    with suppress(ProcessLookupError):
        _ask(_SYSCALL if look else _CONTINUE, thread, ctypes.c_void_p(deliver))


def registers(thread: int) -> list[int]:
    """Those of a stopped thread."""
    buffer = ctypes.create_string_buffer(_REGISTERS.size)
    _ask(_GETREGS, thread, buffer)
    return list(_REGISTERS.unpack(buffer.raw))


def set_registers(thread: int, values: list[int]) -> None:
    """Change those of a stopped thread."""
    _ask(_SETREGS, thread, ctypes.create_string_buffer(_REGISTERS.pack(*values), _REGISTERS.size))


def path(thread: int, memory: int, number: int, values: list[int]) -> str:
    """What a stopped thread's call works on; "" where that is unknown.

    Args:
        thread: Its number.
        memory: Descriptor of its memory.
        number: That of the call.
        values: Its registers.
    """
    kind, position = tuple(CALLS[number][1])
    at = int(position)
    arguments = [values[i] for i in ARGUMENTS]
    named = "" if kind == "f" else _text(memory, arguments[at + (kind == "a")])
    if named.startswith("/"):
        return named
    descriptor = arguments[at] & 0xFFFFFFFF
    base = "cwd" if kind == "p" or descriptor == _AT_FDCWD else f"fd/{descriptor}"
    try:
        found = os.readlink(f"/proc/{thread}/{base}")
    except OSError:
        return ""
    return f"{found}/{named}" if named else found


def _text(memory: int, address: int) -> str:
    if not address:
        return ""
    page = 4096 - address % 4096  # the next page may not be there
    data = os.pread(memory, page, address)
    if b"\0" not in data:
        data += os.pread(memory, 4096, address + page)
    return data.split(b"\0", 1)[0].decode(errors="replace")


def _ask(request: int, thread: int, data: object = None) -> None:
    assert _libc is not None
    long, pointer = ctypes.c_long, ctypes.c_void_p
    if _libc.ptrace(long(request), long(thread), pointer(0), data or pointer(0)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"ptrace {request}: {os.strerror(code)}")
