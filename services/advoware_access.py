"""What comes before the first call to Advoware: looking up the firm's addresses, and the token.

Facts: the vendor's pages "API Startseite" (look-up) and "Authentifizierung" (token), and the vendor's own sample client.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from services.errors import (
    AuthFailed,
    BadAnswer,
    ConnectorOffline,
    NotActivated,
    NotFound,
    RetryLater,
    SyncError,
    Unconfigured,
    Validation,
)
from services.http_client import NOT_JSON, Answer, Call, HttpClient
from services.web_address import usable_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.config import AdvowareSettings
    from services.token_cache import TokenCache

SYSTEM = "Advoware"

COPY_SECONDS = 5.0
"""So long a token is used without asking the cache again, unless it is refused."""

_RENEW_EARLY_SECONDS = 120.0
_DEFAULT_LIFETIME_SECONDS = 3300.0
_ACCESS_SECONDS = 15.0  # the vendor's own program waits so long for the look-up and for the token

_COMPLAINTS: tuple[tuple[str, type[SyncError], str], ...] = (
    ("freigeschaltet", NotActivated, "says that the app or the user is not activated for this firm"),
    ("ist nicht registriert", NotActivated, "does not know the firm or the database (ADVOWARE_KANZLEI, ADVOWARE_DATABASE)"),
    ("ist nicht angemeldet", ConnectorOffline, "says that the firm's connector is offline"),
    ("falscher name oder falsches kennwort", AuthFailed, "refused user or password (ADVOWARE_USER, ADVOWARE_PASSWORD)"),
    ("benutzer / kennwort ung", AuthFailed, "refused user or password (ADVOWARE_USER, ADVOWARE_PASSWORD)"),
)
"""Parts of German texts by which the vendor's own program tells these errors apart; their HTTP status is not known."""


def sign(api_key_b64: str, product: int, app_id: str, nonce: str, timestamp: str) -> str:
    """The `HMAC512Signature` of a token request: base64 of HMAC-SHA512 over 'product:app_id:nonce:timestamp'."""
    message = f"{product}:{app_id}:{nonce}:{timestamp}".encode()
    return base64.b64encode(hmac.digest(base64.b64decode(api_key_b64), message, hashlib.sha512)).decode("ascii")


def complaint(answer: Answer, what: str) -> SyncError | None:
    """The error that a known German text in the answer stands for, whatever the status; None without such a text."""
    # JSON encoders may write a slash as '\/'.
    text = answer.text().casefold().replace("\\/", "/")
    for part, kind, sentence in _COMPLAINTS:
        if part in text:
            return kind(f"{SYSTEM} {sentence} while {what}.", system=SYSTEM, status=answer.status)
    return None


def single_object(payload: Any) -> dict[str, Any] | None:
    """The JSON object, also out of a list that holds just one, with lower-cased keys; None for anything else."""
    if isinstance(payload, list) and len(payload) == 1:
        payload = payload[0]
    return {key.lower(): value for key, value in payload.items()} if isinstance(payload, dict) else None


@contextmanager
def _no_fault_of_the_record() -> Iterator[None]:
    """A system that can't be entered uses up no retry budget of the record at hand."""
    try:
        yield
    except SyncError as error:
        error.counts_against_record = False
        raise


def lifetime(token: dict[str, Any], now: datetime) -> float:
    """Seconds a token answer (lower-cased keys) is good for: `expiration_utc`, else `expires_in`, else 3300."""
    try:
        # Fractions come with seven digits, more than Python reads; the vendor's program cuts them off too.
        until = datetime.fromisoformat(str(token.get("expiration_utc"))[:19]).replace(tzinfo=UTC)
        seconds = (until - now).total_seconds()
    except ValueError:
        seconds = 0.0
    if seconds > 0:
        return seconds
    try:
        # Also where `expiration_utc` seems to be over already: a new token is not, so the two clocks differ.
        seconds = float(token.get("expires_in") or 0)
    except (TypeError, ValueError):
        seconds = 0.0
    return seconds if seconds > 0 else _DEFAULT_LIFETIME_SECONDS


class Addresses:
    """Base addresses of the API and of the token service: configured, or looked up when first needed."""

    def __init__(self, settings: AdvowareSettings, http: HttpClient) -> None:
        self._settings = settings
        self._http = http
        self._lock = threading.Lock()
        self._found: dict[str, Any] | None = None

    @_no_fault_of_the_record()
    def api(self) -> str:
        """The root of the API. A connector that is reachable directly comes before the vendor's relay."""
        if self._settings.api_base_url:
            return self._settings.api_base_url
        found = self._look_up()
        return self._usable(found.get("connectorurl") or found.get("relayurl"), "ADVOWARE_API_BASE_URL")

    @_no_fault_of_the_record()
    def gateway(self) -> str:
        """The root of the token service. Raises `Unconfigured` if neither setting nor look-up names it."""
        if self._settings.security_gateway_url:
            return self._settings.security_gateway_url
        address = self._usable(self._look_up().get("securitygateway"), "ADVOWARE_SECURITY_GATEWAY_URL")
        if self._settings.configurator_url.startswith("https:") and not address.startswith("https:"):
            raise BadAnswer(f"{SYSTEM}'s look-up names a token service without TLS.", system=SYSTEM)
        return address

    def forget(self) -> None:
        """Look up afresh next time: the firm's connector may have moved."""
        with self._lock:
            self._found = None

    @staticmethod
    def _usable(address: Any, variable: str) -> str:
        if not address:
            raise Unconfigured(f"{SYSTEM}'s look-up does not name an address: set {variable}.", system=SYSTEM)
        if not isinstance(address, str) or not usable_address(address):
            raise BadAnswer(f"{SYSTEM}'s look-up gives an unusable address.", system=SYSTEM)
        return address.rstrip("/")

    def _look_up(self) -> dict[str, Any]:
        with self._lock:
            if self._found is not None:
                return self._found
            call = Call(
                "GET",
                self._settings.configurator_url,
                "looking up the firm's addresses",
                query=(("Kanzlei", self._settings.kanzlei),),
                seconds=min(_ACCESS_SECONDS, self._settings.timeout_seconds),
            )
            answer = self._http.send(call)
            if not answer.ok and (error := complaint(answer, call.what)):
                raise error
            self._http.check(answer, call)
            found = single_object(answer.json())
            if found is None:
                raise BadAnswer(f"{SYSTEM}'s look-up gave no addresses.", system=SYSTEM)
            self._found = found
            return found


