"""The mask is for people's eyes: no request ever holds it, whatever the two sides look like."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.espocrm_wire import email_item, equals, flat, phone_item
from services.kommunikation_mapper import canonical_key, email_form, phone_form
from services.kommunikation_ops import Arrays
from services.kommunikation_plan import Rules
from services.kommunikation_report import describe
from services.kommunikation_types import KommunikationWrite, MarkerForm
from services.kommunikation_writer import AdvowareOperation, announced, body_of, shorter_bodies
from services.secrecy import MASK, Wert, plainly, wert_or_none
from tests.core.apply import World, steps
from tests.core.worlds import FACTOR, Picture, draw_up, pictures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.kommunikation_types import BaseEntry, EspoItem

RELEASED = Rules(allow_removals=True)


def masked(world: World) -> World:
    """The same world, as the clients and the store give it."""
    entries = tuple(
        replace(raw, tlf=wert_or_none(raw.tlf), bemerkung=wert_or_none(raw.bemerkung))
        for raw in world.advoware.kommunikation
    )

    def items(given_: tuple[EspoItem, ...]) -> tuple[EspoItem, ...]:
        return tuple(replace(item, value=Wert(item.value)) for item in given_)

    def known(entry: BaseEntry) -> BaseEntry:
        return replace(entry, value=wert_or_none(entry.value), espo_value=Wert(entry.espo_value))

    view = world.view
    if view.base is not None:
        view = replace(view, base=replace(view.base, entries={n: known(one) for n, one in view.base.entries.items()}))
    record = replace(world.espocrm, emails=items(world.espocrm.emails), phones=items(world.espocrm.phones))
    return replace(world, advoware=replace(world.advoware, kommunikation=entries), espocrm=record, view=view)


def sent(body: KommunikationWrite) -> str:
    return json.dumps([body.tlf, body.bemerkung, body.komm_kz, body.online])


def requests(world: World) -> Iterator[str]:
    """Everything a run would write, as JSON; with each form of the markers, and what it notes before."""
    for step in steps(world.plan(RELEASED)):
        if isinstance(step, Arrays):
            yield json.dumps([email_item(item) for item in step.emails or ()])
            yield json.dumps([phone_item(item) for item in step.phones or ()])
            continue
        assert isinstance(step, AdvowareOperation)
        for form in MarkerForm:
            yield sent(body_of(step, form))
        note = announced(step)
        yield json.dumps([note.before_tlf, note.before_bemerkung, note.after_tlf, note.after_bemerkung])
        yield from (sent(body) for body in shorter_bodies(note, online=True))
        yield json.dumps(describe(step))
        yield json.dumps(plainly(describe(step)))


@settings(max_examples=150 * FACTOR)
@given(pictures())
def test_masking_changes_no_request(picture: Picture) -> None:
    plain = draw_up(picture)
    assert list(requests(masked(plain))) == list(requests(plain))
    assert not [text for text in requests(masked(plain)) if MASK in json.loads(text) or json.dumps(MASK)[1:-1] in text]


@settings(max_examples=150 * FACTOR)
@given(st.text(max_size=40))
@example("max@example.com")
@example("0511 123-456")
@example("info@bücher.example")
def test_what_is_derived_from_a_value_holds_no_mask(text: str) -> None:
    for derive in (canonical_key, email_form, phone_form):
        derived, plain = derive(Wert(text)), derive(text)
        assert derived == plain
        assert json.dumps(MASK)[1:-1] not in json.dumps(derived) or MASK in text
    asked = parse_qsl(urlencode(flat([equals("emailAddress", Wert(text))])), keep_blank_values=True)
    assert asked[-1][1] == text
