"""Records that keep failing must not stop the search for changes in all the others."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from services import flow
from services.flow_wiring import Wiring, use
from tests.http.support import clients, connect_state
from tests.state.support import running
from tests.support.sandbox import Sandbox, entry

if TYPE_CHECKING:
    from pathlib import Path

BATCH = 25


@pytest.mark.parametrize("failures", [0, 1])
def test_records_waiting_after_failures_of_their_own_do_not_stop_the_walk(tmp_path: Path, failures: int) -> None:
    with Sandbox() as sandbox, running(tmp_path) as server, clients(sandbox) as made:
        pair = sandbox.pair(entry("0511 123456", 1))
        with closing(connect_state(server.url, "komm:")) as state:
            parts: dict[str, object] = {"advoware": made.advoware, "espocrm": made.espocrm}
            wired = Wiring(state, BATCH, workers=4, walk=100, slot_limit=5, delete_slots=False, _parts=parts)
            with use(wired):
                flow.reconcile()  # the first full pass
                flow.reconcile()  # the poll has now seen the record, so that the next tick can only walk by it
                state.settle(pair.espo_id, state.due_token([pair.espo_id])[pair.espo_id])
                waiting = [f"other{number}" for number in range(BATCH + 1)]
                state.ring(waiting, delay=60.0)
                for key in waiting:
                    for _ in range(failures):
                        state.postpone(key, "Advoware refused a value.", counts=True)
                walked = flow.reconcile()["summary"]["walked"]
    # Twenty-six that have yet to have their first turn come before the walk; failed ones have had it and wait for hours.
    assert walked == failures
