"""The session: one process's work on one study; lends its trials and records how they end."""

from __future__ import annotations

import logging
import os
from collections import Counter
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from hoptim._arguments import whole_of
from hoptim._text import printable
from hoptim.errors import ArgumentError, HoptimError, StudyMismatch
from hoptim.optimizers.base import Optimizer
from hoptim.options import Options
from hoptim.session.announcements import Announcements
from hoptim.session.callbacks import Callbacks
from hoptim.session.deadline import Durations
from hoptim.session.last_told import LastTold
from hoptim.session.metrics import Metrics
from hoptim.session.present import Presenter
from hoptim.session.propose import Proposer
from hoptim.session.results import Results
from hoptim.session.study_config import StudyArguments, StudyConfig
from hoptim.session.unread import Unread
from hoptim.space.space import Space
from hoptim.store.backend import Backend
from hoptim.store.beginning import require_there
from hoptim.store.claim import Claim, Held
from hoptim.store.line_format import Record
from hoptim.store.locking.patience import Patience, limited
from hoptim.store.membership import LEAVE_WITHIN
from hoptim.store.places import backend_at
from hoptim.store.shape import StudyShape
from hoptim.store.state import State
from hoptim.store.store import Store
from hoptim.store.study_settings import StudyFile
from hoptim.store.trial_record import TrialRecord
from hoptim.trial import Trial

if TYPE_CHECKING:
    from hoptim.store.check.report import Report

log = logging.getLogger("hoptim")


