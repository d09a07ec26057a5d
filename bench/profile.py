"""Where the time of a missed target goes: `python -m bench.profile core|reconcile`, by cProfile.

cProfile sees one thread: the pass works on one record at a time here.
"""

from __future__ import annotations

import cProfile
import gc
import pstats
import sys
import time
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from unittest import mock

from bench.core import LIMIT_AT, Case
from bench.drive import full_pass
from bench.world import world
from services import flow_batch
from services.flow_wiring import wiring
from services.http_client import HttpClient
from services.step_work import FEW_COLLECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

_LINES, _RECORDS = 25, 300


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
        with world(_RECORDS) as here:
            full_pass()
            full_pass()  # after the second one every record is at rest
            del here
            _split()
            wired = wiring()
            wired.pool = lambda _: Here()
            profile.runcall(full_pass)
    stats = pstats.Stats(profile).strip_dirs()
    for order in ("tottime", "cumulative"):
        stats.sort_stats(order).print_stats(_LINES)


def _split() -> None:
    """Print what a record takes of the processor: no other work on the machine counts, and no profiler makes it longer."""
    places = [
        (HttpClient, "send", "the two requests"),
        (flow_batch, "read_both", "reading both sides, requests included"),
        (flow_batch.Batch, "_one", "the whole look"),
    ]
    taken = dict.fromkeys((label for _, _, label in places), 0.0)

    def timed(function: Callable[..., Any], label: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            begun = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                taken[label] += time.thread_time() - begun

        return call

    with ExitStack() as stack:
        for owner, name, label in places:
            stack.enter_context(mock.patch.object(owner, name, timed(getattr(owner, name), label)))
        begun = time.process_time()
        full_pass()
        taken["the whole pass"] = time.process_time() - begun
    for label, seconds in taken.items():
        print(f"{seconds / _RECORDS * 1000:6.2f} ms of the processor a record: {label}")


if __name__ == "__main__":
    gc.set_threshold(FEW_COLLECTIONS)
    main(sys.argv[1])