class TokenSource:
    """Gives the access token, and gets a new one when there is none or the present one was refused."""

    def __init__(self, settings: AdvowareSettings, http: HttpClient, addresses: Addresses, cache: TokenCache) -> None:
        self._settings = settings
        self._http = http
        self._addresses = addresses
        self._cache = cache
        self._lock = threading.Lock()
        self._copy = ("", 0.0)
        self._finished = 0
        self._failure: SyncError | None = None
        identity = (settings.kanzlei, settings.database, settings.user, settings.password.get_secret_value())
        # Keyed: who reads Redis can't try out passwords against the name of the entry.
        key = settings.api_key.get_secret_value().encode()
        self._key = hmac.digest(key, json.dumps([*identity, settings.app_id]).encode(), hashlib.sha256).hex()

    def token(self, *, refused: str | None = None) -> str:
        """Give a token other than `refused`. Whatever goes wrong here, the call it is for was not sent.

        Single flight: workers A and B find the token refused at once. A gets the lock and asks for a new one; B waits,
        then finds A's token in the cache. If A's request failed, B fails alike instead of asking once more: eight
        workers with an expired password would otherwise lock the user's account in one go.
        """
        seen = self._finished
        if (cached := self._cached(refused)) is not None:
            return cached
        with self._lock:
            if (cached := self._cached(refused)) is not None:
                return cached
            if self._failure is not None and self._finished != seen:
                raise self._failure.with_traceback(None)
            if refused is not None:
                self._cache.drop(self._key)
            self._failure = None
            try:
                with _no_fault_of_the_record():
                    token, seconds = self._request()
            except SyncError as error:
                self._failure = error
                raise
            finally:
                self._finished += 1
            # A token that lives shorter than the margin would be asked for with each call.
            kept = max(seconds - _RENEW_EARLY_SECONDS, seconds / 2)
            self._copy = (token, time.monotonic() + min(kept, COPY_SECONDS))
            self._cache.put(self._key, token, kept)
            return token

    def _cached(self, refused: str | None) -> str | None:
        token, until = self._copy
        if refused is None and time.monotonic() < until:
            return token
        cached = self._cache.get(self._key)
        if cached is None or cached == refused:
            return None
        self._copy = (cached, time.monotonic() + COPY_SECONDS)
        return cached

    def _request(self) -> tuple[str, float]:
        call = Call(
            "POST",
            f"{self._addresses.gateway()}/api/v1/Token",
            "asking for a token",
            headers={"Content-Type": "application/json"},
            body=json.dumps(self._body(), ensure_ascii=False).encode(),
            seconds=min(_ACCESS_SECONDS, self._settings.timeout_seconds),
        )
        try:
            answer = self._http.send(call)
        except RetryLater:
            self._addresses.forget()
            raise
        if error := _refusal(answer, call, self._http):
            raise error
        found = single_object(answer.json())
        token = found.get("access_token") if found else None
        if found is None or not isinstance(token, str) or not (token.isascii() and token.isprintable() and token.strip()):
            raise BadAnswer(f"{SYSTEM} gave no usable token.", system=SYSTEM)
        return token, lifetime(found, datetime.now(UTC))

    def _body(self) -> dict[str, Any]:
        settings, nonce = self._settings, str(uuid.uuid4())
        # Seven fractional digits as on the vendor's page; signed as sent.
        timestamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        signature = sign(settings.api_key.get_secret_value(), settings.product_id, settings.app_id, nonce, timestamp)
        return {
            "AppID": settings.app_id,
            "Kanzlei": settings.kanzlei,
            "Database": settings.database,
            "User": settings.user,
            "Role": settings.role,
            "Product": settings.product_id,
            "Password": settings.password.get_secret_value(),
            "Nonce": nonce,
            "HMAC512Signature": signature,
            "RequestTimeStamp": timestamp,
        }


def _refusal(answer: Answer, call: Call, http: HttpClient) -> SyncError | None:
    """What a refused token request means: nothing about a record, always about the access."""
    if answer.ok and answer.json() is not NOT_JSON:
        return None
    if error := complaint(answer, call.what):
        return error
    try:
        http.check(answer, call)
    except NotFound:
        hint = "check ADVOWARE_SECURITY_GATEWAY_URL"
        return Unconfigured(f"{SYSTEM}'s token service is not at its address (404): {hint}.", system=SYSTEM, status=404)
    except (Validation, AuthFailed) as error:
        text = f"{SYSTEM} refused the token request ({error.status}): check user, password, app and API key."
        return AuthFailed(text, system=SYSTEM, status=error.status)
    except SyncError as error:
        return error
    return None
