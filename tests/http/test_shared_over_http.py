"""Type, flags and spelling belong to an address that all records of EspoCRM share: nothing of another's is undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.http.support import address, item, marker, number, slot
from tests.support.sandbox import entry

if TYPE_CHECKING:
    from tests.http.support import World


def test_the_holders_spelling_of_an_address_is_sent_not_ones_own(world: World) -> None:
    lower = address("max.muster")
    theirs, mine = lower.replace("max.muster", "Max.Muster"), lower.upper().replace("EXAMPLE.COM", "example.com")
    holder = world.sandbox.espocrm.create(emails=[item(theirs, primary=True, opt_out=True)])
    pair = world.pair([entry(mine, 4)], [])
    world.sync(pair)
    (stored,) = world.items(pair)
    assert (stored["emailAddress"], stored["optOut"], stored["invalid"]) == (theirs, True, False)
    (kept,) = world.sandbox.espocrm.emails(holder)
    assert (kept["emailAddress"], kept["optOut"]) == (theirs, True)
    assert world.advoware_values(pair) == [mine]
    world.assert_quiet(pair)


def test_an_invalid_flag_another_record_set_stays(world: World) -> None:
    shared = address()
    holder = world.sandbox.espocrm.create(emails=[item(shared, primary=True, invalid=True)])
    pair = world.pair([entry(shared, 4), entry(address(), 4)], [])
    world.sync(pair)
    assert world.item_of(pair, shared)["invalid"] is True
    assert world.sandbox.espocrm.emails(holder)[0]["invalid"] is True


def test_a_replaced_item_keeps_primary_and_type_and_carries_opt_out_but_never_invalid(world: World) -> None:
    old, new, other = number(), number(), number()
    items = [item(other, "Home"), item(old, "Fax", primary=True, opt_out=True, invalid=True)]
    pair = world.pair([entry(old, 7), entry(other, 6)], items)
    world.sync(pair)
    world.sandbox.advoware.change(pair.betnr, world.entry_of(pair, old)["id"], tlf=new)
    world.sync(pair)
    after = world.item_of(pair, new)
    assert (after["type"], after["primary"], after["optOut"], after["invalid"]) == ("Fax", True, True, False)
    assert world.item_of(pair, other)["primary"] is False
    world.assert_quiet(pair)


def test_opt_out_is_not_carried_to_a_value_somebody_else_holds(world: World) -> None:
    old, shared = number(), number()
    holder = world.sandbox.espocrm.create(phones=[item(shared, "Home", primary=True)])
    pair = world.pair([entry(old, 1)], [item(old, "Office", primary=True, opt_out=True)])
    world.sync(pair)
    world.sandbox.advoware.change(pair.betnr, world.entry_of(pair, old)["id"], tlf=shared)
    world.sync(pair)
    after = world.item_of(pair, shared)
    assert (after["type"], after["optOut"], after["primary"]) == ("Home", False, True)
    (kept,) = world.sandbox.espocrm.phones(holder)
    assert (kept["type"], kept["optOut"]) == ("Home", False)
    world.assert_quiet(pair)


def test_items_nobody_changed_are_carried_over_with_all_their_members(world: World) -> None:
    untouched = [
        item(number(), "Home", opt_out=True),
        item(number(), "Other", primary=True, invalid=True),
        item(address(), opt_out=True, primary=True),
    ]
    pair = world.pair([], untouched)
    world.sync(pair)
    before = world.items(pair)
    world.sandbox.advoware.add(pair.betnr, entry(number(), 1))
    world.sandbox.advoware.add(pair.betnr, entry(address(), 4))
    world.sync(pair)
    assert [one for one in world.items(pair) if one in before] == before
    assert sum(one["primary"] for one in world.items(pair)) == 2
    world.assert_quiet(pair)


def test_the_primary_that_leaves_hands_over_to_exactly_one(world: World) -> None:
    values = [number() for _ in range(3)]
    pair = world.pair([entry(v) for v in values], [item(v, primary=n == 1) for n, v in enumerate(values)])
    world.sync(pair)
    world.sandbox.advoware.clear(pair.betnr, world.entry_of(pair, values[1])["id"])
    world.sync(pair)
    assert world.espo_values(pair) == sorted([values[0], values[2]])
    assert sum(one["primary"] for one in world.items(pair)) == 1


def test_two_beteiligte_with_one_number_and_different_kinds_do_not_play_ping_pong(stored: World) -> None:
    shared = number()
    first = stored.pair([entry(shared, 1, "Zentrale")], [item(number(), "Home")])
    stored.sync(first)
    second = stored.pair([entry(shared, 3, "Handy")], [item(number(), "Home")])
    stored.sync(second)
    stored.sync(first)
    kinds = {stored.entry_of(pair, shared)["kommKz"] for pair in (first, second)}
    assert kinds == {1, 3}
    for pair in (first, second, first, second):
        stored.assert_quiet(pair)
    assert stored.item_of(first, shared)["type"] == stored.item_of(second, shared)["type"]


def test_a_type_changed_for_a_number_another_record_holds_is_listed_and_left(stored: World) -> None:
    shared = number()
    pair = stored.pair([entry(shared, 1, "Zentrale")], [item(shared, "Office", primary=True)])
    stored.sync(pair)
    holder = stored.sandbox.espocrm.create(phones=[item(shared, "Mobile", primary=True)])
    assert stored.item_of(pair, shared)["type"] == "Mobile"  # through the other record
    for _ in range(2):
        result = stored.sync(pair)
        assert stored.writes() == []
        assert [told["value"] for told in result["notices"]] == [shared]
    kept = stored.entry_of(pair, shared)
    assert (kept["kommKz"], kept["bemerkung"]) == (1, marker(shared, 1, "Zentrale"))
    assert stored.sandbox.espocrm.phones(holder)[0]["type"] == "Mobile"


@pytest.mark.parametrize("direction", ["to_espocrm", "both"])
def test_a_misfit_at_adoption_is_listed_and_left(world: World, direction: str) -> None:
    value = number()
    pair = world.pair([entry(value, 6, marker(value, 6, "privat"))], [item(value, "Fax")])
    result = world.sync(pair, direction)
    assert [told["type"] for told in result["notices"]] == ["Fax"]
    assert world.entry_of(pair, value)["kommKz"] == 6
    assert world.item_of(pair, value)["type"] == "Fax"
    assert world.sync(pair, direction)["plan"] == []


@pytest.mark.parametrize(("komm_kz", "kind"), [(2, "Fax"), (7, "Fax"), (3, "Mobile"), (9, "Mobile")])
def test_two_kinds_that_share_a_type_are_no_misfit(world: World, komm_kz: int, kind: str) -> None:
    value = number()
    pair = world.pair([entry(value, komm_kz, marker(value, komm_kz))], [item(value, kind)])
    result = world.sync(pair)
    assert result["notices"] == []
    assert world.entry_of(pair, value)["kommKz"] == komm_kz
    world.assert_quiet(pair)


@pytest.mark.parametrize("target", ["Fax", "Mobile", "Home", "Other"])
def test_a_change_of_type_uses_a_free_slot_of_the_new_kind(stored: World, target: str) -> None:
    komm_kz = {"Fax": 2, "Mobile": 3, "Home": 6, "Other": 10}[target]
    value = number()
    pair = stored.pair([entry(value, 1, "Zentrale"), entry("", komm_kz, slot(komm_kz))], [item(value)])
    stored.sync(pair)
    stored.swap_item(pair, value, value, type=target)
    stored.sync(pair)
    moved = stored.entry_of(pair, value)
    assert (moved["kommKz"], moved["bemerkung"]) == (komm_kz, marker(value, komm_kz, "Zentrale"))
    assert stored.slots(pair) == [slot(1)]
    assert len(stored.entries(pair)) == 2
    assert stored.item_of(pair, value)["type"] == target
    stored.assert_quiet(pair)


def test_without_a_store_a_change_of_type_is_listed_and_left(storeless: World) -> None:
    value = number()
    pair = storeless.pair([entry(value, 1, "Zentrale")], [item(value)])
    storeless.sync(pair)
    storeless.swap_item(pair, value, value, type="Mobile")
    for _ in range(2):
        result = storeless.sync(pair)
        assert storeless.writes() == []
        assert [told["type"] for told in result["notices"]] == ["Mobile"]
    assert storeless.entry_of(pair, value)["kommKz"] == 1


# --- several entries with one value ----------------------------------------------------------------------------------------


def test_entries_with_one_value_mirror_one_item_and_follow_its_change_and_deletion(world: World) -> None:
    value, changed, anchor = number(), number(), number()
    pair = world.pair([entry(value, 1, "Büro"), entry(value, 3, "Handy"), entry(anchor, 6)], [])
    world.sync(pair)
    assert world.espo_values(pair) == sorted([value, anchor])
    world.swap_item(pair, value, changed)
    world.sync(pair)
    assert world.advoware_values(pair) == sorted([changed, changed, anchor])
    world.assert_quiet(pair)
    world.swap_item(pair, changed, None)
    world.sync(pair)
    assert world.advoware_values(pair) == [anchor]
    assert len(world.slots(pair)) == 2
    world.assert_quiet(pair)


@pytest.mark.parametrize("way", ["cleared", "deleted"])
def test_an_item_stays_as_long_as_one_entry_holds_its_value(stored: World, way: str) -> None:
    value, anchor = number(), number()
    pair = stored.pair([entry(value, 1, "Büro"), entry(value, 3, "Handy"), entry(anchor, 6)], [])
    stored.sync(pair)
    first, second = (one["id"] for one in stored.entries(pair) if one["tlf"] == value)
    for komm_id, left in ((first, [value, anchor]), (second, [anchor])):
        getattr(stored.sandbox.advoware, "clear" if way == "cleared" else "delete")(pair.betnr, komm_id)
        stored.sync(pair)
        assert stored.espo_values(pair) == sorted(left)
        stored.assert_quiet(pair)


def test_of_two_entries_with_one_value_the_changed_one_gets_an_item_of_its_own(world: World) -> None:
    value, changed = number(), number()
    pair = world.pair([entry(value, 1, "Büro"), entry(value, 3, "Handy")], [])
    world.sync(pair)
    komm_id = next(one["id"] for one in world.entries(pair) if one["kommKz"] == 3)
    world.sandbox.advoware.change(pair.betnr, komm_id, tlf=changed)
    world.sync(pair)
    assert world.espo_values(pair) == world.advoware_values(pair) == sorted([value, changed])
    world.assert_quiet(pair)
