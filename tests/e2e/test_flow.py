"""People edit in both sandboxes; the flow in a real Motia carries it over: by webhook, by polling, by a ring at the door."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import redis

from tests.e2e.conftest import TOKEN, TRACES, Running
from tests.support.sandbox import Pair, email, entry, phone
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

WRITES = {"POST", "PUT", "PATCH", "DELETE"}


def values(running: Running, pair: Pair) -> set[str]:
    """The values in Advoware's entries."""
    return {item["tlf"] for item in running.advoware.entries(pair.betnr) if item["tlf"]}


def addresses(running: Running, pair: Pair) -> set[str]:
    return {item["emailAddress"] for item in running.espocrm.emails(pair.espo_id)}


def numbers(running: Running, pair: Pair) -> set[str]:
    return {item["phoneNumber"] for item in running.espocrm.phones(pair.espo_id)}


def in_sync(running: Running, make: Callable[..., Pair], *entries: Any, **arrays: Any) -> Pair:
    """A pair whose values have been carried over both ways and which a further look finds quiet."""
    pair = make(*entries, **arrays)
    wanted = {item["tlf"] for item in entries} | {item["emailAddress"] for item in arrays.get("emails", ())}
    eventually(lambda: values(running, pair) >= wanted)
    eventually(lambda: addresses(running, pair) >= {value for value in wanted if "@" in value})
    eventually(lambda: all(item["bemerkung"] for item in running.advoware.entries(pair.betnr)))
    return pair


def writes(running: Running) -> list[dict[str, Any]]:
    """Calls that change a record in either system (a token is fetched by POST, too)."""
    calls = running.advoware.requests() + running.espocrm.requests()
    return [call for call in calls if call["method"] in WRITES and "eteiligte" in call["path"]]


def webhooks(running: Running) -> int:
    """Webhooks so far: with a step of their own, or taken along by an event that was waiting."""
    return running.log().count("Webhook received") + running.log().count("takes this webhook along")


def test_what_stands_on_one_side_only_arrives_on_the_other(running: Running, pair: Callable[..., Pair]) -> None:
    made = pair(entry("0511/123456"), emails=[email("anna@example.com", primary=True)])
    eventually(lambda: "anna@example.com" in values(running, made))
    eventually(lambda: "+49511123456" in numbers(running, made))


def test_a_persons_edit_in_espocrm_reaches_advoware_by_webhook(running: Running, pair: Callable[..., Pair]) -> None:
    made = in_sync(running, pair, entry("0511/123457"), emails=[email("bernd@example.com", primary=True)])
    received = webhooks(running)
    new = [email("berta@example.com", primary=True)]
    running.espocrm.put(made.espo_id, emailAddressData=new)
    eventually(lambda: "berta@example.com" in values(running, made))
    eventually(lambda: "bernd@example.com" not in values(running, made))
    # The poll may have been faster on a busy machine; the webhook comes all the same.
    eventually(lambda: webhooks(running) > received)
    assert values(running, made) == {"0511/123457", "berta@example.com"}


def test_a_persons_edit_in_advoware_reaches_espocrm_by_polling(running: Running, pair: Callable[..., Pair]) -> None:
    made = in_sync(running, pair, entry("clara@example.com", 4))
    (only,) = running.advoware.entries(made.betnr)
    running.advoware.change(made.betnr, only["id"], tlf="carla@example.com")
    eventually(lambda: addresses(running, made) == {"carla@example.com"}, 90)


def test_a_ring_at_the_door_brings_advowares_edit_over_at_once(running: Running, pair: Callable[..., Pair]) -> None:
    made = in_sync(running, pair, entry("dora@example.com", 4))
    running.advoware.add(made.betnr, entry("0171 3920011", 3))
    answer = running.ring("advoware", {"ids": [made.betnr]}, Authorization=f"Bearer {TOKEN}")
    assert answer.json() == {"status": "received", "ids": 1}
    eventually(lambda: "+491713920011" in numbers(running, made), 20)
    assert "InvalidInput" not in running.log()


def test_a_value_deleted_in_espocrm_leaves_a_slot_in_advoware(running: Running, pair: Callable[..., Pair]) -> None:
    items = [email("emil@example.com", primary=True), email("erna@example.com")]
    made = in_sync(running, pair, emails=items)
    running.espocrm.put(made.espo_id, emailAddressData=items[:1])
    eventually(lambda: values(running, made) == {"emil@example.com"})
    slots = [item for item in running.advoware.entries(made.betnr) if not item["tlf"]]
    assert [item["bemerkung"] for item in slots] == ["[ESPOCRM-SLOT:4]"]


def test_both_cron_steps_run(running: Running) -> None:
    for step in ("reconcile", "cleanup_empty_slots"):
        eventually(lambda step=step: re.search(rf"\[INFO\] {step} ", running.log()), 60)
    assert "[ERROR]" not in running.log()


def test_a_second_pass_over_everything_writes_nothing(running: Running, pair: Callable[..., Pair]) -> None:
    made = in_sync(running, pair, entry("0511/123458"), emails=[email("frida@example.com", primary=True)])
    eventually(lambda: "+49511123458" in numbers(running, made))
    # What the sync has written comes back as webhooks and as changes to poll: all of that has to come to rest, too.
    eventually(lambda: quiet(running), 60)
    running.advoware.clear_log()
    running.espocrm.clear_log()
    before = running.stack.status(request_pass=True)["pass_number"]
    eventually(lambda: has_passed(running, before + 1), 60)
    assert running.stack.status()["pass_writes"] == 0
    assert running.advoware.requests("GET", f"{made.betnr}"), "the pass did not look at the record"
    assert writes(running) == []


def has_passed(running: Running, number: int) -> bool:
    status = running.stack.status()
    return bool(status["pass_number"] == number and status["first_pass_done"])


def quiet(running: Running) -> bool:
    """Nothing is written for a while."""
    running.advoware.clear_log()
    running.espocrm.clear_log()
    time.sleep(5)
    return not writes(running)


def test_what_motia_remembers_of_its_runs_does_not_grow_for_ever(running: Running) -> None:
    traces = redis.from_url(running.stack.env["REDIS_URL"], decode_responses=True).hkeys(TRACES)
    assert traces
    assert not {"old", "broken"} & set(traces)


def test_numbers_keep_their_kind_on_the_way(running: Running, pair: Callable[..., Pair]) -> None:
    made = pair(phones=[phone("+49511123459", "Fax", primary=True), phone("+491713920012", "Mobile")])
    eventually(lambda: len(values(running, made)) == 2)
    kinds = {item["tlf"]: item["kommKz"] for item in running.advoware.entries(made.betnr)}
    assert kinds == {"+49511123459": 2, "+491713920012": 3}
