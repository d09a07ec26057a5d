"""Minimal worlds in which the core once broke a promise, found by the property tests."""

from __future__ import annotations

from services.kommunikation_mapper import canonical_key, make_hash_marker
from services.kommunikation_plan import Rules
from services.kommunikation_table import Direction
from tests.core.apply import World, interrupted, run, settle, steps
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
    # No marker tells the base here. The entry's new value is in EspoCRM already; removing the old one is for the other run.
    world = World(person(entry(1, B)), record(phone(A, primary=True), phone(B)), filled(e1=(A, 1)))
    pending = run(world, Rules(direction=Direction.TO_ADVOWARE))
    after = settle(pending)
    assert after.values() == ({canonical_key(B)}, {canonical_key(B)})


def test_a_value_given_back_to_an_emptied_entry_stays_in_espocrm_when_its_twin_changed() -> None:
    twins = person(entry(1, "", base=A), entry(2, B, base=A))
    after = run(World(twins, record(phone(A, primary=True)), KNOWS_NOTHING))
    assert after.values() == ({canonical_key(A), canonical_key(B)},) * 2


def test_a_run_that_died_before_its_first_request_does_not_make_a_replaced_value_come_back() -> None:
    world = World(person(entry(1, B, base=A)), record(phone(A, primary=True), phone(B)), filled(e1=(A, 1)))
    after = settle(interrupted(world, after=0))
    assert after.values() == ({canonical_key(B)},) * 2


def test_entries_with_one_value_all_follow_a_change_although_the_run_died_between_them() -> None:
    twins = person(entry(1, A, base=A, kz=1), entry(2, A, base=A, kz=3))
    world = World(twins, record(phone(B, primary=True)), filled(e1=(A, 1), e2=(A, 3)))
    for cut in range(len(steps(world.plan())) + 1):
        after = settle(interrupted(world, cut))
        assert after.advoware_keys() == [canonical_key(B)] * 2, f"after {cut} requests"


def test_a_legacy_marker_of_the_old_value_is_understood_through_the_base_store() -> None:
    changed = entry(1, B, remark=make_hash_marker(A, 1) + " Büro")
    after = settle(World(person(changed), record(phone(A, primary=True)), filled(e1=(A, 1))))
    assert after.values() == ({canonical_key(B)},) * 2
    assert after.texts() == ["Büro"]
