"""The flow's functions one after the other, as Motia calls them in processes: `python -m bench.drive [--pass]`.

As a program: one tick of reconcile with everything that follows from it, wired from the environment; `--pass`: over all
linked records. It imports nothing the flow does not.
"""

from __future__ import annotations

import sys

from services import flow
from services.whole_pass import carry


def tick() -> None:
    """One tick of `reconcile`, to its end."""
    carry(flow.reconcile()["events"])


def full_pass() -> None:
    """A full pass over all linked records, to its end."""
    flow.request_pass()
    tick()


if __name__ == "__main__":
    (full_pass if "--pass" in sys.argv[1:] else tick)()
