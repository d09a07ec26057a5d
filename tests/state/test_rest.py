"""Records at rest: what ends a rest, and that nobody settles a record that somebody works on. Both forms of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.kommunikation_types import Base
from services.state import RecordState, RecordStatus, Rest, RunEnd, Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.state import StateStore
    from tests.state.support import Clock

REST = Rest(4711, 5, "0123456789abcdef")
EQUAL, FAILED = RecordStatus(4711, RecordState.EQUAL), RecordStatus(4711, RecordState.FAILED, "EspoCRM failed (500).")
BASE = Base(4711)


def end(store: StateStore, rest: Rest | None = REST, status: RecordStatus = EQUAL, base: Base | None = None) -> None:
    """A run that got through."""
    store.finish(store.acquire("r1"), RunEnd(status, base, rest=rest))


def rest_of(store: StateStore) -> Rest | None:
    return store.waiting(["r1"])["r1"].rest


@pytest.fixture
def resting(store: StateStore) -> StateStore:
    """A store that knows one record at rest."""
    store.register_link("r1", 4711)
    with store.acquire("r1") as lease:
        store.save(lease, BASE)
    end(store)
    assert rest_of(store) == REST
    return store


def save(store: StateStore) -> None:
    with store.acquire("r1") as lease:
        store.save(lease, BASE)


ENDS: dict[str, Callable[[StateStore], object]] = {
    "a worker saved a base, as each does before it writes": save,
    "a run ended otherwise": lambda store: end(store, rest=None),
    "a run ended otherwise, with a base": lambda store: end(store, rest=None, base=BASE),
    "a run failed": lambda store: store.set_status("r1", FAILED),
    "another record got the same Beteiligter": lambda store: store.register_links([("r2", 4711)]),
    "it was linked anew": lambda store: store.register_link("r1", 4712),
    "it is linked to nobody": lambda store: store.register_link("r1", None),
    "its base was dropped": lambda store: store.forget("r1"),
    "it was erased": lambda store: store.erase("r1", 4711),
}


@pytest.mark.parametrize("happens", ENDS.values(), ids=list(ENDS))
def test_a_rest_ends_when_what_it_rests_on_does(resting: StateStore, happens: Callable[[StateStore], object]) -> None:
    seen = resting.waiting(["r1"])
    happens(resting)
    assert rest_of(resting) is None
    resting.ring(["r1"])
    assert resting.settle_resting(seen, {}) == ["r1"]
    assert [one.key for one in resting.due_entries(9)] == ["r1"]


def test_the_lease_tells_what_was_known_of_the_rest(resting: StateStore) -> None:
    with resting.acquire("r1") as lease:
        assert lease.rest == REST
    save(resting)
    with resting.acquire("r1") as lease:
        assert lease.rest is None


def test_a_record_at_rest_is_settled_and_its_status_tells_when(resting: StateStore, clock: Clock) -> None:
    resting.ring(["r1"], delay=5)
    clock.advance(30)
    assert resting.settle_resting(resting.waiting(["r1"]), {"looks": 1}) == []
    assert resting.counters() == {"looks": 1}
    assert resting.due_entries(9) == []
    assert resting.status("r1") == RecordStatus(4711, RecordState.EQUAL, at=clock())
    assert rest_of(resting) == REST


def test_what_rang_while_it_was_looked_at_stays_due(resting: StateStore) -> None:
    resting.ring(["r1"])
    seen = resting.waiting(["r1"])
    resting.ring(["r1"])
    assert resting.settle_resting(seen, {}) == []
    assert [one.key for one in resting.due_entries(9)] == ["r1"]


def test_nobody_settles_a_record_that_a_worker_has(resting: StateStore) -> None:
    resting.ring(["r1"])
    with resting.acquire("r1"):
        assert resting.settle_resting(resting.waiting(["r1"]), {}) == ["r1"]
    assert [one.key for one in resting.due_entries(9)] == ["r1"]


def test_a_record_nobody_rang_for_is_not_made_due_by_being_looked_at(resting: StateStore) -> None:
    seen = resting.waiting(["r1"])
    assert seen == {"r1": Waiting("", REST)}
    assert resting.settle_resting(seen, {}) == []
    assert resting.due_entries(9) == []


def test_of_nothing_nothing_is_asked(store: StateStore) -> None:
    assert store.waiting([]) == {}
    assert store.settle_resting({}, {}) == []
    assert store.waiting(["r9"]) == {"r9": Waiting("", None)}
