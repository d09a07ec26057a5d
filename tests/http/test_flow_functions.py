"""What the flow does over time: full passes, systems that fail and come back, records set aside, the clean-up's own deletes.

A sandbox of its own, emptied after each test, so that passes and lists can be counted exactly; a clock the test moves, so
that what is due comes back by itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from services import errors, flow, flow_wiring
from services.advoware_service import AdvowareService
from services.config import AdvowareSettings
from services.flow_wiring import Wiring
from services.kommunikation_sync_utils import KommunikationSyncManager
from services.state_redis import RedisState
from services.state_types import RecordState
from tests.http.support import Clients, World, address, clients, item, number, slot
from tests.state.support import Clock
from tests.support.sandbox import Pair, Sandbox, entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from services.kommunikation_types import Beteiligter

ROOT = Path(__file__).resolve().parents[2]
MINUTE = 60


@dataclass
class Firm:
    """Both systems, the flow between them, and its clock."""

    world: World
    clock: Clock
    wired: Wiring
    told: list[Any] = field(default_factory=list)
    """Every event and every summary so far."""

    @property
    def state(self) -> RedisState:
        """The store of this test."""
        assert self.world.state is not None
        return self.world.state

    def tick(self) -> list[dict[str, Any]]:
        """One tick of `reconcile`; its events."""
        result = flow.reconcile()
        self.told.append(result)
        events: list[dict[str, Any]] = result["events"]
        return events

    def work(self, events: Sequence[dict[str, Any]]) -> None:
        """Carry events through the steps as Motia would, until there are none."""
        queue = deque(("detect", event) for event in events)
        for _ in range(500):
            if not queue:
                return
            topic, event = queue.popleft()
            found = flow.detect(event) if topic == "detect" else flow.sync(event, topic)
            self.told.append(found)
            other = {"to_espocrm": "to_advoware", "to_advoware": "to_espocrm"}.get(topic, "")
            queue.extend((way, new) for way in ("to_espocrm", "to_advoware") for new in found.get(way, ()))
            queue.extend((other, new) for new in found.get("follow_up", ()))
        raise AssertionError("the flow does not come to an end")

    def ring(self, *pairs: Pair) -> None:
        """A webhook for each of the records, worked on."""
        self.work(flow.accept([pair.espo_id for pair in pairs], "espocrm"))

    def due(self) -> dict[str, tuple[int, bool]]:
        """What is due: attempts, and whether it is parked."""
        return {one.key: (one.attempts, one.parked) for one in self.state.due_entries(1000)}

    def equal(self, pair: Pair) -> bool:
        """Whether both sides hold the same values, and at least one."""
        values = self.world.advoware_values(pair)
        return bool(values) and values == self.world.espo_values(pair)


@pytest.fixture(scope="module")
def own_sandbox() -> Iterator[Sandbox]:
    """Both systems, for this file alone."""
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def own_clients(own_sandbox: Sandbox) -> Iterator[Clients]:
    """Clients of this file's sandbox."""
    with clients(own_sandbox) as made:
        yield made


def wiring_of(world: World, state: RedisState, clock: Clock, **changes: Any) -> Wiring:
    """What the steps work with: no walk, unless the test asks for one."""
    parts = {"manager": world.manager, "advoware": world.clients.advoware, "espocrm": world.clients.espocrm}
    usual: dict[str, Any] = {"batch": 25, "workers": 4, "walk": 0, "slot_limit": 2, "delete_slots": False, "now": clock}
    return Wiring(state=state, _parts={**parts, **changes.pop("parts", {})}, **{**usual, **changes})


@pytest.fixture
def firm(own_sandbox: Sandbox, own_clients: Clients, redis_url: str, prefix: str) -> Iterator[Firm]:
    """An empty firm whose first pass is behind it."""
    own_sandbox.fresh()
    clock = Clock()
    state = RedisState.connect(redis_url, prefix=prefix, clock=clock)
    world = World(own_sandbox, own_clients, state)
    made = Firm(world, clock, wiring_of(world, state, clock))
    with flow_wiring.use(made.wired):
        flow.reconcile()
        yield made
    own_sandbox.fresh()
    for row in own_sandbox.espocrm.call("GET", "CBeteiligte?maxSize=200").json()["list"]:
        own_sandbox.espocrm.delete(row["id"])
    state.close()


