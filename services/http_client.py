"""What both clients share: one call over HTTP, and its typed failures.

httpx is imported with the first call only: a step process that has nothing to send does not pay for it.
"""

from __future__ import annotations

import functools
import json
import logging
import ssl
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.request import getproxies

from services.adaptive_limit import LONGEST_PAUSE_SECONDS, AdaptiveLimit
from services.errors import (
    AuthFailed,
    BadAnswer,
    Bug,
    Conflict,
    Forbidden,
    NotFound,
    RateLimited,
    ServerError,
    SyncError,
    TimedOut,
    Unconfigured,
    Unreachable,
    Validation,
)
from services.tally import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

# httpx logs every address at INFO, and the query of a list holds clients' addresses and numbers.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
NOT_JSON: Final = object()
"""What `Answer.json` gives for a body that is no JSON."""

_CONNECT_SECONDS = 10.0
_WRITE_PATIENCE = 5.0
_PARALLEL_CALLS = 20
_INVALID: tuple[type[SyncError], str] = (Validation, "refused the request as invalid")
_BY_STATUS: dict[int, tuple[type[SyncError], str]] = {
    401: (AuthFailed, "refused the credentials"),
    403: (Forbidden, "does not allow it"),
    404: (NotFound, "has no such record"),
    405: (Forbidden, "does not offer it"),
    409: (Conflict, "has a newer state"),
    410: (NotFound, "has no such record"),
    412: (Conflict, "has a newer state"),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `what` completes "while ..." in error texts: ids and kinds, never a client's value.

    `writes`: whether it may change a record, so that a lost answer leaves open what happened. `seconds`: limit for
    this call, None for the client's own.
    """

    method: str
    url: str = field(repr=False)
    what: str
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    query: tuple[tuple[str, str], ...] = field(repr=False, default=())
    body: bytes | None = field(repr=False, default=None)
    writes: bool = False
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (lower-cased names) and body of an answer. The body is never shown."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the status is one of success (200..299)."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def json(self) -> Any:
        """The body as JSON, or `NOT_JSON`."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return NOT_JSON

    def text(self) -> str:
        """The body as text, whatever its encoding."""
        return self.body.decode("utf-8", errors="replace")


class HttpClient:
    """A connection pool to one system: thread-safe, TLS checked, redirects not followed.

    `system` and `address_variable` name the system and the setting of its address in error texts.
    """

    def __init__(self, system: str, *, seconds: float, address_variable: str) -> None:
        self.system = system
        self._seconds = seconds
        self._address_variable = address_variable
        self._lock = threading.Lock()
        self._clients: dict[bool, httpx.Client] = {}
        """By whether TLS can occur on the way."""
        self._closed = False
        self._proxied: bool | None = None
        """Whether the environment names a proxy; None: not looked up yet. That reads all of the environment."""
        self._limit = AdaptiveLimit(_PARALLEL_CALLS)

    def send(self, call: Call) -> Answer:
        """Send once and give the answer, whatever its status. Waits for a place where the system has slowed us down.

        Raises `Unreachable`, `TimedOut` (each with `maybe_done`), `BadAnswer`; `RateLimited` where no place came free.
        """
        from services.lean_httpx import httpx

        limit = call.seconds or self._seconds
        system, what = self.system, call.what
        # Each branch raises without a cause: httpx's exceptions hold the request with its address and headers.
        try:
            return self._in_its_place(call, limit)
        except (httpx.ConnectTimeout, httpx.PoolTimeout):
            failure: SyncError = TimedOut(
                f"No connection to {system} in time while {what}.", system=system, maybe_done=False
            )
        except httpx.TimeoutException:
            failure = TimedOut(
                f"{system} did not answer within {limit:.0f} s while {what}.", system=system, maybe_done=call.writes
            )
        except (httpx.ConnectError, httpx.ProxyError):
            failure = Unreachable(f"{system} can't be reached while {what}.", system=system, maybe_done=False)
        except httpx.TransportError:
            failure = Unreachable(f"The connection to {system} broke while {what}.", system=system, maybe_done=call.writes)
        except httpx.HTTPError:
            failure = BadAnswer(f"{system}'s answer can't be decoded while {what}.", system=system)
        raise failure

    def _in_its_place(self, call: Call, limit: float) -> Answer:
        # Right before a write the lease was renewed: it must not be used up by waiting.
        begun = self._limit.enter(_WRITE_PATIENCE if call.writes else min(LONGEST_PAUSE_SECONDS, limit))
        if begun is None:
            text = f"{self.system} takes fewer requests at the moment; nothing was sent while {call.what}."
            raise RateLimited(text, system=self.system, retry_after=self._limit.pause_left() or None)
        from services.lean_httpx import httpx

        trouble, pause, status = False, None, None
        try:
            answer = self._exchange(call, limit)
            status = answer.status
            trouble = answer.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
            pause = retry_after(answer.headers.get("retry-after", "")) if trouble else None
        except httpx.TimeoutException:
            trouble = True
            raise
        finally:
            REQUESTS.request(self.system, status)
            self._limit.leave(begun, trouble=trouble, pause=pause)
        return answer

    def _exchange(self, call: Call, limit: float) -> Answer:
        from services.lean_httpx import httpx

        deadline = time.monotonic() + limit
        first = min(limit, _CONNECT_SECONDS)
        with self._pool(call.url).stream(
            call.method,
            call.url,
            params=call.query or None,
            headers=dict(call.headers),
            content=call.body,
            timeout=httpx.Timeout(limit, connect=first, pool=first),
        ) as response:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise BadAnswer(f"{self.system}'s answer is too large while {call.what}.", system=self.system)
                # httpx limits the wait for each piece; a server that drips would hold the worker for ever.
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("", request=response.request)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, headers, bytes(body))

    def _pool(self, url: str) -> httpx.Client:
        from services.lean_httpx import httpx

        with self._lock:
            if self._proxied is None:
                self._proxied = bool(getproxies())
            # Whether TLS can occur on the way to this address: a proxy may ask for it as well.
            tls = not url.startswith("http://") or self._proxied
            if self._closed:
                raise Bug(f"The client of {self.system} was used after close().", system=self.system)
            if tls not in self._clients:
                self._clients[tls] = httpx.Client(
                    # Without an authority nobody is trusted, should TLS occur all the same.
                    verify=trusted_authorities() if tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
                    # A proxy set in the environment stays in use, but never for this machine itself.
                    mounts={f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")},
                    headers={"Accept": "application/json", "User-Agent": "kommunikation-sync"},
                    # 4 s: common servers close idle connections after 5 s, and a write must not meet that moment.
                    limits=httpx.Limits(max_connections=_PARALLEL_CALLS, keepalive_expiry=4),
                )
            return self._clients[tls]

    def check(self, answer: Answer, call: Call) -> None:
        """Raise the typed error of a status outside 200..299."""
        if error := self.error(answer, call):
            raise error

    def error(self, answer: Answer, call: Call) -> SyncError | None:
        """The typed error of a status outside 200..299, else None."""
        status, system, where = answer.status, self.system, f"while {call.what}"
        if answer.ok:
            return None
        if status == HTTPStatus.REQUEST_TIMEOUT:
            return TimedOut(f"{system} gave up waiting (408) {where}.", system=system, maybe_done=call.writes)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            wait = retry_after(answer.headers.get("retry-after", ""))
            return RateLimited(f"{system} asks for fewer requests (429) {where}.", system=system, retry_after=wait)
        if status < HTTPStatus.BAD_REQUEST:
            hint = f"{self._address_variable} must be the final address"
            return Unconfigured(f"{system} redirects ({status}) {where}: {hint}.", system=system, status=status)
        other = (ServerError, "failed") if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _INVALID
        kind, verb = _BY_STATUS.get(status, other)
        return kind(f"{system} {verb} ({status}) {where}.", system=system, status=status)

    def close(self) -> None:
        """Close all connections; the client can't be used afterwards."""
        with self._lock:
            self._closed = True
            for client in self._clients.values():
                client.close()


@functools.cache
def trusted_authorities() -> ssl.SSLContext:
    """The authorities that are trusted. Loading them takes longer than a call: only where needed, once for both clients."""
    from services.lean_httpx import httpx

    return httpx.create_ssl_context()


def retry_after(value: str) -> float | None:
    """Seconds of a `Retry-After` header, given as seconds or as a date; None if there is none or it is unusable."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
