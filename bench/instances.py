"""Two instances of Motia on one Redis against one: the throughput of a burst, and whether a record is worked on twice.

Nobody works twice on a record where (1) no lease is taken while it is held, as Redis itself tells of every key that is set
and deleted, and (2) both systems get the seven calls a record that one look and one sync make, and one write.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bench.burst import burst
from bench.figures import Result, median, ratio
from bench.live import live
from bench.requests import FLOORS, LOOK

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

    from bench.live import Live

_LEASES = "komm:lease:"


class Leases:
    """What Redis tells of leases that are taken and given back."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.taken = self.twice = 0

    def note(self, message: dict[str, Any]) -> None:
        """A key was set, deleted, or has expired."""
        kind, key = message["channel"].rpartition(":")[2], message["data"]
        if not key.startswith(_LEASES):
            return
        if kind == "set":
            self.taken += 1
            self.twice += key in self.held
            self.held.add(key)
        else:
            self.held.discard(key)


def run(*, quick: bool) -> list[Result]:
    """The table."""
    many, rounds = (30, 1) if quick else (200, 2)
    result = Result(
        "Two instances",
        f"Bursts of {many} records with one instance and with two on the same Redis, {rounds} of each in turns;"
        " all on this machine's cores.",
    )
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with live(many) as here, _watched(here.redis) as leases:
        burst(here, range(many), mark=1)  # the first one fills the disk's cache
        leases.taken = 0
        calls = Counter[str]()
        for number in range(rounds):
            for instances in (1, 2):
                seconds[instances].append(_one(here, instances, many, 2 * number + instances + 1, calls))
    for instances, times in seconds.items():
        result.add(f"{instances} instance{'s' * (instances > 1)}", many / median(times), "records/s")
    gain = ratio(seconds[1], seconds[2])
    result.add("two against one", many / median(seconds[2]), "records/s", floor=many / median(seconds[1]), ratio=gain)
    bursts = 2 * rounds * many
    result.add("leases taken", leases.taken, note="two a record: for the look and for the sync")
    result.add("leases taken while held", leases.twice, exactly=0)
    result.count("calls to both systems", calls["calls"], (LOOK + FLOORS["one change in EspoCRM"]) * bursts)
    result.count("writes to Advoware", calls["writes"], bursts)
    return [result]


def _one(here: Live, instances: int, many: int, mark: int, calls: Counter[str]) -> float:
    second = here.start_instance() if instances > 1 else None
    try:
        for system in (here.advoware, here.espocrm):
            system.clear_log()
        taken = burst(here, range(many), mark=mark, check=False)
        rows = [row for system in (here.advoware, here.espocrm) for row in system.requests() if _is_ours(row)]
        calls["calls"] += len(rows)
        calls["writes"] += sum(row["method"] != "GET" for row in rows)
        return taken
    finally:
        if second is not None:
            here.stack.drop(second)


def _is_ours(row: dict[str, Any]) -> bool:
    """No token, and no edit by a person: those are the only PUTs to EspoCRM."""
    by_people = row["method"] == "PUT" and "CBeteiligte" in row["path"]
    return not by_people and ("eteiligte/" in row["path"] or "ommunikation" in row["path"])


@contextmanager
def _watched(client: redis.Redis) -> Iterator[Leases]:
    client.config_set("notify-keyspace-events", "E$gx")
    leases = Leases()
    ended = threading.Event()
    with client.pubsub() as pubsub:  # type: ignore[no-untyped-call]
        pubsub.psubscribe("__keyevent@*__:set", "__keyevent@*__:del", "__keyevent@*__:expired")

        def listen() -> None:
            while not ended.is_set():
                if (message := pubsub.get_message(timeout=0.5)) and message["type"] == "pmessage":
                    leases.note(message)

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield leases
        finally:
            ended.set()
            listener.join()
