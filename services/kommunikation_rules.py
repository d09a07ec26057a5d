"""What a run is asked and what it reports: its rules, the answers of EspoCRM, and findings for people. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.kommunikation_entry import Entry, Gone
from services.kommunikation_table import ConflictPolicy, Direction
from services.kommunikation_types import MarkerForm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.kommunikation_diff import Line
    from services.kommunikation_types import EspoItem


VALVE_VALUES = 3
"""A plan that removes more different values than this, and more than half of the linked ones, needs a release."""

SHORT_MARKER = {
    MarkerForm.HASH: "the remark has no room for the whole marker: it holds the short hash",
    MarkerForm.NONE: "the remark has no room for a marker: only the base store knows the link",
}

WITHHELD = "removal needs a release"

UNDONE = "undone by hand: both sides stay as they are until the value is changed or tried again (held-back retry)"

SENDING_ROWS = frozenset({4, 6, 7, 15})
"""Rows that send an entry's value to EspoCRM."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the run may do. `allow_removals`: the valve is released for this run; `stop_removals`: it is shut for all.

    `released`: canonical keys a person decided to remove; the valve has no say in these.
    """

    policy: ConflictPolicy = ConflictPolicy.KEEP_BOTH
    direction: Direction = Direction.BOTH
    allow_removals: bool = False
    stop_removals: bool = False
    released: frozenset[str] = field(repr=False, default=frozenset())


@dataclass(frozen=True, slots=True)
class Answers:
    """What EspoCRM said. `holders`: canonical key -> the item of another record that holds the value, None if nobody does.

    `refused`, `refused_by_advoware`: canonical keys that system would not take.
    """

    holders: Mapping[str, EspoItem | None] = field(repr=False, default_factory=dict)
    refused: frozenset[str] = field(repr=False, default=frozenset())
    refused_by_advoware: frozenset[str] = field(repr=False, default=frozenset())


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing for people: a conflict, a held back value, a notice, something pending. Holds client values by nature.

    `id`: stable name, the same each run. `values`: what is shown to the firm's staff.
    """

    id: str
    row: int
    reason: str
    entry_id: int | None
    kz: int | None
    values: dict[str, str] = field(repr=False, default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """The form of result and lists."""
        where = {"entry_id": self.entry_id, "kommKz": None if self.kz is None else int(self.kz)}
        return {"id": self.id, "row": self.row, "reason": self.reason, **where, **self.values}


def finding(line_id: str, line: Line, reason: str, **values: str) -> Finding:
    """A finding about one line of the comparison."""
    subject = line.subject
    entry_id, kz = (subject.id, subject.kz) if subject is not None else (None, None)
    return Finding(f"{line_id}:{entry_id or 'new'}", line.number, reason, entry_id, kz, values)


def value_of(subject: Entry | Gone | None) -> str:
    """The value a line is about: what stands in the entry, or did."""
    return subject.tlf if isinstance(subject, Entry) else subject.base if subject is not None else ""
