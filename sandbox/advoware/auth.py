"""The security gateway: from signed credentials to a bearer token (after the vendor's help page and sample)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.advoware.errors import bad_request, no_token, not_activated, not_registered, wrong_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.advoware.switches import Switches

_STRINGS = ("AppID", "Kanzlei", "Database", "User", "Password", "Nonce", "HMAC512Signature", "RequestTimeStamp")
_INTS = ("Role", "Product")
# The three forms seen: 7 digits of a fraction and Z, +0000, 3 digits and Z.
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,7})?(Z|[+-]00:?00)")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the firm's Advoware knows, named as in `.env.sandbox`."""

    kanzlei: str
    database: str
    user: str
    password: str
    app_id: str
    api_key: str
    role: int = 2
    product: int = 64

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> Credentials:
        """Read them from environment-like settings.

        Raises:
            KeyError: a variable is missing.
        """
        return cls(
            kanzlei=settings["ADVOWARE_KANZLEI"],
            database=settings["ADVOWARE_DATABASE"],
            user=settings["ADVOWARE_USER"],
            password=settings["ADVOWARE_PASSWORD"],
            app_id=settings["ADVOWARE_APP_ID"],
            api_key=settings["ADVOWARE_API_KEY"],
            role=int(settings.get("ADVOWARE_ROLE") or 2),
            product=int(settings.get("ADVOWARE_PRODUCT_ID") or 64),
        )


def signature(api_key: str, product: int, app_id: str, nonce: str, time_stamp: str) -> str:
    """Sign as the vendor's program does; `api_key`: base64 of the key's bytes."""
    message = f"{product}:{app_id}:{nonce}:{time_stamp}".encode()
    return base64.b64encode(hmac.digest(base64.b64decode(api_key), message, hashlib.sha512)).decode()


class Gateway:
    """Issues tokens and knows which are valid. Tokens do not survive a restart of the sandbox."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._tokens: dict[str, float] = {}
        self._nonces: set[str] = set()

    def issue(self, body: dict[str, Any], switches: Switches) -> dict[str, Any]:
        """Check a token request and return its answer.

        Raises:
            ApiError: malformed (400), not activated or not registered (403), signature or credentials wrong (401).
        """
        _check_shape(body, switches)
        mine = self._credentials
        if not switches.activated or body["AppID"] != mine.app_id or body["Product"] != mine.product:
            raise not_activated()
        if (body["Kanzlei"], body["Database"]) != (mine.kanzlei, mine.database):
            raise not_registered()
        nonce, time_stamp = body["Nonce"], body["RequestTimeStamp"]
        expected = signature(mine.api_key, mine.product, mine.app_id, nonce, time_stamp)
        if not hmac.compare_digest(expected.encode(), body["HMAC512Signature"].encode()):
            raise wrong_credentials()
        if switches.check_nonce and nonce in self._nonces:
            raise bad_request("Die Nonce wurde schon verwendet.")
        self._nonces.add(nonce)
        known = (body["User"], body["Password"], body["Role"]) == (mine.user, mine.password, mine.role)
        if not known:
            raise wrong_credentials()
        return self._new_token(switches.token_lifetime_seconds)

    def _new_token(self, seconds: float) -> dict[str, Any]:
        now = time.monotonic()
        self._tokens = {token: until for token, until in self._tokens.items() if until > now}
        token = secrets.token_urlsafe(48)
        self._tokens[token] = now + seconds
        expiry = datetime.now(UTC) + timedelta(seconds=seconds)
        return {
            "token_type": "bearer",
            "expires_in": int(seconds),
            "expiration_utc": expiry.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z",
            "access_token": token,
            "refresh_token": secrets.token_urlsafe(32),
        }

    def check(self, authorization: str) -> None:
        """Let a call through that carries a valid bearer token.

        Raises:
            ApiError: 401.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or self._tokens.get(token.strip(), 0) <= time.monotonic():
            raise no_token()

    def revoke_all(self) -> None:
        """Make every token invalid, as a restart of the gateway would."""
        self._tokens.clear()


def _check_shape(body: dict[str, Any], switches: Switches) -> None:
    wrong = [name for name in _STRINGS if not isinstance(body.get(name), str)]
    wrong += [name for name in _INTS if type(body.get(name)) is not int]
    if wrong:
        raise bad_request(f"Fehlende oder falsche Angaben: {', '.join(wrong)}.")
    match = _TIME.fullmatch(body["RequestTimeStamp"])
    try:
        sent = datetime.strptime(match[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC) if match else None
    except ValueError:
        sent = None
    if sent is None:
        raise bad_request("RequestTimeStamp ist keine gültige UTC-Zeit.")
    window = switches.timestamp_window_seconds
    if window is not None and abs((datetime.now(UTC) - sent).total_seconds()) > window:
        raise bad_request("RequestTimeStamp weicht zu weit von der Serverzeit ab.")
