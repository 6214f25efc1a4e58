"""Open trials: those that have not ended, found by member, number or worker."""

from __future__ import annotations

from collections.abc import Collection

from hoptim.store.trial_record import TrialRecord


class OpenTrials(dict[int, TrialRecord]):
    """Trials that have not ended, by member in the order of their numbers."""

    def __init__(self) -> None:
        self._numbers: dict[int, TrialRecord] = {}
        self._workers: dict[str, dict[int, TrialRecord]] = {}

    @property
    def workers(self) -> Collection[str]:
        """Return the names of the workers that hold trials."""
        return self._workers.keys()

    def numbered(self, number: int) -> TrialRecord | None:
        """Return the trial with a number, None if none is open."""
        return self._numbers.get(number)

    def held_by(self, worker: str) -> list[TrialRecord]:
        """Return the trials that a worker holds, by number."""
        held = self._workers.get(worker)
        return [] if held is None else [held[number] for number in sorted(held)]

    def add(self, trial: TrialRecord) -> None:
        """Add a trial that no worker holds yet."""
        self[trial.member] = self._numbers[trial.number] = trial

    def claim(self, trial: TrialRecord, worker: str) -> None:
        """Give a trial that no worker holds to a worker."""
        trial.worker = worker
        self._workers.setdefault(worker, {})[trial.number] = trial

    def release(self, trial: TrialRecord) -> None:
        """Take a trial from the worker that holds it."""
        self._leave(trial)
        trial.worker = None

    def end(self, trial: TrialRecord) -> None:
        """Remove a trial that a worker has ended; its name stays with the trial."""
        self._leave(trial)
        del self[trial.member], self._numbers[trial.number]

    def _leave(self, trial: TrialRecord) -> None:
        worker = str(trial.worker)
        held = self._workers[worker]
        del held[trial.number]
        if not held:
            del self._workers[worker]
