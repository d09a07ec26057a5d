"""What every form of the store promises: one suite, run against memory and against a real Redis."""

# ruff: noqa: D101, D102 - the name of a test is its promise

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from services.errors import Bug, LeaseBusy, LeaseLost
from services.kommunikation_types import Base, BaseEntry, MarkerForm, OpenWrite
from services.state import DueEntry, ListKind, RecordState, RecordStatus, Sample
from services.state_types import SERIES_HOURS

if TYPE_CHECKING:
    from services.state import StateStore
    from tests.state.support import Clock

MINUTE = 60
DAY = 86400

BASE = Base(
    betnr=4711,
    entries={
        7: BaseEntry("max@example.com", 4, "AAAB", espo_value="max@example.com"),
        8: BaseEntry("0511/123-456 (Büro)", 1, "AAAC", "+49511123456", "Office", marker_form=MarkerForm.HASH),
        9: BaseEntry(None, 3, "AAAD", fresh=True, marker_form=MarkerForm.NONE),
    },
    moves={8: 3},
    open_writes=(OpenWrite(0, 3, "", "", "0171 3920001", "[ESPOCRM:MDE3MSAzOTIwMDAx:3] privat\r\n\u2028"),),
    undone=("e:tel:+49511123456", "a:mail:max@example.com"),
    digest_advoware="0123456789abcdef",
    digest_espocrm="fedcba9876543210",
)


class TestLease:
    def test_a_record_has_one_worker_at_a_time(self, store: StateStore) -> None:
        with store.acquire("r1"), pytest.raises(LeaseBusy) as busy:
            store.acquire("r1")
        assert not busy.value.counts_against_record

    def test_other_records_are_free(self, store: StateStore) -> None:
        with store.acquire("r1"), store.acquire("r2") as other:
            other.check()

    def test_a_record_given_back_can_be_taken_again(self, store: StateStore) -> None:
        with store.acquire("r1") as first:
            pass
        with store.acquire("r1") as second:
            second.check()
        assert second.token != first.token

    def test_a_failing_worker_gives_its_record_back(self, store: StateStore) -> None:
        with pytest.raises(ZeroDivisionError), store.acquire("r1"):
            raise ZeroDivisionError
        store.acquire("r1").release()

    def test_every_lease_has_a_higher_number_than_those_before(self, store: StateStore) -> None:
        fences = []
        for _ in range(3):
            with store.acquire("r1") as lease:
                fences.append(lease.fence)
        assert fences == sorted(set(fences))

    def test_a_lease_given_back_allows_nothing_more(self, store: StateStore) -> None:
        lease = store.acquire("r1")
        lease.release()
        with pytest.raises(LeaseLost):
            lease.check()
        with pytest.raises(LeaseLost):
            store.save(lease, BASE)
        assert store.load("r1") is None

    def test_giving_back_twice_does_not_free_the_next_workers_record(self, store: StateStore) -> None:
        first = store.acquire("r1")
        first.release()
        with store.acquire("r1") as second:
            first.release()
            second.check()
            with pytest.raises(LeaseBusy):
                store.acquire("r1")

    def test_of_many_threads_one_gets_the_record(self, store: StateStore) -> None:
        start, got, busy = threading.Barrier(8), [], []

        def work() -> None:
            start.wait()
            try:
                got.append(store.acquire("r1"))
            except LeaseBusy:
                busy.append(1)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(got), len(busy)) == (1, 7)
        got[0].release()


