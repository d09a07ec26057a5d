"""What is not done, and said: values the other side would not take, conflicts, removals that wait for a release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.kommunikation_table import ConflictPolicy
from tests.http.support import address, item, marker, national, number, slot
from tests.support.sandbox import entry

if TYPE_CHECKING:
    from tests.http.support import World
    from tests.support.sandbox import Pair

REFUSED = {
    "no address": ("kanzlei(at)example.com", 4),
    "no top domain": ("root@localhost", 4),
    "umlaut before the @": ("jürgen@example.com", 4),
    "two addresses": ("a@example.com; b@example.com", 4),
    "name around": ("Max <max@example.com>", 4),
    "too long": ("x" * 65 + "@example.com", 4),
    "letters": ("0511 123456 Zentrale", 1),
    "extension": ("0511 123456 Durchwahl 12", 1),
    "two numbers": ("0511 123456, 0171 3920001", 1),
    "too many digits": ("0511 1234567890123456", 1),
    "a note": ("bitte nicht anrufen", 1),
}


@pytest.mark.parametrize(("value", "komm_kz"), REFUSED.values(), ids=REFUSED)
def test_a_value_espocrm_would_refuse_or_spoil_is_listed_and_the_rest_goes_on(
    world: World, value: str, komm_kz: int
) -> None:
    mine, theirs = number(), address()
    pair = world.pair([entry(value, komm_kz, "privat"), entry(mine)], [item(theirs)])
    result = world.sync(pair)
    assert [told["value"] for told in result["held_back"]] == [value]
    assert result["held_back"][0]["reason"]
    assert world.espo_values(pair) == sorted([mine, theirs])
    assert world.entry_of(pair, value)["bemerkung"] == "privat"
    again = world.assert_quiet(pair)
    assert again["held_back"] == result["held_back"]


def test_a_change_to_an_unsendable_value_leaves_the_old_item_until_it_is_put_right(world: World) -> None:
    old, new = number(), number()
    pair = world.pair([entry(old, 1)], [item(old)])
    world.sync(pair)
    komm_id = world.entry_of(pair, old)["id"]
    world.sandbox.advoware.change(pair.betnr, komm_id, tlf=f"{national(new)} Frau Muster")
    result = world.sync(pair)
    assert len(result["held_back"]) == 1
    assert world.espo_values(pair) == [old]
    assert world.entry(pair, komm_id)["bemerkung"] == marker(old, 1)
    world.assert_quiet(pair)
    world.sandbox.advoware.change(pair.betnr, komm_id, tlf=national(new))
    world.sync(pair)
    assert world.espo_values(pair) == [new]
    world.assert_quiet(pair)


def test_of_more_than_ten_the_linked_ones_stay_and_the_choice_is_the_same_each_time(world: World) -> None:
    values = [number() for _ in range(12)]
    pair = world.pair([entry(value) for value in values], [item(values[11])])
    result = world.sync(pair)
    assert world.espo_values(pair) == sorted([values[11], *values[:9]])
    assert sorted(told["value"] for told in result["held_back"]) == sorted(values[9:11])
    again = world.assert_quiet(pair)
    assert sorted(told["value"] for told in again["held_back"]) == sorted(values[9:11])


def test_room_that_comes_free_is_used(world: World) -> None:
    values = [number() for _ in range(11)]
    pair = world.pair([entry(value) for value in values], [])
    world.sync(pair)
    assert len(world.espo_values(pair)) == 10
    world.sandbox.advoware.clear(pair.betnr, world.entry_of(pair, values[0])["id"])
    for _ in range(2):
        world.sync(pair)
    assert world.espo_values(pair) == sorted(values[1:])
    assert world.assert_quiet(pair)["held_back"] == []


@pytest.mark.parametrize("value", ["0511 9", "112", "+49 511 123456 x12"])
def test_a_value_only_espocrm_has_comes_to_advoware_as_it_stands_there(world: World, value: str) -> None:
    """Older installations store numbers as typed."""
    world.sandbox.espocrm.switch(phoneNumberInternational=False)
    pair = world.pair([], [item(value, "Home")])
    world.sandbox.espocrm.switch(phoneNumberInternational=True)
    world.sync(pair)
    assert world.advoware_values(pair) == [value]
    world.assert_quiet(pair)


def test_an_old_national_number_is_sent_as_e164_when_its_array_is_written_anyway(world: World) -> None:
    old, new = number(), number()
    local = f"0{old.removeprefix('+49')}"
    world.sandbox.espocrm.switch(phoneNumberInternational=False)
    pair = world.pair([entry(national(old))], [item(local)])
    world.sandbox.espocrm.switch(phoneNumberInternational=True)
    world.sync(pair)
    assert world.espo_values(pair) == [local]  # equal: no reason to write
    world.sandbox.advoware.add(pair.betnr, entry(new))
    world.sync(pair)
    assert world.espo_values(pair) == sorted([old, new])
    assert world.entry_of(pair, national(old))["bemerkung"] == marker(national(old), 1)
    world.assert_quiet(pair)


# --- conflicts -------------------------------------------------------------------------------------------------------------


def conflict(world: World) -> tuple[Pair, str, str, str]:
    old, mine, theirs = number(), number(), number()
    pair = world.pair([entry(old, 1, "Zentrale"), entry(number())], [item(old)])
    world.sync(pair)
    world.sandbox.advoware.change(pair.betnr, world.entry_of(pair, old)["id"], tlf=mine)
    world.swap_item(pair, old, theirs)
    return pair, old, mine, theirs


@pytest.mark.parametrize("policy", ConflictPolicy)
def test_a_conflict_ends_by_its_policy_and_is_listed_with_both_values(world: World, policy: ConflictPolicy) -> None:
    pair, old, mine, theirs = conflict(world)
    anchor = next(one["tlf"] for one in world.entries(pair) if one["tlf"] != mine)
    world.manager = world.new_manager(policy=policy)
    (listed,) = world.sync(pair)["conflicts"]
    assert (listed["base"], listed["advoware"], listed["espocrm"]) == (old, mine, theirs)
    left = {
        ConflictPolicy.KEEP_BOTH: [mine, theirs],
        ConflictPolicy.ESPOCRM_WINS: [theirs],
        ConflictPolicy.ADVOWARE_WINS: [mine],
    }[policy]
    assert world.advoware_values(pair) == world.espo_values(pair) == sorted([anchor, *left])
    first = theirs if policy is ConflictPolicy.ESPOCRM_WINS else mine
    assert world.entry_of(pair, first)["bemerkung"] == marker(first, 1, "Zentrale")
    world.assert_quiet(pair)
    if world.state is not None:  # until a person acknowledges it
        (kept,) = world.state.lists(pair.espo_id)["conflicts"]
        assert kept["advoware"] == mine
        assert world.state.acknowledge(pair.espo_id, kept["id"])
        assert world.state.lists(pair.espo_id)["conflicts"] == []


# --- the valve -------------------------------------------------------------------------------------------------------------


def emptied(world: World, count: int, removed: int) -> tuple[Pair, list[str]]:
    """A pair with so many linked values, of which a person removed some in EspoCRM."""
    values = [number() for _ in range(count)]
    pair = world.pair([entry(value) for value in values], [item(value) for value in values])
    world.sync(pair)
    world.put_items(pair, *(one for one in world.items(pair) if one["phoneNumber"] in values[removed:]))
    return pair, values


@pytest.mark.parametrize(
    ("count", "removed", "tripped"),
    [(1, 1, False), (2, 1, False), (2, 2, True), (3, 3, True), (5, 3, False), (6, 4, True), (7, 4, True), (8, 4, False)],
)
def test_the_valve_trips_beyond_three_values_and_half_or_where_all_would_go(
    world: World, count: int, removed: int, *, tripped: bool
) -> None:
    pair, values = emptied(world, count, removed)
    result = world.sync(pair)
    assert result["valve"]["tripped"] is tripped
    assert world.advoware_values(pair) == sorted(values if tripped else values[removed:])
    if tripped:
        assert world.writes() == []
        assert sorted(told["value"] for told in result["valve"]["removals"]) == sorted(values[:removed])


def test_withheld_removals_wait_for_their_release_whatever_comes_in_meanwhile(world: World) -> None:
    pair, values = emptied(world, 6, 4)
    assert world.sync(pair)["valve"]["tripped"]
    for _ in range(3):  # 4 of 9 would be no mass removal any more
        world.add_items(pair, item(number()))
        result = world.sync(pair)
        assert sorted(told["value"] for told in result["valve"]["removals"]) == sorted(values[:4])
    assert set(values) <= set(world.advoware_values(pair))
    if world.state is not None:  # a restart forgets nothing
        world.manager = world.new_manager()
        assert world.sync(pair)["valve"]["tripped"]
    result = world.sync(pair, allow_removals=True)
    assert not result["valve"]["tripped"]
    assert world.advoware_values(pair) == world.espo_values(pair)
    assert not set(values[:4]) & set(world.advoware_values(pair))
    world.assert_quiet(pair)


def test_a_release_is_for_one_run_only(stored: World) -> None:
    pair, _ = emptied(stored, 4, 4)
    stored.sync(pair, allow_removals=True)
    values = [number() for _ in range(4)]
    stored.put_items(pair, *(item(value) for value in values))
    stored.sync(pair)
    stored.put_items(pair)
    assert stored.sync(pair)["valve"]["tripped"]
    assert stored.advoware_values(pair) == sorted(values)


def test_withheld_removals_whose_values_come_back_are_forgotten(stored: World) -> None:
    pair, values = emptied(stored, 6, 4)
    stored.sync(pair)
    stored.put_items(pair, *(item(value) for value in values))
    assert not stored.sync(pair)["valve"]["tripped"]
    stored.assert_quiet(pair)
    stored.swap_item(pair, values[0], None)  # a single removal of one of them is no mass removal
    assert not stored.sync(pair)["valve"]["tripped"]
    assert stored.advoware_values(pair) == sorted(values[1:])


def test_the_valve_holds_towards_espocrm_too(stored: World) -> None:
    values = [number() for _ in range(5)]
    pair = stored.pair([entry(value) for value in values], [])
    stored.sync(pair)
    first, *rest = [one["id"] for one in stored.entries(pair)]
    stored.sandbox.advoware.clear(pair.betnr, first)
    for komm_id in rest:
        stored.sandbox.advoware.delete(pair.betnr, komm_id)
    assert stored.sync(pair)["valve"]["tripped"]
    assert stored.espo_values(pair) == sorted(values)
    stored.sync(pair, allow_removals=True)
    assert stored.espo_values(pair) == []
    assert stored.slots(pair) == [slot(1)]
    stored.assert_quiet(pair)


def test_both_sides_empty_is_no_alarm(world: World) -> None:
    values = [number() for _ in range(4)]
    pair = world.pair([entry(value) for value in values], [item(value) for value in values])
    world.sync(pair)
    world.put_items(pair)
    for one in world.entries(pair):
        world.sandbox.advoware.clear(pair.betnr, one["id"])
    result = world.sync(pair)
    assert not result["valve"]["tripped"]
    assert world.slots(pair) == [slot(1)] * 4
    world.assert_quiet(pair)


# --- no base, no deletion --------------------------------------------------------------------------------------------------


@pytest.fixture(params=["lost", "linked anew"])
def baseless(request: pytest.FixtureRequest, stored: World) -> tuple[World, Pair, str, str, str]:
    """A pair with markers whose base store knows nothing; a value is missing on each side."""
    both, only_advoware, only_espo = number(), number(), number()
    pair = stored.pair([entry(both), entry(only_advoware), entry(only_espo)], [])
    assert stored.state is not None
    stored.sync(pair)
    if request.param == "lost":
        stored.state.forget(pair.espo_id)
    else:
        other = stored.sandbox.advoware.create()
        stored.sandbox.espocrm.put(pair.espo_id, betnr=other)
        stored.state.register_link(pair.espo_id, None)
        stored.manager.sync_bidirectional(pair.espo_id, other, "to_espocrm")
        stored.sandbox.espocrm.put(pair.espo_id, betnr=pair.betnr)
    stored.swap_item(pair, only_advoware, None)
    stored.sandbox.advoware.clear(pair.betnr, stored.entry_of(pair, only_espo)["id"])
    return stored, pair, both, only_advoware, only_espo


def test_without_a_base_markers_only_link_and_what_is_missing_is_added(
    baseless: tuple[World, Pair, str, str, str],
) -> None:
    world, pair, *values = baseless
    world.sync(pair)
    assert world.advoware_values(pair) == world.espo_values(pair) == sorted(values)
    assert len(world.entries(pair)) == 3
    world.assert_quiet(pair)
