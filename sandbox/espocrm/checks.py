"""From the body of a POST or PUT to what EspoCRM works with: first cleaning, then checks; nothing is stored before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.espocrm import values
from sandbox.espocrm.entities import ARRAY_FIELDS, Attribute, Entity, Type, address_field
from sandbox.espocrm.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.espocrm.settings import Switches

_INT_RANGE = (-(2**31), 2**31 - 1)


def cleaned(entity: Entity, data: Mapping[str, Any], switches: Switches) -> dict[str, Any]:
    """Return the attributes a client may set, in the form EspoCRM compares and stores; what has no such form stays."""
    return {a.name: _clean(a, data[a.name], switches) for a in entity.attributes if a.writable and a.name in data}


def _clean(attribute: Attribute, value: Any, switches: Switches) -> Any:
    match attribute.type:
        case Type.INT:
            return values.to_int(value) if values.is_numeric(value) else value
        case Type.DATETIME:
            return values.to_datetime(value)
        case Type.BOOL | Type.FLAG:
            return None if value is None else _is_scalar(value) and value in {1, "1", "true"}
        case Type.ARRAY:
            return _array(attribute.name, value, switches)
        case Type.ADDRESS:
            return _address(attribute.name, value, switches)
        case _:
            return _text(attribute, value)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _text(attribute: Attribute, value: Any) -> Any:
    if not _is_scalar(value):
        return value
    text = ("1" if value else "") if isinstance(value, bool) else str(value)
    if attribute.type in {Type.VARCHAR, Type.NAME}:
        text = text.strip(values.PHP_BLANKS)
    return text or None


def _number(value: str, switches: Switches) -> str:
    return values.clean_number(
        value, international=switches.phone_number_international, extensions=switches.phone_number_extensions
    )


def _address(field: str, value: Any, switches: Switches) -> Any:
    if not isinstance(value, str):
        return value
    text = _number(value, switches) if field == "phoneNumber" else value.strip(values.PHP_BLANKS)
    return text or None


def _array(attribute: str, value: Any, switches: Switches) -> list[Any] | None:
    if not isinstance(value, list):
        return None
    if attribute == "emailAddressData":
        return value
    return [
        {**item, "phoneNumber": _number(item["phoneNumber"], switches)}
        if isinstance(item, dict) and isinstance(item.get("phoneNumber"), str)
        else item
        for item in value
    ]


def check(entity: Entity, current: Mapping[str, Any], touched: set[str], switches: Switches) -> None:
    """Check the touched attributes of a record as it would become.

    Args:
        entity: its type.
        current: stored values overlaid by the cleaned ones of the request.
        touched: attributes of the request; for a new record also the required ones.
        switches: the configuration.

    Raises:
        ApiError: 400; it names the first field at fault.
    """
    for attribute in entity.attributes:
        name = attribute.name
        if name in ARRAY_FIELDS:
            if touched.intersection(address_field(name)):
                fault = (_email_fault if name == "emailAddress" else _phone_fault)(current, switches)
                if fault:
                    raise invalid(entity.name, name, fault)
        elif name in touched and attribute.writable:
            fault = _fault(attribute, current.get(name))
            if fault:
                raise invalid(entity.name, name, fault)


def _fault(attribute: Attribute, value: Any) -> str:
    if value is None:
        return "required" if attribute.required else ""
    match attribute.type:
        case Type.INT:
            return _int_fault(value)
        case Type.DATETIME:
            return "" if values.is_datetime(value) else "valid"
        case Type.BOOL | Type.FLAG | Type.ARRAY:
            return ""
        case _:
            return _text_fault(attribute, value)


def _int_fault(value: Any) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        return "valid"
    return "" if _INT_RANGE[0] <= value <= _INT_RANGE[1] else "rangeInternal"


def _text_fault(attribute: Attribute, value: Any) -> str:
    if not isinstance(value, str) or (attribute.type is Type.ENUM and value not in attribute.options):
        return "valid"
    return "maxLength" if attribute.maximum and len(value) > attribute.maximum else ""


def _email_fault(current: Mapping[str, Any], switches: Switches) -> str:
    address, items = current.get("emailAddress"), current.get("emailAddressData") or []
    if address is not None and not values.is_email(address):
        return "emailAddress"
    for item in items:
        if not isinstance(item, dict):
            return "emailAddress"
        value = item.get("emailAddress")
        if values.truthy(value) and not values.is_email(value):
            return "emailAddress"
    return _count_fault(items, switches)


def _phone_fault(current: Mapping[str, Any], switches: Switches) -> str:
    """Look at the record's primary too, sent or stored.

    So an old national number that is the primary also blocks an array without it, unless `phoneNumber` comes along
    (read in EspoCRM's source, not seen running).
    """
    number, items = current.get("phoneNumber"), current.get("phoneNumberData") or []
    rules = {
        "international": switches.phone_number_international,
        "extensions": switches.phone_number_extensions,
    }
    if number is not None and not values.is_number(number, **rules):
        return "valid"
    for item in items:
        if (
            not isinstance(item, dict)
            or not values.is_number(item.get("phoneNumber"), **rules)
            or not values.is_number_type(item.get("type"))
        ):
            return "valid"
    numbers = [number or "", *(item["phoneNumber"] for item in items)]
    if any(len(n) > values.MAX_NUMBER_LENGTH for n in numbers):
        return "maxLength"
    return _count_fault(items, switches)


def _count_fault(items: list[Any], switches: Switches) -> str:
    return "maxCount" if switches.max_count is not None and len(items) > switches.max_count else ""
