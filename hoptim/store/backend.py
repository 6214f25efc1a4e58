"""The backend of a study: where its records, signs of life and checkpoints are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from hoptim.store.checkpoints import Checkpoints
from hoptim.store.memory_journal import Journal
from hoptim.store.shape import StudyShape
from hoptim.store.signs import Signs
from hoptim.store.snapshot import Snapshots
from hoptim.store.study_settings import Begin, StudyFile


class Backend(Protocol):
    """What keeps one study: a directory, or a database that many machines reach; None stands for memory.

    Several may be of the same study, in one process or many; nothing is opened before it is needed.
    """

    @property
    def path(self) -> str:
        """Return what opens the study again, on any machine; without secrets."""

    @property
    def key(self) -> str:
        """Return a text that is equal just for backends of the same study."""

    def read(self) -> StudyFile | None:
        """Return the settings of the study, None when there is none.

        Raises:
            StudyDamaged: They are not what hoptim wrote.
            NewerFormat: A later version of hoptim wrote them.
        """

    def create(self, identity: Mapping[str, Any], steps: int, begin: Begin | None) -> StudyFile:
        """Make the study, or return the settings of the one that another process made meanwhile.

        Args:
            identity: Settings that must be the same whenever the study is opened; plain JSON.
            steps: Trials of each member.
            begin: Function that gives the records that the study begins with; None without any.
        """

    def journal(self, uuid: str) -> Journal:
        """Return the records of the study with an identifier."""

    def signs(self, kind: str) -> Signs:
        """Return the signs of life of a kind, "workers" or "pins"."""

    def checkpoints(self, uuid: str) -> Checkpoints:
        """Return the files of the checkpoints."""

    def snapshots(self, journal: Journal, uuid: str, shape: StudyShape) -> Snapshots | None:
        """Return what spares reading a long journal, None where there is no such thing."""
