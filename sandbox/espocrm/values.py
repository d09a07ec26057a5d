"""What a value must look like: PHP's e-mail check, numbers, dates, and PHP's ideas of emptiness and equality."""

from __future__ import annotations

import ipaddress
import math
import re
import secrets
from datetime import UTC, datetime
from typing import Any

import phonenumbers

from sandbox.espocrm.entities import PHONE_TYPES

PHP_BLANKS = " \t\n\r\0\x0b"
"""What PHP's `trim` removes; a non-breaking space stays."""
MAX_NUMBER_LENGTH = 36

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_QUOTED = r'"(?:[\x01-\x08\x0b\x0c\x0e-\x1f!\x23-\x5b\x5d-\x7f]|\\[\x00-\x7f])*"'
_LOCAL_PART = re.compile(rf"(?:{_ATOM}|{_QUOTED})(?:\.(?:{_ATOM}|{_QUOTED}))*@")
_LABEL = re.compile(r"(?:xn--)?[a-z0-9]+(?:-+[a-z0-9]+)*", re.IGNORECASE)
_TOP_LABEL = re.compile(r"(?:[a-z][a-z0-9]*|xn--[a-z0-9]+)(?:-+[a-z0-9]+)*", re.IGNORECASE)
_LONGEST_ADDRESS, _LONGEST_LOCAL_PART, _LONGEST_LABEL = 254, 64, 63
_BEYOND_ANY_INT = 2**63
_NUMBER_CHARACTERS = re.compile(r"[0-9A-Za-z_@:#+().\- ]+")
_INT = re.compile(r"[ \t\n\r\v\f]*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?[ \t\n\r\v\f]*")
_TIMES = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")


def truthy(value: Any) -> bool:
    """Return PHP's truth of a JSON value: the text 'false' is true, '0' is not."""
    return value != "0" and (isinstance(value, dict) or bool(value))


def same(left: Any, right: Any) -> bool:
    """Return whether two JSON values are equal for EspoCRM: 1 is not true, the order of an object's keys is free."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and bool(left == right)


def is_email(value: Any) -> bool:
    """Return what PHP's FILTER_VALIDATE_EMAIL says of it (a mail domain needs a dot; umlauts are refused)."""
    if not isinstance(value, str) or len(value) > _LONGEST_ADDRESS or value.endswith("\n"):
        return False
    local = _LOCAL_PART.match(value)
    if not local or local.end() - 1 > _LONGEST_LOCAL_PART:
        return False
    domain = value[local.end() :]
    if domain.startswith("[") and domain.endswith("]"):
        return _is_literal(domain[1:-1])
    *labels, top = domain.split(".")
    return (
        bool(labels)
        and all(len(label) <= _LONGEST_LABEL for label in (*labels, top))
        and all(_LABEL.fullmatch(label) for label in labels)
        and _TOP_LABEL.fullmatch(top) is not None
    )


def _is_literal(host: str) -> bool:
    try:
        if host.lower().startswith("ipv6:"):
            ipaddress.IPv6Address(host[5:])
        else:
            ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def clean_number(value: str, *, international: bool, extensions: bool) -> str:
    """Return a number as EspoCRM stores it: trimmed; one that starts with `+` as E.164 where that is the setting."""
    number = value.strip(PHP_BLANKS)
    if not international or not number.startswith("+"):
        return number
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return number
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return f"{e164} ext. {parsed.extension}" if extensions and parsed.extension else e164


def is_number(value: Any, *, international: bool, extensions: bool) -> bool:
    """Return whether a cleaned number is accepted."""
    if not isinstance(value, str) or not _NUMBER_CHARACTERS.fullmatch(value):
        return False
    if not international:
        return True
    number, _, extension = value.partition(" ext. ") if extensions else (value, "", "")
    if extension and not re.fullmatch(r"\d{1,6}", extension):
        return False
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return False
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return e164 == number and phonenumbers.is_possible_number(parsed)


def is_number_type(value: Any) -> bool:
    """Return whether it is a type of the field's list, spelled exactly so, or left out."""
    return value is None or value in PHONE_TYPES


def is_numeric(value: Any) -> bool:
    """Return PHP's `is_numeric`; the empty text counts as no value."""
    if isinstance(value, str):
        return value == "" or _INT.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def to_int(value: Any) -> int | None:
    """Return PHP's `intval` of a numeric value."""
    if value is None or value == "":
        return None
    number = value if isinstance(value, int) else float(value)
    return int(number) if math.isfinite(number) else _BEYOND_ANY_INT


def to_datetime(value: Any) -> Any:
    """Return ISO 8601 with a zone as UTC text and `2026-01-02 03:04` with seconds; anything else as it is."""
    if not isinstance(value, str):
        return value
    parsed = None
    for form in (*_TIMES, "%Y-%m-%dT%H:%M:%S%z"):
        try:
            parsed = datetime.strptime(value, form)  # noqa: DTZ007 - EspoCRM's texts have no zone and mean UTC
        except ValueError:
            continue
        break
    if parsed is None:
        return value
    return (parsed.astimezone(UTC) if parsed.tzinfo else parsed).strftime(_TIMES[0])


def is_datetime(value: Any) -> bool:
    """Return whether it is a moment written `YYYY-MM-DD HH:MM:SS`."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", value):
        return False
    try:
        datetime.strptime(value, _TIMES[0])  # noqa: DTZ007 - as above
    except ValueError:
        return False
    return True


def now() -> str:
    """Return this second as EspoCRM writes times."""
    return datetime.now(UTC).strftime(_TIMES[0])


def new_id() -> str:
    """Return a record id: 17 hex digits."""
    return secrets.token_hex(9)[:17]
