"""Burst: many records edited at once, through real Motia, held against one event and one process for each record.

Measured is the time from the first webhook until the last record is settled, which is after its value was read back from
Advoware. The naive form does the same with the same manager and gets its ids in as large requests; it is measured on
fewer records, before and after ours, and told per record.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from bench.figures import Result
from bench.live import live

if TYPE_CHECKING:
    from bench.live import Live

AT_LEAST = 10
_DELIVERY = 50
"""Ids a request, as EspoCRM sends them."""


def run(*, quick: bool) -> list[Result]:
    """The table."""
    many, few = (100, 10) if quick else (1000, 50)
    result = Result(
        "Burst",
        f"{many:,} records edited at once in EspoCRM; naive: one event and one process a record, {few} records before and"
        f" {few} after, scaled per record. Both with two processes of a step at a time.",
    )
    with live(many + 2 * few) as here:
        before = naive(here, range(many, many + few))
        here.forget_calls()
        ours = burst(here, range(many))
        processes = Counter(call.step for call in here.calls())
        after = naive(here, range(many + few, many + 2 * few))
    slow = (before + after) / (2 * few)
    result.add("time of the burst", ours, "s", floor=slow * many, note="floor: the naive form, scaled")
    result.add("records per second", many / ours, floor=1 / slow, ratio=slow * many / ours, at_least=AT_LEAST)
    told = ", ".join(f"{name} {count}" for name, count in processes.items())
    result.add("processes started", processes.total(), floor=many, ratio=processes.total() / many, note=told)
    return [result]


def burst(here: Live, records: range, mark: int = 1, *, check: bool = True) -> float:
    """Edit these records, let EspoCRM tell, and wait until all are settled; gives seconds since it began to tell."""
    texts = {record: here.edit(record, mark) for record in records}
    started = time.perf_counter()
    here.deliver()
    here.wait_until_through()
    taken = time.perf_counter() - started
    if check:
        _check(here, texts)
    return taken


def naive(here: Live, records: range) -> float:
    """The same in the naive form; gives seconds."""
    texts = {record: here.edit(record, 1, unseen=True) for record in records}
    ids = [here.pairs[record].espo_id for record in records]
    here.forget_calls()
    started = time.perf_counter()
    for start in range(0, len(ids), _DELIVERY):
        here.post("/bench/naive", {"ids": ids[start : start + _DELIVERY]})
    here.wait_for(*["bench_naive_sync"] * len(ids))
    taken = time.perf_counter() - started
    _check(here, texts)
    return taken


def _check(here: Live, texts: dict[int, str]) -> None:
    if missing := [record for record, text in texts.items() if not here.has(record, text)]:
        raise RuntimeError(f"{len(missing)} values did not arrive.")
