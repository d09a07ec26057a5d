"""What a run tells: the result of `sync_bidirectional`, and the journal of its writes. Both hold client values by nature."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.kommunikation_ops import (
    AddItem,
    CreateEntry,
    EmptyEntry,
    Operation,
    RemoveItem,
    ReplaceItem,
    RestoreEntry,
    SetMarker,
    WriteEntry,
)
from services.kommunikation_rules import SHORT_MARKER, Finding
from services.kommunikation_types import Art
from services.secrecy import plainly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.kommunikation_ops import Arrays
    from services.kommunikation_plan import Plan
    from services.kommunikation_table import Direction
    from services.kommunikation_types import EspoItem
    from services.kommunikation_writer import Written

_NAMES = {
    CreateEntry: "create_entry",
    WriteEntry: "write_entry",
    EmptyEntry: "empty_entry",
    SetMarker: "set_marker",
    RestoreEntry: "restore_entry",
    AddItem: "add_item",
    ReplaceItem: "replace_item",
    RemoveItem: "remove_item",
}


def describe(operation: Operation) -> dict[str, Any]:
    """One operation with row, reason, before and after, as plan and journal show it."""
    entry = operation.entry
    told: dict[str, Any] = {
        "row": operation.row,
        "reason": operation.reason,
        "operation": _NAMES[type(operation)],
        "entry_id": entry.id if entry is not None else None,
    }
    if isinstance(operation, (AddItem, ReplaceItem, RemoveItem)):
        item = operation.old if isinstance(operation, RemoveItem) else operation.item
        before = None if isinstance(operation, AddItem) else operation.old.value
        after = None if isinstance(operation, RemoveItem) else operation.item.value
        return told | {"system": "espocrm", "art": item.art.value, "type": item.type, "before": before, "after": after}
    if isinstance(operation, (CreateEntry, WriteEntry, EmptyEntry, SetMarker, RestoreEntry)):
        told |= {"system": "advoware", "kommKz": int(operation.kz), "before": entry.tlf if entry is not None else None}
        told["after"] = "" if isinstance(operation, EmptyEntry) else operation.value
    return told


def _item_form(item: EspoItem) -> dict[str, Any]:
    """What an undo needs of an item."""
    return {
        "value": item.value,
        "type": item.type,
        "primary": item.primary,
        "optOut": item.opt_out,
        "invalid": item.invalid,
    }


def _for_undo(operation: Operation) -> dict[str, Any]:
    """What the journal holds beyond `describe`: enough to take the write back (services/kommunikation_undo.py)."""
    entry = operation.entry
    if isinstance(operation, (AddItem, ReplaceItem, RemoveItem)):
        old = None if isinstance(operation, AddItem) else _item_form(operation.old)
        new = None if isinstance(operation, RemoveItem) else _item_form(operation.item)
        return {"before_item": old, "item": new}
    if entry is None:
        return {"before_bemerkung": None, "before_online": None, "base": None}
    return {"before_bemerkung": entry.bemerkung, "before_online": entry.online, "base": entry.base}


@dataclass(slots=True)
class Report:
    """Collects what a run does. Counts are of values: markers and slots made in passing are bookkeeping."""

    espo_id: str
    betnr: int
    direction: Direction
    dry_run: bool
    run: str = ""
    """Name of the run in the journal; '' where nothing is written."""
    fingerprint: str = ""
    """Of a dry run: what both sides and the plan looked like."""
    emails_synced: int = 0
    phones_synced: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    bookkeeping: int = 0
    values_to_espocrm: int = 0
    writes: int = 0
    to_espocrm_errors: list[str] = field(default_factory=list)
    to_advoware_errors: list[str] = field(default_factory=list)
    done: list[dict[str, Any]] = field(default_factory=list)
    journal: list[dict[str, Any]] = field(default_factory=list)
    conflicts: dict[str, Finding] = field(default_factory=dict)
    notices: dict[str, Finding] = field(default_factory=dict)

    def planned(self, plan: Plan) -> None:
        """Takes over what a plan has to say, whether or not it is carried out."""
        self.conflicts |= {finding.id: finding for finding in plan.conflicts}
        self.notices |= {finding.id: finding for finding in plan.notices}

    def arrays_written(self, plan: Plan, arrays: Arrays) -> None:
        """One PUT to EspoCRM was read back."""
        self.emails_synced += len(arrays.of(Art.EMAIL) or ())
        self.phones_synced += len(arrays.of(Art.PHONE) or ())
        self.items_written([op for op in plan.operations if isinstance(op, (AddItem, ReplaceItem, RemoveItem))], arrays)

    def items_written(self, changes: Sequence[AddItem | ReplaceItem | RemoveItem], arrays: Arrays) -> None:
        """These changes were one PUT to EspoCRM, and it was read back."""
        self.values_to_espocrm += len(changes)
        self.writes += 1
        sent = (*(arrays.emails or ()), *(arrays.phones or ()))
        self._note(changes, primaries=[item.value for item in sent if item.primary])

    def entry_written(self, one: Written) -> None:
        """One write to Advoware was read back."""
        operation = one.operation
        self.writes += 1
        if isinstance(operation, CreateEntry) or (isinstance(operation, WriteEntry) and operation.created):
            self.created += 1
        elif isinstance(operation, WriteEntry):
            self.updated += 1
        elif isinstance(operation, EmptyEntry) and operation.entry is not None and not operation.entry.blank:
            self.deleted += 1
        else:
            self.bookkeeping += 1
        self._note([operation], entry_id=one.entry_id, bemerkung=one.body.bemerkung, online=one.body.online)

    def entry_restored(self, operation: RestoreEntry) -> None:
        """An undo put an entry back, and it was read back."""
        self.writes += 1
        self.updated += 1
        self._note([operation], bemerkung=operation.bemerkung, online=operation.online)

    def short_marker(self, one: Written) -> None:
        """A remark that had no room for the whole marker is listed."""
        operation = one.operation
        name, reason = f"marker:{one.entry_id}", SHORT_MARKER[one.form]
        self.notices[name] = Finding(name, operation.row, reason, one.entry_id, operation.kz)

    def _note(self, operations: Any, **more: Any) -> None:
        for operation in operations:
            told = describe(operation)
            self.done.append(told)
            self.journal.append(told | {"run": self.run} | _for_undo(operation) | more)

    @property
    def errors(self) -> list[str]:
        """All errors, one clear sentence each."""
        return self.to_espocrm_errors + self.to_advoware_errors

    @property
    def counts(self) -> dict[str, int]:
        """What the run adds to the counters."""
        if not self.writes:
            return {}
        values_to_advoware = self.created + self.updated + self.deleted
        return {
            "writes": self.writes,
            "values_to_espocrm": self.values_to_espocrm,
            "values_to_advoware": values_to_advoware,
            **Counter(f"writes:{told['system']}:{told['operation']}" for told in self.journal),
        }

    def result(self, last: Plan) -> dict[str, Any]:
        """The result of `sync_bidirectional`. `last`: the plan of the last round, for what is left to people."""
        plan = [describe(operation) for operation in last.operations] if self.dry_run else self.done
        told: dict[str, Any] = {
            "advoware_to_espocrm": {
                "emails_synced": self.emails_synced,
                "phones_synced": self.phones_synced,
                "errors": self.to_espocrm_errors,
            },
            "espocrm_to_advoware": {
                "created": self.created,
                "updated": self.updated,
                "deleted": self.deleted,
                "errors": self.to_advoware_errors,
            },
            "plan": plan,
            "conflicts": [finding.as_dict() for finding in self.conflicts.values()],
            "held_back": [finding.as_dict() for finding in last.held_back],
            "notices": [finding.as_dict() for finding in self.notices.values()],
            "pending": [finding.as_dict() for finding in last.pending],
            "valve": {"tripped": bool(last.valve), "removals": [finding.as_dict() for finding in last.valve]},
            "beteiligte_id": self.espo_id,
            "betnr": self.betnr,
            "direction": self.direction.value,
            "dry_run": self.dry_run,
            "run": self.run if self.writes else "",
        }
        if self.fingerprint:
            told["fingerprint"] = self.fingerprint
        # Whoever calls asked to see the values; everything on the way here keeps them masked.
        return dict(plainly(told))
