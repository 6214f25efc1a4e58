"""The backend of a study: where its records, signs of life and checkpoints are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from hoptim.store.checkpoints import Checkpoints
from hoptim.store.memory_journal import Journal
from hoptim.store.shape import StudyShape
from hoptim.store.signs import Signs
from hoptim.store.snapshot import Snapshots
from hoptim.store.storage import Storage
from hoptim.store.study_settings import Begin, StudyFile


class Records(NamedTuple):
    """The records of a study.

    Attributes:
        journal: All of them.
        snapshots: File that spares reading a long journal; None where there is no such thing.
    """

    journal: Journal
    snapshots: Snapshots | None


class CopyDraft(Protocol):
    """Copy of a study in the making."""

    def checkpoints(self, uuid: str) -> Checkpoints:
        """Return the files of the checkpoints, to which those that are needed are added first."""

    def transcribe(self, source: Backend, count: int) -> None:
        """Write settings and records, as they are, of the study and of the one that it was forked from.

        Args:
            source: Backend of the study.
            count: Number of records, from the first on.
        """


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

    @property
    def folder(self) -> Path | None:
        """Return the study's directory, None where it has none."""

    @property
    def bucket(self) -> str | None:
        """Return the URL of the object storage with the checkpoints, None where the directory has them."""

    @property
    def origin(self) -> Backend | None:
        """Return the backend of the study that this one was forked from, None if it was not."""

    @property
    def is_bereft(self) -> bool:
        """Return whether there are records whose settings are gone, which `create` may write again."""

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

    def records(self, uuid: str, shape: StudyShape) -> Records:
        """Return the records of the study.

        Args:
            uuid: Identifier of the study.
            shape: Settings of the study.
        """

    def signs(self, kind: str) -> Signs:
        """Return the signs of life of a kind, "workers" or "pins"."""

    def storage(self, uuid: str) -> Storage:
        """Return where the checkpoints are."""

    def settings(self) -> bytes:
        """Return the settings of a study that is there, as study.json has them."""

    def lines(self, count: int | None = None) -> Iterator[bytes]:
        """Yield the lines of the records as journal.jsonl has them, the same ones whatever is added.

        Args:
            count: Number of records, from the first on. Default: None, for all.
        """

    def draft(self) -> AbstractContextManager[CopyDraft]:
        """Return where a copy of a study is made, all of it or nothing; it is here once the block ends.

        Raises:
            ArgumentError: Something is here already.
        """

    def sizes(self) -> dict[str, int]:
        """Return the bytes that the study takes, by what takes them."""

    def unremoved(self) -> int:
        """Return the number of dropped checkpoints that could not be removed yet."""
