"""Notices in EspoCRM: for each cause one appears, once, says what to do, and ends when the cause is gone."""

from __future__ import annotations

import itertools
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from services import flow, flow_wiring
from services.by_hand import ByHand, Choice
from services.doctor_redis import _contents
from services.flow_wiring import Wiring
from services.kommunikation_table import ConflictPolicy
from services.notice_kind import NoticeKind
from services.notice_texts import CLOSED, Topic, title_of
from services.scope import Mode, Scope
from services.state import ListKind
from services.state_forms import notice_key
from services.state_redis import RedisState
from services.whole_pass import carry
from tests.http.support import World, address, item, number, slot
from tests.state.support import Clock
from tests.support.sandbox import JSON, Pair, Sandbox, entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.http.support import Clients

ANNA = "9a4d0e0b1e8f4c0aa"


@dataclass
class Office:
    """Both systems, the flow with notices on, and its clock."""

    world: World
    clock: Clock
    wired: Wiring

    @property
    def state(self) -> RedisState:
        """The store of this test."""
        assert self.world.state is not None
        return self.world.state

    def ring(self, *pairs: Pair) -> None:
        """A webhook for each of the records, worked on."""
        carry(flow.accept([pair.espo_id for pair in pairs], "espocrm"))

    def tick(self) -> None:
        """One tick of `reconcile`, and all that comes of it."""
        result = flow.reconcile()
        carry(result["events"])
        for event in result["notices"]:
            flow.notify(event)

    def night(self) -> None:
        """The clean-up job, and the tick after it."""
        flow.cleanup()
        self.tick()

    def tasks(self, pair: Pair) -> list[JSON]:
        """The record's tasks, oldest first."""
        where = f"where[0][type]=equals&where[0][attribute]=parentId&where[0][value]={pair.espo_id}"
        rows = self.world.sandbox.espocrm.call("GET", f"Task?{where}&orderBy=createdAt").json()["list"]
        return sorted(rows, key=lambda row: (row["createdAt"], row["name"]))

    def open(self, pair: Pair) -> list[str]:
        """Titles of the tasks nobody has ended."""
        return sorted(task["name"] for task in self.tasks(pair) if task["status"] == "Not Started")

    def notes(self, pair: Pair) -> list[str]:
        """Texts of the posts in the record's stream."""
        rows = self.world.sandbox.espocrm.call("GET", f"CBeteiligte/{pair.espo_id}/stream").json()["list"]
        return [row["post"] for row in rows]

    def person(self, method: str, path: str, **body: Any) -> None:
        """What a member of staff does."""
        self.world.sandbox.espocrm.call(method, path, **({"json": body} if body else {}))

    def writes(self) -> list[str]:
        """Calls of the sync to tasks and posts that write."""
        rows = self.world.sandbox.espocrm.requests()
        return [f"{row['method']} {row['path']}" for row in rows if row["method"] != "GET" and "CBet" not in row["path"]]


@pytest.fixture
def office(sandbox: Sandbox, shared_clients: Clients, redis_url: str, prefix: str) -> Iterator[Office]:
    """Notices are tasks, until the test says otherwise."""
    clock = Clock()
    state = RedisState.connect(redis_url, prefix=prefix, clock=clock, tells=True)
    world = World(sandbox, shared_clients, state)
    parts = {"manager": world.manager, "advoware": shared_clients.advoware, "espocrm": shared_clients.espocrm}
    wired = Wiring(state, 25, 2, 0, 2, delete_slots=False, _parts=parts, notices=NoticeKind.TASK, now=clock)
    with flow_wiring.use(wired):
        # The tick has nobody else's records to look at: as if all had been seen.
        state.set_mark("espocrm_cursor", "2999-01-01 00:00:00")
        state.set_mark("pass_begun", "1")
        state.set_mark("pass", '{"number": 1, "total": 0, "begun": "1"}')
        yield Office(world, clock, wired)
    state.close()


def title(*topics: Topic) -> list[str]:
    return sorted(map(title_of, topics))


# --- each cause ------------------------------------------------------------------------------------------------------


