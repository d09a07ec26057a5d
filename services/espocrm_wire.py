"""How requests to EspoCRM look: conditions as query parameters, items of the two arrays, the signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

from services.secrecy import klar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.kommunikation_types import EspoItem

Where = dict[str, Any]
"""One condition of a list query: type, attribute, value."""


def hmac_authorization(api_key: str, secret: str, method: str, path: str) -> str:
    """The `X-Hmac-Authorization` of a request. `path`: after /api/v1/, without the query."""
    digest = hmac.digest(secret.encode(), f"{method} /{path}".encode(), hashlib.sha256)
    return base64.b64encode(api_key.encode() + b":" + digest).decode("ascii")


def equals(attribute: str, value: str | int) -> Where:
    """The condition that an attribute has this value."""
    return {"type": "equals", "attribute": attribute, "value": value}


def flat(where: Sequence[Where], prefix: str = "where") -> list[tuple[str, str]]:
    """Conditions as EspoCRM's documented query parameters: where[0][type]=equals&where[0][attribute]=..."""
    pairs: list[tuple[str, str]] = []
    for number, condition in enumerate(where):
        for name, value in condition.items():
            key = f"{prefix}[{number}][{name}]"
            pairs += (
                flat(value, key)
                if isinstance(value, list)
                else [(key, klar(value) if isinstance(value, str) else str(value))]
            )
    return pairs


def email_item(item: EspoItem) -> dict[str, Any]:
    """An item of `emailAddressData`, with every key: EspoCRM resets what is left out."""
    return {
        "emailAddress": item.value,
        "lower": item.value.lower(),
        "primary": item.primary,
        "optOut": item.opt_out,
        "invalid": item.invalid,
    }


def phone_item(item: EspoItem) -> dict[str, Any]:
    """An item of `phoneNumberData`, with every key: EspoCRM resets what is left out."""
    return {
        "phoneNumber": item.value,
        "type": item.type or None,  # None: the default type; '' would be refused
        "primary": item.primary,
        "optOut": item.opt_out,
        "invalid": item.invalid,
    }
