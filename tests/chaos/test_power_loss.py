"""A machine loses power, and Redis with it the last second: what it had answered is gone from its file.

`appendfsync everysec` promises no more. Both systems keep what was written to them in that second, so Redis afterwards
knows less than they show; nothing may be lost, doubled or brought back because of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from services import flow
from tests.chaos.small import SmallWorld
from tests.support.sandbox import Pair, email, entry, phone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OLD, NEW, OWN = "+49511123456", "+49511123457", "kim@example.com"
TEXT = "Text von Kim"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SmallWorld]:
    with SmallWorld(tmp_path) as made:
        yield made


def new_in_espocrm(world: SmallWorld, pair: Pair) -> None:
    world.sandbox.espocrm.put(pair.espo_id, phoneNumberData=[phone(OLD), phone(NEW)])


def changed_in_espocrm(world: SmallWorld, pair: Pair) -> None:
    world.sandbox.espocrm.put(pair.espo_id, phoneNumberData=[phone(NEW)])


def deleted_in_espocrm(world: SmallWorld, pair: Pair) -> None:
    world.sandbox.espocrm.put(pair.espo_id, phoneNumberData=[])


def new_in_advoware(world: SmallWorld, pair: Pair) -> None:
    world.sandbox.advoware.add(pair.betnr, entry(NEW, 1, TEXT))


def changed_in_advoware(world: SmallWorld, pair: Pair) -> None:
    world.sandbox.advoware.change(pair.betnr, _number(world, pair)["id"], tlf=NEW)


def emptied_in_advoware(world: SmallWorld, pair: Pair) -> None:
    world.sandbox.advoware.clear(pair.betnr, _number(world, pair)["id"])


def entry_deleted_in_advoware(world: SmallWorld, pair: Pair) -> None:
    world.sandbox.advoware.delete(pair.betnr, _number(world, pair)["id"])


EDITS: list[tuple[Callable[[SmallWorld, Pair], None], list[str]]] = [
    (new_in_espocrm, [OLD, NEW]),
    (changed_in_espocrm, [NEW]),
    (deleted_in_espocrm, []),
    (new_in_advoware, [OLD, NEW]),
    (changed_in_advoware, [NEW]),
    (emptied_in_advoware, []),
    (entry_deleted_in_advoware, []),
]


@pytest.mark.parametrize("carried_over", [False, True], ids=["before it was carried over", "after it was carried over"])
@pytest.mark.parametrize(("edit", "numbers"), EDITS, ids=[edit.__name__ for edit, _ in EDITS])
def test_an_edit_of_the_second_that_redis_lost_ends_as_if_it_had_not(
    world: SmallWorld, edit: Callable[[SmallWorld, Pair], None], numbers: list[str], *, carried_over: bool
) -> None:
    pair = world.sandbox.pair(entry(OLD, 1, TEXT), entry(OWN, 4), emails=[email(OWN)], phones=[phone(OLD)])
    world.tick()
    world.tick()
    survives, base = world.on_disk(), world.state.load(pair.espo_id)
    edit(world, pair)
    if carried_over:
        world.tick()
        assert _values(world, pair) == (sorted([*numbers, OWN]), sorted([*numbers, OWN]))
    else:
        flow.accept([pair.espo_id], "espocrm")  # a webhook that was answered with 200, and is forgotten
    world.lose_power(survives)
    assert (world.state.due_entries(10), world.state.load(pair.espo_id)) == ([], base)
    world.tick()
    assert _values(world, pair) == (sorted([*numbers, OWN]), sorted([*numbers, OWN]))
    _texts_stand(world, pair, edit)
    assert world.state.due_entries(10) == []
    world.clear_logs()
    world.tick()
    assert world.writes() == []


def deleted_in_espocrm_then(world: SmallWorld, pair: Pair) -> None:
    world.sandbox.espocrm.put(pair.espo_id, phoneNumberData=[])


def emptied_in_advoware_then(world: SmallWorld, pair: Pair) -> None:
    world.sandbox.advoware.clear(pair.betnr, _entry_of(world, pair, NEW)["id"])


@pytest.mark.parametrize("delete", [deleted_in_espocrm_then, emptied_in_advoware_then])
@pytest.mark.parametrize("change", [changed_in_espocrm, changed_in_advoware])
def test_a_value_whose_change_redis_forgot_can_be_deleted_before_the_next_run(
    world: SmallWorld, change: Callable[[SmallWorld, Pair], None], delete: Callable[[SmallWorld, Pair], None]
) -> None:
    pair = world.sandbox.pair(entry(OLD, 1, TEXT), entry(OWN, 4), emails=[email(OWN)], phones=[phone(OLD)])
    world.tick()
    world.tick()
    survives = world.on_disk()
    change(world, pair)
    world.tick()
    assert _values(world, pair) == (sorted([NEW, OWN]), sorted([NEW, OWN]))
    world.lose_power(survives)
    delete(world, pair)
    world.tick()
    world.tick()
    assert _values(world, pair) == ([OWN], [OWN])


NEWER = "+49511123458"


def changed_in_advoware_then(world: SmallWorld, pair: Pair) -> None:
    world.sandbox.advoware.change(pair.betnr, _entry_of(world, pair, NEW)["id"], tlf=NEWER)


@pytest.mark.parametrize(
    ("then", "numbers"),
    [(changed_in_advoware_then, [OLD, NEWER]), (emptied_in_advoware_then, [OLD])],
    ids=["changed", "emptied"],
)
@pytest.mark.parametrize("add", [new_in_espocrm, new_in_advoware])
def test_a_value_whose_first_carrying_over_redis_forgot_can_be_edited_in_advoware_before_the_next_run(
    world: SmallWorld,
    add: Callable[[SmallWorld, Pair], None],
    then: Callable[[SmallWorld, Pair], None],
    numbers: list[str],
) -> None:
    pair = world.sandbox.pair(entry(OLD, 1, TEXT), entry(OWN, 4), emails=[email(OWN)], phones=[phone(OLD)])
    world.tick()
    world.tick()
    survives = world.on_disk()
    add(world, pair)
    world.tick()
    assert _values(world, pair) == (sorted([OLD, NEW, OWN]), sorted([OLD, NEW, OWN]))
    world.lose_power(survives)
    then(world, pair)
    world.tick()
    world.tick()
    assert _values(world, pair) == (sorted([*numbers, OWN]), sorted([*numbers, OWN]))
    world.clear_logs()
    world.tick()
    assert world.writes() == []


def _entry_of(world: SmallWorld, pair: Pair, value: str) -> dict[str, Any]:
    return next(one for one in world.sandbox.advoware.entries(pair.betnr) if one["tlf"] == value)


def _number(world: SmallWorld, pair: Pair) -> dict[str, Any]:
    return _entry_of(world, pair, OLD)


def _values(world: SmallWorld, pair: Pair) -> tuple[list[str], list[str]]:
    entries = [one["tlf"] for one in world.sandbox.advoware.entries(pair.betnr) if one["tlf"]]
    record = world.sandbox.espocrm.get(pair.espo_id)
    items = [one["emailAddress"] for one in record["emailAddressData"]]
    return sorted(entries), sorted(items + [one["phoneNumber"] for one in record["phoneNumberData"]])


def _texts_stand(world: SmallWorld, pair: Pair, edit: Callable[[SmallWorld, Pair], None]) -> None:
    """The user's text stands on its entry, emptied or not, after the one marker and its space; `new` ones have it twice."""
    remarks = [one["bemerkung"] or "" for one in world.sandbox.advoware.entries(pair.betnr)]
    expected = {"new_in_advoware": 2, "entry_deleted_in_advoware": 0}.get(edit.__name__, 1)
    assert sum(remark.count(TEXT) for remark in remarks) == expected
    assert all(remark.endswith(f"] {TEXT}") for remark in remarks if TEXT in remark)