def conflict(office: Office) -> tuple[Pair, str, str, str]:
    """A pair whose one number was changed on both sides."""
    old, here, there = number(), number(), number()
    pair = office.world.pair([entry(old)], [item(old)], assignedUserId=ANNA)
    office.ring(pair)
    office.world.sandbox.advoware.change(pair.betnr, office.world.entries(pair)[0]["id"], tlf=here)
    office.world.swap_item(pair, old, there)
    office.ring(pair)
    return pair, old, here, there


def test_a_conflict_is_told_with_both_values_to_the_assigned_user(office: Office) -> None:
    pair, old, here, there = conflict(office)
    (task,) = office.tasks(pair)
    assert task["name"] == title_of(Topic.CONFLICT_KEPT)
    assert task["assignedUserId"] == ANNA
    assert (task["parentType"], task["parentId"], task["status"]) == ("CBeteiligte", pair.espo_id, "Not Started")
    assert f"Vor der Änderung: „{old}“" in task["description"]
    assert f"In Advoware geändert in: „{here}“" in task["description"]
    assert f"In EspoCRM geändert in: „{there}“" in task["description"]
    assert not any(value in task["name"] for value in (old, here, there))


def test_a_conflict_ends_when_a_person_deletes_the_wrong_value(office: Office) -> None:
    pair, _, here, there = conflict(office)
    office.ring(pair)
    assert office.open(pair) == title(Topic.CONFLICT_KEPT)
    assert office.world.espo_values(pair) == sorted([here, there])
    office.night()  # both values are seen on the record
    office.world.swap_item(pair, here, None)
    office.ring(pair)
    office.tick()
    assert office.open(pair) == []
    assert office.state.lists(pair.espo_id)["conflicts"] == []
    assert office.world.advoware_values(pair) == [there]


def test_a_conflict_ends_when_the_administrator_decides_it(office: Office) -> None:
    pair, *_ = conflict(office)
    hand = ByHand(office.world.advoware, office.world.espocrm, state=office.state, policy=ConflictPolicy.KEEP_BOTH)
    (listed,) = office.state.lists(pair.espo_id)["conflicts"]
    hand.decide(pair.espo_id, listed["id"], Choice.ESPOCRM)
    office.tick()
    (task,) = office.tasks(pair)
    assert task["status"] == "Completed"
    assert task["description"].endswith(CLOSED)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_list_that_comes_shortened_once_is_nobodys_decision(office: Office, kept: int) -> None:
    pair, *_ = conflict(office)
    office.state.tell([pair.espo_id])
    office.tick()  # both values are seen in EspoCRM
    fault = {"method": "GET", "path": "CBeteiligte/", "member": "phoneNumberData", "keep": kept}
    office.world.sandbox.espocrm.fault("shorten", **fault)
    office.state.tell([pair.espo_id])
    office.tick()
    assert office.open(pair) == title(Topic.CONFLICT_KEPT)
    assert len(office.state.lists(pair.espo_id)["conflicts"]) == 1


@pytest.mark.parametrize(
    ("policy", "topic"),
    [(ConflictPolicy.ESPOCRM_WINS, Topic.CONFLICT_ESPOCRM), (ConflictPolicy.ADVOWARE_WINS, Topic.CONFLICT_ADVOWARE)],
)
def test_a_conflict_one_side_won_is_told_as_such(office: Office, policy: ConflictPolicy, topic: Topic) -> None:
    office.wired._parts["manager"] = office.world.new_manager(policy=policy)
    pair, *_ = conflict(office)
    assert office.open(pair) == title(topic)


HELD = [
    ("0511/1234, 0171/5678", 1, "0511 1234", Topic.HELD_TWO_VALUES),
    ("jürgen@example.com", 4, "juergen.notiz@example.com", Topic.HELD_UMLAUT),
    (f"{'l' * 70}@example.com", 4, "kurz.notiz@example.com", Topic.HELD_TOO_LONG),
    ("keine@adresse", 4, "eine.notiz@example.com", Topic.HELD_NO_EMAIL),
    ("0511 123 Durchwahl 4", 1, "0511 99887711", Topic.HELD_LETTERS),
    ("+49 1", 1, "0511 99887722", Topic.HELD_NO_NUMBER),
]


