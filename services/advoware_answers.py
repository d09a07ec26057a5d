"""Reads Advoware's answers: tolerant where releases differ, strict where a gap could be taken for a deletion."""

from __future__ import annotations

from typing import Any

from services.advoware_access import SYSTEM, single_object
from services.errors import BadAnswer
from services.kommunikation_types import Beteiligter, Kommunikation
from services.reading import Gap, flag, items, member, member_or, number, text
from services.secrecy import Wert, wert_or_none


def read_beteiligter(payload: Any, betnr: int) -> Beteiligter:
    """The Beteiligter of an answer. Raises `BadAnswer` for all that is not certainly this one with all its entries."""
    members = single_object(payload)
    if members is None:
        raise BadAnswer(f"{SYSTEM}'s answer for Beteiligter {betnr} is not one JSON object.", system=SYSTEM)
    if not isinstance(members.get("kommunikation"), list):
        raise BadAnswer(f"{SYSTEM}'s answer for Beteiligter {betnr} has no list 'kommunikation'.", system=SYSTEM)
    try:
        owner = member_or(members, "betnr", number, betnr)
        row_id = member_or(members, "rowid", text, "")
        read = items(members["kommunikation"], lambda one: _entry(one, betnr))
    except Gap:
        read = None
    if read is None:
        raise BadAnswer(f"{SYSTEM}'s answer for Beteiligter {betnr} has an entry that can't be read.", system=SYSTEM)
    if {owner or betnr} | {whose for whose, _ in read} != {betnr}:
        raise BadAnswer(f"{SYSTEM}'s answer for Beteiligter {betnr} belongs to another one.", system=SYSTEM)
    if len({entry.id for _, entry in read}) != len(read):
        raise BadAnswer(f"{SYSTEM}'s answer for Beteiligter {betnr} has one entry id twice.", system=SYSTEM)
    return Beteiligter(
        betnr=betnr,
        row_id=row_id,
        kommunikation=tuple(entry for _, entry in read),
        top_level={name: Wert(value) for name, value in members.items() if isinstance(value, str) and value},
    )


def read_entry(payload: Any, betnr: int, komm_id: int | None = None) -> Kommunikation | None:
    """The entry that a POST or PUT answers with; None if it is not certainly the one (the caller reads again)."""
    try:
        owner, entry = _entry(payload, betnr)
    except Gap:
        return None
    if owner != betnr or (komm_id is not None and entry.id != komm_id):
        return None
    return entry


def _entry(payload: Any, betnr: int) -> tuple[int, Kommunikation]:
    """The betNr an entry names (0 or none: the asked one), and the entry."""
    members = single_object(payload)
    if members is None:
        raise Gap
    return member_or(members, "betnr", number, 0) or betnr, Kommunikation(
        id=member(members, "id", number),
        row_id=member_or(members, "rowid", text, ""),
        # May be null, but not absent: read as empty, a gap would empty the other side or the remark.
        tlf=member(members, "tlf", _text_or_null),
        bemerkung=member(members, "bemerkung", _text_or_null),
        online=member_or(members, "online", flag, default=False),
        komm_kz=member_or(members, "kommkz", number, 0),
    )


def _text_or_null(value: Any) -> Wert | None:
    return wert_or_none(None if value is None else text(value))
