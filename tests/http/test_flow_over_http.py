"""What the steps do, without Motia: nothing is lost between a webhook and the last write, whatever goes missing."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from services import errors, flow
from services.flow_wiring import Wiring, use
from services.whole_pass import carry
from tests.http.support import World, address, item, number, slot
from tests.support.sandbox import Pair, entry

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def wired(stored: World) -> Iterator[World]:
    """The flow works with this test's store and clients; one tick of reconcile is behind it."""
    parts: dict[str, object] = {
        "manager": stored.manager,
        "advoware": stored.clients.advoware,
        "espocrm": stored.clients.espocrm,
    }
    assert stored.state is not None
    given = Wiring(stored.state, batch=25, workers=4, walk=1000, slot_limit=2, delete_slots=False, _parts=parts)
    with use(given):
        flow.reconcile()  # the first full pass, over what other tests left behind; its events are not worked on
        for key in stored.state.due_entries(10000):
            stored.state.settle(key.key, stored.state.due_token([key.key])[key.key])
        yield stored


def only(pair: Pair, result: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a tick, for this pair alone: the walk comes by everybody's."""
    return [{**event, "ids": [pair.espo_id]} for event in result["events"] if pair.espo_id in event["ids"]]


def test_a_webhook_carries_a_change_both_ways_and_nothing_stays_due(wired: World) -> None:
    mine, theirs = number(), address()
    pair = wired.pair([entry(mine)], [item(theirs)])
    carry(flow.accept([pair.espo_id], "espocrm"))
    assert wired.advoware_values(pair) == wired.espo_values(pair) == sorted([mine, theirs])
    assert wired.state is not None
    assert pair.espo_id not in {due.key for due in wired.state.due_entries(10000)}


def test_a_reported_beteiligter_is_found_by_its_number(wired: World) -> None:
    mine = number()
    pair = wired.pair([entry(mine)], [])
    carry(flow.accept([str(pair.betnr)], "advoware"))
    assert wired.espo_values(pair) == [mine]


def test_a_reported_beteiligter_nobody_is_linked_to_is_settled(wired: World) -> None:
    carry(flow.accept(["987654321"], "advoware"))
    assert wired.state is not None
    assert wired.state.due_entries(10000) == []


def test_a_repeated_event_for_a_settled_record_asks_neither_system(wired: World) -> None:
    pair = wired.pair([entry(number())], [])
    events = flow.accept([pair.espo_id], "espocrm")
    carry(events)
    wired.clear_logs()
    carry(events)
    assert wired.calls("espocrm") == wired.calls("advoware") == []


def test_a_change_without_a_webhook_is_found_by_the_poll(wired: World) -> None:
    pair = wired.pair([], [item(number())])
    result = flow.reconcile()
    assert result["summary"]["changed"] >= 1
    carry(only(pair, result))
    assert wired.advoware_values(pair) == wired.espo_values(pair)


def test_an_edit_in_advoware_is_found_by_the_walk(wired: World) -> None:
    pair = wired.pair([entry(number())], [])
    carry(flow.accept([pair.espo_id], "espocrm"))
    new = number()
    wired.sandbox.advoware.add(pair.betnr, entry(new))
    for _ in range(3):
        carry(only(pair, flow.reconcile()))
    assert new in wired.espo_values(pair)


def test_an_event_that_was_lost_comes_again_from_the_due_list(wired: World) -> None:
    pair = wired.pair([entry(number())], [])
    flow.accept([pair.espo_id], "espocrm")  # and the process dies before the event is queued
    assert wired.state is not None
    assert wired.state.due(100, now=wired.state.due_entries(1)[0].due_at + 1) == [pair.espo_id]


@pytest.mark.parametrize(
    ("switch", "counts"), [({"connector": "offline"}, 0), ({}, 1)], ids=["a system that is down", "a failure of its own"]
)
def test_only_a_records_own_failure_uses_up_its_attempts(wired: World, switch: dict[str, str], counts: int) -> None:
    pair = wired.pair([entry(number())], [])
    if switch:
        wired.sandbox.advoware.switch(**switch)
    else:
        wired.sandbox.espocrm.fault("status", method="PUT", path=pair.espo_id, count=-1, status=500)
    carry(flow.accept([pair.espo_id], "espocrm"))
    assert wired.state is not None
    (due,) = wired.state.due_entries(10)
    assert (due.key, due.attempts, due.parked) == (pair.espo_id, counts, False)
    assert due.cause
    wired.sandbox.fresh()
    carry([{"ids": [due.key], "quelle": "reconcile"}])
    assert wired.state.due_entries(10) == []
    wired.assert_quiet(pair)


def test_where_a_system_is_down_not_every_record_of_a_batch_waits_for_it(wired: World) -> None:
    pairs = [wired.pair([entry(number())], []) for _ in range(20)]
    wired.sandbox.advoware.switch(connector="offline")
    wired.clear_logs()
    carry(flow.accept([pair.espo_id for pair in pairs], "espocrm"))
    assert len(wired.calls("advoware")) <= 8  # those at work at once, not twenty


def test_a_mass_removal_over_many_records_trips_the_runs_valve(wired: World) -> None:
    pairs = [wired.pair([entry(number(), 1, "Zentrale")], []) for _ in range(6)]
    ids = [pair.espo_id for pair in pairs]
    carry(flow.accept(ids, "espocrm"))
    for pair in pairs:
        wired.put_items(pair)
    carry(flow.accept(ids, "espocrm"))
    assert all(len(wired.advoware_values(pair)) == 1 for pair in pairs)
    wired.manager.sync_bidirectional(pairs[0].espo_id, pairs[0].betnr, allow_removals=True)
    assert [len(wired.advoware_values(pair)) for pair in pairs] == [0, 1, 1, 1, 1, 1]


def test_three_removals_in_one_event_are_no_mass_removal(wired: World) -> None:
    pairs = [wired.pair([entry(number())], []) for _ in range(3)]
    ids = [pair.espo_id for pair in pairs]
    carry(flow.accept(ids, "espocrm"))
    for pair in pairs:
        wired.put_items(pair)
    carry(flow.accept(ids, "espocrm"))
    assert all(wired.advoware_values(pair) == [] for pair in pairs)


@pytest.mark.parametrize(
    "data", [None, {}, {"ids": ["a"]}, {"ids": "a", "quelle": "espocrm"}, {"ids": [1], "quelle": "espocrm"}]
)
def test_an_unusable_event_is_refused(wired: World, data: Any) -> None:
    assert wired.state is not None
    for step in (flow.detect, lambda event: flow.sync(event, "to_espocrm")):
        with pytest.raises(errors.InvalidInput):
            step(data)


def test_events_hold_at_most_a_hundred_ids(wired: World) -> None:
    assert wired.state is not None
    ids = [f"{n:017x}" for n in range(250)]
    events = flow.accept(ids, "espocrm")
    assert [len(event["ids"]) for event in events] == [100, 100, 50]
    assert list(itertools.chain.from_iterable(event["ids"] for event in events)) == ids


def test_cleanup_counts_slots_reports_who_has_too_many_and_touches_no_value(wired: World) -> None:
    value = number()
    few = wired.pair([entry("", 1, slot(1)), entry(value, 1)], [])
    many = wired.pair([entry("", 3, slot(3)), entry("", 3, slot(3)), entry("", 6, slot(6)), entry(number(), 1)], [])
    text = wired.pair([entry("", 4, slot(4, "bitte behalten"))], [])
    assert wired.state is not None
    wired.state.register_links((pair.espo_id, pair.betnr) for pair in (few, many, text))
    before = {pair: wired.entries(pair) for pair in (few, many, text)}
    flow.cleanup()
    reports = wired.state.slot_reports()
    assert few.betnr not in reports
    assert (reports[many.betnr]["slots"], reports[many.betnr]["surplus"], reports[many.betnr]["above_limit"]) == (3, 1, True)
    assert reports[text.betnr]["with_text"] == [wired.entries(text)[0]["id"]]
    assert before == {pair: wired.entries(pair) for pair in (few, many, text)}
