"""Counts the slots of every Beteiligter. Advoware's API can't delete: who has too many is reported for clean-up by hand."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from services.errors import Forbidden, LeaseBusy, SyncError
from services.kommunikation_mapper import is_blank, parse_remark

if TYPE_CHECKING:
    from services.flow_wiring import Wiring
    from services.kommunikation_types import Beteiligter

WORK_SECONDS = 240.0
"""Motia's lock on a cron step lives five minutes; what is not reached is counted the next night."""


def count_slots(wired: Wiring) -> dict[str, int]:
    """Counts the slots of all linked Beteiligte; entries with a value are never touched."""
    until = time.monotonic() + WORK_SECONDS
    links = wired.state.next_links(wired.state.link_count())
    totals: Counter[str] = Counter()

    def one(link: tuple[str, int]) -> Counter[str]:
        if time.monotonic() > until:
            return Counter(not_reached=1)
        try:
            return _count_one(wired, *link)
        except SyncError:
            return Counter(failed=1)

    with wired.pool(wired.workers) as pool:
        for counts in pool.map(one, links):
            totals.update(counts)
    return {"beteiligte": len(links), **totals}


def _count_one(wired: Wiring, espo_id: str, betnr: int) -> Counter[str]:
    beteiligter = wired.advoware.get_beteiligter(betnr)
    slots = _slots(beteiligter)
    free: dict[int, list[int]] = {}
    for entry_id, (kz, text) in slots.items():
        if not text:
            free.setdefault(kz, []).append(entry_id)
    # One free slot of a kind is kept for the next value; the rest is surplus.
    surplus = [entry_id for ids in free.values() for entry_id in sorted(ids)[1:]]
    since = wired.state.slot_since(betnr, slots)
    may_delete = wired.delete_slots and wired.manager.scope.allows(espo_id, betnr)
    deleted = _delete(wired, espo_id, betnr, surplus) if may_delete and surplus else 0
    report: dict[str, Any] | None = None
    with_text = sorted(entry_id for entry_id, (_, text) in slots.items() if text)
    above = len(slots) - deleted > wired.slot_limit
    # A slot behind which a user's text stands is never used again: only a person can clear it away.
    if above or with_text:
        by_kind = {str(kz): len(ids) for kz, ids in sorted(free.items())}
        report = {
            "betnr": betnr,
            "slots": len(slots) - deleted,
            "surplus": len(surplus) - deleted,
            "with_text": with_text,
            "above_limit": above,
            "free_by_kind": by_kind,
            "oldest_since": min(since.values(), default=0.0),
        }
    wired.state.set_slot_report(betnr, report)
    return Counter(slots=len(slots), surplus=len(surplus), deleted=deleted, above_limit=int(above), with_text=len(with_text))


def _slots(beteiligter: Beteiligter) -> dict[int, tuple[int, bool]]:
    """Entry id -> kommKz and whether a user's text stands behind the marker."""
    found = {}
    for raw in beteiligter.kommunikation:
        remark = parse_remark(raw.bemerkung, raw.tlf)
        if remark.marker is not None and remark.marker.is_slot and is_blank(raw.tlf):
            found[raw.id] = (remark.marker.kz, bool(remark.text))
    return found


def _delete(wired: Wiring, espo_id: str, betnr: int, surplus: list[int]) -> int:
    """Deletes those that are still free. Under the lease, and read again before each: slots are there to be filled."""
    deleted = 0
    try:
        with wired.state.acquire(espo_id) as lease:
            for entry_id in surplus:
                if _slots(wired.advoware.get_beteiligter(betnr)).get(entry_id, (0, True))[1]:
                    continue  # filled, annotated or gone since it was counted
                lease.check()
                wired.advoware.delete_kommunikation(betnr, entry_id)
                deleted += 1
    except (Forbidden, LeaseBusy):
        pass  # what today's Advoware answers; or the sync is at work here, and the next night will do
    return deleted
