"""Training scripts that `tests/faults.py` breaks at every file call, and what they find there."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import hoptim
from hoptim.store import shutdown, store
from tests import builders
from tests.builders import loss
from tests.traced import tracer
from tests.traced.diary import Diary, file, folder, whole


def create(diary: Diary) -> None:
    """A new study from its first to its last trial."""
    for trial in diary.trials(diary.open()):
        diary.tell(trial, save=file(trial.number))


def reopen(diary: Diary) -> None:
    """Folders, drafts, scratch folders, metrics, trials that travelled; then looks at it all."""
    study = diary.open(steps=3)
    for trial in diary.trials(study):
        train(diary, trial)
    found = diary.attempt(lambda: hoptim.load(diary.folder))
    diary.attempt(lambda: (found.best, found.best_ever, found.trials, study.done, study.steps))


def train(diary: Diary, trial: hoptim.Trial) -> None:
    """A trial with a scratch folder, told by one of three ways."""
    scratch = diary.attempt(lambda: trial.scratch)
    with suppress(OSError):
        (scratch / "half").write_text("half of an interval")
    save = folder(trial.number)
    if trial.member == 0:
        draft = diary.attempt(lambda: trial.draft)
        diary.attempt(lambda: save(str(draft)))
        diary.tell(trial, checkpoint=draft, metrics={"a": 1.0, "b": float("inf")})
    elif trial.step == 1:
        diary.tell(pickle.loads(pickle.dumps(trial)), save=save)
    else:
        diary.tell(trial, save=save)


def resume(diary: Diary) -> None:
    """Goes on with what is there; the lease is short, should a death be beyond proof."""
    for trial in diary.trials(diary.open(lease=1.2)):
        diary.tell(trial, save=file(trial.number))


def bury(diary: Diary) -> None:
    """The same where one loss is one too many."""
    for trial in diary.trials(diary.open(lease=1.2, max_interruptions=1)):
        diary.tell(trial, save=file(trial.number))


def odds(diary: Diary) -> None:
    """Extends, leaves with a trial in hand, lets go of one, fails some, is robbed of one."""
    study = diary.open(steps=4)
    held = diary.attempt(study.ask)
    shutdown._release_all()
    del held
    kept = []  # as a notebook keeps its variables
    with suppress(KeyboardInterrupt):
        for trial in diary.trials(study):
            kept.append(trial)
            with trial:
                raise KeyboardInterrupt
    for trial in diary.trials(study):
        end(diary, trial)


def end(diary: Diary, trial: hoptim.Trial) -> None:
    """A trial ends in one of many ways."""
    if trial.step == 1 and trial.attempt == 1:
        fail(diary, trial)
    elif (trial.member, trial.step) == (0, 2):
        diary.attempt(lambda: trial.fail("for good", retry=False))
    elif (trial.member, trial.step) == (1, 2):
        diary.tell(trial, float("nan"))
    elif trial.step == 3 and not diary.robbed:
        rob(diary, trial)
    else:
        diary.tell(trial, save=file(trial.number))


def fail(diary: Diary, trial: hoptim.Trial) -> None:
    """An attempt fails, said by hand or by leaving a `with`."""
    if trial.member == 0:
        diary.attempt(lambda: trial.fail("an attempt"))
        return
    try:
        with trial:
            raise ZeroDivisionError
    except ZeroDivisionError:
        return
    except hoptim.StoreError as error:
        diary.bear(error, 1)
        diary.attempt(partial(fail_anew, trial))


def fail_anew(trial: hoptim.Trial) -> None:
    """An attempt fails, unless it has already, for the reason that the `with` gave."""
    with suppress(hoptim.AlreadyTold):
        trial.fail("an attempt")


def rob(diary: Diary, trial: hoptim.Trial) -> None:
    """Somebody else takes the trial back, so its tell is refused and leaves nothing behind."""
    diary.robbed = True
    tracer.pause()
    builders.append(
        diary.folder, {"op": "reclaim", "trial": trial.number, "token": trial.token, "final": False}
    )
    tracer.arm()

    def tell() -> None:
        with suppress(hoptim.ClaimLost):
            trial.tell(0.0, save=file(trial.number))
            diary.note("wrong", f"the lost trial {trial.number} was told")

    diary.attempt(tell)


def neighbour(diary: Diary) -> None:
    """Trains what a living worker leaves over, and never takes what that one holds."""
    study = diary.open(lease=1.2)
    while trial := diary.attempt(lambda: due(study)):
        diary.inspect(trial)
        diary.tell(trial, save=file(trial.number))


def beheld(diary: Diary) -> None:
    """Holds a trial while another process looks for one, and takes what it holds for no loss."""
    study = diary.open(lease=1.2)
    held = diary.attempt(study.ask)
    if held is not None:
        tracer.pause()
        pid = os.fork()
        if pid == 0:
            other = due(builders.study(diary.folder, size=2, steps=2, lease=1.2))
            taken = other is not None and other.number == held.number
            shutdown._release_all()  # or how often others look for its death would depend on time
            os._exit(taken)
        if os.waitpid(pid, 0)[1]:
            diary.note("wrong", f"trial {held.number} was taken from a living worker")
        tracer.arm()
        diary.tell(held, save=file(held.number))
    for trial in diary.trials(study):
        diary.tell(trial, save=file(trial.number))


def fork(diary: Diary) -> None:
    """Forks the study; the fork is whole or not there, and nothing is left beside it."""
    target = diary.folder.with_name("forked")

    def fork() -> None:
        tracer.pause()
        there = (target / "study.json").exists()
        tracer.arm()
        if not there:
            hoptim.fork(diary.folder, target, steps=2)

    diary.attempt(fork)
    tracer.pause()
    new = hoptim.load(target)
    for trial in new.trials:
        if trial.checkpoint is None or not whole(trial.checkpoint, int(str(trial.origin))):
            diary.note("wrong", f"the fork's trial {trial.number} has no whole checkpoint")
    if len(new.trials) != 2 or not new.check().ok:
        diary.note("wrong", f"the fork is not whole: {new.check()}")
    tracer.arm()
    for _ in diary.trials(diary.open()):  # there are none, and what killed forks left is tidied up
        pass


def due(study: hoptim.Study) -> hoptim.Trial | None:
    """The next trial, None when somebody else has to end one first."""
    with suppress(hoptim.NothingDue):
        return study.ask(timeout=0.02)
    return None


def die(*_: object) -> None:
    """End this process as a power switch does."""
    os.kill(os.getpid(), signal.SIGKILL)


def begin(path: Path, tells: int, steps: int = 2, then: Callable[[hoptim.Trial], object] = die) -> None:
    """In a child: tell some trials of a new study and do something with the next one."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    try:
        for trial in builders.study(path, size=2, steps=steps, lease=1.2):
            if trial.number == tells:
                then(trial)
                break
            trial.tell(loss(trial), save=(folder if steps == 3 else file)(trial.number))
        shutdown._release_all()
    finally:
        os._exit(0)


