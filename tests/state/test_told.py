"""What is open and what was told: the same in memory and in a real Redis. News come once."""

# ruff: noqa: D101, D102 - the name of a test is its promise

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from services.state import ListKind, MemoryState, RecordState, RecordStatus, RunEnd
from services.state_forms import TELL_SECONDS, notice_key, noticed_id
from services.state_redis import RedisState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.state import StateStore
    from tests.state.support import Clock, Server

EQUAL = RecordStatus(4711, RecordState.EQUAL)
HELD = {"id": "held:5", "reason": "too long", "value": "x"}


@pytest.fixture(params=["memory", "redis"])
def telling(request: pytest.FixtureRequest, redis_server: Server, prefix: str, clock: Clock) -> Iterator[StateStore]:
    if request.param == "memory":
        yield MemoryState(keeps_base=True, clock=clock, tells=True)
        return
    state = RedisState.connect(redis_server.url, prefix=prefix, clock=clock, tells=True)
    yield state
    state.close()


def run(store: StateStore, status: RecordStatus = EQUAL, **lists: Any) -> bool:
    return store.finish(store.acquire("r1"), RunEnd(status=status, **lists))


class TestNews:
    def test_a_run_with_nothing_open_is_no_news(self, telling: StateStore) -> None:
        assert not run(telling)
        assert telling.due_entries(9) == []

    def test_something_open_is_news_once_and_again_when_it_is_gone(self, telling: StateStore) -> None:
        assert run(telling, held_back=[HELD])
        assert not run(telling, held_back=[HELD])
        assert run(telling)
        assert not run(telling)

    def test_another_value_under_the_same_id_is_news(self, telling: StateStore) -> None:
        assert run(telling, held_back=[HELD])
        assert run(telling, held_back=[{**HELD, "value": "y"}])

    @pytest.mark.parametrize("kind", ["conflicts", "held_back", "notices"])
    def test_each_list_counts_and_the_order_of_its_entries_does_not(self, telling: StateStore, kind: str) -> None:
        both = [HELD, {**HELD, "id": "held:6"}]
        assert run(telling, **{kind: both})
        assert not run(telling, **{kind: both[::-1]})

    def test_news_make_the_notices_due_after_the_event_had_its_time(self, telling: StateStore, clock: Clock) -> None:
        run(telling, held_back=[HELD])
        assert telling.due_token([notice_key("r1")])[notice_key("r1")]
        assert telling.due(9) == []
        clock.advance(TELL_SECONDS + 1)
        assert telling.due(9) == [notice_key("r1")]

    def test_parking_is_news_at_once_and_failing_is_not(self, telling: StateStore) -> None:
        telling.set_status("r1", RecordStatus(4711, RecordState.FAILED, "down"))
        assert telling.due_entries(9) == []
        telling.set_status("r1", RecordStatus(4711, RecordState.PARKED, "no betnr: none"))
        assert telling.due(9) == [notice_key("r1")]
        assert run(telling), "the next run that gets through is news again"

    def test_parking_again_for_the_same_cause_is_no_news(self, telling: StateStore) -> None:
        parked = RecordStatus(4711, RecordState.PARKED, "no betnr: none")
        telling.set_status("r1", parked)
        key = notice_key("r1")
        assert telling.settle(key, telling.due_token([key])[key])
        telling.set_status("r1", parked)
        assert telling.due_entries(9) == []

    def test_a_write_is_news_where_something_was_told(self, telling: StateStore) -> None:
        assert not run(telling, journal=[{"row": 1}])
        telling.set_told("r1", "digest", "task|1|valve|0")
        assert run(telling, journal=[{"row": 1}])
        assert not run(telling)

    @pytest.mark.parametrize("kind", ListKind)
    def test_acknowledging_is_news(self, telling: StateStore, kind: ListKind) -> None:
        telling.set_lists("r1", **{kind.value: [HELD]})
        telling.acknowledge("r1", "nothing", kind)
        assert telling.due_entries(9) == []
        telling.acknowledge("r1", "held:5", kind)
        assert telling.due(9) == [notice_key("r1")]

    def test_switched_off_nothing_is_news_and_nothing_is_noted(self, store: StateStore) -> None:
        assert not run(store, held_back=[HELD], journal=[{"row": 1}])
        store.set_status("r2", RecordStatus(4711, RecordState.PARKED, "no betnr: none"))
        store.acknowledge("r1", "held:5", ListKind.HELD_BACK)
        store.tell(["r1"])
        assert store.due_entries(9) == []


class TestTold:
    def test_what_was_told_is_kept_until_its_cause_is_gone(self, telling: StateStore) -> None:
        telling.set_told("r1", "a", "task|1|valve|0")
        telling.set_told("r1", "b", "task|2|valve|0")
        assert telling.told("r1") == {"a": "task|1|valve|0", "b": "task|2|valve|0"}
        assert telling.told_records() == ["r1"]
        telling.set_told("r1", "a", None)
        telling.set_told("r1", "b", None)
        assert (telling.told("r1"), telling.told_records()) == ({}, [])

    def test_telling_makes_every_record_due_and_the_next_run_news(self, telling: StateStore) -> None:
        telling.tell(["r1", "r2"])
        assert sorted(telling.due(9)) == [notice_key("r1"), notice_key("r2")]
        assert run(telling)

    def test_erasing_a_record_forgets_what_was_told(self, telling: StateStore) -> None:
        telling.set_told("r1", "a", "task|1|valve|0")
        telling.tell(["r1"])
        telling.erase("r1", 4711)
        assert (telling.told("r1"), telling.due_entries(9)) == ({}, [])

    def test_a_key_on_the_list_is_found(self, telling: StateStore) -> None:
        assert telling.due_entry("r1") is None
        telling.park("r1", "why")
        entry = telling.due_entry("r1")
        assert entry is not None
        assert (entry.key, entry.cause, entry.parked) == ("r1", "why", True)

    def test_the_key_of_a_record_leads_back_to_it(self) -> None:
        assert noticed_id(notice_key("r1")) == "r1"
        assert noticed_id("betnr:1") is None