class TestBase:
    def test_nothing_is_known_of_a_new_record(self, store: StateStore) -> None:
        assert store.load("r1") is None

    def test_a_base_comes_back_as_it_was_stored(self, store: StateStore) -> None:
        with store.acquire("r1") as lease:
            store.save(lease, BASE)
        assert store.load("r1") == BASE
        assert store.load("r2") is None

    def test_a_base_without_entries_is_not_the_same_as_knowing_nothing(self, store: StateStore) -> None:
        with store.acquire("r1") as lease:
            store.save(lease, Base(betnr=1))
        assert store.load("r1") == Base(betnr=1)

    def test_the_last_base_stored_counts(self, store: StateStore) -> None:
        with store.acquire("r1") as lease:
            store.save(lease, BASE)
            store.save(lease, Base(betnr=4711))
        assert store.load("r1") == Base(betnr=4711)

    def test_what_is_changed_after_storing_is_not_stored(self, store: StateStore) -> None:
        base = Base(betnr=1, moves={5: 3})
        with store.acquire("r1") as lease:
            store.save(lease, base)
        base.moves[6] = 1
        assert store.load("r1") == Base(betnr=1, moves={5: 3})

    def test_a_forgotten_base_is_unknown(self, store: StateStore) -> None:
        with store.acquire("r1") as lease:
            store.save(lease, BASE)
        store.forget("r1")
        store.forget("r1")
        assert store.load("r1") is None


class TestLinks:
    def test_all_records_of_a_beteiligter_are_known(self, store: StateStore) -> None:
        assert store.register_link("b", 5) == ("b",)
        assert store.register_link("a", 5) == ("a", "b")
        assert store.register_link("a", 5) == ("a", "b")

    def test_a_record_linked_anew_leaves_its_old_beteiligter(self, store: StateStore) -> None:
        store.register_links([("a", 5), ("b", 5), ("c", 6)])
        assert store.register_link("a", 6) == ("a", "c")
        assert store.espo_ids([5, 6, 7]) == {5: ("b",), 6: ("a", "c"), 7: ()}

    def test_a_record_without_betnr_is_not_linked(self, store: StateStore) -> None:
        store.register_links([("a", 5), ("b", None)])
        assert store.register_link("a", None) == ()
        assert store.espo_ids([5]) == {5: ()}
        assert store.link_count() == 0

    def test_no_rows_and_no_questions_are_fine(self, store: StateStore) -> None:
        store.register_links([])
        assert store.espo_ids([]) == {}

    def test_the_walk_goes_round_and_round_in_the_order_of_betnr(self, store: StateStore) -> None:
        store.register_links([("z", 1), ("b", 10), ("a", 10), ("y", 9)])
        assert store.next_links(3) == [("z", 1), ("y", 9), ("a", 10)]
        assert store.next_links(3) == [("b", 10), ("z", 1), ("y", 9)]

    def test_one_piece_of_the_walk_holds_a_pair_once(self, store: StateStore) -> None:
        store.register_links([("a", 1), ("b", 2)])
        assert store.next_links(10) == [("a", 1), ("b", 2)]
        assert store.next_links(10) == [("a", 1), ("b", 2)]

    def test_the_walk_survives_the_loss_of_the_pair_it_stood_at(self, store: StateStore) -> None:
        store.register_links([("a", 1), ("b", 2), ("c", 3), ("d", 4)])
        assert store.next_links(2)[-1] == ("b", 2)
        store.register_link("b", None)
        assert store.next_links(2) == [("c", 3), ("d", 4)]

    def test_a_pair_that_moved_ahead_skips_nobody(self, store: StateStore) -> None:
        store.register_links([("a", 1), ("b", 2), ("c", 3), ("d", 4)])
        assert store.next_links(2)[-1] == ("b", 2)
        store.register_link("b", 9)
        assert store.next_links(3) == [("c", 3), ("d", 4), ("b", 9)]

    def test_nobody_linked_is_an_empty_walk(self, store: StateStore) -> None:
        assert store.next_links(5) == []
        store.register_link("a", 1)
        assert store.next_links(0) == []
        assert store.next_links(5) == [("a", 1)]


