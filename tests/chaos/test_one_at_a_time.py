"""Two workers and one record: whoever comes second pays nothing, and whoever comes too late writes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from services import flow
from services.errors import LeaseBusy
from services.whole_pass import carry
from tests.chaos.small import PREFIX, SmallWorld
from tests.http.support import connect_state
from tests.support.sandbox import ROOT, entry, phone
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST, SECOND, THIRD = "+49511123456", "+49511123457", "+49511123458"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SmallWorld]:
    with SmallWorld(tmp_path) as made:
        yield made


def test_contention_costs_no_attempt_and_the_record_comes_again_in_seconds(world: SmallWorld) -> None:
    pair = world.sandbox.pair(entry(FIRST, 1))
    other = connect_state(world.server.url, PREFIX)
    with other.acquire(pair.espo_id):
        world.clear_logs()
        for _ in range(7):  # one more than the failures after which a record is parked
            carry(flow.accept([pair.espo_id], "espocrm"))
        (due,) = world.state.due_entries(10)
        assert (due.key, due.attempts, due.parked) == (pair.espo_id, 0, False)
        assert due.due_at - time.time() <= 5
        assert world.writes() == []
    other.close()
    carry(flow.accept([pair.espo_id], "espocrm"))
    assert world.state.due_entries(10) == []
    assert [one["phoneNumber"] for one in world.sandbox.espocrm.phones(pair.espo_id)] == [FIRST]


def test_a_sync_that_was_paused_while_another_took_over_writes_nothing_when_it_wakes(world: SmallWorld) -> None:
    pair = world.sandbox.pair(entry(FIRST, 1), phones=[phone(FIRST)])
    world.tick()
    world.sandbox.espocrm.put(pair.espo_id, phoneNumberData=[phone(SECOND)])
    # The late one has read both sides, and is paused while it waits for its second look at Advoware.
    world.sandbox.advoware.fault("slow", method="GET", path=f"Beteiligte/{pair.betnr}", after=1, seconds=1.5)
    world.clear_logs()
    command = [sys.executable, "-m", "tests.chaos.late_worker", world.server.url, PREFIX, "0.6", pair.espo_id]
    late = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **world.sandbox.environ}, stdout=subprocess.PIPE, text=True
    )
    try:
        eventually(lambda: len(world.sandbox.advoware.requests("GET", f"Beteiligte/{pair.betnr}")) == 2)
        late.send_signal(signal.SIGSTOP)
        eventually(lambda: _free(world, pair.espo_id))
        world.sandbox.advoware.fresh()
        carry(flow.accept([pair.espo_id], "espocrm"))
        world.sandbox.espocrm.put(pair.espo_id, phoneNumberData=[phone(THIRD)])
        carry(flow.accept([pair.espo_id], "espocrm"))
        before = world.sandbox.advoware.entries(pair.betnr)
        assert [one["tlf"] for one in before] == [THIRD]
        world.clear_logs()
        late.send_signal(signal.SIGCONT)
        said, _ = late.communicate(timeout=30)
    finally:
        late.kill()
        late.wait()
    assert said.strip() == "LeaseLost"
    assert world.writes() == []
    assert world.sandbox.advoware.entries(pair.betnr) == before


def _free(world: SmallWorld, espo_id: str) -> bool:
    try:
        world.state.acquire(espo_id).release()
    except LeaseBusy:
        return False
    return True