@pytest.mark.parametrize(("bad", "kind", "good", "topic"), HELD, ids=[topic.value for *_, topic in HELD])
def test_a_held_back_value_is_told_and_its_notice_ends_when_it_is_put_right(
    office: Office, bad: str, kind: int, good: str, topic: Topic
) -> None:
    pair = office.world.pair([entry(bad, kind), entry(number())])
    office.ring(pair)
    assert office.open(pair) == title(topic)
    assert "„" in office.tasks(pair)[0]["description"]
    office.ring(pair)
    assert len(office.tasks(pair)) == 1, "told once"
    bad_id = next(one["id"] for one in office.world.entries(pair) if one["tlf"] == bad)
    office.world.sandbox.advoware.change(pair.betnr, bad_id, tlf=good)
    office.ring(pair)
    assert office.open(pair) == []
    assert [task["status"] for task in office.tasks(pair)] == ["Completed"]


def test_another_value_in_the_same_entry_is_another_notice(office: Office) -> None:
    pair = office.world.pair([entry("0511 123 Durchwahl 4")])
    office.ring(pair)
    office.world.sandbox.advoware.change(pair.betnr, office.world.entries(pair)[0]["id"], tlf="0511 123 Durchwahl 5")
    office.ring(pair)
    assert [(task["status"], "Durchwahl 5" in task["description"]) for task in office.tasks(pair)] in (
        [("Completed", False), ("Not Started", True)],
        [("Not Started", True), ("Completed", False)],
    )


def test_more_than_espocrm_takes_is_told(office: Office) -> None:
    pair = office.world.pair([entry(number()) for _ in range(11)])
    office.ring(pair)
    assert office.open(pair) == title(Topic.HELD_TOO_MANY)


def test_a_value_espocrm_refuses_is_told(office: Office) -> None:
    value = "0511 445566"
    pair = office.world.pair([entry(value)])
    refuse = {"method": "PUT", "path": f"CBeteiligte/{pair.espo_id}", "status": 400, "kind": "status", "count": 20}
    office.world.sandbox.espocrm.fault(**refuse)
    office.ring(pair)
    office.ring(pair)
    assert office.open(pair) == title(Topic.HELD_REFUSED_BY_ESPOCRM)


def test_the_valve_is_one_notice_with_all_its_values(office: Office) -> None:
    values = [address(f"ventil{n}") for n in range(5)]
    pair = office.world.pair([], [item(value) for value in values])
    office.ring(pair)
    office.world.put_items(pair)
    office.ring(pair)
    assert office.open(pair) == title(Topic.VALVE)
    (task,) = office.tasks(pair)
    assert all(f"- „{value}“" in task["description"] for value in values)
    assert f"valve release {pair.espo_id}" in task["description"]
    ByHand(office.world.advoware, office.world.espocrm, state=office.state).release_valve(pair.espo_id)
    office.clock.advance(120)
    office.tick()
    assert office.open(pair) == []


def test_types_that_do_not_fit_are_told_until_they_do(office: Office) -> None:
    value = number()
    pair = office.world.pair([entry(value, 3)], [item(value, "Fax")])
    office.ring(pair)
    assert office.open(pair) == title(Topic.TYPE_MISFIT)
    text = office.tasks(pair)[0]["description"]
    assert "In EspoCRM: Fax\nIn Advoware: Mobil" in text
    office.world.swap_item(pair, value, value, type="Mobile")
    office.ring(pair)
    assert office.open(pair) == []


def test_a_change_of_type_that_was_carried_over_is_told_once_as_done(office: Office) -> None:
    value = number()
    pair = office.world.pair([entry(value, 1)], [item(value, "Office")])
    office.ring(pair)
    office.world.swap_item(pair, value, value, type="Mobile")
    office.ring(pair)
    office.ring(pair)
    (task,) = office.tasks(pair)
    assert (task["name"], task["status"]) == (title_of(Topic.TYPE_MOVED), "Completed")
    assert "es ist nichts zu tun" in task["description"]
    assert CLOSED not in task["description"]


def test_a_type_that_belongs_to_several_is_told(office: Office) -> None:
    value = number()
    pair = office.world.pair([entry(value, 1)], [item(value, "Office")])
    office.ring(pair)
    office.world.sandbox.espocrm.create(phones=[item(value, "Office")])
    office.world.swap_item(pair, value, value, type="Mobile")
    office.ring(pair)
    assert office.open(pair) == title(Topic.TYPE_SHARED)