# --- full passes -----------------------------------------------------------------------------------------------------------


def test_a_full_pass_takes_every_linked_record_once_and_tells_how_far_it_is(firm: Firm) -> None:
    pairs = [firm.world.pair([entry(number()), entry(address(), 4)], [item(number(), "Home")]) for _ in range(3)]
    firm.world.sandbox.espocrm.create(emails=[item(address())])  # linked to nobody
    flow.request_pass()
    events = firm.tick()
    assert sorted(one for event in events for one in event["ids"]) == sorted(pair.espo_id for pair in pairs)
    before = flow.status()
    assert (before["pass_number"], before["records_total"], before["records_done"]) == (2, 3, 0)
    assert not before["first_pass_done"]
    firm.work(events)
    after = flow.status()
    assert (after["records_done"], after["errors"], after["first_pass_done"]) == (3, 0, True)
    assert (after["to_espocrm"], after["to_advoware"]) == (6, 3)
    assert all(firm.equal(pair) for pair in pairs)


def test_a_second_full_pass_finds_everything_equal_and_writes_nothing(firm: Firm) -> None:
    for _ in range(3):
        firm.world.pair([entry(number())], [item(address())])
    for _ in range(2):
        flow.request_pass()
        firm.world.clear_logs()
        firm.work(firm.tick())
    done = flow.status()
    assert firm.world.writes() == []
    assert (done["records_done"], done["pass_writes"], done["to_espocrm"], done["to_advoware"]) == (3, 0, 0, 0)


def test_a_wish_for_a_pass_that_met_a_failure_is_granted_by_a_later_tick(firm: Firm) -> None:
    pair = firm.world.pair([entry(number())], [])
    flow.request_pass()
    firm.world.sandbox.espocrm.fault("status", method="GET", path="CBeteiligte$", count=-1, status=500)
    with pytest.raises(errors.RetryLater):
        flow.reconcile()
    firm.world.sandbox.fresh()
    firm.work(firm.tick())
    assert firm.equal(pair)


# --- nothing gets lost -----------------------------------------------------------------------------------------------------


def test_a_change_made_while_espocrm_could_not_be_asked_is_found_by_the_next_tick(firm: Firm) -> None:
    pair = firm.world.pair([], [item(number())])
    firm.world.sandbox.espocrm.fault("status", method="GET", path="CBeteiligte$", count=-1, status=500)
    with pytest.raises(errors.RetryLater):
        flow.reconcile()
    firm.world.sandbox.fresh()
    firm.work(firm.tick())
    assert firm.equal(pair)


def test_a_change_found_by_a_tick_that_died_comes_back_by_itself(firm: Firm) -> None:
    pair = firm.world.pair([], [item(number())])
    firm.tick()  # and the process dies before its events are queued
    firm.clock.advance(2 * MINUTE)
    events = firm.tick()
    assert [event["ids"] for event in events] == [[pair.espo_id]]
    firm.work(events)
    assert firm.equal(pair)
    assert firm.due() == {}


def test_a_reported_beteiligter_is_not_forgotten_while_espocrm_is_down(firm: Firm) -> None:
    pair = firm.world.pair([entry(number())], [])
    events = flow.accept([str(pair.betnr)], "advoware")
    firm.world.sandbox.espocrm.fault("status", count=-1, status=500)
    with pytest.raises(errors.RetryLater):
        flow.detect(events[0])
    firm.world.sandbox.fresh()
    firm.clock.advance(2 * MINUTE)
    firm.work(firm.tick())
    assert firm.equal(pair)
    assert firm.due() == {}


def test_the_poll_reports_a_change_once_and_records_without_a_link_not_at_all(firm: Firm) -> None:
    firm.world.sandbox.espocrm.create(emails=[item(address())])
    pair = firm.world.pair([], [item(number())])
    assert [event["ids"] for event in firm.tick()] == [[pair.espo_id]]
    assert firm.tick() == []


