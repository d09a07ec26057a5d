"""Faults and races over real HTTP: lost answers, half answers, cut texts, and people who edit while the sync works."""

from __future__ import annotations

from typing import Any

import pytest

from services import errors
from tests.http.support import World, address, clients, item, marker, number, slot
from tests.support.sandbox import Pair, entry


def until_quiet(world: World, pair: Pair, runs: int = 5) -> None:
    """Runs as the due list would: again after each error, until a run writes nothing."""
    for _ in range(runs):
        try:
            world.run(pair)
        except errors.SyncError:
            continue
        if not world.writes():
            return
    raise AssertionError("no quiet run")


FAULTS: list[dict[str, Any]] = [
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503},
    {"kind": "status_after", "status": 500},
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 401},
    {"kind": "truncate"},
]
each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda f: "-".join(str(v) for v in f.values()))


@each_fault
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_fault_of_advoware_neither_loses_nor_doubles_a_value(world: World, fault: dict[str, Any], method: str) -> None:
    old, new, number_ = address(), address(), number()
    pair = world.pair([entry(old, 4, "privat")], [item(old)])
    world.sync(pair)
    world.swap_item(pair, old, new)
    world.add_items(pair, item(number_, "Mobile"))
    world.sandbox.advoware.fault(method=method, path="Beteiligte", **fault)
    until_quiet(world, pair)
    assert world.advoware_values(pair) == sorted([new, number_])
    assert world.espo_values(pair) == sorted([new, number_])
    assert world.entry_of(pair, new)["bemerkung"] == marker(new, 4, "privat")


@each_fault
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_fault_of_espocrm_neither_loses_nor_doubles_a_value(world: World, fault: dict[str, Any], method: str) -> None:
    old, new, number_ = address(), address(), number()
    pair = world.pair([entry(old, 4, "privat")], [item(old)])
    world.sync(pair)
    world.sandbox.advoware.change(pair.betnr, world.entry_of(pair, old)["id"], tlf=new)
    world.sandbox.advoware.add(pair.betnr, entry(number_, 3))
    world.sandbox.espocrm.fault(method=method, path="CBeteiligte/", **fault)
    until_quiet(world, pair)
    assert world.espo_values(pair) == sorted([new, number_])
    assert world.advoware_values(pair) == sorted([new, number_])
    assert world.entry_of(pair, new)["bemerkung"] == marker(new, 4, "privat")


@pytest.mark.parametrize("member", ["emailAddressData", "kommunikation"])
def test_a_list_that_comes_shortened_once_removes_nothing(world: World, member: str) -> None:
    values = [address() for _ in range(4)]
    pair = world.pair([entry(value, 4, "privat") for value in values], [item(value) for value in values])
    world.sync(pair)
    people = world.sandbox.advoware if member == "kommunikation" else world.sandbox.espocrm
    people.fault(
        "shorten", method="GET", path="Beteiligte/" if member == "kommunikation" else "CBeteiligte/", member=member, keep=3
    )
    until_quiet(world, pair)
    assert world.advoware_values(pair) == sorted(values)
    assert world.espo_values(pair) == sorted(values)


@pytest.mark.parametrize("mode", ["truncate", "reject400"])
@pytest.mark.parametrize("room", [12, 30, 45])
def test_a_remark_without_room_keeps_the_users_text_and_is_listed(world: World, mode: str, room: int) -> None:
    value, text = address(), "nur abends"
    pair = world.pair([entry(value, 4, text)], [])
    world.sandbox.advoware.switch(bemerkungMax=f"{room}:{mode}")
    world.run(pair)
    remark = world.entry_of(pair, value)["bemerkung"]
    assert remark == text or remark.endswith(f"] {text}")
    assert world.espo_values(pair) == [value]
    result = world.run(pair)
    assert world.writes() == []
    assert [told["entry_id"] for told in result["notices"]] == [world.entry_of(pair, value)["id"]]


@pytest.mark.parametrize("mode", ["truncate", "reject400"])
def test_a_value_without_room_in_advoware_is_held_back_and_leaves_nothing_half(world: World, mode: str) -> None:
    long_one = address("x" * 40)
    pair = world.pair([], [item(long_one), item(number(), "Mobile")])
    world.sandbox.advoware.switch(tlfMax=f"30:{mode}")
    world.run(pair)
    assert long_one not in world.advoware_values(pair)
    assert not [value for value in world.advoware_values(pair) if long_one.startswith(value)]
    assert long_one in world.espo_values(pair)
    if world.state is not None:
        result = world.run(pair)
        assert world.writes() == []
        assert [told["value"] for told in result["held_back"]] == [long_one]