def test_a_remark_without_room_for_the_marker_is_told(office: Office) -> None:
    value = number()
    pair = office.world.pair([entry(value, 1, "nur abends")], [item(value, "Office")])
    office.world.sandbox.advoware.switch(bemerkungMax="30:truncate")
    office.ring(pair)
    assert office.open(pair) == title(Topic.MARKER)


PARKED = [
    (Topic.PARKED_NOT_IN_ADVOWARE, lambda office, pair: office.world.sandbox.advoware.remove(pair.betnr)),
    (Topic.PARKED_NO_BETNR, lambda office, pair: office.world.sandbox.espocrm.put(pair.espo_id, betnr=None)),
]


@pytest.mark.parametrize(("topic", "spoil"), PARKED, ids=[topic.value for topic, _ in PARKED])
def test_a_parked_record_is_told_and_its_notice_ends_when_it_syncs_again(office: Office, topic: Topic, spoil: Any) -> None:
    value = number()
    pair = office.world.pair([entry(value)])
    office.ring(pair)
    spoil(office, pair)
    office.ring(pair)
    office.tick()
    assert office.open(pair) == title(topic)
    office.ring(pair)
    office.tick()
    assert len(office.tasks(pair)) == 1
    if topic is Topic.PARKED_NO_BETNR:
        office.world.sandbox.espocrm.put(pair.espo_id, betnr=pair.betnr)
    else:
        office.world.sandbox.advoware.create(entry(value), betnr=pair.betnr)
    office.ring(pair)
    assert office.open(pair) == []


def test_two_records_of_one_beteiligter_are_told_on_the_one_that_was_looked_at(office: Office) -> None:
    pair = office.world.pair([entry(number())])
    second = Pair(pair.betnr, office.world.sandbox.espocrm.create(betnr=pair.betnr))
    office.ring(pair, second)
    office.tick()
    assert office.open(pair) == title(Topic.PARKED_TWICE)
    assert second.espo_id in office.tasks(pair)[0]["description"]
    office.world.sandbox.espocrm.put(second.espo_id, betnr=None)
    office.ring(pair)
    assert office.open(pair) == []


def test_a_record_that_failed_too_often_is_told(office: Office) -> None:
    pair = office.world.pair([entry(number())])
    office.world.sandbox.espocrm.fault(method="GET", path=f"CBeteiligte/{pair.espo_id}", kind="truncate", count=60)
    for _ in range(6):
        office.ring(pair)
    office.world.sandbox.espocrm.fresh()
    office.tick()
    assert office.open(pair) == title(Topic.PARKED_OTHERWISE)
    office.ring(pair)
    office.tick()
    assert office.open(pair) == []


def test_slots_are_told_at_night_and_not_again_for_another_count(office: Office) -> None:
    pair = office.world.pair([entry("", 1, slot(1)) for _ in range(3)] + [entry("", 1, slot(1, "Sekretariat"))])
    office.ring(pair)
    office.night()
    assert office.open(pair) == title(Topic.SLOTS_MANY, Topic.SLOTS_WITH_TEXT)
    office.world.sandbox.advoware.add(pair.betnr, entry("", 1, slot(1)))
    office.night()
    assert len(office.tasks(pair)) == 2
    for one in office.world.entries(pair):
        office.world.sandbox.advoware.delete(pair.betnr, one["id"])
    office.night()
    assert office.open(pair) == []


# --- once ------------------------------------------------------------------------------------------------------------


def held(office: Office, **more: Any) -> Pair:
    """A pair with one value held back, told."""
    pair = office.world.pair([entry("0511 123 Durchwahl 4")], **more)
    office.ring(pair)
    return pair


def test_a_repeated_event_changes_nothing_and_asks_espocrm_nothing(office: Office) -> None:
    pair = held(office)
    office.world.clear_logs()
    for _ in range(3):
        flow.notify({"ids": [pair.espo_id], "quelle": "reconcile"})
    assert office.world.sandbox.espocrm.requests() == []
    office.night()
    assert len(office.tasks(pair)) == 1


