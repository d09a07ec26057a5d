"""However many calls of steps a Motia has seen, the next one costs it the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.gate.conftest import TOKEN
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.gate.conftest import Gate

CALLS = 40
AT_LEAST, AT_MOST = 3, 20
"""Reads of traces for a webhook: three for its own step, more where a look follows. Motia as it comes needs hundreds for its
first ones already, and more with each (`python -m bench endurance`)."""


QUEUES = [f"motia:kommunikation.geaendert.detect_komm_changes:{state}" for state in ("wait", "active")]


def test_a_call_does_not_go_through_all_the_calls_before_it(gate: Gate) -> None:
    made = 0
    with gate.redis.monitor() as seen:
        for _ in range(CALLS):
            answer = gate.http.post(
                "/webhooks/advoware/beteiligte", json={"ids": [12345]}, headers={"Authorization": f"Bearer {TOKEN}"}
            )
            assert answer.status_code == 200
        eventually(lambda: not gate.redis.exists(*QUEUES))
        gate.redis.echo("through")
        while (command := seen.next_command()["command"]) != "ECHO through":
            made += command.startswith("HGET motia:trace:")
    assert AT_LEAST * CALLS <= made <= AT_MOST * CALLS
