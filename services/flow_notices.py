"""Tells staff in EspoCRM what needs their hand, and takes it back when it does no longer.

A record's notices are due (key `hinweis:<id>` of the due list) when what is open for it has changed; everything else
follows from what is open then and what was told already. So an event that is lost, late or comes twice does no harm, and a
failure is tried again like any other, beside the sync and never in its way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.flow_batch import Batch
from services.flow_events import parsed
from services.flow_wiring import wiring
from services.notice_kind import NoticeKind
from services.state_forms import notice_key
from services.state_types import ListKind, RecordState

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.flow_wiring import Wiring


def notify(data: Any) -> dict[str, Any]:
    """Works on one event: makes and ends notices of its records. Switched off, it only clears what was due."""
    ids, _ = parsed(data)
    wired = wiring()
    keys = [notice_key(espo_id) for espo_id in ids]
    if wired.notices is NoticeKind.OFF:
        wired.state.settle_all(wired.state.due_token(keys))
        return {"summary": {"records": 0}}
    batch = Batch(wired)
    outcomes = batch.each(keys, lambda: _teller(wired))
    done = [outcome for outcome in outcomes if outcome.result is not None]
    wired.state.settle_all({outcome.espo_id: outcome.token for outcome in done})
    counts = {name: sum(one.result[name] for one in done if one.result) for name in ("created", "closed")}
    return {"summary": batch.summary() | counts}


def tell_again(wired: Wiring) -> int:
    """Makes all records due that have something open, or were told something: what got lost is found at night."""
    if wired.notices is NoticeKind.OFF:
        return 0
    state = wired.state
    ids = {espo_id for kind in ListKind for espo_id in state.listed(kind)}
    ids |= {espo_id for espo_id, status in state.statuses().items() if status.state is RecordState.PARKED}
    ids |= {entry.key for entry in state.parked() if ":" not in entry.key}
    ids |= {espo_id for found in state.espo_ids(list(state.slot_reports())).values() for espo_id in found}
    ids |= set(state.told_records())
    state.tell(sorted(ids))
    return len(ids)


def _teller(wired: Wiring) -> Callable[[str], dict[str, Any]]:
    # Imported late: most events find nothing due any more.
    from services.notice_teller import Teller

    return Teller(wired).tell