class TestDueList:
    def test_a_rung_key_is_due_at_once(self, store: StateStore) -> None:
        store.ring(["r1", "r2"])
        assert sorted(store.due(10)) == ["r1", "r2"]

    def test_a_key_taken_is_hidden_and_comes_back_if_its_event_is_lost(self, store: StateStore, clock: Clock) -> None:
        store.ring(["r1"])
        assert store.due(10, hide=120) == ["r1"]
        clock.advance(119)
        assert store.due(10) == []
        clock.advance(1)
        assert store.due(10) == ["r1"]

    def test_longest_due_come_first_and_no_more_than_asked_for(self, store: StateStore, clock: Clock) -> None:
        for key in ("r3", "r1", "r2"):
            store.ring([key])
            clock.advance(1)
        assert store.due(2) == ["r3", "r1"]
        assert store.due(0) == []
        assert store.due(2) == ["r2"]

    def test_a_delayed_key_waits(self, store: StateStore, clock: Clock) -> None:
        store.ring(["r1"], delay=30)
        assert store.due(10) == []
        assert store.due(10, now=clock.now + 30) == ["r1"]

    def test_of_two_due_times_the_earlier_wins(self, store: StateStore, clock: Clock) -> None:
        store.ring(["late then early", "early then late"], delay=60)
        store.ring(["late then early"], delay=10)
        store.ring(["early then late"], delay=90)
        clock.advance(10)
        assert store.due(10) == ["late then early"]
        clock.advance(50)
        assert store.due(10) == ["early then late"]

    def test_a_settled_key_is_gone(self, store: StateStore, clock: Clock) -> None:
        store.ring(["r1"])
        token = store.due_token(["r1"])["r1"]
        assert store.settle("r1", token)
        clock.advance(DAY)
        assert (store.due(10), store.due_entries(10), store.due_count()) == ([], [], 0)

    def test_a_key_rung_during_the_work_stays_due(self, store: StateStore) -> None:
        store.ring(["r1"])
        assert store.due(10) == ["r1"]
        token = store.due_token(["r1"])["r1"]
        store.ring(["r1"])
        assert not store.settle("r1", token)
        assert store.due(10) == ["r1"]
        assert store.settle("r1", store.due_token(["r1"])["r1"])

    def test_a_ring_with_delay_during_the_work_keeps_its_time(self, store: StateStore, clock: Clock) -> None:
        store.ring(["r1"])
        store.due(10)
        token = store.due_token(["r1"])["r1"]
        store.ring(["r1"], delay=30)
        assert not store.settle("r1", token)
        assert store.due(10) == []
        clock.advance(30)
        assert store.due(10) == ["r1"]

    def test_a_key_another_worker_settled_stays_gone(self, store: StateStore) -> None:
        store.ring(["r1"])
        token = store.due_token(["r1"])["r1"]
        assert store.settle("r1", token)
        assert store.settle("r1", token)
        assert store.due_entries(10) == []

    def test_work_nobody_rang_for_can_be_settled(self, store: StateStore) -> None:
        token = store.due_token(["r1"])["r1"]
        assert store.settle("r1", token)
        store.ring(["r1"])
        assert not store.settle("r1", token)
        assert store.due(10) == ["r1"]

    def test_no_keys_have_no_tokens(self, store: StateStore) -> None:
        store.ring([])
        assert store.due_token([]) == {}

    def test_failures_wait_longer_and_longer_and_then_park(self, store: StateStore, clock: Clock) -> None:
        store.ring(["r1"])
        waits = []
        for _ in range(5):
            entry = store.postpone("r1", "server error", counts=True)
            waits.append(entry.due_at - clock.now)
            assert not entry.parked
            clock.now = entry.due_at - 1
            assert store.due(10) == []
            clock.advance(1)
            assert store.due(10) == ["r1"]
        assert waits == [1 * MINUTE, 5 * MINUTE, 15 * MINUTE, 60 * MINUTE, 240 * MINUTE]
        assert store.postpone("r1", "server error", counts=True) == DueEntry(
            "r1", clock.now + DAY, attempts=6, cause="server error", parked=True
        )
        assert store.due_count() == 0
        assert [entry.key for entry in store.parked()] == ["r1"]

    def test_success_forgets_the_failures(self, store: StateStore, clock: Clock) -> None:
        store.ring(["r1"])
        store.postpone("r1", "server error", counts=True)
        store.settle("r1", store.due_token(["r1"])["r1"])
        store.ring(["r1"])
        assert store.due_entries(10) == [DueEntry("r1", clock.now)]

    def test_success_forgets_the_failures_of_a_key_rung_meanwhile(self, store: StateStore, clock: Clock) -> None:
        store.ring(["r1"])
        store.park("r1", "two records")
        token = store.due_token(["r1"])["r1"]
        store.ring(["r1"])
        assert not store.settle("r1", token)
        assert store.due_entries(10) == [DueEntry("r1", clock.now)]

    def test_a_system_that_is_down_costs_no_attempt(self, store: StateStore, clock: Clock) -> None:
        store.ring(["r1"])
        store.postpone("r1", "server error", counts=True)
        for _ in range(10):
            entry = store.postpone("r1", "connector offline", counts=False)
        assert entry == DueEntry("r1", clock.now + MINUTE, attempts=1, cause="connector offline")

    def test_work_nobody_rang_for_may_fail(self, store: StateStore, clock: Clock) -> None:
        entry = store.postpone("r1", "server error", counts=True)
        assert store.due_entries(10) == [entry]
        clock.advance(MINUTE)
        assert store.due(10) == ["r1"]
        assert store.settle("r1", store.due_token(["r1"])["r1"])
        assert store.due_entries(10) == []

    def test_a_ring_keeps_the_failures_counted(self, store: StateStore, clock: Clock) -> None:
        store.postpone("r1", "server error", counts=True)
        store.ring(["r1"])
        assert store.due_entries(10) == [DueEntry("r1", clock.now, attempts=1, cause="server error")]

    def test_a_parked_key_is_not_due_however_often_it_is_rung(self, store: StateStore) -> None:
        store.park("r1", "two records")
        store.ring(["r1"])
        assert store.due(10) == []
        assert [(entry.key, entry.cause) for entry in store.parked()] == [("r1", "two records")]

    def test_a_parked_key_gets_a_try_after_a_day_and_is_parked_again(self, store: StateStore, clock: Clock) -> None:
        for _ in range(6):
            store.postpone("r1", "server error", counts=True)
        clock.advance(DAY)
        assert store.due(10) == ["r1"]
        assert store.parked() == []
        assert store.postpone("r1", "server error", counts=True).parked

    def test_a_released_key_is_due_with_all_its_tries(self, store: StateStore, clock: Clock) -> None:
        for _ in range(6):
            store.postpone("r1", "server error", counts=True)
        store.release("r1")
        assert store.parked() == []
        assert store.due(10) == ["r1"]
        assert store.postpone("r1", "server error", counts=True).due_at == clock.now + MINUTE

    def test_releasing_what_is_not_listed_lists_nothing(self, store: StateStore) -> None:
        store.release("r1")
        assert store.due_entries(10) == []

    def test_a_system_that_is_down_does_not_free_a_parked_key(self, store: StateStore) -> None:
        store.park("r1", "two records")
        entry = store.postpone("r1", "connector offline", counts=False)
        assert (entry.parked, entry.cause) == (True, "two records")

    def test_the_list_shows_all_keys_in_the_order_of_their_time(self, store: StateStore) -> None:
        store.park("parked", "two records")
        store.ring(["later"], delay=60)
        store.ring(["now"])
        assert [entry.key for entry in store.due_entries(10)] == ["now", "later", "parked"]
        assert [entry.key for entry in store.due_entries(1)] == ["now"]
        assert store.due_entries(0) == []
        assert store.due_count() == 2
        store.postpone("later", "server error", counts=True)
        assert store.due_count() == 1

    def test_two_workers_never_get_one_key(self, store: StateStore) -> None:
        store.ring([f"r{number}" for number in range(200)])
        start, taken = threading.Barrier(4), []

        def work() -> None:
            start.wait()
            while keys := store.due(7):
                taken.extend(keys)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(taken) == 200
        assert len(set(taken)) == 200


