"""What a step process may cost, in counts: packages it loads, questions to Redis, requests, and how many there are.

The numbers follow from what has to be asked; each is explained where it stands. Never a time: that is what `docs/` is for.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.sandbox import entry, phone

if TYPE_CHECKING:
    from tests.budget.conftest import Budget
    from tests.support.sandbox import Pair

HEAVY = {
    "tenacity",  # only after a failure
    "click",
    "rich",
    "pygments",  # the command line of httpx
    "redis.asyncio.client",  # the half of redis-py that nothing here uses
    "cryptography.fernet",  # only with KOMM_DATA_KEY
    "dotenv.main",  # only where there is a .env
    "services.flow_slots",  # the clean-up's own
    "services.state_memory_due",  # of the store without Redis
}
CLIENTS = {"httpx", "services.http_client", "services.kommunikation_sync_utils", "phonenumbers", "services.advoware_service"}
REDIS = {"redis", "services.state_redis", "services.flow"}

_numbers = itertools.count(12390000)


def number() -> str:
    """A number no other test has."""
    return f"+49511{next(_numbers)}"


@pytest.fixture
def linked(budget: Budget) -> Pair:
    """A pair both sides of which are equal, and known to be."""
    made = pair(budget)
    settle(budget, made)
    return made


def pair(budget: Budget) -> Pair:
    value = number()
    return budget.sandbox.pair(entry(value), phones=[phone(value, primary=True)])


def settle(budget: Budget, *pairs: Pair) -> None:
    """Carry the records through the steps until none has anything to do."""
    for _ in range(3):
        for event in budget.step("detect_komm_changes", budget.ring(*pairs)).emitted:
            budget.step(step_of(event), event["data"])
    assert budget.step("detect_komm_changes", budget.ring(*pairs)).emitted == []
    assert {entry.key for entry in budget.state.due_entries(1000)} & {one.espo_id for one in pairs} == set()
    budget.clear_logs()


def step_of(event: dict[str, Any]) -> str:
    """The step that subscribes to the topic."""
    return event["topic"].replace("kommunikation.sync.", "sync_")


def change_in_advoware(budget: Budget, one: Pair) -> None:
    komm_id = budget.sandbox.advoware.entries(one.betnr)[0]["id"]
    budget.sandbox.advoware.change(one.betnr, komm_id, tlf=number())


def change_in_espocrm(budget: Budget, one: Pair) -> None:
    budget.sandbox.espocrm.put(one.espo_id, phoneNumberData=[phone(number(), primary=True)])


# --- packages --------------------------------------------------------------------------------------------------------


def test_the_webhooks_step_loads_neither_redis_nor_a_client(budget: Budget) -> None:
    told = budget.webhook(["6b05265061e5d435a"])
    assert told.result["status"] == 200
    assert told.modules & (HEAVY | CLIENTS | REDIS) == set()
    assert told.trips == 0
    ours = {name for name in told.modules if name.startswith("services.")}
    assert ours == {"services.errors", "services.flow_events", "services.step_work"}


def test_an_event_whose_records_are_settled_loads_no_client_and_asks_one_question(budget: Budget, linked: Pair) -> None:
    told = budget.step("detect_komm_changes", {"ids": [linked.espo_id], "quelle": "espocrm"})
    assert told.modules & (HEAVY | CLIENTS) == set()
    assert told.trips == 1
    assert budget.requests() == 0


@pytest.mark.parametrize("change", [change_in_advoware, change_in_espocrm])
def test_no_step_loads_what_it_has_no_use_for(budget: Budget, linked: Pair, change: Any) -> None:
    change(budget, linked)
    seen = budget.step("detect_komm_changes", budget.ring(linked))
    [event] = seen.emitted
    done = budget.step(step_of(event), event["data"])
    tick = budget.step("reconcile", None)
    for told in (seen, done, tick):
        assert "redis" in told.modules
        assert told.modules & (HEAVY - {"services.state_memory_due"}) == set()
    assert "services.kommunikation_sync_utils" not in tick.modules


# --- questions to Redis ----------------------------------------------------------------------------------------------


def test_a_record_at_rest_costs_no_question_of_its_own(budget: Budget, linked: Pair) -> None:
    told = budget.step("detect_komm_changes", budget.ring(linked))
    # For the event: what waits and what is at rest, Advoware's token, settling.
    assert told.trips == 3
    assert budget.requests() == 2
    # Nothing is compared, so neither the comparison nor the numbering plans are loaded.
    assert told.modules & {"services.kommunikation_sync_utils", "services.kommunikation_mapper", "phonenumbers"} == set()


def test_a_batch_asks_what_is_at_rest_once_and_settles_once(budget: Budget) -> None:
    count, workers = 10, 4
    pairs = [pair(budget) for _ in range(count)]
    settle(budget, *pairs)
    told = budget.step("detect_komm_changes", budget.ring(*pairs))
    # Each worker may ask for Advoware's token before the first one has it.
    assert 3 <= told.trips <= 2 + workers
    assert budget.requests() == 2 * count


def test_a_look_that_compares_costs_one_question_to_begin_and_one_to_end(budget: Budget, linked: Pair) -> None:
    row = budget.sandbox.espocrm.phones(linked.espo_id)[0]
    for opt_out in (True, False):  # the first time Redis does not know the script yet
        settle(budget, linked)
        budget.sandbox.espocrm.put(linked.espo_id, phoneNumberData=[row | {"optOut": opt_out}])
        budget.clear_logs()
        told = budget.step("detect_komm_changes", budget.ring(linked))
    assert told.emitted == []
    assert told.trips == 2 + 3
    # What was read to see that it is no longer at rest serves for the comparison.
    assert budget.requests() == 2


def test_a_change_for_advoware_costs_an_announcement_and_a_check_more(budget: Budget, linked: Pair) -> None:
    change_in_espocrm(budget, linked)
    [event] = budget.step("detect_komm_changes", budget.ring(linked)).emitted
    assert event["topic"] == "kommunikation.sync.to_advoware"
    told = budget.step("sync_to_advoware", event["data"])
    # Begin, announcement, the check before the one write, end; for the event five: tokens, Advoware's token, the list of
    # recent records read and written, settling.
    assert told.trips == 4 + 5


def test_a_change_for_espocrm_costs_the_marker_and_what_was_proved_more(budget: Budget, linked: Pair) -> None:
    change_in_advoware(budget, linked)
    [event] = budget.step("detect_komm_changes", budget.ring(linked)).emitted
    assert event["topic"] == "kommunikation.sync.to_espocrm"
    told = budget.step("sync_to_espocrm", event["data"])
    # Begin, announcement, the checks before PUT and marker, the note of what was proved in between, end; the event's five.
    assert told.trips == 6 + 5


def test_notices_cost_an_unchanged_record_nothing_whether_or_not_something_is_open(budget: Budget) -> None:
    quiet, held = pair(budget), budget.sandbox.pair(entry("0511 123 Durchwahl 4"))
    telling = replace(budget, env={**budget.env, "KOMM_NOTICES": "task"})
    settle(budget, quiet, held)
    first = telling.step("detect_komm_changes", telling.ring(quiet, held))
    assert [event["data"]["ids"] for event in first.emitted] == [[held.espo_id]]  # new to those who are told now
    [event] = first.emitted
    assert event["topic"] == "kommunikation.hinweis"
    telling.step("notify_hinweis", event["data"])
    for one in (quiet, held):
        told = telling.step("detect_komm_changes", telling.ring(one))
        # One that something is open about is not at rest: it is compared under a lease.
        assert (told.emitted, told.trips) == ([], 3 if one is quiet else 5)
        assert (
            told.modules & (HEAVY - {"services.state_memory_due"} | {"services.notices", "services.espocrm_notices"})
            == set()
        )
    again = telling.step("notify_hinweis", event["data"])
    assert (again.trips, again.modules & (HEAVY | CLIENTS)) == (1, set())


# --- processes -------------------------------------------------------------------------------------------------------


def test_a_burst_of_250_records_makes_three_events_and_not_one_a_record(budget: Budget) -> None:
    told = budget.webhook([f"66b0c0ffee{number:07d}" for number in range(250)])
    assert [len(event["data"]["ids"]) for event in told.emitted] == [100, 100, 50]


def test_a_batch_goes_on_as_one_event_a_direction(budget: Budget) -> None:
    pairs = [pair(budget) for _ in range(6)]
    settle(budget, *pairs)
    for one in pairs[:3]:
        change_in_advoware(budget, one)
    for one in pairs[3:]:
        change_in_espocrm(budget, one)
    emitted = budget.step("detect_komm_changes", budget.ring(*pairs)).emitted
    assert sorted((event["topic"], len(event["data"]["ids"])) for event in emitted) == [
        ("kommunikation.sync.to_advoware", 3),
        ("kommunikation.sync.to_espocrm", 3),
    ]
    budget.clear_logs()
    assert [budget.step(step_of(event), event["data"]).emitted for event in emitted] == [[], []]


def test_events_for_one_record_that_come_together_are_worked_on_once(budget: Budget, linked: Pair) -> None:
    change_in_espocrm(budget, linked)
    events = [budget.ring(linked) for _ in range(5)]
    for event in budget.step("detect_komm_changes", events[0]).emitted:
        budget.step(step_of(event), event["data"])
    budget.clear_logs()
    late = [budget.step("detect_komm_changes", event) for event in events[1:]]
    assert [(told.trips, told.emitted) for told in late] == [(1, [])] * 4
    assert budget.requests() == 0