def test_late_repeated_and_shuffled_events_end_like_one(firm: Firm) -> None:
    pairs = [firm.world.pair([entry(number())], [item(address())]) for _ in range(3)]
    events = [event for pair in pairs for event in flow.accept([pair.espo_id], "espocrm")]
    events += [event for pair in pairs for event in flow.accept([str(pair.betnr)], "advoware")]
    firm.work([*reversed(events), *events])
    assert all(firm.equal(pair) and len(firm.world.entries(pair)) == 2 for pair in pairs)
    assert firm.due() == {}
    firm.world.clear_logs()
    firm.ring(*pairs)
    assert firm.world.writes() == []


def test_a_record_nobody_changed_costs_one_get_per_side_through_the_flow(firm: Firm) -> None:
    pair = firm.world.pair([entry(number())], [item(address())])
    firm.ring(pair)
    firm.world.clear_logs()
    firm.ring(pair)
    assert (firm.world.calls("espocrm"), firm.world.calls("advoware")) == (["GET record"], ["GET record"])
    assert firm.due() == {}


# --- at rest ---------------------------------------------------------------------------------------------------------------


def at_rest(firm: Firm, *, emails: Sequence[Any] = ()) -> Pair:
    """A pair whose last look found nothing to do, so that the next one compares nothing."""
    pair = firm.world.pair([entry(number())], [item(address()), *emails])
    firm.ring(pair)
    firm.ring(pair)
    assert firm.state.waiting([pair.espo_id])[pair.espo_id].rest is not None
    firm.world.clear_logs()
    return pair


class Meddled(AdvowareService):
    """A client, and what happens right after its first reading."""

    def __init__(self, sandbox: Sandbox, happens: Callable[[], object]) -> None:
        super().__init__(AdvowareSettings.from_environment(sandbox.environ))
        self._happens: list[Callable[[], object]] = [happens]

    def get_beteiligter(self, betnr: int) -> Beteiligter:
        """See `AdvowareService.get_beteiligter`."""
        read = super().get_beteiligter(betnr)
        while self._happens:
            self._happens.pop()()
        return read


@contextmanager
def meddled(firm: Firm, happens: Callable[[], object]) -> Iterator[None]:
    """The flow, with this happening between its reading of Advoware and what follows."""
    with closing(Meddled(firm.world.sandbox, happens)) as advoware:
        parts = {
            "advoware": advoware,
            "manager": KommunikationSyncManager(advoware, firm.world.clients.espocrm, state=firm.state),
        }
        with flow_wiring.use(wiring_of(firm.world, firm.state, firm.clock, parts=parts)):
            yield


def test_a_record_at_rest_is_read_on_both_sides_and_nothing_else(firm: Firm) -> None:
    pair = at_rest(firm)
    firm.clock.advance(MINUTE)
    firm.ring(pair)
    assert (firm.world.calls("espocrm"), firm.world.calls("advoware")) == (["GET record"], ["GET record"])
    status = firm.state.status(pair.espo_id)
    assert status is not None
    assert status.at == firm.clock()
    assert firm.due() == {}


def test_a_change_of_a_record_at_rest_is_seen_with_the_same_two_requests(firm: Firm) -> None:
    pair = at_rest(firm)
    firm.world.sandbox.advoware.add(pair.betnr, entry(number()))
    [event] = flow.accept([pair.espo_id], "espocrm")
    found = flow.detect(event)
    assert [one["ids"] for one in found["to_espocrm"]] == [[pair.espo_id]]
    assert (firm.world.calls("espocrm"), firm.world.calls("advoware")) == (["GET record"], ["GET record"])
    firm.work([event])
    assert firm.equal(pair)
    assert firm.due() == {}


def test_what_a_worker_wrote_since_the_reading_is_read_again(firm: Firm) -> None:
    pair = at_rest(firm)
    new = number()
    [event] = flow.accept([pair.espo_id], "espocrm")

    def somebody_edits_and_another_worker_is_through_with_it() -> None:
        firm.world.sandbox.advoware.add(pair.betnr, entry(new))
        firm.world.manager.sync_record(pair.espo_id, "both")

    firm.world.sandbox.espocrm.put(pair.espo_id, emailAddressData=[item(address(), primary=True)])
    with meddled(firm, somebody_edits_and_another_worker_is_through_with_it):
        found = flow.detect(event)
    assert found["summary"] == {"records": 1, "to_espocrm": 0, "to_advoware": 0}
    assert new in firm.world.espo_values(pair)
    assert firm.equal(pair)
    firm.world.clear_logs()
    firm.ring(pair)
    assert firm.world.writes() == []