class TestStatus:
    def test_a_record_without_a_run_has_no_status(self, store: StateStore) -> None:
        assert store.status("r1") is None

    def test_the_last_status_counts(self, store: StateStore) -> None:
        store.set_status("r1", RecordStatus(5, RecordState.FAILED, "server error", at=1.5))
        last = RecordStatus(5, RecordState.EQUAL, "", at=2.5, counts={"emails": 3})
        store.set_status("r1", last)
        assert store.status("r1") == last

    def test_a_status_without_a_time_gets_the_stores(self, store: StateStore, clock: Clock) -> None:
        store.set_status("r1", RecordStatus(None, RecordState.PARKED, "no betnr"))
        status = store.status("r1")
        assert status is not None
        assert status.at == clock.now

    def test_every_record_is_counted_in_one_state(self, store: StateStore) -> None:
        assert store.status_counts() == {"equal": 0, "pending": 0, "failed": 0, "parked": 0}
        for key, state in [("a", RecordState.FAILED), ("b", RecordState.FAILED), ("a", RecordState.EQUAL)]:
            store.set_status(key, RecordStatus(1, state))
        assert store.status_counts() == {"equal": 1, "pending": 0, "failed": 1, "parked": 0}


class TestLists:
    def test_a_record_without_entries_has_empty_lists(self, store: StateStore) -> None:
        assert store.lists("r1") == {"conflicts": [], "held_back": [], "notices": []}
        counts = store.list_counts()
        assert set(counts.values()) == {0}
        assert {"conflicts", "held_back", "notices", "conflicts_records"} <= set(counts)

    def test_entries_come_back_as_given_with_the_time_they_were_first_seen(self, store: StateStore, clock: Clock) -> None:
        entry = {"id": "a|b", "advoware": "0511|123-456", "espocrm": "", "kinds": [], "row": 7}
        seen = clock.now
        store.set_lists("r1", conflicts=[entry], held_back=None, notices=None)
        clock.advance(60)
        store.set_lists("r1", conflicts=[{**entry, "row": 8}])
        assert store.lists("r1")["conflicts"] == [{**entry, "row": 8, "since": seen}]

    def test_conflicts_stay_until_acknowledged(self, store: StateStore, clock: Clock) -> None:
        store.set_lists("r1", conflicts=[{"id": "z"}])
        clock.advance(1)
        store.set_lists("r1", conflicts=[{"id": "a"}], held_back=[], notices=[])
        store.set_lists("r1", conflicts=[])
        assert [entry["id"] for entry in store.lists("r1")["conflicts"]] == ["z", "a"]
        assert store.acknowledge("r1", "z")
        assert not store.acknowledge("r1", "z")
        assert [entry["id"] for entry in store.lists("r1")["conflicts"]] == ["a"]

    def test_present_held_back_values_replace_the_old_ones(self, store: StateStore, clock: Clock) -> None:
        seen = clock.now
        store.set_lists("r1", held_back=[{"id": "a"}, {"id": "b"}], notices=[{"id": "a"}])
        clock.advance(60)
        store.set_lists("r1", held_back=[{"id": "b"}, {"id": "c"}])
        lists = store.lists("r1")
        assert lists["held_back"] == [{"id": "b", "since": seen}, {"id": "c", "since": seen + 60}]
        assert lists["notices"] == [{"id": "a", "since": seen}]
        store.set_lists("r1", held_back=[], notices=[])
        assert store.lists("r1") == {"conflicts": [], "held_back": [], "notices": []}

    def test_what_left_the_list_and_comes_back_is_new(self, store: StateStore, clock: Clock) -> None:
        store.set_lists("r1", notices=[{"id": "a"}])
        store.set_lists("r1", notices=[])
        clock.advance(60)
        store.set_lists("r1", notices=[{"id": "a"}])
        assert store.lists("r1")["notices"] == [{"id": "a", "since": clock.now}]

    def test_entries_and_records_are_counted_over_all(self, store: StateStore) -> None:
        store.set_lists("r1", conflicts=[{"id": "a"}, {"id": "b"}], held_back=[{"id": "a"}])
        store.set_lists("r2", conflicts=[{"id": "a"}], notices=[])
        assert store.listed(ListKind.CONFLICTS) == {"r1": 2, "r2": 1}
        store.acknowledge("r2", "a")
        assert store.listed(ListKind.CONFLICTS) == {"r1": 2}
        assert store.list_counts() == {
            "conflicts": 2,
            "conflicts_records": 1,
            "held_back": 1,
            "held_back_records": 1,
            "notices": 0,
            "notices_records": 0,
        }

    def test_an_entry_without_an_id_is_our_own_fault(self, store: StateStore) -> None:
        with pytest.raises(Bug):
            store.set_lists("r1", notices=[{"text": "?"}])


