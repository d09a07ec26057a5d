"""Full reconcile: a pass over all linked records, held against a bare loop that makes the very same requests.

The calls of a piece of the pass are recorded, and sent again right after it: by the same clients over the same
connections, with as many workers and as many records a batch, and nobody looks at the answers. So the two times of a pair
are taken within seconds of each other, and a busy machine slows down both.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.drive import full_pass
from bench.figures import Result, ratio, seconds
from bench.world import WORKERS, world
from services import flow
from services.http_client import HttpClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.world import World
    from services.http_client import Answer, Call

AT_LEAST = 0.85
SLOW_SECONDS = 0.02
"""What a server on another machine takes for an answer; the sandbox itself takes about a millisecond."""

_EVENTS_A_PIECE = 4
_LOOK = 2


class Recorder(HttpClient):
    """The part of a client that sends, with a note of each call and the worker that made it."""

    def __init__(self, usual: HttpClient, notes: list[tuple[int, Callable[[], Answer]]]) -> None:
        super().__init__(usual.system, seconds=usual._seconds, address_variable=usual._address_variable)
        self._notes = notes

    def send(self, call: Call) -> Answer:
        """Send as always."""
        usual = super().send
        self._notes.append((threading.get_ident(), lambda: usual(call)))
        return usual(call)


class Pass:
    """A full pass and its bare copy, piece by piece."""

    def __init__(self, here: World) -> None:
        self._notes: list[tuple[int, Callable[[], Answer]]] = []
        self.count = len(here.pairs)
        # From here on; the calls for a token go past the recorder.
        here.advoware._http, here.espocrm._http = (
            Recorder(here.advoware._http, self._notes),
            Recorder(here.espocrm._http, self._notes),
        )

    def listing(self) -> tuple[list[dict[str, Any]], float, float]:
        """Begin a pass: its events, the time that took, and the time of its bare requests."""
        flow.request_pass()
        events: list[dict[str, Any]] = []
        ours = seconds(lambda: events.extend(flow.reconcile()["events"]))
        calls = [send for _, send in self._notes]
        self._notes.clear()
        return events, ours, seconds(lambda: [send() for send in calls])

    def pieces(self, events: Sequence[dict[str, Any]]) -> Iterator[tuple[float, float]]:
        """Carry the events out; gives ours and the bare time of each few of them."""
        for start in range(0, len(events), _EVENTS_A_PIECE):
            piece = events[start : start + _EVENTS_A_PIECE]
            bare: list[list[list[Callable[[], Answer]]]] = []
            ours = 0.0
            for event in piece:
                ours += seconds(partial(flow.detect, event))
                bare.append(self._records(len(event["ids"])))
            yield ours, sum(seconds(partial(_send, records)) for records in bare)

    def _records(self, count: int) -> list[list[Callable[[], Answer]]]:
        """The calls since last time, record by record: a worker finishes one before it begins another."""
        by_worker: dict[int, list[Callable[[], Answer]]] = {}
        for worker, send in self._notes:
            by_worker.setdefault(worker, []).append(send)
        self._notes.clear()
        records = [calls[start : start + _LOOK] for calls in by_worker.values() for start in range(0, len(calls), _LOOK)]
        if [len(record) for record in records] != [_LOOK] * count:
            raise RuntimeError("The pass found work to do: its requests are no longer two a record.")
        return records


def _send(records: list[list[Callable[[], Answer]]]) -> None:
    with ThreadPoolExecutor(min(WORKERS, len(records))) as pool:
        list(pool.map(lambda record: [send() for send in record], records))


def run(*, quick: bool) -> list[Result]:
    """The table; `quick` 500 records only."""
    result = Result(
        "Full reconcile",
        f"Records per second of a pass over records at rest, against the same requests sent bare by the same clients,"
        f" {WORKERS} at once.",
    )
    for count in (500,) if quick else (2000, 10000):
        with world(count) as here:
            started = time.perf_counter()
            full_pass()
            first = count / (time.perf_counter() - started)
            copied = Pass(here)
            # The second pass finds every record as the first has left it, and at rest from then on.
            _measure(copied, result, f"{count:,} records, second pass (each compared with its base)", at_least=None)
            _measure(copied, result, f"{count:,} records")
            result.add(f"{count:,} records, first pass (nothing in the store yet)", first, "records/s")
    with world(100 if quick else 300) as here:
        full_pass()
        full_pass()
        for system in (here.sandbox.advoware, here.sandbox.espocrm):
            system.fault("slow", seconds=SLOW_SECONDS, count=1_000_000)
        _measure(Pass(here), result, f"{len(here.pairs)} records, every answer {SLOW_SECONDS * 1000:.0f} ms later")
    return [result]


def _measure(copied: Pass, result: Result, name: str, *, at_least: float | None = AT_LEAST) -> None:
    events, listing, bare_listing = copied.listing()
    ours, bare = zip(*copied.pieces(events), strict=True)
    count = copied.count
    per_second = [count / (sum(times) + begin) for times, begin in ((ours, listing), (bare, bare_listing))]
    note = f"median of {len(ours)} pieces; whole pass {per_second[0] / per_second[1]:.2f}"
    result.add(
        name, per_second[0], "records/s", floor=per_second[1], ratio=1 / ratio(ours, bare), at_least=at_least, note=note
    )
    result.add(f"{name}, listing them", listing, "s", floor=bare_listing, ratio=listing / bare_listing)
