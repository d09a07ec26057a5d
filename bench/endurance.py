"""Endurance: what a webhook costs a Motia that has seen many, held against the first ones of the same Motia.

Beside it a Motia as it comes, without `gate/shared-streams.ts`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bench.figures import Result
from bench.live import live
from scripts.launch.processes import stat_of

if TYPE_CHECKING:
    from bench.live import Live

_BLOCK = 50
"""Webhooks a figure is the mean of. The block before the first figure is for Motia's compiler."""


def run(*, quick: bool) -> list[Result]:
    """The table."""
    result = Result(
        "Endurance",
        f"What Motia itself needs for a webhook and the look that follows it: means of {_BLOCK}; floor: numbers {_BLOCK + 1}"
        f" to {2 * _BLOCK}. How often a field of a hash is read in Redis, mostly one of a trace, must not grow.",
    )
    with live(1) as here:
        _add(result, here, 200 if quick else 600, "", at_most=1.05)
    with live(1, as_it_comes=True) as here:
        _add(result, here, 100 if quick else 200, ", Motia as it comes")
    return [result]


def _add(result: Result, here: Live, webhooks: int, name: str, *, at_most: float | None = None) -> None:
    blocks = [_block(here) for _ in range(webhooks // _BLOCK)]
    (reads, taken), (first_reads, first_taken) = blocks[-1], blocks[1 if webhooks > 2 * _BLOCK else 0]
    place = f"numbers {webhooks - _BLOCK + 1:,} to {webhooks:,}{name}"
    result.add(f"reads of a hash, {place}", reads, floor=first_reads, ratio=reads / first_reads, at_most=at_most)
    result.add(f"processor, {place}", taken, "ms", floor=first_taken, ratio=taken / first_taken)


def _block(here: Live) -> tuple[float, float]:
    """For a webhook: how often a field of a hash is read (of a trace, or of a job), and milliseconds of Motia."""
    begun, asked = _processor(here), _reads(here)
    for _ in range(_BLOCK):
        here.webhook([here.pairs[0].espo_id])
        here.wait_until_through()
        here.wait_for("beteiligte_webhook", "detect_komm_changes")  # the last word on a call comes after its answer
        here.forget_calls()
    return (_reads(here) - asked) / _BLOCK, (_processor(here) - begun) / _BLOCK * 1000


def _reads(here: Live) -> int:
    return int(here.redis.info("commandstats").get("cmdstat_hget", {}).get("calls", 0))


def _processor(here: Live) -> float:
    """Seconds of the processor that Motia itself has used, without its steps' processes."""
    in_user_mode, in_the_kernel = stat_of(here.motia.pid)[11:13]
    return (int(in_user_mode) + int(in_the_kernel)) / os.sysconf("SC_CLK_TCK")
