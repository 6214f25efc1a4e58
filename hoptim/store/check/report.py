"""The report of a check: damage, leftovers, and notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from hoptim._text import counted, printable

Level = Literal["error", "leftover", "note"]

# Actions of a repair.
NONE, CUT, MOVE, MARK = "none", "cut off and kept aside", "moved aside", "marked as lost"


class Place(NamedTuple):
    """Place in a file, the line counted from 1 and the byte from 0."""

    line: int
    byte: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        level: "error" is damage, or may be; "leftover" is what a process that was killed could not
            finish and the next one copes with; "note" is nothing to act on.
        kind: Short name for programs, such as "damaged-line".
        path: The file, from the study's directory on.
        where: Line and byte in it, where there is one.
        what: Full sentence that says what was found.
        repair: Action of a repair, "none" where nothing is safe or needed.
    """

    level: Level
    kind: str
    path: str
    what: str
    where: Place | None = None
    repair: str = NONE

    def __str__(self) -> str:
        where = f", line {self.where.line}, byte {self.where.byte}" if self.where else ""
        repair = f"\n    A repair would have it {self.repair}." if self.repair != NONE else ""
        return (
            f"{self.level} {self.kind}: {printable(self.path)}{where}\n    {printable(self.what)}{repair}"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one look at a directory found; true when nothing of it is an error.

    Attributes:
        folder: The directory.
        records: Number of records that follow each other from the front.
        findings: Errors first, then leftovers, then notes.
        repaired: Findings that were repaired before this look.
        copies: Folder with copies from before the repair, "" without one.
    """

    folder: str
    records: int
    findings: tuple[Finding, ...]
    repaired: tuple[Finding, ...] = ()
    copies: str = ""

    @property
    def ok(self) -> bool:
        """Return whether nothing that was found is an error."""
        return not self.of("error")

    def __bool__(self) -> bool:
        return self.ok

    def of(self, level: Level) -> list[Finding]:
        """Return the findings of one level."""
        return [finding for finding in self.findings if finding.level == level]

    def __str__(self) -> str:
        counts = [counted(len(self.of(level)), level) for level in ("error", "leftover", "note")]
        lines = [f"{printable(self.folder)}: {', '.join(counts)}; {self.records} good records."]
        for finding in self.repaired:
            lines.append(f"repaired {finding.kind}: {printable(finding.path)} was {finding.repair}.")
        if self.copies:
            lines.append(f"What was there before is in {printable(self.copies)}.")
        return "\n".join([*lines, *map(str, self.findings)])

    def to_json(self) -> Mapping[str, Any]:
        """Return the report as plain JSON."""
        return {
            "folder": self.folder,
            "ok": self.ok,
            "records": self.records,
            "findings": [_plain(finding) for finding in self.findings],
            "repaired": [_plain(finding) for finding in self.repaired],
            "copies": self.copies,
        }


def _plain(finding: Finding) -> dict[str, Any]:
    return {**asdict(finding), "where": finding.where and finding.where._asdict()}
