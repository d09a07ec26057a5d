"""Webhooks that come close together make one event. Both forms of the store."""

# ruff: noqa: D101, D102 - the name of a test is its promise

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import redis

from services.state import MemoryState

if TYPE_CHECKING:
    from services.state import StateStore
    from services.state_redis import RedisState
    from tests.state.support import Clock, Server

SIZE = 4


def report(store: StateStore, *keys: str) -> bool:
    """A webhook: whether an event is sent for it."""
    store.ring(keys, delay=90)
    return store.call(keys, SIZE)


def taken(store: StateStore, *keys: str) -> list[str]:
    """What the event of these keys works on."""
    found = store.gather(keys, SIZE)
    assert {key: one.token for key, one in found.items()} == store.due_token(list(found))
    return list(found)


class TestCalling:
    def test_the_first_report_calls_and_the_next_ones_ride_along(self, store: StateStore) -> None:
        assert [report(store, one) for one in ("a", "b", "c")] == [True, False, False]
        assert taken(store, "a") == ["a", "b", "c"]

    def test_more_than_the_events_that_wait_can_take_call_for_another(self, store: StateStore) -> None:
        assert [report(store, f"r{n}") for n in range(9)] == [True, False, False, False, True, False, False, False, True]
        assert taken(store, "r0") == ["r0", "r1", "r2", "r3"]
        assert taken(store, "r4") == ["r4", "r5", "r6", "r7"]
        assert taken(store, "r8") == ["r8"]

    def test_a_large_report_counts_as_all_the_events_it_makes(self, store: StateStore) -> None:
        assert report(store, *(f"r{n}" for n in range(10)))
        assert [report(store, f"s{n}") for n in range(3)] == [False, False, True]

    def test_what_is_reported_after_an_event_has_begun_calls_again(self, store: StateStore) -> None:
        report(store, "a")
        taken(store, "a")
        assert report(store, "b")

    def test_events_that_are_lost_are_not_waited_for_longer_than_ten_seconds(self, clock: Clock) -> None:
        store = MemoryState(clock=clock)
        report(store, "a")
        clock.advance(9)
        assert not report(store, "b")
        clock.advance(2)
        assert report(store, "c")

    def test_redis_itself_forgets_an_event_that_is_lost(
        self, redis_state: RedisState, redis_server: Server, prefix: str
    ) -> None:
        report(redis_state, "a")
        with closing(redis.Redis.from_url(redis_server.url)) as client:
            assert 0 < client.pttl(f"{prefix}due:called") <= 10_000
            client.delete(f"{prefix}due:called")
        assert report(redis_state, "b")


class TestGathering:
    def test_an_event_leaves_out_what_another_one_took_along(self, store: StateStore) -> None:
        for n in range(5):
            report(store, f"r{n}")
        assert taken(store, "r4") == ["r4", "r0", "r1", "r2"]
        assert taken(store, "r0") == ["r3"]

    def test_a_repeated_event_works_on_its_own_keys_again(self, store: StateStore) -> None:
        report(store, "a")
        assert taken(store, "a") == ["a"]
        assert taken(store, "a") == ["a"]

    def test_what_rang_again_since_it_was_taken_along_is_worked_on_again(self, store: StateStore) -> None:
        report(store, "a")
        report(store, "b")
        taken(store, "a")
        report(store, "b")
        assert taken(store, "b") == ["b"]

    def test_what_was_settled_meanwhile_is_not_taken_along(self, store: StateStore) -> None:
        report(store, "a")
        report(store, "b")
        store.settle_all(store.due_token(["b"]))
        assert taken(store, "a") == ["a"]

    def test_what_nobody_took_along_stays_due(self, store: StateStore) -> None:
        report(store, "a")
        report(store, "b")
        taken(store, "a")
        assert {one.key for one in store.due_entries(9)} == {"a", "b"}

    def test_an_event_of_which_nothing_is_left_is_empty(self, store: StateStore) -> None:
        assert store.gather([], SIZE) == {}
