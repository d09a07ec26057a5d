"""A full pass in this process, with the very functions the steps call. Leases and the due list keep it apart from theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services import flow
from services.flow_pass import kept_from_writing, want_pass
from services.flow_wiring import use

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.flow_wiring import Wiring


def run_pass(wired: Wiring, advance: Callable[[int, int], None]) -> dict[str, Any]:
    """Look at all linked records and carry out what is to be done. `advance` hears of records done, and of all.

    A tick of the cron step may take the pass over instead; then it is done there and counted here as not done.
    """
    with use(wired):
        want_pass(wired)
        events = flow.reconcile()["events"]
        ids = list(dict.fromkeys(one for event in events for one in event["ids"] if event["quelle"] == "reconcile"))
        before, done = wired.state.counters(), 0
        for event in events:
            found = flow.detect(event)
            _directions(found)
            done += len(event["ids"])
            advance(min(done, len(ids)), len(ids))
    after = wired.state.counters()
    gone = {name: after.get(name, 0) - before.get(name, 0) for name in ("values_to_espocrm", "values_to_advoware")}
    waiting = {entry.key for entry in wired.state.due_entries(100_000)} & set(ids)
    return {
        "records": len(ids),
        "to_espocrm": gone["values_to_espocrm"],
        "to_advoware": gone["values_to_advoware"],
        "not_done": len(waiting),
        "would_write": len(kept_from_writing(wired)),
    }


def _directions(found: dict[str, Any]) -> None:
    """Carry out what a look found, each direction and what follows from it."""
    for event in found["to_espocrm"]:
        for following in flow.sync(event, "to_espocrm")["follow_up"]:
            flow.sync(following, "to_advoware")
    for event in found["to_advoware"]:
        for following in flow.sync(event, "to_advoware")["follow_up"]:
            flow.sync(following, "to_espocrm")
