"""What comes in: JSON bodies and numbers in paths, checked as strictly as the Connector does (real ints)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sandbox.advoware.errors import bad_request, not_found

if TYPE_CHECKING:
    from starlette.requests import Request

    from sandbox.advoware.store import Entry
    from sandbox.advoware.switches import Limit, Switches

_KINDS = range(1, 13)
_MAX_DIGITS = 18  # what SQLite's integers hold


async def json_object(request: Request, *, fold_keys: bool = True) -> dict[str, Any]:
    """Return the body's JSON object; `fold_keys`: keys in lower case, because the API reads them in any case.

    Raises:
        ApiError: 400.
    """
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise bad_request("Der Inhalt ist kein gültiges JSON.") from None
    if not isinstance(body, dict):
        raise bad_request("Der Inhalt ist kein JSON-Objekt.")
    return {key.lower(): value for key, value in body.items()} if fold_keys else body


def path_number(request: Request, name: str, what: str) -> int:
    """Return a number of the path; anything else names nothing that exists.

    Raises:
        ApiError: 404.
    """
    text = request.path_params[name]
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        raise not_found(what)
    return int(text)


def komm_kz(body: dict[str, Any], *, required: bool) -> int | None:
    """Return the checked kommKz, None where it may be missing and is.

    Raises:
        ApiError: 400.
    """
    if "kommkz" not in body and not required:
        return None
    value = body.get("kommkz")
    if type(value) is not int:
        raise bad_request("kommKz fehlt oder ist keine Ganzzahl.")
    if value not in _KINDS:
        raise bad_request("kommKz muss zwischen 1 und 12 liegen.")
    return value


def text(body: dict[str, Any], name: str, switches: Switches) -> str | None:
    """Return a text member as it will be stored: within its limit, in the database's character set.

    Raises:
        ApiError: 400.
    """
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise bad_request(f"{name} muss ein Text sein.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise bad_request(f"{name} ist kein gültiger Unicode-Text.")
    limit: Limit | None = switches.bemerkung_max if name == "bemerkung" else switches.tlf_max
    if limit is not None and len(value) > limit.length:
        if limit.mode == "reject400":
            raise bad_request(f"{name} darf höchstens {limit.length} Zeichen lang sein.")
        value = value[: limit.length]
    if switches.charset == "windows1252":
        value = value.encode("cp1252", "replace").decode("cp1252")
    return value


def with_texts(entry: Entry, body: dict[str, Any], switches: Switches, *, clear_omitted: bool = False) -> Entry:
    """Return the entry with a body's `tlf` and `bemerkung`; `clear_omitted`: what the body leaves out becomes null.

    Raises:
        ApiError: 400.
    """
    if "tlf" in body or clear_omitted:
        entry = replace(entry, tlf=text(body, "tlf", switches))
    if "bemerkung" in body or clear_omitted:
        entry = replace(entry, bemerkung=text(body, "bemerkung", switches))
    return entry


def online(body: dict[str, Any]) -> bool:
    """Return `online`; left out or null: false.

    Raises:
        ApiError: 400.
    """
    value = body.get("online")
    if value is not None and not isinstance(value, bool):
        raise bad_request("online muss true oder false sein.")
    return bool(value)