class TestByHand:
    def test_what_was_saved_under_a_lease_is_what_is_loaded_under_it(self, store: StateStore) -> None:
        with store.acquire("r1") as lease:
            assert store.load("r1", lease) is None
            store.save(lease, BASE)
            assert store.load("r1", lease) == BASE

    def test_what_a_person_has_seen_stays_on_its_list_and_counts_no_longer(self, store: StateStore) -> None:
        store.set_lists("r1", held_back=[{"id": "a"}, {"id": "b"}], notices=[{"id": "a"}])
        assert store.acknowledge("r1", "a", ListKind.HELD_BACK)
        assert not store.acknowledge("r1", "c", ListKind.HELD_BACK)
        assert {entry["id"]: entry.get("seen", False) for entry in store.lists("r1")["held_back"]} == {"a": True, "b": False}
        assert store.listed(ListKind.HELD_BACK) == {"r1": 1}
        assert store.listed(ListKind.NOTICES) == {"r1": 1}
        store.set_lists("r1", held_back=[{"id": "a"}], notices=[])
        assert store.list_counts()["held_back"] == 0
        assert store.listed(ListKind.HELD_BACK) == {}

    def test_what_was_seen_and_comes_back_after_its_cause_had_gone_is_new(self, store: StateStore) -> None:
        store.set_lists("r1", notices=[{"id": "a"}])
        store.acknowledge("r1", "a", ListKind.NOTICES)
        store.set_lists("r1", notices=[])
        store.set_lists("r1", notices=[{"id": "a"}])
        assert store.listed(ListKind.NOTICES) == {"r1": 1}

    def test_all_statuses_are_given_at_once(self, store: StateStore) -> None:
        for number, state in enumerate(RecordState):
            store.set_status(f"r{number}", RecordStatus(number, state))
        assert {name: one.state for name, one in store.statuses().items()} == {
            f"r{number}": state for number, state in enumerate(RecordState)
        }

    def test_of_who_is_erased_nothing_is_left_and_of_others_everything(self, store: StateStore) -> None:
        for name, betnr in (("r1", 1), ("r2", 2)):
            with store.acquire(name) as lease:
                store.save(lease, BASE)
            store.register_link(name, betnr)
            store.set_status(name, RecordStatus(betnr, RecordState.FAILED))
            store.set_lists(name, conflicts=[{"id": "a"}], held_back=[{"id": "a"}], notices=[{"id": "a"}])
            store.acknowledge(name, "a", ListKind.NOTICES)
            store.journal(name, [{"row": 3}])
            store.ring([name, f"betnr:{betnr}"])
            store.slot_since(betnr, [7])
            store.set_slot_report(betnr, {"betnr": betnr})
        store.erase("r1", 1)
        assert (store.load("r1"), store.status("r1"), store.journal_of("r1", 9)) == (None, None, [])
        assert not any(store.lists("r1").values())
        assert store.espo_ids([1, 2]) == {1: (), 2: ("r2",)}
        assert sorted(entry.key for entry in store.due_entries(9)) == ["betnr:2", "r2"]
        assert list(store.slot_reports()) == [2]
        assert store.listed(ListKind.CONFLICTS) == {"r2": 1}
        assert store.load("r2") == BASE
        assert len(store.journal_of("r2", 9)) == 1

    def test_erasing_a_parked_or_unknown_record_is_no_error(self, store: StateStore) -> None:
        store.ring(["r1"])
        store.park("r1", "why")
        store.erase("r1")
        store.erase("r9", 9)
        assert store.parked() == []