def test_a_lost_event_is_made_good_by_reconcile(office: Office) -> None:
    pair = office.world.pair([entry("0511 123 Durchwahl 4")])
    (event,) = flow.accept([pair.espo_id], "espocrm")
    flow.detect(event)  # its events are lost
    assert office.open(pair) == []
    office.clock.advance(120)
    office.tick()
    assert office.open(pair) == title(Topic.HELD_LETTERS)


def test_dying_between_making_a_notice_and_remembering_it_makes_no_second_one(office: Office) -> None:
    pair = office.world.pair([entry("0511 123 Durchwahl 4")])
    real = office.state.set_told

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    office.state.set_told = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        office.ring(pair)
    office.state.set_told = real  # type: ignore[method-assign]
    assert len(office.tasks(pair)) == 1
    assert office.state.told(pair.espo_id) == {}
    office.clock.advance(120)
    office.tick()
    assert len(office.tasks(pair)) == 1
    assert len(office.state.told(pair.espo_id)) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_dying_at_any_call_leaves_one_notice_which_ends_with_its_cause(
    office: Office, monkeypatch: pytest.MonkeyPatch, nth: int, *, after: bool
) -> None:
    """The calls are: the record, its notices, the new one, remembering it; then the notice, its end, forgetting it."""
    pair = office.world.pair([entry("0511 123 Durchwahl 4")])

    def look_and_die() -> None:
        (event,) = flow.accept([pair.espo_id], "espocrm")
        flow.detect(event)
        with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
            calls = itertools.count(1)
            for owner, name in ((office.world.clients.espocrm, "send"), (office.state, "set_told")):
                patch.setattr(owner, name, _mortal(getattr(owner, name), calls, nth, after=after))
            flow.notify({"ids": [pair.espo_id], "quelle": "reconcile"})
        office.clock.advance(120)
        office.tick()

    look_and_die()
    assert [task["status"] for task in office.tasks(pair)] == ["Not Started"]
    office.world.sandbox.advoware.change(pair.betnr, office.world.entries(pair)[0]["id"], tlf=number())
    look_and_die()
    (task,) = office.tasks(pair)
    assert task["status"] == "Completed"
    assert task["description"].count(CLOSED) == 1
    assert office.state.told(pair.espo_id) == {}


def _mortal(real: Callable[..., Any], calls: Iterator[int], nth: int, *, after: bool) -> Callable[..., Any]:
    """The call, at whose nth time the process dies, before or after it had its effect."""

    def call(*args: Any, **options: Any) -> Any:
        this = next(calls)
        if this == nth and not after:
            raise KeyboardInterrupt
        answer = real(*args, **options)
        if this == nth:
            raise KeyboardInterrupt
        return answer

    return call


def test_a_lost_answer_makes_no_second_notice(office: Office) -> None:
    pair = office.world.pair([entry("0511 123 Durchwahl 4")])
    office.world.sandbox.espocrm.fault(method="POST", path="Task", kind="drop_after", count=1)
    office.ring(pair)
    assert len(office.tasks(pair)) == 1
    assert office.state.told(pair.espo_id) == {}
    office.clock.advance(120)
    office.tick()
    assert len(office.tasks(pair)) == 1
    assert len(office.state.told(pair.espo_id)) == 1


def test_a_lost_store_makes_no_second_notice_and_still_ends_the_first(office: Office, redis_url: str) -> None:
    pair = held(office)
    office.state.erase(pair.espo_id, pair.betnr)
    state = RedisState.connect(redis_url, prefix="another:", clock=office.clock, tells=True)  # with another secret
    world = World(office.world.sandbox, office.world.clients, state)
    office.wired.state, office.wired._parts["manager"] = state, world.manager
    office.ring(pair)
    assert len(office.tasks(pair)) == 1
    office.world.sandbox.advoware.change(pair.betnr, office.world.entries(pair)[0]["id"], tlf=number())
    office.ring(pair)
    assert office.open(pair) == []
    state.close()


def test_two_workers_make_one_notice(office: Office) -> None:
    pair = office.world.pair([entry("0511 123 Durchwahl 4")])
    (event,) = flow.accept([pair.espo_id], "espocrm")
    flow.detect(event)
    with office.state.acquire(notice_key(pair.espo_id)):
        flow.notify({"ids": [pair.espo_id], "quelle": "reconcile"})
        assert office.tasks(pair) == [], "another worker has it"
    office.clock.advance(10)
    office.tick()
    assert office.open(pair) == title(Topic.HELD_LETTERS)


