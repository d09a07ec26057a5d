"""Why a value is where it is: each line of the comparison in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.kommunikation_entry import Entry
from services.kommunikation_judge import Fate
from services.kommunikation_table import Act

if TYPE_CHECKING:
    from services.kommunikation_diff import Line
    from services.kommunikation_plan import Plan

NOTHING_TO_DO = frozenset({Act.NOTHING, Act.FREE_SLOT})


def explain(plan: Plan) -> list[dict[str, Any]]:
    """For each line: entry, kind and where it is known from, both values, base and where it comes from, row, outcome."""
    reasons = {(f.entry_id, f.row): f.reason for f in (*plan.held_back, *plan.pending, *plan.valve)}
    working = {(op.entry.id if op.entry is not None else None, op.row) for op in plan.operations}
    told = []
    for line, fate in plan.fates:
        entry = line.subject
        entry_id = entry.id if entry is not None else None
        outcome = fate.value
        if fate is Fate.GO:
            outcome = "will be carried out" if (entry_id, line.number) in working else "nothing to do"
        told.append(
            _values(line)
            | {
                "row": line.number,
                "decision": "no base, no deletion: the value is added where it is missing"
                if line.saved
                else line.row.act.value,
                "outcome": outcome,
                "because": reasons.get((entry_id, line.number), ""),
            }
        )
    return told


def _values(line: Line) -> dict[str, Any]:
    subject = line.subject
    item = line.item or line.partner
    told: dict[str, Any] = {
        "entry_id": subject.id if subject is not None else None,
        "kommKz": int(subject.kz) if subject is not None else None,
        "kind_from": "",
        "advoware": None,
        "base": subject.base if subject is not None else None,
        "base_from": "",
        "espocrm": item.value if item is not None else None,
        "type": item.type if item is not None else "",
    }
    if isinstance(subject, Entry):
        marked = subject.marker is not None and subject.marker.base == subject.base and subject.base is not None
        source = "marker" if marked else "store" if subject.base is not None else ""
        told |= {
            "advoware": subject.tlf,
            "remark": subject.text,
            "base_from": source,
            "kind_from": subject.kind.level.name.lower(),
        }
    elif subject is not None:
        told |= {"advoware": "(deleted)", "base_from": "store"}
    return told