class Session:
    """What joins a study's optimizer and its store in this process.

    Args:
        backend: Backend of the study, None in memory.
        found: Settings that it has recorded.
        config: The same settings, as objects.
        options: Options of this process.
        guest: Claim for a process that lives on after this one, as `hoptim.remote` does. Default: False.

    Attributes:
        backend: Backend of the study, None in memory.
        path: Path or URL that opens the study again, None in memory.
        uuid: Identifier of the study.
        config: Settings that make it this study.
        options: Options of this process.
        store: Records of the study.
        propose: Proposer of trials that nobody has proposed yet.
        callbacks: Callbacks of this process.
        announce: Announcements of trials to them.
        last_told: Memory of whose weights this process holds.
        durations: Durations of trials, from which that of the next is estimated.
        unread: Judge of trials whose checkpoint or hyperparameters were never read.
        pinned: Number of pins by trial, in memory; those of a directory are files in it.
        metrics: Recorder of what is told besides the values.
    """

    def __init__(
        self,
        backend: Backend | None,
        found: StudyFile,
        config: StudyConfig,
        options: Options,
        guest: bool = False,
    ) -> None:
        self.backend, self.path = backend, None if backend is None else backend.path
        self.uuid, self.config, self.options = found.uuid, config, options
        shape = StudyShape(
            config.size, found.steps, config.seed, config.sign, tuple(config.space.dimensions)
        )
        self.store = Store(backend, found.uuid, shape, options, guest)
        self.propose = Proposer(config.space, config.optimizer, config.start)
        self.present = Presenter(config.space, self.store.checkpoints, self.path)
        self.callbacks = Callbacks(options.callbacks)
        self.announce = Announcements(self.callbacks, self.store, self.present, config.mode)
        # A copy of the directory has the same uuid, and is another study.
        self.key = found.uuid, "" if backend is None else backend.key
        self.last_told = LastTold(self.key)
        self.durations, self.unread = Durations(), Unread(options.strict)
        self.pinned: Counter[int] = Counter()
        self.metrics = Metrics()
        self._rehearsed: State | None = None

    # -- opening ---------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str] | None,
        arguments: StudyArguments,
        steps: int,
        options: Options,
        bucket: str | None = None,
    ) -> Session:
        """Make a study, or reopen the one that is there.

        Args:
            path: Directory or URL, None for a study in memory.
            arguments: Settings that make it this study.
            steps: Trials of each member; more than recorded extends the study.
            options: Options of this process.
            bucket: URL of the object storage for the checkpoints. Default: None, for the directory; the
                recorded one of a study that is there.

        Raises:
            ArgumentError, OptimizerError, StudyMismatch, StudyDamaged, StoreError: Same causes as
                `hoptim.Study`.
        """
        steps = whole_of("steps", steps, 1)
        Callbacks(options.callbacks)  # bad ones are refused before anything is made
        if path is None:
            if bucket is not None:
                raise ArgumentError("A study in memory has its checkpoints in a temporary folder alone.")
            config = StudyConfig.of(arguments)
            require_there(config.beginnings, None)
            session = cls(None, StudyFile(os.urandom(16).hex(), config.to_json(), steps), config, options)
            session.store.begin(config.beginnings, session.propose)
            return session
        backend = backend_at(path, options.single_host, bucket)
        found = backend.read()
        config = StudyConfig.of(arguments, None if found is None else found.identity)
        if found is None:
            if not backend.is_bereft:
                require_there(config.beginnings, backend.folder)

            def begin(settings: StudyFile) -> list[Record]:
                session = cls(backend, settings, config, options)
                return session.store.begin(config.beginnings, session.propose)

            found = backend.create(config.to_json(), steps, begin if config.beginnings else None)
            config = StudyConfig.of(arguments, found.identity)  # another process may have been first
        session = cls(backend, found, config.matched(backend.path, found.identity), options)
        session._extend(steps)
        return session

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        options: Options,
        space: Space | None = None,
        optimizer: Optimizer | None = None,
        guest: bool = False,
    ) -> Session:
        """Open a study that exists; nothing is written until it is asked.

        Args:
            path: Directory.
            options: Options of this process.
            space: The caller's space. Default: the recorded one.
            optimizer: The caller's optimizer. Default: the recorded one, if it is part of hoptim.
            guest: Claim for a process that lives on after this one. Default: False.

        Raises:
            ArgumentError: There is no study in the directory.
            StudyMismatch: `space` or `optimizer` is not the recorded one.
        """
        return cls.at(backend_at(path, options.single_host), options, space, optimizer, guest)

    @classmethod
    def at(
        cls,
        backend: Backend,
        options: Options,
        space: Space | None = None,
        optimizer: Optimizer | None = None,
        guest: bool = False,
    ) -> Session:
        """Open a study that exists by its backend; see `open`."""
        found = backend.read()
        if found is None:
            hint = " The Study(...) call that made the study writes it again."
            raise ArgumentError(
                f"There is no study in {backend.path!r}: study.json is missing."
                f"{hint if backend.is_bereft else ''}"
            )
        config = StudyConfig.reopened(backend.path, found.identity, space, optimizer)
        return cls(backend, found, config, options, guest)

    def _extend(self, steps: int) -> None:
        recorded = self.store.refresh().steps
        if steps < recorded:
            raise StudyMismatch(
                f"The study in {self.path!r} has {recorded} steps, asked for {steps}. Steps that are "
                "there cannot be taken back; ask for at least as many."
            )
        if steps > recorded:
            self.store.extend(steps)

    def __repr__(self) -> str:
        where, steps = printable(self.path or "in memory"), self.store.state.steps
        return f"<hoptim.Study {where}: {self.config.size} members, {steps} steps>"

    # -- looking ---------------------------------------------------------------------------------

    @cached_property
    def origin(self) -> Session | None:
        """Return the study that this one was forked from, as it was then; None for any other."""
        origin = None if self.backend is None else self.backend.origin
        return None if origin is None else Session.at(origin, Options())

    def results(self) -> Results:
        """Return one consistent view of the journal as it is now."""
        with self.store.journal.mutex:
            state = self.store.refresh()
            return Results(repr(self), state, self.config, self.present, self._before)

    def _before(self) -> Results | None:
        """Return the results of the study that this one was forked from."""
        return None if self.origin is None else self.origin.results()

    def check(self) -> Report:
        """Return all that is wrong in the directory, while others may train; changes nothing."""
        from hoptim.store.check.database import check_database  # seldom needed
        from hoptim.store.check.inspection import check

        if self.backend is None:
            raise ArgumentError("A study in memory has nothing to check.")
        if self.backend.folder is None:
            return check_database(self.backend)
        return check(self.backend.folder, single_host=self.options.single_host)

    # -- claiming and ending ---------------------------------------------------------------------

    def claim(self, patience: Patience) -> Claim | None:
        """Claim the next trial that is due, None when nothing is.

        Args:
            patience: Time to wait for the lock.
        """
        if not self.store.may_ask(patience):
            return None
        self._rehearse()
        return self.usable(self.store.ask(self.propose, patience))

    def _rehearse(self) -> None:
        """Propose once for nothing, so that an optimizer reads what it wants of the past before a hold."""
        state = self.store.state
        if state is self._rehearsed or not state.lacks_past:
            return
        for member, trials in enumerate(state.members):
            if member not in state.open and len(trials) < state.steps:
                self._rehearsed = state
                with suppress(Exception):  # the ask says it again
                    self.propose(state, member, state.count)
                return

    def usable(self, claim: Claim | None) -> Claim | None:
        """Return a claim, None if it had to be given up for want of its parent's checkpoint."""
        return claim if claim is not None and self.store.keep_if_whole(claim) else None

    def end(self, trial: Trial, record: Record, claim_next: bool) -> Claim | None:
        """Record a trial's value, and claim the next one in the same append if wanted."""
        return self.store.tell(trial, record, self.propose if claim_next else None, self._keeps)

    def fail(self, trial: Trial, id: str, why: str, retry: bool) -> None:
        """Record a failed attempt."""
        self.store.fail(trial, id, why, retry, self._keeps)

    def hand_back(self, held: Held, unused: bool) -> None:
        """Release a claim; never raises for what is wrong with the files, as an error may be on its way.

        Args:
            held: Trial or claim.
            unused: True if nobody began the trial, so that it does not count as an interruption.
        """
        self.last_told.forget()
        try:
            with limited(LEAVE_WITHIN):
                self.store.release(held, unused)
        except (OSError, HoptimError) as error:
            log.warning("Trial %d could not be released: %s", held.number, error)

    def _keeps(self, record: TrialRecord) -> bool:
        """Tell whether a pin in memory or this process's `keep=` wants a finished trial's checkpoint."""
        if self.pinned[record.number]:
            return True
        keep = self.options.keep
        try:
            return keep is not None and bool(keep(self.present.finished(record, self.store.state.saved)))
        except HoptimError:
            raise  # it called the study
        except Exception:
            log.exception("keep= raised for trial %d, whose checkpoint is kept.", record.number)
            return True
