"""Minimal worlds in which the core once broke a promise, found by the property tests."""

from __future__ import annotations

from services.kommunikation_mapper import canonical_key
from services.kommunikation_plan import Rules
from services.kommunikation_table import Direction
from tests.core.apply import World, run, settle
from tests.core.builders import KNOWS_NOTHING, done, entry, filled, person, phone, plan_for, record

A, B = "+49511123456", "+49511123457"


def test_a_copied_entry_whose_value_could_not_be_sent_yet_is_not_taken_for_a_deletion_later() -> None:
    world = World(person(entry(1, A, base=A)), record(), filled())
    pending = run(world, Rules(direction=Direction.TO_ADVOWARE))
    after = settle(pending)
    assert after.values() == ({canonical_key(A)}, {canonical_key(A)})


def test_an_emptied_twin_is_not_filled_again_while_another_entry_holds_the_value() -> None:
    twins = person(entry(1, A), entry(2, "", base=A))
    assert done(plan_for(twins, record(), KNOWS_NOTHING)) == [(15, "AddItem"), (15, "SetMarker")]


def test_two_emptied_twins_get_the_value_back_only_once() -> None:
    twins = person(entry(1, "", base=A), entry(2, "", base=A))
    assert done(plan_for(twins, record(phone(A, primary=True)), KNOWS_NOTHING)) == [(10, "WriteEntry")]


def test_a_base_stays_while_the_item_it_names_has_still_to_leave_espocrm() -> None:
    # No marker tells the base here. The entry's new value is in EspoCRM already; the old one is removed by the other direction.
    world = World(person(entry(1, B)), record(phone(A, primary=True), phone(B)), filled(e1=(A, 1)))
    pending = run(world, Rules(direction=Direction.TO_ADVOWARE))
    after = settle(pending)
    assert after.values() == ({canonical_key(B)}, {canonical_key(B)})