def test_a_task_a_person_completed_is_neither_opened_nor_made_again(office: Office) -> None:
    pair = held(office)
    (task,) = office.tasks(pair)
    office.person("PUT", f"Task/{task['id']}", status="Completed")
    office.ring(pair)
    office.night()
    assert [one["status"] for one in office.tasks(pair)] == ["Completed"]
    assert CLOSED not in office.tasks(pair)[0]["description"]
    office.world.sandbox.advoware.change(pair.betnr, office.world.entries(pair)[0]["id"], tlf=number())
    office.ring(pair)
    assert [one["status"] for one in office.tasks(pair)] == ["Completed"]


def test_a_task_a_person_deleted_is_not_made_again(office: Office) -> None:
    pair = held(office)
    office.person("DELETE", f"Task/{office.tasks(pair)[0]['id']}")
    office.night()
    assert office.tasks(pair) == []
    office.world.sandbox.advoware.change(pair.betnr, office.world.entries(pair)[0]["id"], tlf=number())
    office.ring(pair)
    assert (office.tasks(pair), office.state.told(pair.espo_id)) == ([], {})


def test_a_cause_that_comes_back_gets_a_new_notice(office: Office) -> None:
    pair = held(office)
    (one,) = office.world.entries(pair)
    office.world.sandbox.advoware.change(pair.betnr, one["id"], tlf=number())
    office.ring(pair)
    office.world.sandbox.advoware.change(pair.betnr, one["id"], tlf="0511 123 Durchwahl 4")
    office.ring(pair)
    assert sorted(task["status"] for task in office.tasks(pair)) == ["Completed", "Not Started"]


def test_what_the_administrator_acknowledges_is_closed(office: Office) -> None:
    pair = held(office)
    (listed,) = office.state.lists(pair.espo_id)["held_back"]
    office.state.acknowledge(pair.espo_id, listed["id"], ListKind.HELD_BACK)
    office.tick()
    assert office.open(pair) == []


# --- in the stream -----------------------------------------------------------------------------------------------------


@pytest.fixture
def stream(office: Office) -> Office:
    """Notices are posts, and the entity has a stream."""
    office.wired.notices = NoticeKind.NOTE
    office.world.sandbox.espocrm.switch(stream=True)
    return office


def test_a_post_appears_once_and_vanishes_with_its_cause(stream: Office) -> None:
    pair = held(stream)
    stream.ring(pair)
    (post,) = stream.notes(pair)
    assert post.startswith(f"**{title_of(Topic.HELD_LETTERS)}**\n\nIn Advoware steht: „0511 123 Durchwahl 4“")
    stream.world.sandbox.advoware.change(pair.betnr, stream.world.entries(pair)[0]["id"], tlf=number())
    stream.ring(pair)
    assert stream.notes(pair) == []


def test_a_post_a_person_deleted_is_not_made_again(stream: Office) -> None:
    pair = held(stream)
    rows = stream.world.sandbox.espocrm.call("GET", f"CBeteiligte/{pair.espo_id}/stream").json()["list"]
    stream.world.clients.espocrm.send("DELETE", f"Note/{rows[0]['id']}", "deleting a post")  # staff may with all rights
    stream.night()
    assert stream.notes(pair) == []


def test_a_post_too_old_to_be_deleted_is_followed_by_one_that_it_is_settled(stream: Office) -> None:
    pair = held(stream)
    stream.world.sandbox.espocrm.switch(noteDeleteSeconds=-1)
    stream.world.sandbox.advoware.change(pair.betnr, stream.world.entries(pair)[0]["id"], tlf=number())
    stream.ring(pair)
    assert sorted(CLOSED in post for post in stream.notes(pair)) == [False, True]
    stream.night()
    assert len(stream.notes(pair)) == 2


def test_a_lost_answer_makes_no_second_post(stream: Office) -> None:
    pair = stream.world.pair([entry("0511 123 Durchwahl 4")])
    stream.world.sandbox.espocrm.fault(method="POST", path="Note", kind="drop_after", count=1)
    stream.ring(pair)
    stream.clock.advance(120)
    stream.tick()
    assert len(stream.notes(pair)) == 1


