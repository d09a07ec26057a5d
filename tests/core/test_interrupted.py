"""What an interrupted run leaves behind, and what a remark without room for a marker means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.kommunikation_base import base_after
from services.kommunikation_interrupted import agreed_before
from services.kommunikation_mapper import canonical_key, make_hash_marker, make_marker
from services.kommunikation_ops import SetMarker
from services.kommunikation_types import BaseEntry, Kommunikation, MarkerForm, OpenWrite
from tests.core.apply import World, apply, interrupted, run, settle, steps
from tests.core.builders import NO_STORE, entry, filled, mail, person, phone, record, stored

A, B, MAX = "+49511123456", "+49511123457", "max@example.com"


@pytest.mark.parametrize("slots", [(), (entry(3, "", slot=True, kz=1),)], ids=["created", "slot reused"])
def test_a_value_brought_over_and_deleted_in_espocrm_before_the_restart_stays_deleted(
    slots: tuple[Kommunikation, ...],
) -> None:
    known = filled(e3=(None, 1)) if slots else filled()
    world = World(person(*slots), record(phone(A, primary=True)), known, {3: 1})
    died = interrupted(world, after=len(steps(world.plan())))
    after = settle(replace(died, espocrm=record()))
    assert after.values() == (set(), set())


def test_an_item_removed_by_an_interrupted_run_and_entered_again_by_a_person_is_new() -> None:
    world = World(person(entry(1, "", base=A, kz=1)), record(phone(A, primary=True)), filled(e1=(A, 1)))
    died = interrupted(world, after=1)
    assert died.espocrm.phones == ()
    after = settle(replace(died, espocrm=record(phone(B, primary=True))))
    assert after.values() == ({canonical_key(B)},) * 2


def test_an_emptied_entry_becomes_a_slot_only_when_espocrm_shows_that_its_value_has_left() -> None:
    world = World(person(entry(1, "", base=A)), record(phone(A, primary=True)), NO_STORE)
    put, slot = steps(world.plan())
    assert apply(world, slot) == world
    assert apply(apply(world, put), slot).advoware.kommunikation[0].bemerkung == "[ESPOCRM-SLOT:1]"


def test_a_remark_with_room_for_a_hash_only_keeps_its_hash_and_comes_to_rest() -> None:
    short = BaseEntry(A, 1, "ROW1", A, "Office", marker_form=MarkerForm.HASH)
    linked = entry(1, A, remark=make_hash_marker(A, 1) + " ein langer Text")
    world = World(person(linked), record(phone(A, primary=True)), filled(e1=short))
    assert not world.plan().operations
    changed = settle(replace(world, espocrm=record(phone(B, primary=True))))
    assert changed.advoware.kommunikation[0].bemerkung == make_hash_marker(B, 1) + " ein langer Text"


def test_a_remark_without_any_room_gets_no_marker_and_the_base_store_remembers() -> None:
    bare = BaseEntry(A, 1, "ROW1", A, "Office", marker_form=MarkerForm.NONE)
    world = World(person(entry(1, A, remark="ein sehr langer Text")), record(phone(A, primary=True)), filled(e1=bare))
    assert not world.plan().operations
    typed = replace(world, advoware=person(entry(1, B, remark="ein sehr langer Text")))
    assert not any(isinstance(op, SetMarker) for op in typed.plan().operations)
    after = settle(typed)
    assert after.values() == ({canonical_key(B)},) * 2
    assert after.advoware.kommunikation[0].bemerkung == "ein sehr langer Text"
    assert settle(replace(after, espocrm=record())).values() == (set(), set())


def test_if_the_base_store_is_lost_the_markers_carry_on_and_nothing_is_deleted_or_doubled() -> None:
    equal = settle(World(person(entry(1, A), entry(2, MAX)), record(phone(B, primary=True)), filled()))
    lost = replace(equal, view=replace(equal.view, base=None))
    assert not lost.plan().operations
    after = run(lost)
    assert after.values() == equal.values()
    assert after.view.base is not None
    assert {e.value for e in after.view.base.entries.values()} == {A, B, MAX}


def test_after_the_loss_a_change_made_meanwhile_still_travels() -> None:
    linked = person(entry(1, A, base=A), entry(2, MAX, base=MAX, kz=4))
    lost = World(linked, record(phone(B, primary=True), mail(MAX, primary=True)), replace(filled(), base=None))
    after = settle(lost)
    assert after.values() == ({canonical_key(B), canonical_key(MAX)},) * 2
    assert after.advoware.kommunikation[0].bemerkung == make_marker(B, 1)


def test_the_spelling_in_espocrm_is_remembered_for_its_own_value_only() -> None:
    old, new = "alt@example.com", "neu@example.com"
    known = filled(e1=BaseEntry(old, 4, "ROW1", old))
    advoware, espocrm = person(entry(1, new, base=new, kz=4)), record(mail(old, primary=True))
    base = base_after(advoware, espocrm, known, moves={})
    # Were the old item still taken for the new value's, its absence would never be noticed.
    assert (base.entries[1].value, base.entries[1].espo_value) == (new, "")
    plan = World(advoware, espocrm, replace(known, base=base), {1: 4}).plan()
    assert [line.number for line in plan.comparison.lines] == [3]


@pytest.mark.parametrize("now", [B, ""], ids=["changed", "emptied"])
@pytest.mark.parametrize(
    ("base", "others", "items", "believed"),
    [
        ({}, (), (A,), True),
        ({}, (), (), False),
        ({"entries": stored(e1=(A, 1)).entries}, (), (A,), False),
        ({"entries": stored(e7=(None, 1)).entries}, (), (A,), False),
        ({}, (entry(1, A),), (A,), False),
        ({"refused": {"a:" + canonical_key(A): 1.0}}, (), (A,), False),
        ({"undone": ("e:" + canonical_key(A),)}, (), (A,), False),
        ({"entries": stored(e1=(None, 1)).entries}, (entry(1, "", base=A),), (A,), False),
    ],
    ids=[
        "forgotten",
        "not in EspoCRM",
        "of a known entry",
        "entry known",
        "held by another entry",
        "refused",
        "undone",
        "in another entry's marker",
    ],
)
def test_a_marker_redis_has_forgotten_counts_where_it_can_be_nobody_elses(
    base: dict[str, Any], others: tuple[Kommunikation, ...], items: tuple[str, ...], now: str, *, believed: bool
) -> None:
    view = replace(filled(), base=replace(stored(), **base))
    here = person(*others, entry(7, now, base=A))
    agreed = agreed_before(view, here, record(*(phone(one, primary=True) for one in items)))
    assert agreed == ({7: A} if believed else {})


@pytest.mark.parametrize(
    ("remark", "typed", "arrived"),
    [
        ("[ESPO", "", True),
        ("Büro", "", True),
        ("[ESPO", B, True),
        ("[ESPO", A, False),
        (make_marker(A, 1), "", False),
        (make_marker(A, 1) + " Büro", B, False),
    ],
    ids=[
        "broken",
        "text in its place",
        "typed into as well",
        "broken but full",
        "emptied by a person",
        "changed by a person",
    ],
)
def test_an_entry_emptied_by_an_interrupted_run_is_empty_whatever_became_of_its_slot_marker(
    remark: str, typed: str, *, arrived: bool
) -> None:
    emptying = OpenWrite(1, 1, A, make_marker(A, 1), "", "[ESPOCRM-SLOT:1]")
    view = replace(filled(e1=(A, 1)), base=replace(stored(e1=(A, 1)), open_writes=(emptying,)))
    # The value stands in EspoCRM again: a person has entered it since.
    agreed = agreed_before(view, person(entry(1, typed, remark=remark)), record(phone(A, primary=True)))
    assert agreed == ({1: None} if arrived else {})