class TestJournal:
    def test_writes_come_back_newest_first_with_number_and_time(self, store: StateStore, clock: Clock) -> None:
        store.journal("r1", [{"before": "a|b", "after": None, "list": []}, {"before": "", "after": "c"}])
        clock.advance(1)
        store.journal("r1", [{"before": "d"}])
        first, second, third = reversed(store.journal_of("r1", 10))
        assert (first["before"], first["after"], first["list"]) == ("a|b", None, [])
        assert (second["after"], third["before"]) == ("c", "d")
        assert first["n"] < second["n"] < third["n"]
        assert (first["at"], third["at"]) == (clock.now - 1, clock.now)
        assert [entry["n"] for entry in store.journal_of("r1", 2)] == [third["n"], second["n"]]
        assert store.journal_of("r1", 0) == []

    def test_numbers_grow_over_all_records(self, store: StateStore) -> None:
        store.journal("r1", [{}])
        store.journal("r2", [{}])
        assert store.journal_of("r1", 1)[0]["n"] < store.journal_of("r2", 1)[0]["n"]

    def test_nothing_written_is_no_entry(self, store: StateStore) -> None:
        store.journal("r1", [])
        assert store.journal_of("r1", 5) == []

    def test_a_record_keeps_its_last_thousand_writes(self, store: StateStore) -> None:
        store.journal("r1", [{"i": number} for number in range(600)])
        store.journal("r1", [{"i": number} for number in range(600, 1100)])
        kept = store.journal_of("r1", 5000)
        assert len(kept) == 1000
        assert (kept[0]["i"], kept[-1]["i"]) == (1099, 100)

    def test_writes_are_kept_for_ninety_days(self, store: StateStore, clock: Clock) -> None:
        store.journal("r1", [{"i": 1}])
        clock.advance(90 * DAY)
        store.journal("r1", [{"i": 2}])
        assert [entry["i"] for entry in store.journal_of("r1", 5)] == [2, 1]
        clock.advance(1)
        store.journal("r1", [{"i": 3}])
        assert [entry["i"] for entry in store.journal_of("r1", 5)] == [3, 2]

    def test_the_clean_up_drops_old_writes_of_records_that_are_quiet(self, store: StateStore, clock: Clock) -> None:
        store.journal("r1", [{"i": 1}, {"i": 2}])
        clock.advance(50 * DAY)
        store.journal("r2", [{"i": 3}])
        clock.advance(50 * DAY)
        assert store.cleanup() == 2
        assert store.cleanup() == 0
        assert store.journal_of("r1", 5) == []
        assert [entry["i"] for entry in store.journal_of("r2", 5)] == [3]

    def test_the_clean_up_drops_all_of_a_record_that_has_been_linked_to_nobody_for_ninety_days(
        self, store: StateStore, clock: Clock
    ) -> None:
        for espo_id in ("gone", "linked"):
            store.register_link(espo_id, 7)
            with store.acquire(espo_id) as lease:
                store.save(lease, Base(7, {1: BaseEntry("0511 123456", 1, "R")}))
            store.set_lists(espo_id, conflicts=[{"id": "c"}], notices=[{"id": "n"}])
            store.set_status(espo_id, RecordStatus(7, RecordState.PARKED))
        store.register_link("gone", None)
        known = store.load("gone")
        clock.advance(90 * DAY)
        store.cleanup()
        assert store.load("gone") == known
        clock.advance(1)
        store.cleanup()
        assert store.load("gone") is None
        assert store.status("gone") is None
        assert not any(store.lists("gone").values())
        assert store.status_counts()["parked"] == 1
        assert store.listed(ListKind.CONFLICTS) == {"linked": 1}
        assert store.lists("linked")["notices"]
        assert store.status("linked") is not None