# --- what must not be ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", [Scope(Mode.SHADOW), Scope(pilot=frozenset({"somebody-else"}))], ids=["shadow", "pilot"])
def test_out_of_scope_nothing_is_written_to_espocrm(office: Office, scope: Scope) -> None:
    office.world.manager.scope = scope
    pair = office.world.pair([entry("0511 123 Durchwahl 4")])
    office.world.clear_logs()
    office.ring(pair)
    office.night()
    assert office.writes() == []


def test_switched_off_nothing_is_noted_or_asked(office: Office, redis_url: str) -> None:
    state = RedisState.connect(redis_url, prefix="off:", clock=office.clock)
    world = World(office.world.sandbox, office.world.clients, state)
    office.wired.state, office.wired.notices = state, NoticeKind.OFF
    office.wired._parts["manager"] = world.manager
    pair = office.world.pair([entry("0511 123 Durchwahl 4")])
    office.ring(pair)
    assert state.due_entries(10) == []
    assert state.told_records() == []
    assert office.tasks(pair) == []
    state.close()


def test_switching_off_clears_what_was_due(office: Office) -> None:
    pair = office.world.pair([entry("0511 123 Durchwahl 4")])
    (event,) = flow.accept([pair.espo_id], "espocrm")
    flow.detect(event)
    office.wired.notices = NoticeKind.OFF
    office.clock.advance(120)
    office.tick()
    assert (office.state.due_entries(10), office.tasks(pair)) == ([], [])


def test_a_notice_that_is_refused_never_hinders_the_sync_and_is_tried_again_visibly(office: Office) -> None:
    office.world.sandbox.espocrm.switch(deniedRights=["task"])
    value = number()
    pair = office.world.pair([entry("0511 123 Durchwahl 4"), entry(value)])
    office.ring(pair)
    assert office.world.espo_values(pair) == [value]
    (due,) = office.state.due_entries(10)
    assert (due.key, due.parked) == (notice_key(pair.espo_id), True)
    [told] = [one for one in _contents(office.state, office.clock) if one.check == "notices.waiting"]
    assert due.cause in told.text
    assert re.fullmatch(r"EspoCRM does not allow it \(403, No read access\.\) while listing the notices of .*", due.cause)
    office.world.sandbox.espocrm.switch(deniedRights=[])
    office.clock.advance(86400 + 120)
    office.tick()
    assert office.open(pair) == title(Topic.HELD_LETTERS)


def test_a_task_nobody_may_be_given_is_made_without_an_assigned_user(office: Office) -> None:
    office.world.sandbox.espocrm.switch(deniedRights=["assign"])
    pair = held(office, assignedUserId=ANNA)
    assert [task["assignedUserId"] for task in office.tasks(pair)] == [None]


def test_a_system_that_is_down_puts_the_notice_off(office: Office) -> None:
    office.world.sandbox.espocrm.fault(method="POST", path="Task", kind="status", status=503, count=5)
    pair = held(office)
    assert office.open(pair) == []
    office.world.sandbox.espocrm.fresh()
    office.clock.advance(3600)
    office.tick()
    assert office.open(pair) == title(Topic.HELD_LETTERS)


def test_a_record_deleted_in_espocrm_takes_its_open_tasks_with_it(office: Office) -> None:
    pair = held(office)
    office.world.sandbox.espocrm.delete(pair.espo_id)
    office.ring(pair)
    office.night()
    assert [task["status"] for task in office.tasks(pair)] == ["Completed"]
    assert office.state.told(pair.espo_id) == {}


def test_forgetting_a_person_tells_that_notices_are_left(office: Office) -> None:
    pair = held(office)
    told = ByHand(office.world.advoware, office.world.espocrm, state=office.state).forget(pair.espo_id)
    assert told["notices_left_in_espocrm"] == 1
    assert office.state.told(pair.espo_id) == {}


def test_the_store_holds_no_value_of_a_notice_outside_of_its_client_data(
    office: Office, redis_url: str, prefix: str
) -> None:
    from tests.http.support import dump

    conflict(office)
    held(office)
    kept = dump(redis_url, prefix)
    assert any(b":told:" in key for key in kept)
    for key, content in kept.items():
        if b":data:" not in key:
            assert b"Durchwahl" not in content
            assert b"49511" not in content, key
