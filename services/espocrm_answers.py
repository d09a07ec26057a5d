"""Reads EspoCRM's answers. A missing array is a bad answer, never an empty one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from services.errors import BadAnswer, Validation
from services.kommunikation_types import Art, EspoItem, EspoListRow, EspoRecord
from services.secrecy import Wert

if TYPE_CHECKING:
    from services.http_client import Answer

SYSTEM = "EspoCRM"

_NAME = r"[A-Za-z][A-Za-z0-9_]{0,99}"
_FAILURE = re.compile(rf"field: ({_NAME}), type: ({_NAME})")


def _or(default: object) -> BeforeValidator:
    """A null stands for `default`."""
    return BeforeValidator(lambda value: default if value is None else value)


Flag = Annotated[bool, _or(default=False)]
Text = Annotated[str, _or("")]


class _Answer(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)


class _Email(_Answer):
    value: str = Field(alias="emailAddress")
    primary: Flag = False
    opt_out: Flag = Field(default=False, alias="optOut")
    invalid: Flag = False


class _Phone(_Answer):
    value: str = Field(alias="phoneNumber")
    type: Text = ""
    primary: Flag = False
    opt_out: Flag = Field(default=False, alias="optOut")
    invalid: Flag = False


class _Row(_Answer):
    id: str
    betnr: int | None = None
    modified_at: Text = Field(default="", alias="modifiedAt")


class _Record(_Row):
    emails: list[_Email] = Field(alias="emailAddressData")
    phones: list[_Phone] = Field(alias="phoneNumberData")
    version: int | None = Field(default=None, alias="versionNumber")
    assigned_user: str | None = Field(default=None, alias="assignedUserId")


class _List(_Answer):
    rows: list[_Row] = Field(alias="list")


class _Named(_Answer):
    id: str
    betnr: int | None = None
    name: Text = ""


class _Names(_Answer):
    rows: list[_Named] = Field(alias="list")


class _Webhook(_Answer):
    id: str
    event: str
    url: str
    active: Flag = Field(default=True, alias="isActive")
    secret: Text = Field(default="", alias="secretKey")
    skip_own: bool | None = Field(default=None, alias="skipOwn")


class _Webhooks(_Answer):
    rows: list[_Webhook] = Field(alias="list")


class _Settings(_Answer):
    version: str | None = None
    phone_international: bool | None = Field(default=None, alias="phoneNumberInternational")
    phone_extensions: bool | None = Field(default=None, alias="phoneNumberExtensions")


class _User(_Answer):
    type: Text = ""


class _Acl(_Answer):
    table: dict[str, Any] = Field(default_factory=dict)


class _AppUser(_Answer):
    settings: _Settings
    user: _User = Field(default_factory=_User)
    acl: _Acl = Field(default_factory=_Acl)


@dataclass(frozen=True, slots=True)
class EspoSelf:
    """What EspoCRM tells about the caller and itself (`App/user`). None: it does not say.

    `rights`, `task_rights`: right -> level (`all`, `team`, `own`, `no`) on the entity and on Task; empty where the answer
    has no table of them.
    `phone_international`: whether numbers have to be international; `server_time`: seconds since 1970, by its clock.
    """

    version: str | None
    user_type: str
    rights: dict[str, str]
    task_rights: dict[str, str]
    phone_international: bool | None
    phone_extensions: bool | None
    server_time: float | None


@dataclass(frozen=True, slots=True)
class EspoNamed:
    """A record and the name of the person: what people search for and recognise."""

    id: str
    betnr: int | None
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EspoWebhook:
    """A webhook of the calling API user. `skip_own` is None where EspoCRM does not know it (before 9.2)."""

    id: str
    event: str
    url: str
    active: bool
    skip_own: bool | None
    secret: str = field(repr=False)


Model = TypeVar("Model", bound=_Answer)


def _read(kind: type[Model], payload: Any, what: str) -> Model:
    try:
        return kind.model_validate(payload)
    except ValidationError as error:
        # Where the answer does not fit: names of our models and positions, nothing of the answer itself.
        places = {".".join(map(str, detail["loc"])) for detail in error.errors(include_input=False)} - {""}
    gap = f" ({', '.join(sorted(places)[:3])})" if places else ""
    raise BadAnswer(f"{SYSTEM}'s answer lacks what it should hold{gap} while {what}.", system=SYSTEM)


def read_record(payload: Any, espo_id: str, what: str) -> EspoRecord:
    """The record of an answer. Raises `BadAnswer` without both arrays, or if it is another record."""
    record = _read(_Record, payload, what)
    if record.id != espo_id:
        raise BadAnswer(f"{SYSTEM} answered with another record while {what}.", system=SYSTEM)
    return EspoRecord(
        id=record.id,
        betnr=record.betnr,
        emails=tuple(EspoItem(Art.EMAIL, Wert(e.value), "", e.primary, e.opt_out, e.invalid) for e in record.emails),
        phones=tuple(EspoItem(Art.PHONE, Wert(p.value), p.type, p.primary, p.opt_out, p.invalid) for p in record.phones),
        version=record.version,
        modified_at=record.modified_at,
        assigned_user=record.assigned_user,
    )


def read_rows(payload: Any, what: str) -> list[EspoListRow]:
    """The rows of a list answer."""
    return [EspoListRow(row.id, row.betnr, row.modified_at) for row in _read(_List, payload, what).rows]


def read_names(payload: Any, what: str) -> list[EspoNamed]:
    """The rows of a list answer, with names."""
    return [EspoNamed(row.id, row.betnr, Wert(row.name)) for row in _read(_Names, payload, what).rows]


def read_webhooks(payload: Any, what: str) -> list[EspoWebhook]:
    """The webhooks of a list answer."""
    return [_webhook(row) for row in _read(_Webhooks, payload, what).rows]


def read_webhook(payload: Any, what: str) -> EspoWebhook:
    """The webhook of a POST or PUT answer."""
    return _webhook(_read(_Webhook, payload, what))


def _webhook(row: _Webhook) -> EspoWebhook:
    return EspoWebhook(row.id, row.event, row.url, row.active, row.skip_own, row.secret)


def read_version(payload: Any, what: str) -> str | None:
    """The server's version out of `App/user`."""
    return _read(_AppUser, payload, what).settings.version


def read_self(answer: Answer, entity: str, what: str) -> EspoSelf:
    """All that `App/user` tells; see `EspoSelf`."""
    told = _read(_AppUser, answer.json(), what)
    stamp = answer.headers.get("x-app-timestamp", "")
    return EspoSelf(
        version=told.settings.version,
        user_type=told.user.type,
        rights=_rights(told.acl.table.get(entity)),
        task_rights=_rights(told.acl.table.get("Task")),
        phone_international=told.settings.phone_international,
        phone_extensions=told.settings.phone_extensions,
        server_time=float(stamp) if stamp.isdigit() else None,
    )


def _rights(row: Any) -> dict[str, str]:
    """Rights on one entity. An administrator's table may lack it; `false` says that a role forbids all of it."""
    if isinstance(row, dict):
        return {str(right): str(level) for right, level in row.items()}
    return dict.fromkeys(("create", "read", "edit", "delete"), "no") if row is False else {}


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
