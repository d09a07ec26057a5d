"""Where the time of a missed target goes: `python -m bench.profile core|reconcile`, by cProfile.

cProfile sees one thread: the pass works on one record at a time here.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

from bench.core import LIMIT_AT, Case
from bench.drive import full_pass
from bench.world import world
from services.flow_wiring import wiring

if TYPE_CHECKING:
    from collections.abc import Callable

_LINES = 25


class Here(Executor):
    """Works at once, in this thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do it now."""
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def main(what: str) -> None:
    """Print the calls with the most time of their own, and those with the most time in all."""
    profile = cProfile.Profile()
    if what == "core":
        case = Case(LIMIT_AT, "changed")
        profile.runcall(lambda: [case.diff() for _ in range(300)])
    else:
        with world(300) as here:
            full_pass()
            full_pass()  # after the second one every record is at rest
            del here
            wired = wiring()
            wired.pool = lambda _: Here()
            profile.runcall(full_pass)
    stats = pstats.Stats(profile).strip_dirs()
    for order in ("tottime", "cumulative"):
        stats.sort_stats(order).print_stats(_LINES)


if __name__ == "__main__":
    main(sys.argv[1])
