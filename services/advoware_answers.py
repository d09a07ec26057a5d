"""Reads Advoware's answers: tolerant where releases differ, strict where a gap could be taken for a deletion."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from services.advoware_access import SYSTEM, single_object
from services.errors import BadAnswer
from services.kommunikation_types import Beteiligter, Kommunikation
from services.secrecy import Wert, wert_or_none


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a truth value is no number")  # noqa: TRY004 - pydantic reads ValueError
    return value


def _or(default: object) -> BeforeValidator:
    """A null stands for `default`."""
    return BeforeValidator(lambda value: default if value is None else value)


Number = Annotated[int, BeforeValidator(_no_bool)]


class _Entry(BaseModel):
    # tlf and bemerkung may be null, but not absent: read as empty, a gap would empty the other side or the remark.
    model_config = ConfigDict(hide_input_in_errors=True)

    id: Number
    tlf: str | None
    bemerkung: str | None
    rowid: Annotated[str, _or("")] = ""
    online: Annotated[bool, _or(default=False)] = False
    kommkz: Annotated[Number, _or(0)] = 0
    betnr: Annotated[Number, _or(0)] = 0


class _Beteiligter(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    betnr: Number | None = None
    rowid: Annotated[str, _or("")] = ""
    kommunikation: list[Annotated[_Entry, BeforeValidator(single_object)]] = Field()


def read_beteiligter(payload: Any, betnr: int) -> Beteiligter:
    """The Beteiligter of an answer. Raises `BadAnswer` for all that is not certainly this one with all its entries."""
    members = single_object(payload)
    if members is None:
        raise BadAnswer(f"{SYSTEM}'s answer for Beteiligter {betnr} is not one JSON object.", system=SYSTEM)
    if not isinstance(members.get("kommunikation"), list):
        raise BadAnswer(f"{SYSTEM}'s answer for Beteiligter {betnr} has no list 'kommunikation'.", system=SYSTEM)
    try:
        read: _Beteiligter | None = _Beteiligter.model_validate(members)
    except ValidationError:
        read = None
    if read is None:
        raise BadAnswer(f"{SYSTEM}'s answer for Beteiligter {betnr} has an entry that can't be read.", system=SYSTEM)
    owners = {read.betnr or betnr} | {entry.betnr or betnr for entry in read.kommunikation}
    if owners != {betnr}:
        raise BadAnswer(f"{SYSTEM}'s answer for Beteiligter {betnr} belongs to another one.", system=SYSTEM)
    if len({entry.id for entry in read.kommunikation}) != len(read.kommunikation):
        raise BadAnswer(f"{SYSTEM}'s answer for Beteiligter {betnr} has one entry id twice.", system=SYSTEM)
    return Beteiligter(
        betnr=betnr,
        row_id=read.rowid,
        kommunikation=tuple(_kommunikation(entry) for entry in read.kommunikation),
        top_level={name: Wert(value) for name, value in members.items() if isinstance(value, str) and value},
    )


def read_entry(payload: Any, betnr: int, komm_id: int | None = None) -> Kommunikation | None:
    """The entry that a POST or PUT answers with; None if it is not certainly the one (the caller reads again)."""
    try:
        entry = _Entry.model_validate(single_object(payload))
    except ValidationError:
        return None
    if (entry.betnr or betnr) != betnr or (komm_id is not None and entry.id != komm_id):
        return None
    return _kommunikation(entry)


def _kommunikation(entry: _Entry) -> Kommunikation:
    return Kommunikation(
        id=entry.id,
        row_id=entry.rowid,
        tlf=wert_or_none(entry.tlf),
        bemerkung=wert_or_none(entry.bemerkung),
        online=entry.online,
        komm_kz=entry.kommkz,
    )