class TestSmallThings:
    def test_counters_add_up(self, store: StateStore) -> None:
        assert store.counters() == {}
        store.count(read=2, written=1)
        store.count(read=3)
        store.count()
        assert store.counters() == {"read": 5, "written": 1}

    def test_marks_are_set_changed_and_removed(self, store: StateStore) -> None:
        assert store.get_mark("cursor") is None
        store.set_mark("cursor", "2026-01-01 00:00:00")
        store.set_mark("cursor", "")
        store.set_mark("other", "x")
        assert store.get_mark("cursor") == ""
        store.set_mark("cursor", None)
        store.set_mark("cursor", None)
        assert (store.get_mark("cursor"), store.get_mark("other")) == (None, "x")

    def test_slots_remember_since_when_they_are_empty(self, store: StateStore, clock: Clock) -> None:
        start = clock.now
        assert store.slot_since(5, [1, 2]) == {1: start, 2: start}
        clock.advance(60)
        assert store.slot_since(5, [2, 3]) == {2: start, 3: start + 60}
        assert store.slot_since(6, []) == {}
        assert store.slot_since(5, [1, 2]) == {1: start + 60, 2: start}
        assert store.slot_since(5, []) == {}

    def test_slot_reports_are_set_and_removed(self, store: StateStore) -> None:
        store.set_slot_report(20, {"slots": 12, "kinds": []})
        store.set_slot_report(3, {"slots": 1})
        store.set_slot_report(4, None)
        assert store.slot_reports() == {3: {"slots": 1}, 20: {"slots": 12, "kinds": []}}
        store.set_slot_report(3, None)
        assert list(store.slot_reports()) == [20]

    def test_a_tick_is_remembered_with_what_the_counters_say_in_its_hour(self, store: StateStore, clock: Clock) -> None:
        assert store.last_tick() is None
        assert store.samples() == []
        hour = int(clock.now // 3600) * 3600
        store.note_tick({}, through=True)
        store.count(values_to_espocrm=2, values_to_advoware=3)
        store.set_mark("slots", "7")
        store.note_tick({}, through=True)
        assert store.samples() == [Sample(hour, 2, 3, 7)]
        clock.advance(3600)
        store.count(values_to_espocrm=1)
        store.note_tick({}, through=True)
        assert store.samples() == [Sample(hour, 2, 3, 7), Sample(hour + 3600, 3, 3, 7)]
        assert store.last_tick() == pytest.approx(clock.now)

    def test_a_tick_that_failed_is_noted_and_is_no_sample(self, store: StateStore, clock: Clock) -> None:
        store.note_tick({"ticks:failed": 1}, through=False)
        assert store.get_mark("ticked") == f"{int(clock.now)}"
        assert store.counters() == {"ticks:failed": 1}
        assert store.last_tick() is None
        assert store.samples() == []

    def test_samples_are_given_for_ninety_days(self, store: StateStore, clock: Clock) -> None:
        for _ in range(3):
            store.note_tick({}, through=True)
            clock.advance(50 * DAY)
        assert len(store.samples()) == 1
        store.note_tick({}, through=True)
        assert len(store.samples()) == 2

    def test_no_more_samples_are_kept_than_are_given(self, store: StateStore, clock: Clock) -> None:
        for _ in range(SERIES_HOURS + 3):
            store.note_tick({}, through=True)
            clock.advance(3600)
        clock.advance(-3600)
        assert len(store.samples()) == SERIES_HOURS

    def test_a_store_that_works_answers(self, store: StateStore) -> None:
        store.ping()

    def test_tokens_are_kept_and_dropped(self, store: StateStore) -> None:
        cache = store.token_cache()
        cache.put("k", "token", 60)
        assert store.token_cache().get("k") == "token"
        cache.drop("k")
        assert cache.get("k") is None

    def test_a_digest_recognises_a_text(self, store: StateStore) -> None:
        assert store.digest("+49511123456") == store.digest("+49511123456")
        assert store.digest("+49511123456") != store.digest("+49511123457")
        assert len(store.digest("ü")) == 16
        assert set(store.digest("ü")) <= set("0123456789abcdef")
