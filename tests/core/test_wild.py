"""Wild worlds: anything people, other programs and older versions may have left behind. The promises hold all the same."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from services.kommunikation_entry import BaseView
from services.kommunikation_mapper import (
    art_of,
    canonical_key,
    espo_form,
    is_blank,
    make_hash_marker,
    make_marker,
    make_slot_marker,
)
from services.kommunikation_plan import Rules
from services.kommunikation_table import ConflictPolicy, Direction
from services.kommunikation_types import Art, Base, BaseEntry, Beteiligter, EspoItem, EspoRecord, Kommunikation, MarkerForm
from tests.core.apply import World, interrupted, run, settle, steps
from tests.core.builders import BETNR, ESPO_ID, AskNobody
from tests.core.worlds import FACTOR

NUMBERS = ["+49511123456", "0511 123-456", "+49511123457", "0171 3920001", "+491713920001"]
MAILS = ["max@example.com", "MAX@Example.com", "kanzlei@example.org", "info@bücher.example"]
NOTES = [
    "nur nachts",
    "jürgen@example.com",
    "0511 123456 (Büro)",
    "a@example.com; b@example.com",
    "",
    None,
    "  ",
    "\ud83d",
    "http://x.example",
]
VALUES = st.sampled_from([*NUMBERS, *MAILS, *NUMBERS, *MAILS, *NOTES])
KINDS = st.sampled_from([1, 2, 3, 4, 5, 6, 8, 10, 12])
TEXTS = st.sampled_from(["", "", "Büro", " x ", "[ESPOCRM:bWF4:4] alt", "[ESPOCRM-SLOT:1]", "[ESPOCRM:kaputt:1]", "]["])
TYPES = st.sampled_from(["Office", "Fax", "Mobile", "Home", "Other", "Pager"])


@st.composite
def remarks(draw: st.DrawFn) -> str | None:
    text, kz = draw(TEXTS), draw(KINDS)
    value = draw(st.sampled_from([*NUMBERS, *MAILS]))
    marker = draw(
        st.sampled_from(
            ["", "", make_marker(value, kz), make_marker(value, kz), make_slot_marker(kz), make_hash_marker(value, kz)]
        )
    )
    if draw(st.booleans()):
        return marker + " " + text if marker and text else marker or text or None
    return text + marker


@st.composite
def stored_entries(draw: st.DrawFn, entry_id: int) -> BaseEntry:
    value = draw(st.sampled_from([None, *NUMBERS, *MAILS]))
    art = art_of(value or "", 1)
    return BaseEntry(
        value,
        draw(st.sampled_from([0, 1, 3, 4, 8])),
        f"ROW{entry_id}",
        draw(st.sampled_from(["", espo_form(value or "", art) or ""])),
        draw(st.sampled_from(["", "Office", "Mobile"])),
        draw(st.sampled_from([False, False, True])),
        draw(st.sampled_from([MarkerForm.FULL, MarkerForm.FULL, MarkerForm.HASH, MarkerForm.NONE])),
    )


@st.composite
def wild_worlds(draw: st.DrawFn) -> World:
    ids = range(1, draw(st.integers(0, 5)) + 1)
    entries = tuple(
        Kommunikation(
            n, f"ROW{n}", draw(VALUES), draw(remarks()), draw(st.booleans()), draw(st.sampled_from([0, 0, 0, 3, 99]))
        )
        for n in ids
    )
    emails = draw(
        st.lists(
            st.sampled_from(["max@example.com", "kanzlei@example.org", "info@xn--bcher-kva.example", "neu@example.com"]),
            unique=True,
            max_size=4,
        )
    )
    # EspoCRM may hold one number in two spellings, from the time when it did not take international numbers only.
    phones = draw(st.lists(st.sampled_from([*NUMBERS, "+49511123458", "0511 123458"]), unique=True, max_size=5))
    mail_items = tuple(EspoItem(Art.EMAIL, v, "", n == 0, draw(st.booleans())) for n, v in enumerate(emails))
    phone_items = tuple(EspoItem(Art.PHONE, v, draw(TYPES), n == 1, draw(st.booleans())) for n, v in enumerate(phones))
    keeps = draw(st.booleans())
    base = None
    if keeps and draw(st.integers(0, 3)):
        known = draw(st.lists(st.integers(1, 7), unique=True, max_size=6))
        moves = draw(st.dictionaries(st.integers(1, 5), st.sampled_from([1, 3]), max_size=1))
        base = Base(BETNR, {n: draw(stored_entries(n)) for n in known}, moves)
    top = {"mobil": draw(st.sampled_from(["", "0171 3920001"])), "internet": "http://x.example"}
    holders = AskNobody(
        {
            canonical_key(v): EspoItem(Art.PHONE, "+49511123456", "Fax", primary=True, opt_out=True)
            for v in draw(st.sampled_from([(), ("+49511123456",)]))
        }
    )
    return World(
        Beteiligter(BETNR, "P", entries, top),
        EspoRecord(ESPO_ID, BETNR, mail_items, phone_items),
        BaseView(keeps, base),
        {},
        900,
        holders,
    )


RULES = st.builds(Rules, st.sampled_from(list(ConflictPolicy)), st.sampled_from(list(Direction)), st.booleans())
WILD = settings(max_examples=100 * FACTOR)


@WILD
@given(wild_worlds(), RULES)
def test_any_world_comes_to_rest_and_espocrm_takes_every_array(world: World, rules: Rules) -> None:
    # A blank entry that is met for the first time becomes a slot one run after both sides were seen to agree.
    after = settle(run(run(world, rules), rules), rules, most=3)
    assert after.plan(rules).operations == ()


@WILD
@given(wild_worlds(), RULES)
def test_no_users_text_is_lost_in_any_world(world: World, rules: Rules) -> None:
    after = settle(run(world, rules), rules, most=4)
    assert set(world.texts()) <= set(after.texts())


@WILD
@given(wild_worlds())
def test_no_value_disappears_from_both_sides_unless_somebody_removed_it_on_one(world: World) -> None:
    after = settle(run(world), most=4)
    bases = {canonical_key(e.value) for e in world.view.entries.values() if e.value}
    bases |= {entry.base_key for entry in world.plan().comparison.entries}
    on_both = set(world.advoware_keys()) & set(world.espocrm_keys())
    new = (set(world.advoware_keys()) | set(world.espocrm_keys())) - bases
    assert on_both - {""} <= set(after.advoware_keys()) | set(after.espocrm_keys())
    assert new <= set(after.advoware_keys()) | set(after.espocrm_keys())


@WILD
@given(wild_worlds())
def test_types_flags_and_primary_of_what_nobody_touched_stay(world: World) -> None:
    after = run(world)
    before = {canonical_key(item.value): item for item in world.espocrm.phones + world.espocrm.emails}
    twice = len(before) < len(world.espocrm.phones + world.espocrm.emails)
    for item in after.espocrm.phones + after.espocrm.emails:
        old = before.get(canonical_key(item.value))
        if old is not None and old.value == item.value and not twice:
            assert (item.type, item.opt_out, item.invalid) == (old.type, old.opt_out, old.invalid)


@WILD
@given(wild_worlds(), RULES)
def test_a_crash_loses_nothing_in_any_world(world: World, rules: Rules) -> None:
    whole = settle(run(world, rules), rules)
    kept = set(whole.advoware_keys()) | set(whole.espocrm_keys())
    for cut in range(len(steps(world.plan(rules))) + 1):
        again = settle(run(interrupted(world, cut, rules), rules), rules)
        assert kept <= set(again.advoware_keys()) | set(again.espocrm_keys()), f"after {cut} requests"


@WILD
@given(wild_worlds())
def test_order_of_entries_in_the_answer_does_not_matter(world: World) -> None:
    turned = replace(world, advoware=replace(world.advoware, kommunikation=world.advoware.kommunikation[::-1]))
    assert turned.plan() == world.plan()
    assert all(is_blank(raw.tlf) or raw.id for raw in turned.advoware.kommunikation)