def test_a_worker_that_writes_while_both_sides_look_at_rest_keeps_the_record_due(firm: Firm) -> None:
    pair = at_rest(firm)
    [event] = flow.accept([pair.espo_id], "espocrm")

    def another_worker_takes_it() -> None:
        lease = firm.state.acquire(pair.espo_id)
        base = firm.state.load(pair.espo_id, lease)
        assert base is not None
        firm.state.save(lease, base)  # what it is about to write

    with meddled(firm, another_worker_takes_it):
        assert flow.detect(event)["summary"] == {"records": 1, "postponed": 1, "to_espocrm": 0, "to_advoware": 0}
    assert firm.due() == {pair.espo_id: (0, False)}


@pytest.mark.parametrize("side", ["advoware", "espocrm"])
def test_a_record_at_rest_that_can_not_be_read_is_told_and_stays_due(firm: Firm, side: str) -> None:
    pair = at_rest(firm)
    getattr(firm.world.sandbox, side).fault("status", count=-1, status=503)
    firm.ring(pair)
    status = firm.state.status(pair.espo_id)
    assert status is not None
    assert status.state is RecordState.FAILED
    assert list(firm.due()) == [pair.espo_id]
    counters = firm.state.counters()
    assert (counters[f"failures:{side}:ServerError"], counters["runs:look:postponed"]) == (1, 1)
    firm.world.sandbox.fresh()
    firm.clock.advance(2 * MINUTE)
    firm.work(firm.tick())
    assert firm.due() == {}


def test_a_record_at_rest_that_is_gone_is_parked_with_its_cause(firm: Firm) -> None:
    pair = at_rest(firm)
    firm.world.sandbox.advoware.remove(pair.betnr)
    firm.ring(pair)
    status = firm.state.status(pair.espo_id)
    assert status is not None
    assert (status.state, status.cause.split(":")[0]) == (RecordState.PARKED, "missing in Advoware")


def test_a_second_record_of_one_beteiligter_ends_the_rest_of_the_first(firm: Firm) -> None:
    pair = at_rest(firm)
    other = firm.world.sandbox.espocrm.create(betnr=pair.betnr)
    firm.state.register_links([(other, pair.betnr)])
    firm.ring(pair)
    status = firm.state.status(pair.espo_id)
    assert status is not None
    assert (status.state, status.cause.split(":")[0]) == (RecordState.PARKED, "betnr linked twice")


def test_what_waits_for_a_person_is_no_rest(firm: Firm) -> None:
    pair = firm.world.pair([entry(number()), entry("0511 123 (bitte nur vormittags)")], [])
    for _ in range(3):
        firm.ring(pair)
    assert firm.state.lists(pair.espo_id)["held_back"] != []
    assert firm.state.waiting([pair.espo_id])[pair.espo_id].rest is None


# --- failures --------------------------------------------------------------------------------------------------------------


def test_a_system_that_was_down_costs_nothing_and_its_records_come_back_within_two_minutes(firm: Firm) -> None:
    pairs = [firm.world.pair([entry(number())], []) for _ in range(3)]
    firm.world.sandbox.advoware.switch(connector="offline")
    firm.ring(*pairs)
    for _ in range(8):
        firm.clock.advance(2 * MINUTE)
        firm.work(firm.tick())
    assert firm.due() == {pair.espo_id: (0, False) for pair in pairs}
    firm.world.sandbox.fresh()
    firm.clock.advance(2 * MINUTE)
    firm.work(firm.tick())
    assert all(firm.equal(pair) for pair in pairs)
    assert firm.due() == {}


