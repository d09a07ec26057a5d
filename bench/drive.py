"""The flow's functions one after the other, as Motia calls them in processes: `python -m bench.drive [--pass]`.

As a program: one tick of reconcile with everything that follows from it, wired from the environment; `--pass`: over all
linked records. It imports nothing the flow does not.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from services import flow

if TYPE_CHECKING:
    from collections.abc import Iterable


def work(events: Iterable[dict[str, Any]]) -> None:
    """Carry events through the flow's functions, one after the other, as Motia does with processes."""
    queue = deque(("detect", event) for event in events)
    while queue:
        topic, event = queue.popleft()
        if topic == "detect":
            found = flow.detect(event)
            queue.extend((way, new) for way in ("to_espocrm", "to_advoware") for new in found[way])
        else:
            other = "to_advoware" if topic == "to_espocrm" else "to_espocrm"
            queue.extend((other, new) for new in flow.sync(event, topic)["follow_up"])


def tick() -> None:
    """One tick of `reconcile`, to its end."""
    work(flow.reconcile()["events"])


def full_pass() -> None:
    """A full pass over all linked records, to its end."""
    flow.request_pass()
    tick()


if __name__ == "__main__":
    (full_pass if "--pass" in sys.argv[1:] else tick)()
