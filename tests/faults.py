"""Makes every file call of hoptim die, fail or fall short, and judges what is left.

Run it: python tests/faults.py --every-byte --jobs 2. Exit status 1 means that something went wrong, 77
that nothing can be traced here. What went wrong is printed with the arguments that repeat it.
"""

from __future__ import annotations

import argparse
import errno
import functools
import logging
import multiprocessing
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import filelock
import numpy.random

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.traced import tracer
from tests.traced.bench import Bench
from tests.traced.mutants import MUTANTS, break_nothing
from tests.traced.scenarios import SCENARIOS
from tests.traced.tracer import Call, Fault

WARM = (filelock, numpy.random)  # imported once here, and not by each child

_RECORDS = 4096  # bytes; what is larger says nothing that could be half said
KINDS = ("before", "after", "tear", "shorten", "fail", "stick", "late")
_ANY = ("EIO", "ESTALE")
_NAMED = (*_ANY, "EACCES")
_FULL = ("ENOSPC", "EDQUOT", "EROFS")
_LOOKS = {  # what may fail, of calls that change nothing
    **dict.fromkeys(("read", "pread"), _ANY),
    **dict.fromkeys(("stat", "statfs", "access", "readlink", "getdents"), _NAMED),
    "open": (*_NAMED, "EMFILE"),
}
_CHANGES = {  # and of those that do
    **dict.fromkeys(("write", "pwrite", "fallocate", "fsync", "ftruncate", "close"), (*_ANY, *_FULL)),
    **dict.fromkeys(("rename", "link", "symlink", "mkdir"), (*_NAMED, *_FULL)),
    **dict.fromkeys(("unlink", "rmdir", "utime", "chmod", "chown"), (*_NAMED, "EROFS")),
    "open": (*_NAMED, "EMFILE", *_FULL),
    "flock": (*_ANY, "ENOLCK"),
}


class Case(NamedTuple):
    """A fault in a scenario."""

    scenario: str
    fault: Fault

    def __str__(self) -> str:
        at, kind, argument = self.fault
        code = errno.errorcode.get(argument, "").lower()
        words = {"before": kind, "after": kind, "fail": code}
        word = words.get(kind, f"{kind}:{argument if kind in ('tear', 'shorten') else code}")
        return f"--scenario {self.scenario} --at {at} --fault {word}"


def fault_from(at: int, word: str) -> Fault:
    """The fault that the text of a case names."""
    kind, _, argument = word.partition(":")
    if kind in ("before", "after"):
        return Fault(at, kind)
    if argument.isdigit():
        return Fault(at, kind, int(argument))
    return Fault(at, kind if argument else "fail", getattr(errno, (argument or kind).upper()))


# -- which faults ------------------------------------------------------------------------------------


