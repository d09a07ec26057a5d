"""How many requests a run makes, counted at the sandbox. The numbers come from the issue's budget, not from a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.http.support import address, item, number
from tests.support.sandbox import Pair, entry

if TYPE_CHECKING:
    from tests.http.support import World


def linked(world: World, count: int = 3) -> tuple[Pair, list[str]]:
    values = [number() for _ in range(count)]
    pair = world.pair([entry(value) for value in values], [])
    world.sync(pair)
    world.sync(pair)
    return pair, values


def test_an_unchanged_record_costs_one_get_per_side_and_no_write(world: World) -> None:
    pair, _ = linked(world)
    world.assert_quiet(pair)


def test_a_change_in_espocrm_costs_one_re_read_one_put_and_one_read_back_in_advoware(stored: World) -> None:
    pair, values = linked(stored)
    stored.swap_item(pair, values[0], number())
    stored.sync(pair)
    assert stored.calls("advoware") == ["GET record", "GET record", "PUT record", "GET record"]
    assert stored.calls("espocrm") == ["GET record"]


def test_a_change_in_advoware_costs_one_put_and_one_list_query(stored: World) -> None:
    pair, values = linked(stored)
    komm_id = stored.entry_of(pair, values[0])["id"]
    stored.sandbox.advoware.change(pair.betnr, komm_id, tlf=number())
    stored.sync(pair)
    assert stored.calls("espocrm") == ["GET record", "GET list", "GET record", "PUT record", "GET record"]
    assert stored.calls("advoware") == ["GET record", "GET record", "PUT record", "GET record"]


def test_a_new_value_of_each_array_costs_one_list_query_each_and_one_put_together(stored: World) -> None:
    pair, _ = linked(stored)
    for value in (number(), number()):
        stored.sandbox.advoware.add(pair.betnr, entry(value))
    for value in (address(), address()):
        stored.sandbox.advoware.add(pair.betnr, entry(value, 4))
    stored.sync(pair)
    assert sorted(stored.calls("espocrm")) == ["GET list"] * 2 + ["GET record"] * 3 + ["PUT record"]
    assert sorted(stored.calls("advoware")) == ["GET record"] * 3 + ["PUT record"] * 4


def test_five_changes_both_ways_cost_one_put_to_espocrm_and_one_write_an_entry(stored: World) -> None:
    pair, values = linked(stored, 5)
    for value in values[:2]:
        stored.sandbox.advoware.change(pair.betnr, stored.entry_of(pair, value)["id"], tlf=number())
    for value in values[2:4]:
        stored.swap_item(pair, value, number())
    stored.add_items(pair, item(number(), "Mobile"))
    stored.sync(pair)
    assert stored.calls("espocrm").count("PUT record") == 1
    assert stored.calls("espocrm").count("GET list") == 1
    assert stored.calls("espocrm").count("GET record") == 3
    advoware = stored.calls("advoware")
    assert (advoware.count("PUT record"), advoware.count("POST record"), advoware.count("GET record")) == (4, 1, 3)
    stored.assert_quiet(pair)


@pytest.mark.parametrize("released", [False, True])
def test_a_deletion_is_believed_after_both_sides_were_read_twice(stored: World, *, released: bool) -> None:
    pair, values = linked(stored)
    stored.swap_item(pair, values[0], None)
    stored.sync(pair, allow_removals=released)
    assert stored.calls("espocrm") == ["GET record", "GET record"]
    assert stored.calls("advoware") == ["GET record", "GET record", "PUT record", "GET record"]


def test_a_dry_run_writes_nothing_and_tells_the_plan(world: World) -> None:
    pair = world.pair([entry(number())], [item(address())])
    result = world.run(pair, dry_run=True)
    assert world.writes() == []
    assert sorted(told["operation"] for told in result["plan"]) == ["add_item", "create_entry", "set_marker"]
    assert result["advoware_to_espocrm"]["phones_synced"] == 0


def test_a_holder_found_costs_one_get_more(stored: World) -> None:
    shared = [number(), number()]
    stored.sandbox.espocrm.create(phones=[item(value, "Home") for value in shared])
    pair, _ = linked(stored)
    for value in shared:
        stored.sandbox.advoware.add(pair.betnr, entry(value))
    stored.sync(pair)
    assert stored.calls("espocrm") == ["GET record", "GET list", "GET record", "GET record", "PUT record", "GET record"]


def test_the_first_write_ever_asks_once_who_else_has_the_betnr(world: World) -> None:
    pair = world.pair([], [item(number())])
    world.sync(pair)
    assert world.calls("espocrm") == ["GET record", "GET list"]
    assert world.calls("advoware") == ["GET record", "GET record", "POST record", "GET record"]


def test_an_adoption_writes_markers_and_leaves_espocrm_alone(world: World) -> None:
    values = [number() for _ in range(3)]
    pair = world.pair([entry(value) for value in values], [item(value) for value in values])
    world.sync(pair)
    assert [call for call in world.calls("espocrm") if not call.startswith("GET")] == []
    assert world.calls("advoware") == ["GET record", "GET record", *["PUT record"] * 3, "GET record"]
