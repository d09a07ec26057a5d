"""How the installation and single records stand, as command line and control page show it. Lists hold client values."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from services.errors import InvalidInput
from services.kommunikation_rules import WITHHELD
from services.state_forms import notice_key, noticed_id
from services.state_types import ListKind, RecordState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.flow_wiring import Wiring
    from services.scope import Scope
    from services.state import StateStore
    from services.state_types import DueEntry, RecordStatus

NAME_DIGITS = 6
ALL_DUE = 100_000

_NOT_WELL = {RecordState.FAILED, RecordState.PARKED}


def told(espo_id: str, one: RecordStatus | None) -> dict[str, Any]:
    """A status as a result shows it."""
    if one is None:
        return {"beteiligte_id": espo_id, "state": "never looked at"}
    return {
        "beteiligte_id": espo_id,
        "betnr": one.betnr,
        "state": one.state.value,
        "cause": one.cause,
        "at": one.at,
        "counts": dict(one.counts),
    }


def of_record(state: StateStore, espo_id: str) -> dict[str, Any]:
    """How one record stands: status, number of entries on its lists, when it is due, its last run that wrote."""
    due = [entry for entry in state.due_entries(ALL_DUE) if entry.key == espo_id]
    lists = {kind: len(entries) for kind, entries in state.lists(espo_id).items()}
    last = state.journal_of(espo_id, 1)
    return (
        told(espo_id, state.status(espo_id))
        | _in_espocrm(state, espo_id)
        | {
            "lists": lists,
            "due": [{"at": entry.due_at, "attempts": entry.attempts, "cause": entry.cause} for entry in due],
            "last_run": last[0].get("run", "") if last else "",
            "base": state.load(espo_id) is not None,
        }
    )


def _in_espocrm(state: StateStore, espo_id: str) -> dict[str, Any]:
    """What its staff were told in EspoCRM, where that is switched on, and why a notice could not be written."""
    count, waiting = len(state.told(espo_id)), state.due_entry(notice_key(espo_id))
    cause = waiting.cause if waiting is not None else ""
    return {"in_espocrm": {"notices": count, "cause": cause}} if count or cause else {}


def of_all(wired: Wiring, scope: Scope) -> dict[str, Any]:
    """How the installation stands."""
    from services import flow
    from services.flow_pass import kept_from_writing

    state = wired.state
    statuses = state.statuses()
    not_equal = [told(espo_id, one) for espo_id, one in sorted(statuses.items()) if one.state in _NOT_WELL]
    planned = kept_from_writing(wired)
    found: dict[str, Any] = {
        "mode": scope.mode.value,
        "pilot": sorted(scope.pilot) if scope.pilot is not None else None,
        "records": state.status_counts(),
        "lists": state.list_counts(),
        "due": state.due_count(),
        "pass": dict(flow.status()),
        "would_write": {"records": len(planned), "changes": sum(planned.values())},
        "failed_or_parked": not_equal,
        "counters": state.counters(),
    }
    lists = found["lists"]
    found["to_look_at"] = bool(found["records"]["parked"] or lists["conflicts"] or lists["held_back"])
    return found


def causes(failed: Iterable[dict[str, Any]], due: Iterable[DueEntry]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Records that failed, are parked or wait after a failure, by cause, the most frequent first; ids are left out of it."""
    known = {one["beteiligte_id"]: one for one in failed}
    for entry in due:
        if entry.key not in known and (entry.attempts or entry.parked):
            known[entry.key] = _of_due(entry)
    grouped: dict[str, list[dict[str, Any]]] = {}
    for one in known.values():
        grouped.setdefault(_without_ids(one), []).append(one)
    counts = Counter({cause: len(records) for cause, records in grouped.items()})
    return [(cause, grouped[cause]) for cause, _ in counts.most_common()]


def _of_due(entry: DueEntry) -> dict[str, Any]:
    """A key of the due list as a record: a Beteiligter without one, or what staff could not be told, are keys as well."""
    number = entry.key.removeprefix("betnr:") if entry.key.startswith("betnr:") else ""
    noticed = noticed_id(entry.key)
    return {
        "beteiligte_id": "" if number else noticed or entry.key,
        "betnr": int(number) if number else None,
        "state": (RecordState.PARKED if entry.parked else RecordState.FAILED).value,
        "cause": f"A notice could not be written: {entry.cause}" if noticed else entry.cause,
    }


def _without_ids(one: dict[str, Any]) -> str:
    names = {str(one["beteiligte_id"] or ""), str(one.get("betnr") or "")} - {""}
    return re.sub(r"[A-Za-z0-9]+", lambda word: "…" if word[0] in names else word[0], one["cause"])


# --------------------------------------------------------------------------------------------------------------- lists


def withheld(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of held back values the removals that the valve keeps."""
    return [entry for entry in entries if entry["reason"] == WITHHELD]


def named(state: StateStore, espo_id: str, kind: ListKind) -> list[dict[str, Any]]:
    """The entries of a list with names to type or to send.

    Not their ids: these hold a hash of the value, from which a number can be found by trying, and arguments show in `ps`.
    Not their places either: somebody else may take one off the list meanwhile.
    """
    entries = state.lists(espo_id)[kind.value]
    return [{"name": state.digest(f"{espo_id}|{one['id']}")[:NAME_DIGITS], **one} for one in entries]


def id_of(state: StateStore, espo_id: str, kind: ListKind, name: str) -> str:
    """The id of the entry of this name. Raises `InvalidInput` where the list has none."""
    for entry in named(state, espo_id, kind):
        if entry["name"] == name:
            return str(entry["id"])
    raise InvalidInput("The list of this record has no entry of this name.")
