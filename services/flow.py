"""What the steps do, without Motia: one function a step. Events, summaries and logs carry ids and counts only.

What is due is remembered in Redis before anything is queued, and forgotten only when a run is through, so a lost event, a
killed process or a failed system delays a change and never loses it. A key of the due list is an id of EspoCRM, or
`betnr:N` for a Beteiligter whose record has yet to be found.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from services.errors import SyncError
from services.flow_batch import Batch, Outcome
from services.flow_events import EVENT_IDS, GRACE_SECONDS, betnr_key, checked, events_of, parsed
from services.flow_pass import (
    PassStatus,
    begin_pass,
    kept_from_writing,
    note_recent,
    pass_status,
    poll_espocrm,
    recent,
    want_pass,
)
from services.flow_wiring import Wiring, wiring
from services.notice_kind import NoticeKind
from services.state_forms import noticed_id
from services.tally import REQUESTS, failure_counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["accept", "cleanup", "detect", "notify", "reconcile", "request_pass", "status", "sync"]

DUE_AT_ONCE = 1000
WALK_DEFAULT = 100
REPORTED_TOGETHER = 20
"""Records of one delivery of EspoCRM."""


def accept(ids: Sequence[str], quelle: str, *, together: bool = False) -> list[dict[str, Any]]:
    """Remembers reported ids as due and gives the events to emit. Raises `InvalidInput`, or what Redis says.

    What a webhook does, for callers without Motia: there the gate rings (gate/bell.ts) and the step emits. `together`: as
    there, no event where one that is still waiting will take these along.
    """
    wanted = checked(ids, quelle)
    wired = wiring()
    keys = wanted if quelle == "espocrm" else [betnr_key(betnr) for betnr in wanted]
    if keys:
        wired.state.ring(keys, delay=GRACE_SECONDS)
    if keys and together and quelle == "espocrm" and not wired.state.call(keys, EVENT_IDS):
        return []
    return events_of(wanted, quelle)


def detect(data: Any) -> dict[str, Any]:
    """Looks at both sides of each record and says which direction has work.

    An event of a webhook takes along what other webhooks have reported since, up to a full event.
    """
    ids, quelle = parsed(data)
    wired = wiring()
    batch = Batch(wired)
    if quelle == "espocrm":
        known = wired.state.gather(ids, EVENT_IDS)
    else:
        known = wired.state.waiting(_resolve(wired, ids) if quelle == "advoware" else ids)
    looks = batch.look(known, only_due=not data.get("walk"))
    to_espocrm = [look.espo_id for look in looks if look.result and look.result["writes_espocrm"]]
    to_advoware = [
        look.espo_id
        for look in looks
        if look.result and look.result["writes_advoware"] and not look.result["writes_espocrm"]
    ]
    more = {"stop_removals": True} if _mass_removal(looks, taken_along=quelle == "espocrm") else {}
    if data.get("walk") and (to_espocrm or to_advoware):
        # The walk rings for nobody; from here on the record is due until a sync is through.
        wired.state.ring([*to_espocrm, *to_advoware], delay=GRACE_SECONDS)
    batch.settle(look for look in looks if look.espo_id not in {*to_espocrm, *to_advoware})
    summary = batch.summary() | {"to_espocrm": len(to_espocrm), "to_advoware": len(to_advoware)}
    return {
        "to_espocrm": events_of(to_espocrm, "reconcile", **more),
        "to_advoware": events_of(to_advoware, "reconcile", **more),
        "notices": _news(looks),
        "summary": summary,
    }


def sync(data: Any, direction: str) -> dict[str, Any]:
    """Carries out one direction for each record. `follow_up`: events for the other direction, where it has work now."""
    ids, quelle = parsed(data)
    wired = wiring()
    batch = Batch(wired)
    stop = bool(data.get("stop_removals"))
    outcomes = batch.each(ids, lambda: partial(wired.manager.sync_record, direction=direction, stop_removals=stop))
    note_recent(wired, [outcome.espo_id for outcome in outcomes if outcome.result and outcome.result["run"]])
    # In shadow mode both directions stay undone: they would emit each other for ever.
    done = [outcome for outcome in outcomes if outcome.result and not outcome.result["dry_run"]]
    other = {outcome.espo_id for outcome in done if outcome.result and outcome.result["pending"]}
    batch.settle(outcome for outcome in outcomes if outcome.espo_id not in other)
    more = {"stop_removals": True} if stop else {}
    follow_up = [outcome.espo_id for outcome in outcomes if outcome.espo_id in other]
    return {
        "follow_up": events_of(follow_up, quelle, **more),
        "notices": _news(outcomes),
        "summary": batch.summary() | {"follow_up": len(follow_up)},
    }


def notify(data: Any) -> dict[str, Any]:
    """Brings the notices of each record in EspoCRM up to date with what is open for its staff."""
    from services.flow_notices import notify as work

    return work(data)


def reconcile() -> dict[str, Any]:
    """One tick: a full pass where one is wanted; else changes in EspoCRM, a piece of the walk, and what is due."""
    wired = wiring()
    counts = Counter({"ticks:failed": 1})
    through = False
    try:
        told = _tick(wired)
        counts, through = Counter({"ticks:done": 1}), True
    except SyncError as error:
        counts += failure_counts(error)
        raise
    else:
        return told
    finally:
        with suppress(SyncError):
            # Also after a failure: cron is at work, which is what GET /health asks (gate/watch.ts).
            wired.state.note_tick(counts + REQUESTS.take(), through=through)


def _tick(wired: Wiring) -> dict[str, Any]:
    started = begin_pass(wired)
    if started is not None:
        number, ids = started
        events = events_of(ids, "reconcile", size=wired.batch)
        return {"events": events, "notices": [], "summary": {"pass": number, "records": len(ids)}}
    changed = poll_espocrm(wired)
    taken = wired.state.due(DUE_AT_ONCE)
    noticed = [espo_id for espo_id in map(noticed_id, taken) if espo_id is not None]
    due = [key for key in taken if noticed_id(key) is None]
    # Who is known to be waiting comes first: the walk rests while there is more than an event's work.
    walks = wired.walk > 0 and wired.state.due_count() <= wired.batch
    walked = [*recent(wired), *(espo_id for espo_id, _ in wired.state.next_links(wired.walk))] if walks else []
    ids = list(dict.fromkeys([*changed, *(key for key in due if not key.startswith("betnr:"))]))
    walked = [espo_id for espo_id in dict.fromkeys(walked) if espo_id not in set(ids)]
    betnrs = [key.removeprefix("betnr:") for key in due if key.startswith("betnr:")]
    events = events_of(ids, "reconcile", size=wired.batch) + events_of(betnrs, "advoware")
    events += events_of(walked, "reconcile", size=wired.batch, walk=True)
    summary = {"changed": len(changed), "walked": len(walked), "due": len(due)}
    if noticed:
        summary["notices"] = len(noticed)
    return {"events": events, "notices": events_of(noticed, "reconcile", size=wired.batch), "summary": summary}


def cleanup() -> dict[str, Any]:
    """Counts slots, reports who has too many, drops what is past its retention; tells what shadow mode left out."""
    from services.flow_slots import count_slots

    wired = wiring()
    counted = count_slots(wired)
    told: dict[str, int] = {}
    if wired.notices is not NoticeKind.OFF:
        from services.flow_notices import tell_again

        told["notices_checked"] = tell_again(wired)
    wired.state.set_mark("slots", str(counted.get("slots", 0)))
    wired.state.note("cleaned", json.dumps({**counted, "at": wired.now()}), REQUESTS.take())
    return {"summary": counted | {"journal_entries_dropped": wired.state.cleanup()} | told | _not_written(wired)}


def _not_written(wired: Wiring) -> dict[str, Any]:
    """What shadow mode or the pilot list kept from happening, for the daily summary."""
    scope = wired.manager.scope
    if scope.unlimited:
        return {}
    planned = kept_from_writing(wired)
    return {
        "mode": scope.mode.value,
        "pilot_records": len(scope.pilot or ()),
        "records_it_would_write": len(planned),
        "changes_it_would_make": sum(planned.values()),
    }


def request_pass() -> None:
    """Asks `reconcile` for a full pass over all records with its next tick."""
    want_pass(wiring())


def status() -> PassStatus:
    """Where the last full pass is, in counts."""
    return pass_status(wiring())


# -------------------------------------------------------------------------------------------------------------- inside


def _resolve(wired: Wiring, betnrs: Sequence[str]) -> list[str]:
    """The records of Beteiligte reported by number. One that nobody is linked to is settled: there is nothing to do."""
    numbers = [int(betnr) for betnr in betnrs]
    known = wired.state.espo_ids(numbers)
    unknown = [number for number in numbers if not known.get(number)]
    rows = wired.espocrm.find_by_betnr(unknown) if unknown else []
    wired.state.register_links((row.id, row.betnr) for row in rows)
    ids = [espo_id for number in numbers for espo_id in known.get(number, ())] + [row.id for row in rows]
    ids = list(dict.fromkeys(ids))
    if ids:
        wired.state.ring(ids, delay=GRACE_SECONDS)
    keys = [betnr_key(betnr) for betnr in betnrs]
    wired.state.settle_all(wired.state.due_token(keys))
    return ids


def _news(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """The events for records of which there is something new to tell."""
    return events_of([one.espo_id for one in outcomes if one.result and one.result.get("news")], "reconcile")


def _mass_removal(looks: Sequence[Outcome], *, taken_along: bool) -> bool:
    """The valve of a run over many records: more than three values, and more than half of what is linked, would go.

    An accident in a few records must not go unnoticed among the many that an event takes along: so it holds for each few
    that were reported one after the other, as if they were an event of their own.
    """
    if not taken_along:
        return _would_go(looks)
    few = (looks[start : start + REPORTED_TOGETHER] for start in range(0, len(looks), REPORTED_TOGETHER))
    return any(map(_would_go, (looks, *few)))


def _would_go(looks: Iterable[Outcome]) -> bool:
    seen = [look.result for look in looks if look.result]
    removing = [result["removals"] for result in seen]
    linked = sum(result["linked"] for result in seen)
    several = sum(1 for count in removing if count) > 1
    return several and sum(removing) > 3 and 2 * sum(removing) > linked  # noqa: PLR2004 - the valve's limit
