"""Latency: a single edit in EspoCRM, from its webhook to the other side, held against three empty steps in a row."""

from __future__ import annotations

import itertools
import tempfile
import time
from pathlib import Path

from bench.figures import Result, in_turns, median, ratio
from bench.live import live, until

AT_MOST = 1.5


def run(*, quick: bool) -> list[Result]:
    """The table."""
    rounds = 3 if quick else 15
    result = Result(
        "Latency",
        "Seconds from the delivery of the webhook until the value stands in Advoware; floor: webhook, look and sync as"
        f" three empty steps that only pass on an event. Medians of {rounds} rounds in turns.",
    )
    with live(1) as here, tempfile.TemporaryDirectory() as folder:
        marks = itertools.count(1)

        def edit() -> float:
            text = here.edit(0, next(marks))
            started = time.perf_counter()
            here.deliver()
            until(lambda: here.has(0, text), every=0.01)
            taken = time.perf_counter() - started
            here.wait_until_through()
            return taken

        def chain() -> float:
            sign = Path(folder) / str(next(marks))
            started = time.perf_counter()
            here.post("/bench/chain", {"sign": str(sign)})
            until(sign.exists, every=0.01)
            return time.perf_counter() - started

        edit(), chain()  # the first ones fill the disk's cache
        ours, floors = in_turns([edit, chain], rounds)
    result.add("one edit", median(ours), "s", floor=median(floors), ratio=ratio(ours, floors), at_most=AT_MOST)
    return [result]