@pytest.mark.parametrize(
    "switch",
    [
        {"writeAnswer": "list"},
        {"writeAnswer": "empty"},
        {"getAnswer": "list"},
        {"noopPutNewRowId": False},
        {"parentRowIdOnKommChange": "changed"},
        {"geaendertAmOnKommChange": "changed"},
        {"putOmitted": "null"},
        {"putKommKz": "apply"},
        {"postStatus": "201"},
        {"strictRowId": True},
        {"errorBody": "text"},
    ],
)
def test_other_forms_of_advowares_answers_make_no_difference(world: World, switch: dict[str, Any]) -> None:
    world.sandbox.advoware.switch(**switch)
    mine, theirs = number(), address()
    pair = world.pair([entry(mine, 6)], [item(theirs)])
    world.sync(pair)
    assert world.advoware_values(pair) == world.espo_values(pair) == sorted([mine, theirs])
    world.assert_quiet(pair)


@pytest.mark.parametrize("which", [1, 2])
def test_an_answer_that_lacks_its_list_once_costs_nothing_but_time(world: World, which: int) -> None:
    old, new = number(), number()
    pair = world.pair([entry(old, 1, "Zentrale")], [item(old)])
    world.sync(pair)
    world.swap_item(pair, old, new)
    world.sandbox.advoware.fault("omit", method="GET", path="Beteiligte/", member="kommunikation", after=which - 1)
    until_quiet(world, pair)
    assert world.advoware_values(pair) == world.espo_values(pair) == [new]


@pytest.mark.parametrize("kept", [0, 1])
def test_an_array_that_comes_shortened_with_a_change_beside_it_loses_nothing(world: World, kept: int) -> None:
    values, new = [number(), number()], number()
    pair = world.pair([entry(value) for value in values], [item(value) for value in values])
    world.sync(pair)
    world.sandbox.advoware.add(pair.betnr, entry(new))
    for system, path, member in (
        (world.sandbox.espocrm, "CBeteiligte/", "phoneNumberData"),
        (world.sandbox.advoware, "Beteiligte/", "kommunikation"),
    ):
        system.fault("shorten", method="GET", path=path, member=member, keep=kept)
    for _ in range(2):  # what both sides hide at once leaves nothing to do; the next run sees it
        until_quiet(world, pair)
    assert world.advoware_values(pair) == world.espo_values(pair) == sorted([*values, new])


@pytest.mark.parametrize("kept", [0, 1])
@pytest.mark.parametrize("direction", ["to_advoware", "to_espocrm", "both", "look"])
def test_a_list_shortened_once_shuts_no_valve_and_makes_no_base_forgotten(stored: World, direction: str, kept: int) -> None:
    # Five values: one changed in Advoware, one in EspoCRM. The first reading shows at most one item there.
    values, ours, theirs = [number() for _ in range(5)], number(), number()
    pair = stored.pair([entry(value) for value in values], [item(value) for value in values])
    stored.sync(pair)
    stored.sandbox.advoware.change(pair.betnr, stored.entry_of(pair, values[1])["id"], tlf=ours)
    stored.swap_item(pair, values[4], theirs)
    stored.sandbox.espocrm.fault("shorten", method="GET", path="CBeteiligte/", member="phoneNumberData", keep=kept)
    if direction == "look":
        stored.manager.look_at_record(pair.espo_id)
    else:
        stored.manager.sync_record(pair.espo_id, direction)
    until_quiet(stored, pair)
    expected = sorted([values[0], values[2], values[3], ours, theirs])
    assert stored.advoware_values(pair) == stored.espo_values(pair) == expected


def test_a_refusal_for_one_call_holds_nothing_back_that_goes_by_itself(world: World) -> None:
    """A 400 names the field and not the item: each new value is tried alone, so what was good all along arrives."""
    values = [number() for _ in range(3)]
    pair = world.pair([entry(value) for value in values], [])
    body = '{"messageTranslation":{"label":"validationFailure","data":{"field":"phoneNumber","type":"valid"}}}'
    world.sandbox.espocrm.fault("status", method="PUT", path="CBeteiligte/", status=400, body=body)
    result = world.sync(pair)
    assert world.espo_values(pair) == sorted(values)
    assert result["held_back"] == []
    world.assert_quiet(pair)


