"""What EspoCRM reads out of a request: the user, the body, PHP's nested query parameters."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from sandbox.espocrm.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from sandbox.espocrm.settings import User

_KEY = re.compile(r"\[([^\]]*)\]")


def php_query(text: str) -> dict[str, Any]:
    """Return a query string as PHP nests it: `where[0][type]=x` becomes `{"where": [{"type": "x"}]}`."""
    query: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, bracket, rest = name.partition("[")
        path = [head, *_KEY.findall(bracket + rest)]
        place = query
        for key in path[:-1]:
            inner = place.setdefault(key or str(len(place)), {})
            if not isinstance(inner, dict):
                inner = place[key] = {}
            place = inner
        place[path[-1] or str(len(place))] = value
    return {name: _lists(value) for name, value in query.items()}


def _lists(value: Any) -> Any:
    """Turn objects whose keys are numbers into arrays."""
    if not isinstance(value, dict):
        return value
    inner = {key: _lists(item) for key, item in value.items()}
    return list(inner.values()) if inner and all(key.isdigit() for key in inner) else inner


class Doorman:
    """Tells who is calling."""

    def __init__(self, users: Iterable[User]) -> None:
        self._users = {user.key: user for user in users}

    def user(self, request: Request, resource: str) -> User:
        """Return the user who signed the request for `resource` (the path below `/api/v1/`, no query).

        Raises:
            ApiError: 401.
        """
        headers = request.headers
        if "x-hmac-authorization" in headers:
            return self._signed(headers["x-hmac-authorization"], f"{request.method} /{resource}")
        key = headers.get("x-api-key")
        if key is None:
            raise Unauthorized(asks=True)
        user = self._users.get(key)
        if user is None or user.secret:
            raise Unauthorized
        return user

    def _signed(self, header: str, text: str) -> User:
        try:
            key, _, given = base64.b64decode(header, validate=True).partition(b":")
        except binascii.Error:
            raise Unauthorized from None
        user = self._users.get(key.decode("utf-8", "replace"))
        if user is None or not user.secret:
            raise Unauthorized
        mac = hmac.new(user.secret.encode(), text.encode(), hashlib.sha256)
        if given not in {mac.digest(), mac.hexdigest().encode()}:
            raise Unauthorized
        return user


class Unauthorized(ApiError):
    """401; `asks`: no credentials at all, so the answer asks for some."""

    def __init__(self, *, asks: bool = False) -> None:
        super().__init__(401)
        self.asks = asks


def _no_json(constant: str) -> None:
    """NaN and Infinity are no JSON for PHP."""
    raise ValueError(constant)


async def body(request: Request) -> dict[str, Any]:
    """Return the JSON object of the body; a body that isn't declared as JSON, an empty one and an array count as none.

    Raises:
        ApiError: 500 for malformed JSON, 400 for a JSON text, number or null.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    raw = await request.body()
    if content_type != "application/json" or not raw.strip():
        return {}
    try:
        data = json.loads(raw, parse_constant=_no_json)
    except ValueError:
        raise ApiError(500) from None
    if isinstance(data, list):
        return {}
    if not isinstance(data, dict):
        raise ApiError(400, "Body is not a JSON object.")
    return data
