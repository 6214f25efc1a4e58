"""Announcements: what callbacks hear of a trial, and the warning of a population that collapsed early."""

from __future__ import annotations

import logging
from operator import attrgetter

from hoptim.analysis.family import Exploit, Family
from hoptim.analysis.populations import seen
from hoptim.analysis.progress import EARLY, early_collapse
from hoptim.session.callbacks import Callbacks
from hoptim.session.present import Presenter
from hoptim.store.store import Store
from hoptim.store.trial_record import TrialRecord
from hoptim.trial import FinishedTrial, Trial

log = logging.getLogger("hoptim")


class Announcements:
    """Tells of each trial that begins or ends in this process.

    Args:
        callbacks: Callbacks of this process.
        store: Records of the study.
        present: Presenter of its trials.
        mode: "min" or "max".
    """

    def __init__(self, callbacks: Callbacks, store: Store, present: Presenter, mode: str) -> None:
        self._callbacks, self._store, self._present, self._mode = callbacks, store, present, mode
        self._warned = False

    def asked(self, trial: Trial) -> None:
        """Announce a trial that goes to the user, and the exploit that it begins with."""
        if self._callbacks:
            self._callbacks.asked(trial, self._exploit(trial))

    def told(self, trial: Trial) -> None:
        """Announce a trial that was told, and warn once when a single founder took all early."""
        self._look_at_founders(trial)
        if self._callbacks:
            self._callbacks.told(self._show(self._store.state.finished[trial.number]))

    def _show(self, record: TrialRecord) -> FinishedTrial:
        return self._present.finished(record, self._store.state.saved)

    def _exploit(self, trial: Trial) -> Exploit | None:
        """Return the exploit that a trial begins with, from just the trials that it concerns."""
        state = self._store.state
        record = state.open.get(trial.member)
        if record is None or record.parent is None or record.number != trial.number:
            return None
        if state.finished[record.parent].member == trial.member:
            return None  # its own weights, as mostly: the population is not gathered for that
        concerned = [*seen(state.members, record), state.finished[record.parent], record]
        known = {t.number: t for t in sorted(concerned, key=attrgetter("number"))}
        family = Family(known, lambda number: self._show(known[number]), state.size, self._mode)
        return family.exploit(family.trials[record.number])

    def _look_at_founders(self, trial: Trial) -> None:
        state = self._store.state
        if trial.member == 0 and not self._warned and trial.step <= EARLY * state.steps:
            sole = None if state.stateful is False else state.founders.sole
            collapsed = early_collapse(sole, state.size, state.steps)
            if collapsed is not None:
                self._warned = True
                log.warning("%s", collapsed)
