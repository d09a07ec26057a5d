"""Reads EspoCRM's answers. A missing array is a bad answer, never an empty one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from services.errors import BadAnswer, Validation
from services.kommunikation_types import Art, EspoItem, EspoListRow, EspoRecord
from services.reading import Gap, flag, items, mapping, member, member_or, number, text
from services.secrecy import Wert

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.http_client import Answer

T = TypeVar("T")

SYSTEM = "EspoCRM"

_NAME = r"[A-Za-z][A-Za-z0-9_]{0,99}"
_FAILURE = re.compile(rf"field: ({_NAME}), type: ({_NAME})")


@dataclass(frozen=True, slots=True)
class EspoWebhook:
    """A webhook of the calling API user. `skip_own` is None where EspoCRM does not know it (before 9.2)."""

    id: str
    event: str
    url: str
    active: bool
    skip_own: bool | None
    secret: str = field(repr=False)


def _read(read: Callable[[dict[str, Any]], T], payload: Any, what: str) -> T:
    try:
        return read(mapping(payload))
    except Gap as gap:
        place = gap.place
    where = f" ({place})" if place else ""
    raise BadAnswer(f"{SYSTEM}'s answer lacks what it should hold{where} while {what}.", system=SYSTEM)


def _rows(read: Callable[[dict[str, Any]], T]) -> Callable[[dict[str, Any]], list[T]]:
    """How a list answer is read whose rows are read like this."""
    return lambda answer: member(answer, "list", lambda rows: items(rows, lambda row: read(mapping(row))))


def read_record(payload: Any, espo_id: str, what: str) -> EspoRecord:
    """The record of an answer. Raises `BadAnswer` without both arrays, or if it is another record."""
    record = _read(_record, payload, what)
    if record.id != espo_id:
        raise BadAnswer(f"{SYSTEM} answered with another record while {what}.", system=SYSTEM)
    return record


def _record(answer: dict[str, Any]) -> EspoRecord:
    row = _row(answer)
    return EspoRecord(
        id=row.id,
        betnr=row.betnr,
        emails=tuple(member(answer, "emailAddressData", lambda found: items(found, _email))),
        phones=tuple(member(answer, "phoneNumberData", lambda found: items(found, _phone))),
        version=member_or(answer, "versionNumber", number, None),
        modified_at=row.modified_at,
    )


def _email(item: Any) -> EspoItem:
    members = mapping(item)
    return EspoItem(Art.EMAIL, Wert(member(members, "emailAddress", text)), "", *_flags(members))


def _phone(item: Any) -> EspoItem:
    members = mapping(item)
    kind = member_or(members, "type", text, "")
    return EspoItem(Art.PHONE, Wert(member(members, "phoneNumber", text)), kind, *_flags(members))


def _flags(item: dict[str, Any]) -> tuple[bool, bool, bool]:
    primary, opt_out, invalid = (member_or(item, name, flag, default=False) for name in ("primary", "optOut", "invalid"))
    return primary, opt_out, invalid


def _row(row: dict[str, Any]) -> EspoListRow:
    betnr = member_or(row, "betnr", number, None)
    return EspoListRow(member(row, "id", text), betnr, member_or(row, "modifiedAt", text, ""))


def read_rows(payload: Any, what: str) -> list[EspoListRow]:
    """The rows of a list answer."""
    return _read(_rows(_row), payload, what)


def read_webhooks(payload: Any, what: str) -> list[EspoWebhook]:
    """The webhooks of a list answer."""
    return _read(_rows(_webhook), payload, what)


def read_webhook(payload: Any, what: str) -> EspoWebhook:
    """The webhook of a POST or PUT answer."""
    return _read(_webhook, payload, what)


def _webhook(row: dict[str, Any]) -> EspoWebhook:
    return EspoWebhook(
        id=member(row, "id", text),
        event=member(row, "event", text),
        url=member(row, "url", text),
        active=member_or(row, "isActive", flag, default=True),
        skip_own=member_or(row, "skipOwn", flag, None),
        secret=member_or(row, "secretKey", text, ""),
    )


def read_version(payload: Any, what: str) -> str | None:
    """The server's version out of `App/user`."""
    return _read(
        lambda answer: member_or(mapping(member(answer, "settings", mapping)), "version", text, None), payload, what
    )


def validation_error(answer: Answer, what: str) -> Validation:
    """The error of a 400, with the field and the kind of failure that body or `X-Status-Reason` name.

    Neither names the item of an array. Nothing else of the answer gets into the text.
    """
    payload = answer.json()
    for key in ("messageTranslation", "data"):
        payload = payload.get(key) if isinstance(payload, dict) else None
    named = payload if isinstance(payload, dict) else {}
    field_name, kind = str(named.get("field") or ""), str(named.get("type") or "")
    if not (re.fullmatch(_NAME, field_name) and re.fullmatch(_NAME, kind)):
        found = _FAILURE.search(answer.headers.get("x-status-reason", ""))
        field_name, kind = (found[1], found[2]) if found else ("", "")
    detail = f", field {field_name}, {kind}" if field_name else ""
    text = f"{SYSTEM} refused the request as invalid (400{detail}) while {what}."
    return Validation(text, system=SYSTEM, status=answer.status, field=field_name, kind=kind)
