"""The sweep of `reconcile`: the full pass over all records, and the poll of EspoCRM for what webhooks missed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypedDict

from services.state_forms import noticed_id

if TYPE_CHECKING:
    from services.flow_wiring import Wiring
    from services.kommunikation_types import EspoListRow

PAGE = 200
"""Rows EspoCRM gives a page at most."""

START_OF_TIME = "1970-01-01 00:00:00"

FULL_PASS_GRACE = 600.0
"""How long the events of a full pass have before what is still due is sent out again."""

RECENT_RECORDS = 50
RECENT_SECONDS = 3600.0
"""Records changed this lately are read with every tick, up to this many of them."""

_RECENT = "recent"
_WANTED, _BEGUN, _PASS, _CURSOR, _SEEN = "pass_wanted", "pass_begun", "pass", "espocrm_cursor", "espocrm_seen"
_VALUES_OUT, _VALUES_IN, _WRITES = "values_to_espocrm", "values_to_advoware", "writes"


class PassStatus(TypedDict):
    """Counts of the last full pass. `first_pass_done`: every record of it has been worked on, if only to fail.

    `would_write`: records that shadow mode or the pilot list keep from being written.
    """

    records_total: int
    records_done: int
    to_espocrm: int
    to_advoware: int
    held_back: int
    conflicts: int
    errors: int
    first_pass_done: bool
    pass_number: int
    pass_writes: int
    would_write: int


def want_pass(wired: Wiring) -> None:
    """Ask `reconcile` for a full pass with its next tick."""
    wired.state.set_mark(_WANTED, "1")


def begin_pass(wired: Wiring) -> tuple[int, list[str]] | None:
    """Starts a full pass where one is wanted or none has been: all linked records, with the pass's number.

    Interrupted anywhere, the next tick begins again: the marks that end the wish are set last.
    """
    state = wired.state
    # Redis may be emptied while a tick is under way, which then sets its marks again, but not what it had registered
    # before: a pass counts only where the mark of its beginning is there as well.
    done = json.loads(state.get_mark(_PASS) or "{}")
    passed = state.get_mark(_CURSOR) is not None and "begun" in done and done["begun"] == state.get_mark(_BEGUN)
    if passed and state.get_mark(_WANTED) is None:
        return None
    begun = str(wired.now())
    state.set_mark(_BEGUN, begun)
    cursor = wired.espocrm.newest_change() or START_OF_TIME
    ids: list[str] = []
    after: str | None = None
    while True:
        rows = wired.espocrm.list_linked(after_id=after, limit=PAGE)
        state.register_links((row.id, row.betnr) for row in rows)
        ids += [row.id for row in rows]
        if len(rows) < PAGE:
            break
        after = rows[-1].id
    if ids:
        state.ring(ids, delay=FULL_PASS_GRACE)
    number = int(done.get("number", 0)) + 1
    counters = state.counters()
    start = {name: counters.get(name, 0) for name in (_VALUES_OUT, _VALUES_IN, _WRITES)}
    state.set_mark(_PASS, json.dumps({"number": number, "total": len(ids), "begun": begun, **start}))
    if state.get_mark(_CURSOR) is None:
        state.set_mark(_CURSOR, cursor)
    state.set_mark(_WANTED, None)
    return number, ids


def poll_espocrm(wired: Wiring) -> list[str]:
    """Records of EspoCRM changed since the cursor, that is at or after it (its times have whole seconds).

    Those seen at the cursor's very second come again each time and are dropped.
    """
    state = wired.state
    cursor = state.get_mark(_CURSOR) or START_OF_TIME
    seen = set(json.loads(state.get_mark(_SEEN) or "[]"))
    rows: list[EspoListRow] = []
    while True:
        page = wired.espocrm.list_changed(cursor, offset=len(rows), limit=PAGE)
        rows += page
        if len(page) < PAGE:
            break
    fresh = [row for row in rows if not (row.modified_at == cursor and row.id in seen)]
    newest = max((row.modified_at for row in rows), default=cursor)
    at_newest = {row.id for row in rows if row.modified_at == newest} | (seen if newest == cursor else set())
    linked = [row.id for row in fresh if row.betnr is not None]
    state.register_links((row.id, row.betnr) for row in fresh)
    if linked:
        # Due before the cursor moves on: a crash in between finds them again.
        state.ring(linked, delay=90.0)
    if fresh or newest != cursor:
        state.set_mark(_CURSOR, newest)
        state.set_mark(_SEEN, json.dumps(sorted(at_newest)))
    return list(dict.fromkeys(linked))


def note_recent(wired: Wiring, espo_ids: list[str]) -> None:
    """Remembers whose values were just carried over: where people work now, the next change is likely.

    Two workers may write the mark at once and one list is lost then: the walk comes by all the same, only later.
    """
    if not espo_ids:
        return
    known = json.loads(wired.state.get_mark(_RECENT) or "{}")
    now = wired.now()
    known = {**known, **dict.fromkeys(espo_ids, now)}
    newest = sorted(known.items(), key=lambda pair: -pair[1])[:RECENT_RECORDS]
    wired.state.set_mark(_RECENT, json.dumps(dict(newest)))


def recent(wired: Wiring) -> list[str]:
    """The records changed within the last hour, newest first."""
    known = json.loads(wired.state.get_mark(_RECENT) or "{}")
    return [espo_id for espo_id, at in known.items() if wired.now() - at < RECENT_SECONDS]


def kept_from_writing(wired: Wiring) -> dict[str, int]:
    """Changes planned per record that shadow mode or the pilot list keep from being made."""
    scope = wired.manager.scope
    if scope.unlimited:
        return {}
    planned = ((espo_id, one.betnr, one.counts.get("planned", 0)) for espo_id, one in wired.state.statuses().items())
    return {espo_id: count for espo_id, betnr, count in planned if count and not scope.allows(espo_id, betnr)}


def pass_status(wired: Wiring) -> PassStatus:
    """Where the last full pass is."""
    state = wired.state
    mark = json.loads(state.get_mark(_PASS) or "{}")
    counters, lists, total = state.counters(), state.list_counts(), int(mark.get("total", 0))
    due = [entry for entry in state.due_entries(max(total, 1) * 3) if noticed_id(entry.key) is None]
    waiting = sum(1 for entry in due if not entry.attempts and not entry.parked)
    done = max(0, total - waiting)
    return PassStatus(
        records_total=total,
        records_done=done,
        to_espocrm=counters.get(_VALUES_OUT, 0) - int(mark.get(_VALUES_OUT, 0)),
        to_advoware=counters.get(_VALUES_IN, 0) - int(mark.get(_VALUES_IN, 0)),
        held_back=lists.get("held_back", 0),
        conflicts=lists.get("conflicts", 0),
        errors=sum(1 for entry in due if entry.attempts or entry.parked),
        first_pass_done=bool(mark) and done >= total,
        pass_number=int(mark.get("number", 0)),
        pass_writes=counters.get(_WRITES, 0) - int(mark.get(_WRITES, 0)),
        would_write=len(kept_from_writing(wired)),
    )
