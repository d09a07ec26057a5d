"""Small worlds written down abstractly: letters stand for values, so that no expectation needs the code's own comparison.

A letter names a value, and each has several spellings that a person would call the same.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from hypothesis import strategies as st

from services.kommunikation_entry import BaseView
from services.kommunikation_mapper import make_hash_marker, make_marker, make_slot_marker
from services.kommunikation_types import Art, Base, BaseEntry, EspoItem, Kommunikation
from tests.core.apply import World
from tests.core.builders import BETNR, person, record

FACTOR = int(os.environ.get("PROPERTY_FACTOR", "1"))
"""How many times as many worlds to look at; see `conftest.py`."""

SPELLINGS = {
    "P": ("+49511123456", "0511 123-456", "0511/12 34 56", "0049 511 123456"),
    "Q": ("+49511123457", "(0511) 123457"),
    "R": ("+491713920001", "0171 3920001"),
    "M": ("max@example.com", "Max@Example.COM", " max@example.com "),
    "N": ("kanzlei@example.org", "Kanzlei@example.org"),
    "B": ("info@xn--bcher-kva.example", "info@bücher.example", "INFO@BÜCHER.example"),
}
"""The first spelling is the one EspoCRM would hold."""

PHONES, MAILS = "PQR", "MNB"
LETTER_OF = {spelling: letter for letter, spellings in SPELLINGS.items() for spelling in spellings}


@dataclass(frozen=True)
class Sketch:
    """One entry: what it held (`base`), holds (`now`; '' blank), and how its remark looks.

    `marker`: full, hash, none, damaged or slot. `known`: a filled store knows its id. `gone`: deleted in Advoware.
    """

    id: int
    base: str
    now: str
    kz: int
    marker: str = "full"
    known: bool = True
    gone: bool = False
    text: str = ""
    spelling: int = 0
    base_spelling: int = 0


@dataclass(frozen=True)
class Picture:
    """A whole world. `store`: none, unknown (knows nothing of this record) or filled."""

    entries: tuple[Sketch, ...]
    items: tuple[tuple[str, str], ...]
    store: str


def spelled(letter: str, number: int) -> str:
    spellings = SPELLINGS[letter]
    return spellings[number % len(spellings)]


def letter(value: str) -> str:
    return LETTER_OF[value]


def _raw(sketch: Sketch) -> Kommunikation:
    value = spelled(sketch.now, sketch.spelling) if sketch.now else ""
    base = spelled(sketch.base, sketch.base_spelling) if sketch.base else ""
    marker = {
        "full": lambda: make_marker(base, sketch.kz) if base else "",
        "hash": lambda: make_hash_marker(base, sketch.kz) if base else "",
        "damaged": lambda: "[ESPOCRM:bWF4QG:1",
        "slot": lambda: make_slot_marker(sketch.kz),
        "none": lambda: "",
    }[sketch.marker]()
    remark = marker + " " + sketch.text if marker and sketch.text else marker or sketch.text
    return Kommunikation(sketch.id, f"ROW{sketch.id}", value, remark, online=True)


def draw_up(picture: Picture) -> World:
    """The picture as real values."""
    known = {
        s.id: BaseEntry(
            spelled(s.base, s.base_spelling) if s.base and s.marker != "slot" else None,
            s.kz,
            f"ROW{s.id}",
            spelled(s.base, 0) if s.base and s.marker != "slot" else "",
        )
        for s in picture.entries
        if s.known
    }
    base = Base(BETNR, known) if picture.store == "filled" else None
    items = [
        EspoItem(Art.PHONE if name in PHONES else Art.EMAIL, spelled(name, 0), kind, primary=False)
        for name, kind in picture.items
    ]
    firsts = {art: next((n for n, item in enumerate(items) if item.art is art), None) for art in Art}
    items = [EspoItem(i.art, i.value, i.type, primary=n in firsts.values()) for n, i in enumerate(items)]
    advoware = person(*(_raw(s) for s in picture.entries if not s.gone))
    kinds = {s.id: s.kz for s in picture.entries}
    return World(advoware, record(*items), BaseView(keeps_base=picture.store != "none", base=base), kinds)


KINDS_OF_PHONES, KINDS_OF_MAILS = (1, 2, 3, 10), (4, 8)


@st.composite
def sketches(draw: st.DrawFn, entry_id: int, store: str) -> Sketch:
    names = st.sampled_from("PQRMNB")
    base = draw(st.one_of(st.just(""), names, names))
    changes = ["same", "same", "blank", "other"] if base else ["other", "other", "blank"]
    if base and store == "filled":
        changes.append("gone")
    change = draw(st.sampled_from(changes))
    now = {"same": base, "blank": "", "gone": "", "other": draw(names)}[change]
    kinds = KINDS_OF_PHONES if (base or now or "P") in PHONES else KINDS_OF_MAILS
    marker = draw(
        st.sampled_from(["full", "full", "full", "hash", "none", "damaged"] if base else ["none", "slot", "damaged"])
    )
    known = change == "gone" or (store == "filled" and bool(base) and draw(st.integers(0, 4)) > 0)
    return Sketch(
        entry_id,
        base,
        now,
        draw(st.sampled_from(kinds)),
        marker,
        known or (marker == "slot" and draw(st.booleans())),
        change == "gone",
        draw(st.sampled_from(["", "", "Sekretariat", "  [nur vormittags] "])),
        draw(st.integers(0, 3)),
        draw(st.integers(0, 3)),
    )


@st.composite
def pictures(draw: st.DrawFn, stores: tuple[str, ...] = ("none", "unknown", "filled")) -> Picture:
    store = draw(st.sampled_from(stores))
    entries = tuple(draw(sketches(n, store)) for n in range(1, draw(st.integers(1, 4)) + 1))
    names = draw(st.lists(st.sampled_from("PQRMNB"), max_size=4, unique=True))
    kinds = st.sampled_from(["Office", "Mobile", "Fax", "Other"])
    items = tuple((name, draw(kinds) if name in PHONES else "") for name in names)
    return Picture(entries, items, store)
