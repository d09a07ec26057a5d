"""A full pass in this process, with the very functions the steps call. Leases and the due list keep it apart from theirs."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from services import flow
from services.errors import Bug
from services.flow_pass import kept_from_writing, want_pass
from services.flow_wiring import use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from services.flow_wiring import Wiring

FOLLOWING = 50
"""So many events may follow one: a direction, the other one, and both again for what people did meanwhile."""


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
            carry([event])
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


def carry(events: Iterable[dict[str, Any]]) -> Counter[str]:
    """Carry events of the flow through to their end in this process, as Motia does in many: topic -> how many there were.

    Raises `Bug` where events call forth events without end.
    """
    queue = deque(("detect", event) for event in events)
    most, seen = FOLLOWING * (len(queue) + 1), Counter[str]()
    while queue:
        topic, event = queue.popleft()
        seen[topic] += 1
        if seen.total() > most:
            raise Bug("The events of the flow do not come to an end.")
        if topic == "notices":
            flow.notify(event)
            continue
        if topic == "detect":
            found = flow.detect(event)
            queue.extend((way, new) for way in ("to_espocrm", "to_advoware") for new in found[way])
        else:
            other = "to_advoware" if topic == "to_espocrm" else "to_espocrm"
            found = flow.sync(event, topic)
            queue.extend((other, new) for new in found["follow_up"])
        queue.extend(("notices", new) for new in found["notices"])
    return seen
