"""Takes one precaution away at a time, most of them of the store, and shows which test notices.

    python tests/mutation.py [NAME ...] [--jobs 2] [--all]

Each mutant is a copy of the repository with a few characters changed. The tests that should see it
run; with `--all`, and if those stay green, all tests of the store. Exit status 1 when one survives. `test_mutation.py` checks
that what is to be changed is there still. Those of `store/postgres` need psycopg.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
STORE = [
    "files",
    "line_format",
    "mounts",
    "lock",
    "signals",
    "shutdown",
    "reserve",
    "journal",
    "study_file",
    "liveness",
    "checkpoints",
    "tree",
    "state",
    "state_work",
    "endings",
    "pins",
    "fork_safety",
    "trial",
    "two_tellers",
    "put_back",
    "lost",
    "pace",
    "snapshot",
    "study",
    "deaths",
    "processes",
    "forked",
    "chaos",
    "damage",
    "planted",
    "made_anew",
    "faults",
    "simulation",
    "golden",
]


class Mutant(NamedTuple):
    """One precaution taken away.

    Attributes:
        file: In `hoptim`.
        edits: What is replaced by what; each is there once.
        first: The tests, by module, that run first.
    """

    file: str
    edits: Sequence[tuple[str, str]]
    first: str


MUTANTS = {
    "an append is not synced": Mutant(
        "store/open_journal.py",
        [("write_all(self.fd, data, offset)\n                flush(self.fd)", "write_all(self.fd, data, offset)")],
        "simulation",
    ),
    "bytes of others are not synced": Mutant("store/journal.py", [("                file.write_again(self._at)\n", "                pass\n")], "journal"),
    "bytes of others are synced, but not written again": Mutant(
        "store/open_journal.py", [("            write_all(self.fd, last := b\"\\n\".join(lines), at.offset - len(last))\n", "            del lines\n")], "journal",
    ),
    "any word of a holder is believed": Mutant(
        "store/durable_note.py", [("return os.pread(fd, _LENGTH, 0) == _note(at)", "return bool(os.pread(fd, _LENGTH, 0))")], "journal",
    ),
    "new files are not synced": Mutant("_files.py", [("        flush(fd)\n        os.close(fd)", "        os.close(fd)")], "simulation"),
    "the study's folder is not synced": Mutant(
        "store/journal.py", [("                sync(self.path.parent)\n", "                pass\n")], "journal",
    ),
    "the folder above is not synced": Mutant(
        "store/journal.py", [("                    sync(self.path.parent.parent)", "                    pass")], "journal",
    ),
    "a checkpoint's bytes are not synced": Mutant("store/settling.py", [("                flush(fd)\n", "")], "checkpoints"),
    "a checkpoint's name is not synced": Mutant(
        "store/checkpoints.py",
        [("            self._folder.flush()\n", "            pass\n")],
        "checkpoints",
    ),
    "the name of the checkpoints' folder is not synced": Mutant(
        "store/checkpoint_folder.py", [("                    sync(folder.parent)", "                    pass")], "checkpoints",
    ),
    "the journal is not cut back after an error": Mutant(
        "store/open_journal.py", [("os.ftruncate(self.fd, offset)\n                flush(self.fd)", "pass")], "journal",
    ),
    "there is no lock": Mutant(
        "store/locking/kernel.py",
        [("fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass"),
         ("while not lock_descriptor(fd, blocking=False):", "while False:")],
        "lock",
    ),
    "the journal itself is not locked": Mutant(
        "store/journal.py", [("                lock.lock_file(file.fd, self._name)\n", "")], "journal",
    ),
    "a lock file that was replaced is not noticed": Mutant("store/locking/lock.py", [("                if current:\n", "                if True:\n")], "lock"),
    "mounts that lie are believed": Mutant("store/locking/lock.py", [("mounts.require_shared_locks(self.folder)", "pass")], "mounts"),
    "a signal breaks a hold": Mutant("_signals.py", [("    if _here.depth:\n", "    if False:\n")], "signals"),
    "the journal is not reopened under the lock": Mutant(
        "store/journal.py",
        [("            self._held = file = OpenJournal(self._name, os.O_RDWR)\n",
          "            self._held = file = self._kept = getattr(self, '_kept', None) or OpenJournal(self._name, os.O_RDWR)\n"),
         ("                    unlock_and_close(file.fd)\n", "                    pass\n")],
        "simulation",
    ),
    "lines do not chain": Mutant("store/line_format.py", [('% crc32(previous + payload) or', '% crc32(payload) or')], "line_format"),
    "a later append does not prove damage": Mutant("store/line_format.py", [("_append_of(line) <= n", "True")], "line_format"),
    "torn bytes are not kept aside": Mutant("store/tail.py", [("write_new(aside, tail)", "pass")], "journal"),
    "any token will do": Mutant(
        "store/state.py", [("return trial if trial is not None and trial.token == token and trial.worker is not None else None", "return trial")], "state",
    ),
    "a tell that arrived is not looked up": Mutant("store/endings.py", [('known is None or known.id != ended["id"]', "True")], "endings"),
    "a failure that arrived is not looked up": Mutant("store/endings.py", [("if known is not None and known.id == id:", "if False:")], "endings"),
    "tellers of one claim publish under one name": Mutant(
        "store/draft.py", [("os.urandom(4).hex()", '"00000000"')], "two_tellers",
    ),
    "copies of a trial share a draft": Mutant(
        "session/handle.py",
        [("Draft.new(trial.number, trial.token), os.getpid()", 'Draft(trial.number, trial.token, "00000000"), os.getpid()')],
        "two_tellers",
    ),
    "what a tell names is withdrawn by another teller": Mutant(
        "session/handle.py", [("if saved is None or name != saved.name", "")], "two_tellers",
    ),
    "another value of the same teller is acknowledged": Mutant(
        "store/endings.py", [("if repr(told) == repr(given):", "if True:")], "two_tellers",
    ),
    "another failure of the same teller is acknowledged": Mutant(
        "store/endings.py", [("if said == why:", "if True:")], "two_tellers",
    ),
    "own records that are gone are not missed": Mutant("store/journal.py", [("if self._anew and self._mine is not None:", "if False:")], "put_back"),
    "a trial continues from a checkpoint that is gone": Mutant(
        "store/claims.py", [('if not is_gone(state, self._checkpoints, fields["parent"]):', "if True:")], "lost",
    ),
    "a trial continues from half a checkpoint": Mutant(
        "store/checkpoints.py",
        [("return published.size is None or found == Extent(published.size, published.files or 0)", "return True")],
        "lost",
    ),
    "a lost claim of our own is not found": Mutant("store/claims.py", [("                return trial\n        return None", "                return None\n        return None")], "study"),
    "a slow worker leaves nothing to others": Mutant("store/pace.py", [("return sooner and", "return False and")], "pace"),
    "what was left to others is never taken": Mutant("store/pace.py", [("return now - self._since > longest", "return False")], "pace"),
    "parents of open trials are not pinned": Mutant(
        "store/references.py", [("            or number in self._continuing\n", "")], "state",
    ),
    "a reclaim lets go of the parent": Mutant(
        "store/state.py",
        [("        self.open.release(trial)\n",
          "        self.open.release(trial)\n        self._references._continuing.pop(trial.parent, None)\n"
          "        self._references._doubt(trial.parent)\n")],
        "state",
    ),
    "what a parent was needed for is not looked at again": Mutant(
        "store/references.py", [("                self._doubt(parent)\n", "")], "state_work",
    ),
    "a member that is handed back waits for ever": Mutant(
        "store/turns.py", [("        self._waits[member] = True\n", "        self._waits[member] = bool(self._step[member])\n")], "state_work",
    ),
    "a pinned checkpoint is dropped": Mutant("store/pins.py", [("pinned = pins.pinned(unreferenced.values()) if pins is not None else set()", "pinned = set()")], "pins"),
    "a dead process's pin holds for ever": Mutant(
        "store/pins.py", [("{*self._watch.proven_dead(pins), *self._watch.dead(pins)}", "()")], "pins",
    ),
    "a pin that was lost is not noticed": Mutant("store/pins.py", [("if not self._signs.is_shown(name)]", "if False]")], "pins"),
    "a pin that was lost is not said at its end": Mutant("session/pinned.py", [("        pin.require()\n", "")], "study_pin"),
    "a pin in memory keeps nothing": Mutant("session/session.py", [("if self.pinned[record.number]:", "if False:")], "study_pin"),
    "a copy of half a checkpoint is taken for whole": Mutant(
        "cli/export_checkpoint.py", [("if name in os.listdir(place):", "if True:")], "cli_export_checkpoint",
    ),
    "strict publishes before it refuses": Mutant("session/unread.py", [("            if self._strict:\n", "            if False:\n")], "unread"),
    "trials in hand together are judged": Mutant("session/unread.py", [("trial.token != self._alone", "False")], "unread"),
    "a field that a forked child reads counts as unread": Mutant("_reads.py", [("mmap(-1, _AT_ONCE * len(_FIELDS))", "bytearray(_AT_ONCE * len(_FIELDS))")], "unread"),
    "a trial that was pickled is judged": Mutant("trial.py", [("        _reads.end(self)  # a copy may be read elsewhere\n", "")], "unread"),
    "printing a trial is reading it": Mutant("trial.py", [("{vars(self)[f.name]!r}", "{getattr(self, f.name)!r}")], "unread"),
    "a fork is not synced": Mutant("store/study_draft.py", [("            sync(self.folder)\n", ""), ("                    settle(name, fd, \"The copy\")\n", "                    pass\n")], "fork_safety"),
    "a fork's name is not synced": Mutant("store/study_draft.py", [("                sync(self._target.parent)", "                pass")], "fork_safety"),
    "a draft that somebody works on is removed": Mutant("store/study_draft.py", [("        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n", "        pass\n")], "fork_safety"),
    "what waits to be continued is not kept": Mutant(
        "store/references.py", [("                self.retained.add(trial.number)", "                pass")], "state",
    ),
    "what was continued is kept for ever": Mutant(
        "store/references.py", [("            self.retained.discard(trial.parent)\n", "")], "state",
    ),
    "a checkpoint is published after its tell": Mutant(
        "session/handle.py",
        [("            return self._store.publish(draft)", "            return self._checkpoints.seal(draft, draft.name)"),
         ('"advanced"\n                self._withdraw',
          '"advanced"\n                if published is not None:\n'
          "                    self._checkpoints.publish(Draft.of(published.name))\n                self._withdraw")],
        "faults",
    ),
    "checkpoints go before the record that says so": Mutant(
        "store/transactions.py",
        [('            self.records[-1]["drops"] = dropped\n',
          '            self.records[-1]["drops"] = dropped\n            self._owner._checkpoints.drop(self.removed)\n')],
        "faults",
    ),
    "what has no value is compared": Mutant("session/news.py", [("return not trial.valued and trial.number not in state.gone", "return False")], "advance"),
    "a lost checkpoint without a value is no failure": Mutant("session/news.py", [(" and trial.number not in state.gone", "")], "advance"),
    "what has no value has failed": Mutant("store/state.py", [("if trial.valued and not trial.finite:", "if not trial.finite:")], "advance"),
    "a missed decision is not made": Mutant("optimizers/multifrequency.py", [("done // every > (done - span) // every", "done % every == 0")], "advance"),
    "a rung is reached at its very interval": Mutant("optimizers/asha.py", [("trained - span < rung <= trained", "rung == trained")], "advance"),
    "no lease is waited for": Mutant("store/liveness.py", [("return now - silence.first >= look.patience", "return now > silence.first")], "liveness"),
    "distant looks count": Mutant("store/liveness.py", [("if now - silence.last > look.lease / BEATS_PER_LEASE:", "if False:")], "liveness"),
    "another boot, machine or namespace is taken for ours": Mutant(
        "store/process_identity.py",
        [("if (place or place_here()) != (self.host, self.boot, self.space):", "if False:")], "liveness",
    ),
    "copies of a machine are one host": Mutant(
        "store/process_identity.py", [('" ".join([_read("/proc/sys/kernel/random/boot_id"), *_hardware_addresses()])', '_read("/proc/sys/kernel/random/boot_id")')], "liveness",
    ),
    "a /proc of other pids is believed": Mutant(
        "store/process_identity.py", [("if pids is None or pids[1].split() != [str(os.getpid())]:", "if False:")], "liveness",
    ),
    "a shifted clock is believed": Mutant(
        "store/process_identity.py", [("return f\"{_namespace('pid')} {_namespace('time')}\"", "return _namespace('pid')")], "liveness",
    ),
    "a hidden process is dead": Mutant("store/process_identity.py", [("        _require_gone(pid)\n", "")], "liveness"),
    "a pid used again passes for the worker": Mutant(
        "store/process_identity.py", [("return _start_time(self.pid) == self.start", "return _start_time(self.pid) is not None")], "liveness",
    ),
    "a failed look proves a death": Mutant("store/process_identity.py", [("            return None  # a look that failed proves nothing", "            return False")], "liveness"),
    "a late beat is a death": Mutant("store/liveness.py", [("LEASES_OF_THE_LIVING = 10", "LEASES_OF_THE_LIVING = 1")], "liveness"),
    "a folder that is a link is followed": Mutant("_files.py", [("    if not stat.S_ISDIR(mode):\n        raise", "    if not stat.S_ISDIR(mode) and not stat.S_ISLNK(mode):\n        raise")], "planted"),
    "a journal that is a link is followed": Mutant("_files.py", [("flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)\n    try", "flags | os.O_CLOEXEC | os.O_NONBLOCK)\n    try")], "journal"),
    "a name that became a link is followed": Mutant("store/tree.py", [("os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK", "os.O_RDONLY | os.O_NONBLOCK")], "tree"),
    "a folder is shared by its path": Mutant(
        "_files.py",
        [("os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)", "os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)")], "tree",
    ),
    "a read-only folder stays": Mutant("store/tree.py", [("            os.fchmod(fd, stat.S_IMODE(mode) | stat.S_IRWXU)\n", "            pass\n")], "shared_folder"),
    "a link through the draft's name dangles": Mutant("store/settling.py", [("            self._relink(name, folder, len(above) - 1)\n", "")], "tree"),
    "the reserve is not given up": Mutant("store/reserve.py", [("            os.unlink(self._path)\n", "            raise OSError\n")], "reserve"),
    "a forked child ends its parent's trial": Mutant("trial.py", [(" or self.keeper.inherited", "")], "forked"),
    "a forked child takes its parent's claim ahead": Mutant(
        "session/loop.py", [("                if hand.inherited:  # a forked child", "                if False:  # a forked child")], "forked",
    ),
    "a forked child keeps its parent's signal handlers": Mutant(
        "_signals.py", [("            signal.signal(number, handler)\n    _after_fork()", "            pass\n    _after_fork()")], "shutdown",
    ),
    "a signal at a forked child's first instruction is lost": Mutant(
        "_signals.py", [("if killing else None", "if False else None")], "shutdown",
    ),
    "a launcher's own kill counts as a death": Mutant(
        "launch/supervisor.py", [("            if not self._closed:\n", "            if True:\n")], "launch_command",
    ),
    "a signal that asks to stop counts as a death": Mutant(
        "launch/supervisor.py", [("not isinstance(error, WorkerStopped) and ", "")], "launch_supervisor",
    ),
    "a death of workers that nobody reaped counts": Mutant(
        "store/deaths.py", [("    died = died and transaction.state.format > 1\n", "    died = transaction.state.format > 1\n")], "deaths",
    ),
    "a snapshot is trusted without its digits": Mutant("store/snapshot.py", [("data != self._line(payload)", "False")], "snapshot"),
    "a snapshot is trusted without its line": Mutant("store/open_journal.py", [("if data.startswith(known) and begin >= 0 else None", "")], "snapshot"),
    "a snapshot forgets what is kept for the best": Mutant(
        "store/hot_state.py", [('"best": None if state.best_ever is None else state.best_ever.number', '"best": None')], "simulation",
    ),
    "records that a snapshot stands for are not missed": Mutant("store/journal.py", [("        self._void = self._anew = True\n", "        self._void, self._anew = True, False\n")], "snapshot"),
    "an equal's weights are copied": Mutant(
        "optimizers/child.py",
        [("if donor != row and population", "if donor == row and population")],
        "ties",
    ),
    "a commit whose answer was lost counts as recorded": Mutant(
        "store/postgres/hold.py", [("            self._commit()\n            return\n", "            return\n")], "postgres_simulation",
    ),
    "a commit whose answer was lost is not looked for": Mutant(
        "store/postgres/hold.py", [("            self._find_out()\n", "            pass\n")], "postgres_simulation",
    ),
    "records that a server lost are not missed": Mutant(
        "store/postgres/journal.py", [("        if self._anew and self._mine is not None:\n", "        if False:\n")], "postgres_simulation",
    ),
    "names change by path": Mutant(
        "store/checkpoint_folder.py",
        [("os.rename(old, new, src_dir_fd=self.fd, dst_dir_fd=self.fd)",
          "os.rename(self.path / old, self.path / new)")],
        "tree",
    ),
}  # fmt: skip


def broken(folder: Path, mutant: Mutant) -> None:
    """Make a copy of the repository with a mutant in it."""
    for part in ("hoptim", "tests", "benchmarks", "examples"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    path = folder / "hoptim" / mutant.file
    text = path.read_text()
    for old, new in mutant.edits:
        text = text.replace(old, new)
    path.write_text(text)


def noticed_by(mutant: Mutant, limit: float, everywhere: bool) -> str | None:
    """The first test that goes red, None when all stay green."""
    rest = [name for name in STORE if name != mutant.first]
    with tempfile.TemporaryDirectory() as temporary:
        broken(Path(temporary), mutant)
        for names in ([mutant.first], rest) if everywhere else ([mutant.first],):
            tests = [f"tests/test_{name}.py" for name in names]
            marked = ["-m", "postgres"] if names[0].startswith("postgres") else []
            command = [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-x",
                "-p",
                "no:cacheprovider",
                *marked,
                *tests,
            ]
            try:
                ran = subprocess.run(
                    command, cwd=temporary, capture_output=True, text=True, check=False, timeout=limit,
                    env={**os.environ, "PYTHONPATH": temporary},
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return f"no end of {' '.join(names)} within {limit:.0f} s"
            red = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
            if red:
                return red[0].split(" - ")[0].removeprefix("FAILED ").removeprefix("ERROR ")
    return None


def main() -> int:
    """Try them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="some mutants only")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="look in all tests of the store")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for a run of tests")
    arguments = parser.parse_args()
    chosen = [name for name in MUTANTS if not arguments.names or name in arguments.names]
    began, survivors = time.monotonic(), 0
    with ThreadPoolExecutor(arguments.jobs) as pool:
        found = pool.map(lambda name: noticed_by(MUTANTS[name], arguments.limit, arguments.all), chosen)
        for name, red in zip(chosen, found, strict=True):
            survivors += red is None
            print(f"{name:52} {red or '*** survived'}", flush=True)
    print(f"{len(chosen)} mutants, {survivors} survived, {time.monotonic() - began:.0f} s")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