def leave(trial: hoptim.Trial) -> None:
    """End politely."""


def share(path: Path) -> None:
    """A folder that a group may write."""
    path.parent.chmod(0o2775)


def tear(path: Path, tail: bytes = b"") -> None:
    """Two trials told, and of the last record only half, with other bytes behind it."""
    begin(path, 2)
    journal = path / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + lines[-1][: len(lines[-1]) // 2] + tail)


def lose(path: Path) -> None:
    """A worker died when its checkpoint was published and its value not told, and left more behind."""

    def publish(trial: hoptim.Trial) -> None:
        (trial.scratch / "half").write_text("half of an interval")
        store.Store.tell = die  # type: ignore[assignment,method-assign]
        trial.tell(loss(trial), save=file(trial.number))

    begin(path, 1, then=publish)
    (path / "checkpoints" / ".draft-1.3").write_text("weig")


def live_beside(path: Path) -> None:
    """A worker holds the first trial, and lives as long as anybody who tests does."""
    ready, stay = os.pipe(), os.pipe()
    if os.fork() == 0:
        os.close(stay[1])
        held = builders.study(path, size=2, steps=2, lease=600.0).ask()
        os.write(ready[1], b"x")
        os.read(stay[0], 1)
        os._exit(held is None)
    os.close(stay[0])
    if os.read(ready[0], 1) != b"x":
        raise ChildProcessError("the neighbour did not come")


class Scenario(NamedTuple):
    """A script, and what it finds.

    Attributes:
        script: Run by the one who meets the fault, and again by another process that recovers.
        prepare: Makes what is there before.
        steps: How far each member must have come at the end.
    """

    script: Callable[[Diary], None]
    prepare: Callable[[Path], object]
    steps: tuple[int, int] = (2, 2)


SCENARIOS = {
    "create": Scenario(create, share),
    "reopen": Scenario(reopen, lambda path: begin(path, 1, 3, leave), (3, 3)),
    "torn": Scenario(resume, tear),
    "zeros": Scenario(resume, lambda path: tear(path, bytes(300))),
    "reclaim": Scenario(resume, lose),
    "bury": Scenario(bury, lose),
    "odds": Scenario(odds, lambda path: begin(path, 2, 2, leave), (4, 4)),
    "neighbour": Scenario(neighbour, live_beside, (0, 2)),
    "beheld": Scenario(beheld, share),
    "fork": Scenario(fork, lambda path: begin(path, 4, 2, leave)),
}