def test_a_record_that_keeps_failing_waits_longer_each_time_then_a_day(firm: Firm) -> None:
    pair = firm.world.pair([], [item(number())])
    firm.work(firm.tick())
    firm.world.sandbox.advoware.add(pair.betnr, entry(number()))
    firm.world.sandbox.espocrm.fault("status", method="PUT", path=pair.espo_id, count=-1, status=500)
    firm.ring(pair)
    for attempts, minutes in enumerate((1, 5, 15, 60, 240), start=1):
        assert firm.due() == {pair.espo_id: (attempts, False)}
        firm.clock.advance(minutes * MINUTE - 5)
        firm.work(firm.tick())
        assert firm.due() == {pair.espo_id: (attempts, False)}  # not before its time
        firm.clock.advance(10)
        firm.work(firm.tick())
    assert firm.due() == {pair.espo_id: (6, True)}
    (parked,) = firm.state.parked()
    assert pair.espo_id in parked.cause
    firm.world.sandbox.fresh()
    firm.clock.advance(24 * 60 * MINUTE)
    firm.work(firm.tick())
    assert firm.equal(pair)
    assert firm.due() == {}


def test_a_parked_record_is_worked_on_when_somebody_changes_it(firm: Firm) -> None:
    pair = firm.world.pair([entry(number())], [])
    firm.state.ring([pair.espo_id])
    firm.state.park(pair.espo_id, "set aside by a test")
    firm.ring(pair)
    assert firm.equal(pair)
    assert firm.due() == {}


def test_a_record_that_fails_does_not_stop_the_others_of_its_event(firm: Firm) -> None:
    pairs = [firm.world.pair([entry(number())], []) for _ in range(4)]
    firm.world.sandbox.espocrm.fault("status", method="PUT", path=pairs[1].espo_id, count=-1, status=500)
    firm.ring(*pairs)
    assert [firm.equal(pair) for pair in pairs] == [True, False, True, True]
    assert firm.due() == {pairs[1].espo_id: (1, False)}


def test_a_record_another_worker_has_comes_back_within_seconds_at_no_cost(firm: Firm) -> None:
    pair = firm.world.pair([entry(number())], [])
    with firm.state.acquire(pair.espo_id):
        firm.ring(pair)
        assert firm.due() == {pair.espo_id: (0, False)}
    firm.clock.advance(10)
    firm.work(firm.tick())
    assert firm.equal(pair)


@pytest.mark.parametrize("side", ["EspoCRM", "Advoware"])
def test_a_record_deleted_on_one_side_is_set_aside_with_its_cause_and_touches_the_other_not(firm: Firm, side: str) -> None:
    value = number()
    pair = firm.world.pair([entry(value)], [])
    firm.ring(pair)
    if side == "EspoCRM":
        firm.world.sandbox.espocrm.delete(pair.espo_id)
    else:
        firm.world.sandbox.advoware.remove(pair.betnr)
    firm.world.clear_logs()
    firm.ring(pair)
    assert firm.world.writes() == []
    assert firm.due() == {}
    state, cause = firm.world.status(pair)
    assert state == "parked"
    assert f"missing in {side}" in cause
    left = firm.world.advoware_values(pair) if side == "EspoCRM" else firm.world.espo_values(pair)
    assert left == [value]


def test_a_doubled_link_sets_both_records_aside_until_it_is_put_right(firm: Firm) -> None:
    pair = firm.world.pair([entry(number())], [])
    second = firm.world.sandbox.espocrm.create(betnr=pair.betnr, emails=[item(address())])
    firm.work(flow.accept([second, pair.espo_id], "espocrm"))
    for espo_id in (pair.espo_id, second):
        status = firm.state.status(espo_id)
        assert status is not None
        assert (status.state.value, status.cause.partition(":")[0]) == ("parked", "betnr linked twice")
    assert firm.world.entries(pair)[0]["bemerkung"] is None
    firm.world.sandbox.espocrm.delete(second)
    firm.work(flow.accept([second, pair.espo_id], "espocrm"))
    assert firm.equal(pair)
    assert firm.due() == {}


# --- the clean-up ----------------------------------------------------------------------------------------------------------


def with_slots(firm: Firm) -> Pair:
    """A synchronised Beteiligter with a value, three free slots of one kind, one of another, and one with a user's text."""
    entries = [entry(number()), *(entry("", 3, slot(3)) for _ in range(3)), entry("", 6, slot(6))]
    pair = firm.world.pair([*entries, entry("", 3, slot(3, "bitte behalten"))], [])
    firm.ring(pair)
    return pair