def faults(at: int, call: Call, every_byte: bool) -> Iterator[Fault]:
    """Every fault that fits a call."""
    changes = call.creates or call.name not in _LOOKS
    for name in (_CHANGES if changes else _LOOKS)[call.name]:
        yield Fault(at, "fail", getattr(errno, name))
        yield Fault(at, "stick", getattr(errno, name))
    if not call.path.startswith("/proc/"):
        yield Fault(at, "before")
        if changes:
            yield Fault(at, "after")
            yield Fault(at, "late", errno.EIO)
    if call.name in ("read", "pread") and call.size > 7:
        yield Fault(at, "shorten", 7)
    if call.name in ("write", "pwrite") and call.size > 1:
        some = sorted({1, call.size // 2, call.size - 1})
        every = range(1, call.size) if every_byte and call.size <= _RECORDS else some
        yield from (Fault(at, "tear", length) for length in every)
        yield from (Fault(at, "shorten", length) for length in some)


def sample(calls: Sequence[Call], known: set[tuple[str, str]]) -> Iterator[Fault]:
    """A kill or another fault, by turns, for each new kind of call, and another one for every 97th of all.

    Args:
        calls: Those of a scenario.
        known: Kinds that are not new; those of these calls are added.
    """
    for at, call in enumerate(calls):
        kind = (call.name, re.sub(r"^.*/here|(?<=-)[0-9a-f]{8}\b|\d[\w.-]*", "", call.path))
        others = [fault for fault in faults(at, call, every_byte=False) if fault.kind != "before"]
        if kind not in known and len(known) % 2 and not call.path.startswith("/proc/"):
            yield Fault(at, "before")
        elif kind not in known or at % 97 == 0:
            yield others[at * 7 % len(others)]
        known.add(kind)


# -- the script --------------------------------------------------------------------------------------


def cases_of(bench: Bench, a: argparse.Namespace) -> list[Case]:
    """What was asked for."""
    if a.at is not None:
        return [Case(name, fault_from(a.at, a.fault)) for name in a.scenario]
    cases: list[Case] = []
    known: set[tuple[str, str]] = set()
    for name in a.scenario:
        _, calls = bench.run(name, None)
        if a.trace:
            for at, call in enumerate(calls):
                say(f"{name} {at} {called(call)} {call.size or ''}")
        elif a.sample:
            cases += [Case(name, fault) for fault in sample(calls, known)]
        else:
            met = [(at, call) for at, call in enumerate(calls) if a.only in called(call)]
            cases += [Case(name, fault) for at, call in met for fault in faults(at, call, a.every_byte)]
    return cases


def run(bench: Bench, case: Case) -> tuple[Case, str, list[str]]:
    """A case, the call that its fault met, and what was wrong; in a process of the pool."""
    wrong, calls = bench.run(*case)
    if case.fault.at >= len(calls):
        return case, "not reached", wrong
    return case, called(calls[case.fault.at]), wrong


def called(call: Call) -> str:
    """A call, for people."""
    return f"{call.name} {call.path.rpartition('/here')[2] or call.path}"


def work(bench: Bench, cases: Sequence[Case], a: argparse.Namespace) -> int:
    """Run cases, print what went wrong and a table of what was run; how many went wrong."""
    began, counts, bad, missed = time.monotonic(), Counter[tuple[str, str]](), Counter[str](), 0
    with ProcessPoolExecutor(a.jobs, multiprocessing.get_context("fork")) as pool:
        for case, met, wrong in pool.map(functools.partial(run, bench), cases, chunksize=4):
            counts[case.scenario, case.fault.kind] += 1
            missed += met == "not reached"
            if counts.total() % 1000 == 0:
                sys.stderr.write(f"{counts.total()} of {len(cases)}\n")
            if wrong:
                bad[case.scenario] += 1
                text = "\n".join(wrong) if a.at is not None else " | ".join(map(brief, wrong))
                say(f"BAD {case} ({met}): {text}")
                if a.first:
                    pool.shutdown(cancel_futures=True)
                    break
    say(f"{'':10}" + "".join(f"{kind:>9}" for kind in (*KINDS, "all", "bad")))
    for name in a.scenario:
        row = [counts[name, kind] for kind in KINDS]
        say(f"{name:10}" + "".join(f"{count:9}" for count in (*row, sum(row), bad[name])))
    seconds = time.monotonic() - began
    say(f"{counts.total()} faults, {missed} of them not reached, {bad.total()} bad, {seconds:.1f} s")
    return bad.total()


def brief(text: str) -> str:
    """The last line of a traceback, and where in hoptim it comes from."""
    frames = re.findall(r'/hoptim/(\w+\.py)", line (\d+)', text)
    where = " < ".join(f"{name}:{line}" for name, line in frames[:-4:-1])
    return text.strip().splitlines()[-1] + (f" [{where}]" if where else "")


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="all, unless given")
    parser.add_argument("--every-byte", action="store_true", help="tear each write at each byte")
    parser.add_argument("--sample", action="store_true", help="only what the test suite runs")
    parser.add_argument("--only", default="", help="only calls with this text, as --trace prints them")
    parser.add_argument("--at", type=int, help="only this call, as --trace counts them")
    parser.add_argument("--fault", default="before", help="what happens there, as a bad case is printed")
    parser.add_argument("--trace", action="store_true", help="print the calls of a run without a fault")
    parser.add_argument("--break", dest="mutant", choices=MUTANTS, help="break hoptim, to be found out")
    parser.add_argument("--first", action="store_true", help="stop at the first bad case")
    parser.add_argument("--stride", type=int, default=1, help="only every so many-th fault")
    parser.add_argument("--jobs", type=int, default=2)
    a = parser.parse_args()
    if why := tracer.why_not():
        say(why)
        return 77
    a.scenario = a.scenario or list(SCENARIOS)
    logging.getLogger("hoptim").setLevel(logging.CRITICAL)
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="hoptim-faults-", dir=memory if memory.is_dir() else None
    ) as folder:
        bench = Bench(Path(folder), MUTANTS.get(a.mutant, break_nothing))
        bench.prepare(a.scenario)
        cases = cases_of(bench, a)[:: a.stride]
        return 1 if cases and work(bench, cases, a) else 0


if __name__ == "__main__":
    sys.exit(main())
