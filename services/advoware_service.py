"""The client of the Advoware REST API: one Beteiligter with its entries, and the writing of single entries.

Reads are repeated here where that can help. A write is sent once; whether to send it again is the caller's decision,
after reading: Advoware has no idempotency keys.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.advoware_access import SYSTEM, Addresses, TokenSource, complaint, sign
from services.errors import AuthFailed, InvalidInput, SyncError, Unreachable
from services.http_client import NOT_JSON, Call, HttpClient
from services.repeat_read import repeat_read
from services.token_cache import ProcessTokenCache, RedisTokenCache, TokenCache

if TYPE_CHECKING:
    from services.config import AdvowareSettings
    from services.kommunikation_types import Beteiligter, Kommunikation, KommunikationWrite

__all__ = ["AdvowareService", "ProcessTokenCache", "RedisTokenCache", "TokenCache", "sign"]

_KOMM_KZ = range(1, 13)


class AdvowareService:
    """Advoware's API for one firm. Thread-safe: workers share one instance, its connections and its token.

    Every method raises the errors of `services.errors`: `AuthFailed`, `NotActivated`, `ConnectorOffline`, `NotFound`,
    `Forbidden`, `Validation`, `Conflict`, `RateLimited`, `ServerError`, `Unreachable`, `TimedOut`, `BadAnswer`.
    Where a write raises `Unreachable` or `TimedOut`, `maybe_done` tells whether it may have been carried out;
    after `ServerError` it may, too.
    """

    def __init__(self, settings: AdvowareSettings | None = None, *, token_cache: TokenCache | None = None) -> None:
        """Make a client; nothing is sent yet. `settings` None: from the environment (raises `Unconfigured`)."""
        if settings is None:
            from services.config import AdvowareSettings as Settings

            settings = Settings.from_environment()
        self._settings = settings
        self._http = HttpClient(SYSTEM, seconds=settings.timeout_seconds, address_variable="ADVOWARE_API_BASE_URL")
        self._addresses = Addresses(settings, self._http)
        self._tokens = TokenSource(settings, self._http, self._addresses, token_cache or ProcessTokenCache())

    def get_beteiligter(self, betnr: int) -> Beteiligter:
        """Read one Beteiligter with all its entries. `BadAnswer` for any answer that may be incomplete."""
        from services.advoware_answers import read_beteiligter

        what = f"reading Beteiligter {_positive(betnr, 'betNr')}"

        def attempt(seconds: float) -> Beteiligter:
            return read_beteiligter(self._send("GET", f"Beteiligte/{betnr}", what, seconds=seconds), betnr)

        return repeat_read(attempt, seconds=self._settings.timeout_seconds)

    def create_kommunikation(self, betnr: int, body: KommunikationWrite) -> Kommunikation | None:
        """Add an entry, once. None where the answer does not show it: read the Beteiligter again."""
        from services.advoware_answers import read_entry

        what = f"adding a Kommunikation to Beteiligter {_positive(betnr, 'betNr')}"
        return read_entry(self._send("POST", f"Beteiligte/{betnr}/Kommunikationen", what, body=body), betnr)

    def update_kommunikation(self, betnr: int, komm_id: int, body: KommunikationWrite) -> Kommunikation | None:
        """Change an entry, once. Advoware ignores the kommKz. None where the answer does not show the entry."""
        from services.advoware_answers import read_entry

        payload = self._send("PUT", _entry_path(betnr, komm_id), _entry_text("changing", betnr, komm_id), body=body)
        return read_entry(payload, betnr, komm_id)

    def delete_kommunikation(self, betnr: int, komm_id: int) -> None:
        """Delete an entry. Today's Advoware always refuses: `Forbidden`."""
        self._send("DELETE", _entry_path(betnr, komm_id), _entry_text("deleting", betnr, komm_id))

    def close(self) -> None:
        """Close all connections; the client can't be used afterwards."""
        self._http.close()

    def _send(
        self,
        method: str,
        path: str,
        what: str,
        *,
        body: KommunikationWrite | None = None,
        seconds: float | None = None,
    ) -> Any:
        """Give the answer's JSON, or `NOT_JSON`."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        call = Call(
            method,
            f"{self._addresses.api()}/{self._settings.api_prefix.strip('/')}/{path}",
            what,
            headers=headers,
            body=None if body is None else _encoded(body, what),
            writes=method != "GET",
            seconds=seconds,
        )
        token = self._tokens.token()
        payload, error = self._once(call, token)
        if isinstance(error, AuthFailed):
            # Refused at the door: nothing was done, so a write may be sent once more as well.
            payload, error = self._once(call, self._tokens.token(refused=token))
        if error:
            raise error
        return payload

    def _once(self, call: Call, token: str) -> tuple[Any, SyncError | None]:
        """The answer's JSON, and the error the answer stands for. Raised is only what has no answer."""
        try:
            answer = self._http.send(replace(call, headers={**call.headers, "Authorization": f"Bearer {token}"}))
        except Unreachable:
            self._addresses.forget()
            raise
        payload = answer.json()
        # With a success the known texts count only where no record was answered: a client's remark may hold them.
        if (not answer.ok or payload is NOT_JSON or isinstance(payload, str)) and (error := complaint(answer, call.what)):
            return payload, error
        return payload, self._http.error(answer, call)


def _positive(number: int, name: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number <= 0:
        raise InvalidInput(f"A {name} is a positive whole number.", system=SYSTEM)
    return number


def _entry_path(betnr: int, komm_id: int) -> str:
    return f"Beteiligte/{_positive(betnr, 'betNr')}/Kommunikationen/{_positive(komm_id, 'Kommunikation id')}"


def _entry_text(doing: str, betnr: int, komm_id: int) -> str:
    return f"{doing} Kommunikation {komm_id} of Beteiligter {betnr}"


def _encoded(body: KommunikationWrite, what: str) -> bytes:
    if body.komm_kz not in _KOMM_KZ:
        raise InvalidInput(f"The kommKz of a Kommunikation is 1 to 12 (while {what}).", system=SYSTEM)
    # A KommKz is written as its number; Advoware wants real JSON numbers.
    members = {
        "tlf": body.tlf,
        "bemerkung": body.bemerkung,
        "kommKz": int(body.komm_kz),
        "online": body.online,
    }
    return json.dumps(members, ensure_ascii=False).encode()