def clean_up(firm: Firm, advoware: AdvowareService | None = None) -> dict[str, Any]:
    """The nightly job, allowed to delete."""
    parts = {"advoware": advoware} if advoware else {}
    allowed = wiring_of(firm.world, firm.state, firm.clock, delete_slots=True, parts=parts)
    firm.world.clear_logs()
    with flow_wiring.use(allowed):
        summary: dict[str, Any] = flow.cleanup()["summary"]
    return summary


def test_the_clean_up_deletes_nothing_unless_it_is_told_to(firm: Firm) -> None:
    firm.world.sandbox.advoware.switch(delete=204)
    pair = with_slots(firm)
    firm.world.clear_logs()
    flow.cleanup()
    assert firm.world.writes() == []
    assert len(firm.world.entries(pair)) == 6


def test_where_advoware_can_delete_only_surplus_slots_go_and_the_next_run_is_quiet(firm: Firm) -> None:
    firm.world.sandbox.advoware.switch(delete=204)
    pair = with_slots(firm)
    values = firm.world.advoware_values(pair)
    clean_up(firm)
    assert firm.world.advoware_values(pair) == values
    assert firm.world.slots(pair) == sorted([slot(3), slot(6), slot(3, "bitte behalten")])
    firm.world.assert_quiet(pair)


def test_todays_refusal_to_delete_is_reported_and_harms_nothing(firm: Firm) -> None:
    pair = with_slots(firm)
    before = firm.world.entries(pair)
    clean_up(firm)
    assert firm.world.entries(pair) == before
    report = firm.state.slot_reports()[pair.betnr]
    assert (report["slots"], report["surplus"], report["above_limit"]) == (5, 2, True)
    assert report["free_by_kind"] == {"3": 3, "6": 1}


class Interrupted(AdvowareService):
    """The real client, with somebody who is faster: `do` happens right after the first reading."""

    def __init__(self, sandbox: Sandbox, do: Callable[[], object]) -> None:
        super().__init__(AdvowareSettings.from_environment(sandbox.environ))
        self._do: Callable[[], object] | None = do

    def get_beteiligter(self, betnr: int) -> Beteiligter:
        """Read, then let the other one work."""
        answer = super().get_beteiligter(betnr)
        do, self._do = self._do, None
        if do is not None:
            do()
        return answer


def test_a_value_typed_into_a_slot_while_the_clean_up_works_is_not_deleted(firm: Firm) -> None:
    people = firm.world.sandbox.advoware
    people.switch(delete=204)
    pair = with_slots(firm)
    typed = {one["id"]: number() for one in firm.world.entries(pair) if one["bemerkung"] == slot(3)}

    def type_into_all() -> None:
        for komm_id, value in typed.items():
            people.fill(pair.betnr, komm_id, value)

    with closing(Interrupted(firm.world.sandbox, type_into_all)) as advoware:
        clean_up(firm, advoware)
    assert set(typed.values()) <= set(firm.world.advoware_values(pair))


def test_a_slot_the_sync_fills_while_the_clean_up_works_is_not_deleted(firm: Firm) -> None:
    firm.world.sandbox.advoware.switch(delete=204)
    pair = with_slots(firm)
    new = [number() for _ in range(3)]

    def sync() -> None:
        firm.world.add_items(pair, *(item(value, "Mobile") for value in new))
        firm.world.manager.sync_record(pair.espo_id, "both")

    with closing(Interrupted(firm.world.sandbox, sync)) as advoware:
        clean_up(firm, advoware)
    firm.clock.advance(2 * MINUTE)
    firm.work(firm.tick())
    assert set(new) <= set(firm.world.advoware_values(pair))
    assert firm.equal(pair)


def test_a_record_the_sync_is_working_on_is_left_to_the_next_night(firm: Firm) -> None:
    firm.world.sandbox.advoware.switch(delete=204)
    pair = with_slots(firm)
    with firm.state.acquire(pair.espo_id):
        clean_up(firm)
        assert len(firm.world.entries(pair)) == 6
    clean_up(firm)
    assert len(firm.world.entries(pair)) == 4


