"""Records that keep failing must not stop the search for changes in all the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.small import SmallWorld
from tests.support.sandbox import entry

if TYPE_CHECKING:
    from pathlib import Path

BATCH = 25


@pytest.mark.parametrize("failures", [0, 1])
def test_records_waiting_after_failures_of_their_own_do_not_stop_the_walk(tmp_path: Path, failures: int) -> None:
    with SmallWorld(tmp_path, batch=BATCH) as world:
        world.sandbox.pair(entry("0511 123456", 1))
        world.tick()  # the poll has now seen the record, so that the next tick can only walk by it
        waiting = [f"other{number}" for number in range(BATCH + 1)]
        world.state.ring(waiting, delay=60.0)
        for key in waiting:
            for _ in range(failures):
                world.state.postpone(key, "Advoware refused a value.", counts=True)
        # Twenty-six that have yet to have their first turn come before the walk; failed ones had it and wait for hours.
        assert world.tick()["walked"] == failures