def test_an_answer_that_comes_too_late_neither_doubles_nor_loses(stored: World) -> None:
    value, mine = number(), number()
    with clients(stored.sandbox, ADVOWARE_TIMEOUT_SECONDS="0.3", ESPOCRM_TIMEOUT_SECONDS="0.3") as hasty:
        impatient = World(stored.sandbox, hasty, stored.state)
        pair = impatient.pair([entry(mine)], [item(value, "Mobile")])
        stored.sandbox.advoware.fault("slow_after", method="POST", path="Kommunikationen", seconds=0.6)
        stored.sandbox.espocrm.fault("slow", method="PUT", path="CBeteiligte/", seconds=0.6)
        until_quiet(impatient, pair, runs=8)
    assert stored.advoware_values(pair) == stored.espo_values(pair) == sorted([mine, value])
    stored.assert_quiet(pair)


# --- people who edit while the sync works ----------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [("after", "get_beteiligter"), ("before", "put_arrays"), ("after", "put_arrays")])
def test_a_value_changed_in_advoware_while_the_old_one_is_carried_over_ends_on_both_sides(
    world: World, moment: tuple[str, str]
) -> None:
    old, new, latest = number(), number(), number()
    pair = world.pair([entry(old, 1, "Zentrale")], [item(old)])
    world.sync(pair)
    komm_id = world.entry_of(pair, old)["id"]
    world.sandbox.advoware.change(pair.betnr, komm_id, tlf=new)
    when, method = moment
    getattr(world.advoware if method == "get_beteiligter" else world.espocrm, when)(
        method, lambda: world.sandbox.advoware.change(pair.betnr, komm_id, tlf=latest)
    )
    until_quiet(world, pair)
    assert world.advoware_values(pair) == world.espo_values(pair) == [latest]
    assert world.entry_of(pair, latest)["bemerkung"] == marker(latest, 1, "Zentrale")


@pytest.mark.parametrize(
    "moment", [("after", "get_record"), ("before", "update_kommunikation"), ("after", "update_kommunikation")]
)
def test_a_value_changed_in_espocrm_while_the_old_one_is_carried_over_ends_on_both_sides(
    world: World, moment: tuple[str, str]
) -> None:
    old, new, latest = number(), number(), number()
    pair = world.pair([entry(old, 1, "Zentrale")], [item(old)])
    world.sync(pair)
    world.swap_item(pair, old, new)
    when, method = moment
    getattr(world.espocrm if method == "get_record" else world.advoware, when)(
        method, lambda: world.swap_item(pair, new, latest)
    )
    until_quiet(world, pair)
    assert world.advoware_values(pair) == world.espo_values(pair) == [latest]


def test_an_item_a_person_adds_right_before_the_put_stays(world: World) -> None:
    mine, theirs = number(), address()
    pair = world.pair([entry(mine)], [])
    world.espocrm.after("get_record", lambda: world.add_items(pair, item(theirs)))
    until_quiet(world, pair)
    assert world.espo_values(pair) == world.advoware_values(pair) == sorted([mine, theirs])


def test_a_version_that_moved_is_read_again(stored: World) -> None:
    stored.entity = "CBeteiligteOcc"
    mine, theirs = number(), address()
    pair = stored.pair([entry(mine)], [])

    with clients(stored.sandbox, ESPOCRM_ENTITY="CBeteiligteOcc") as other:
        from tests.http.support import World

        occ = World(stored.sandbox, other, stored.state, entity="CBeteiligteOcc")
        occ.espocrm.before("put_arrays", lambda: occ.add_items(pair, item(theirs)))
        until_quiet(occ, pair)
        assert occ.espo_values(pair) == occ.advoware_values(pair) == sorted([mine, theirs])


def test_an_array_that_espocrm_refuses_goes_without_the_culprit(stored: World) -> None:
    stored.sandbox.espocrm.switch(maxCount=3)
    values = [number() for _ in range(5)]
    pair = stored.pair([entry(value) for value in values], [])
    result = stored.run(pair)
    assert stored.espo_values(pair) == sorted(values[:3])
    assert {told["reason"] for told in result["held_back"]} == {"EspoCRM refused it"}
    result = stored.run(pair)
    assert stored.writes() == []
    assert sorted(told["value"] for told in result["held_back"]) == sorted(values[3:])


@pytest.mark.parametrize(("when", "method"), [("before", "get_record"), ("after", "get_record"), ("after", "put_arrays")])
def test_an_item_a_person_removes_while_another_is_added_stays_removed(world: World, when: str, method: str) -> None:
    gone, kept, mine = number(), number(), number()
    pair = world.pair([entry(gone), entry(kept)], [])
    world.sync(pair)
    world.sandbox.advoware.add(pair.betnr, entry(mine))
    getattr(world.espocrm, when)(method, lambda: world.swap_item(pair, gone, None))
    until_quiet(world, pair)
    assert world.espo_values(pair) == world.advoware_values(pair) == sorted([kept, mine])