def test_since_when_a_slot_is_empty_is_kept_from_night_to_night(firm: Firm) -> None:
    pair = with_slots(firm)
    first = firm.clock.now
    flow.cleanup()
    firm.clock.advance(24 * 60 * MINUTE)
    flow.cleanup()
    assert firm.state.slot_reports()[pair.betnr]["oldest_since"] == pytest.approx(first, abs=1)


def test_a_beteiligter_that_cannot_be_read_does_not_stop_the_clean_up(firm: Firm) -> None:
    lost, pair = with_slots(firm), with_slots(firm)
    firm.world.sandbox.advoware.remove(lost.betnr)
    summary = flow.cleanup()["summary"]
    assert (summary["beteiligte"], summary["failed"]) == (2, 1)
    assert set(firm.state.slot_reports()) == {pair.betnr}


# --- what comes in, what goes out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "quelle"),
    [
        (["abc"], "outlook"),
        (["../../x"], "espocrm"),
        (["a" * 37], "espocrm"),
        ([""], "espocrm"),
        ([7], "espocrm"),
        ("abc", "espocrm"),
        (["0"], "advoware"),
        (["-5"], "advoware"),
        (["12345678901"], "advoware"),
        (["abc"], "advoware"),
    ],
)
def test_ids_that_are_none_are_refused_and_nothing_becomes_due(firm: Firm, ids: Any, quelle: str) -> None:
    with pytest.raises(errors.InvalidInput):
        flow.accept(ids, quelle)
    assert firm.due() == {}


def test_an_empty_report_makes_no_event(firm: Firm) -> None:
    assert flow.accept([], "espocrm") == []
    assert firm.due() == {}


def test_events_summaries_causes_and_logs_hold_no_value(firm: Firm, caplog: pytest.LogCaptureFixture) -> None:
    canaries = [address("canary.kim"), "canary text", number(), address("canary.zoe")]
    pair = firm.world.pair([entry(canaries[0], 4, canaries[1]), entry(canaries[2])], [item(canaries[3])])
    with caplog.at_level("DEBUG"):
        firm.ring(pair)
        firm.world.swap_item(pair, canaries[3], address("canary.zoe"))
        firm.world.sandbox.advoware.fault(
            "status", method="PUT", count=1, status=400, body=json.dumps({"message": "canary"})
        )
        firm.work(firm.tick())
        flow.cleanup()
    said = json.dumps([firm.told, flow.status(), [vars_of(one) for one in firm.state.due_entries(10)]]) + caplog.text
    assert pair.espo_id in said
    assert "canary" not in said
    assert canaries[2].removeprefix("+49") not in said


def vars_of(due: Any) -> list[str]:
    """Everything a due entry holds, as text."""
    return [str(getattr(due, name)) for name in due.__slots__]


# --- wired from the environment --------------------------------------------------------------------------------------------

SCRIPT = """
import json, sys
from services import flow
from services.whole_pass import carry
carry(flow.reconcile()["events"])
print(json.dumps({"status": flow.status(), "cleanup": flow.cleanup()["summary"]}))
"""


def run_script(sandbox: Sandbox, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the script above as a step process would run: everything it needs is in its environment."""
    return subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={**sandbox.environ, "PATH": "", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_process_with_nothing_but_its_environment_brings_the_firm_in_step(firm: Firm, tmp_path: Path) -> None:
    from tests.state.support import running

    pairs = [firm.world.pair([entry(number())], [item(address())]) for _ in range(2)]
    with running(tmp_path) as server:
        ran = run_script(firm.world.sandbox, REDIS_URL=server.url)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["status"]["records_done"], told["status"]["first_pass_done"]) == (2, True)
    assert told["cleanup"]["beteiligte"] == 2
    assert all(firm.equal(pair) for pair in pairs)


@pytest.mark.parametrize(
    ("environ", "variable"),
    [({"REDIS_URL": ""}, "REDIS_URL"), ({"REDIS_URL": "redis://127.0.0.1:1/0", "KOMM_BATCH": "0"}, "KOMM_BATCH")],
)
def test_a_setting_that_is_missing_or_unusable_is_named(firm: Firm, environ: dict[str, str], variable: str) -> None:
    ran = run_script(firm.world.sandbox, **environ)
    assert ran.returncode != 0
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith(f"services.errors.Unconfigured: {variable} ")
