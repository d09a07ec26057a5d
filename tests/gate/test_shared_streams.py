"""However many calls of steps a Motia has seen, the next one costs it the same."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.gate.conftest import TOKEN

if TYPE_CHECKING:
    from tests.gate.conftest import Gate

CALLS = 40
AT_MOST = 20
"""Reads of traces for a webhook and the look that follows. Motia as it comes needs hundreds for its first ones already, and
more with each (`python -m bench endurance`)."""


def test_a_call_does_not_go_through_all_the_calls_before_it(gate: Gate) -> None:
    before = reads(gate)
    for _ in range(CALLS):
        answer = gate.http.post(
            "/webhooks/advoware/beteiligte", json={"ids": [12345]}, headers={"Authorization": f"Bearer {TOKEN}"}
        )
        assert answer.status_code == 200
    made = reads(gate) - before
    assert CALLS <= made <= AT_MOST * CALLS, "the traces are read somewhere else, or again and again"


def reads(gate: Gate) -> int:
    """How often Redis was asked for a field of a hash, when that has come to rest."""
    seen = -1
    while seen != (now := int(gate.redis.info("commandstats").get("cmdstat_hget", {}).get("calls", 0))):
        seen = now
        time.sleep(0.5)
    return now