def test_a_removal_in_the_moment_of_the_put_itself_loses_no_other_value(world: World) -> None:
    """EspoCRM has no lock, so this one removal may be undone. That is all that may happen."""
    gone, kept, mine = number(), number(), number()
    pair = world.pair([entry(gone), entry(kept)], [])
    world.sync(pair)
    world.sandbox.advoware.add(pair.betnr, entry(mine))
    world.espocrm.before("put_arrays", lambda: world.swap_item(pair, gone, None))
    until_quiet(world, pair)
    assert world.espo_values(pair) == world.advoware_values(pair)
    assert set(world.espo_values(pair)) - {gone} == {kept, mine}


@pytest.mark.parametrize(("when", "nth"), [("after", 1), ("before", 2), ("after", 3)])
def test_an_entry_a_person_adds_or_types_into_a_slot_meanwhile_arrives(world: World, when: str, nth: int) -> None:
    old, new, typed, added = number(), number(), number(), number()
    pair = world.pair([entry(old), entry("", 1, slot(1))], [item(old)])
    world.sync(pair)
    free = next(one["id"] for one in world.entries(pair) if not one["tlf"])
    world.add_items(pair, item(new))

    def a_person() -> None:
        world.sandbox.advoware.add(pair.betnr, entry(added, 6))
        if not world.entry(pair, free)["tlf"]:
            world.sandbox.advoware.fill(pair.betnr, free, typed)
        else:
            world.sandbox.advoware.add(pair.betnr, entry(typed))

    getattr(world.advoware, when)("get_beteiligter", a_person, nth)
    until_quiet(world, pair)
    assert world.advoware_values(pair) == world.espo_values(pair) == sorted([old, new, typed, added])


# --- what belongs to shared objects, copies and slots ----------------------------------------------------------------------


def test_a_number_another_record_holds_keeps_its_type_and_flags(world: World) -> None:
    shared = number()
    holder = world.sandbox.espocrm.create(phones=[item(shared, "Home", opt_out=True, primary=True)])
    pair = world.pair([entry(shared, 1)], [])
    world.sync(pair)
    mine = world.item_of(pair, shared)
    assert (mine["type"], mine["optOut"]) == ("Home", True)
    assert world.sandbox.espocrm.phones(holder)[0]["type"] == "Home"
    world.assert_quiet(pair)


def test_a_copied_entry_is_an_entry_of_its_own(stored: World) -> None:
    value, changed = number(), number()
    pair = stored.pair([entry(value, 1, "Zentrale")], [])
    stored.sync(pair)
    first = stored.entry_of(pair, value)["id"]
    copy = stored.sandbox.advoware.duplicate(pair.betnr, first)
    stored.sandbox.advoware.change(pair.betnr, copy, tlf=changed)
    stored.sync(pair)
    assert stored.espo_values(pair) == sorted([value, changed])
    assert stored.entry(pair, copy)["bemerkung"] == marker(changed, 1, "Zentrale")
    stored.assert_quiet(pair)


def test_a_change_of_type_moves_value_and_text_and_empties_the_old_entry(stored: World) -> None:
    value = number()
    pair = stored.pair([entry(value, 1, "Zentrale")], [])
    stored.sync(pair)
    stored.swap_item(pair, value, value, type="Mobile")
    result = stored.sync(pair)
    moved = stored.entry_of(pair, value)
    assert (moved["kommKz"], moved["bemerkung"]) == (3, marker(value, 3, "Zentrale"))
    assert stored.slots(pair) == [slot(1)]
    assert len(result["notices"]) == 1
    stored.assert_quiet(pair)


def test_the_valve_holds_back_a_mass_removal_until_it_is_released_once(world: World) -> None:
    values = [number() for _ in range(4)]
    pair = world.pair([entry(value, 1, "Zentrale") for value in values], [item(value) for value in values])
    world.sync(pair)
    new = address()
    world.put_items(pair, item(new))
    result = world.sync(pair)
    assert result["valve"]["tripped"]
    assert world.advoware_values(pair) == sorted([*values, new])
    assert world.sync(pair)["valve"]["tripped"]
    assert world.advoware_values(pair) == sorted([*values, new])
    result = world.sync(pair, allow_removals=True)
    assert not result["valve"]["tripped"]
    assert world.advoware_values(pair) == [new]
    assert world.slots(pair) == [slot(1, "Zentrale")] * 4
    world.assert_quiet(pair)
