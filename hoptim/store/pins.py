"""Pins: checkpoints that a process is reading, and that are not dropped meanwhile."""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import TracebackType

from hoptim.errors import CheckpointError
from hoptim.store.heartbeat import Heartbeat
from hoptim.store.liveness import Watch
from hoptim.store.process_identity import ProcessIdentity, new_id
from hoptim.store.published import Published
from hoptim.store.signs import Signs
from hoptim.store.transactions import Transaction
from hoptim.store.trial_record import TrialRecord
from hoptim.store.worker import sign_of

_NAME = re.compile(r"(\d{1,18}\.\d{1,18}(?:-[0-9a-f]{8})?)\.[A-Za-z0-9-]{1,32}(?:\.[0-9a-f]{1,16}){2}")

Keep = Callable[[TrialRecord], bool]


class Pins:
    """The pins of a study.

    The sign `<checkpoint>.<id>` says that a process reads a checkpoint. Like a worker's it tells the
    identity of the process and beats, so that the pin of a dead process is found out.

    Args:
        signs: Signs that are pins.
        heartbeat: Heartbeat of this process in the study.
    """

    def __init__(self, signs: Signs, heartbeat: Heartbeat) -> None:
        self._signs, self._heartbeat = signs, heartbeat
        self._watch = Watch(signs, heartbeat.lease)

    def add(self, saved: Mapping[int, Published], numbers: Iterable[int]) -> Pin:
        """Pin the checkpoints of some trials; only under the lock.

        Args:
            saved: All checkpoints that are recorded and not dropped, by trial.
            numbers: Trials.

        Raises:
            CheckpointError: A trial has no checkpoint, or it was dropped.
        """
        wanted = sorted(set(numbers))
        if lacking := [number for number in wanted if number not in saved]:
            raise CheckpointError(f"The trials {lacking} have no checkpoints, or they were dropped.")
        me = new_id(os.getpid())
        pin = Pin([f"{saved[number].name}.{me}" for number in wanted], self._signs, self._heartbeat)
        if wanted:
            self.remove_dead()
            try:
                pin.show()
            except BaseException:
                pin.release()
                raise
        return pin

    def pinned(self, checkpoints: Collection[str]) -> set[str]:
        """Return which of some checkpoints are pinned, and remove what dead processes left; under the lock.

        Args:
            checkpoints: Names of checkpoints that would be dropped; none costs no look.
        """
        pins: dict[str, str] = {}
        for name in self.names() if checkpoints else ():
            if (at := checkpoint_of(name)) is not None and at in checkpoints:
                pins[name] = at
        for name in {*self._watch.proven_dead(pins), *self._watch.dead(pins)}:
            self._watch.remove_dead(name)
            del pins[name]
        return set(pins.values())

    def remove_dead(self) -> None:
        """Remove the pins of processes that are proven dead; only under the lock."""
        self._watch.remove_idle(())

    def names(self) -> list[str]:
        """Return the names of all pins."""
        return self._signs.names()


class Pin:
    """Some checkpoints that this process has pinned, until `release` or the end of a `with` block.

    Args:
        names: Names of the signs that stand for them.
        signs: Signs that are pins.
        heartbeat: Heartbeat of this process in the study.
    """

    def __init__(self, names: Sequence[str], signs: Signs, heartbeat: Heartbeat) -> None:
        self._names, self._signs, self._heartbeat = names, signs, heartbeat
        self._remove = weakref.finalize(self, _remove, names, signs, heartbeat, os.getpid())

    def show(self) -> None:
        """Show the signs, and begin to beat."""
        self._signs.show(self._names, sign_of(ProcessIdentity.mine(), self._heartbeat.lease))
        self._heartbeat.add(self._signs, self._names)

    def release(self) -> None:
        """Remove the pins; once is enough."""
        self._remove()

    def require(self) -> None:
        """Raise `CheckpointError` unless the checkpoints are pinned still, and so whole."""
        if lost := [name for name in self._names if not self._signs.is_shown(name)]:
            raise CheckpointError(
                f"The pins {lost} were removed: this process had no heartbeat for so long that others "
                "took it for dead, and may have dropped the checkpoints that it was reading. Run the same "
                "call again."
            )

    def __enter__(self) -> Pin:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def drop_unreferenced(transaction: Transaction, keep: Keep | None, pins: Pins | None) -> None:
    """Drop the checkpoints that can no longer be loaded and are not pinned, with the last record.

    Args:
        transaction: Takes the drops; without a record nothing is dropped.
        keep: Function that tells whether a finished trial's checkpoint must stay; None keeps none.
        pins: Pins of the study; None in memory.
    """
    if not transaction.records:
        return
    state = transaction.state
    unreferenced = {number: state.saved[number].name for number in state.unreferenced(keep)}
    if not unreferenced:
        return
    pinned = pins.pinned(unreferenced.values()) if pins is not None else set()
    transaction.drop(number for number, name in unreferenced.items() if name not in pinned)


def checkpoint_of(name: str) -> str | None:
    """Return the name of the checkpoint that a pin's name says, None where it is no pin's name."""
    found = _NAME.fullmatch(name)
    return None if found is None else found[1]


def _remove(names: Sequence[str], signs: Signs, heartbeat: Heartbeat, process: int) -> None:
    if process == os.getpid():  # a forked child must not remove its parent's pins
        heartbeat.remove(signs, names)
        signs.hide(names)
