"""The client of the EspoCRM REST API: records with their two arrays, lists without them, and webhooks.

Reads are repeated here where that can help; a write is sent once. Lists never hold the arrays, and a PUT's answer
echoes the request: only `get_record` shows what is stored.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from services.errors import Bug, Forbidden, InvalidInput, NotFound, SyncError, Unconfigured, Validation
from services.espocrm_wire import Where, email_item, equals, flat, hmac_authorization, phone_item
from services.http_client import Answer, Call, HttpClient
from services.kommunikation_types import Art
from services.repeat_read import repeat_read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.config import EspoCrmSettings
    from services.espocrm_answers import EspoNamed, EspoSelf, EspoWebhook
    from services.kommunikation_types import EspoItem, EspoListRow, EspoRecord

SYSTEM = "EspoCRM"

MAX_ROWS = 200
"""EspoCRM answers 403 to a list that asks for more."""

_MAX_QUERY_BYTES = 7000  # nginx refuses an address of more than 8 KiB
_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
# The reasons EspoCRM itself gives. A formula of the firm or a proxy may say anything here, also a client's value.
_REASON = re.compile(r"No (?:read|create|edit|delete|assign) access\.|Max size should not exceed \d+\.[ \w]*\.?")

T = TypeVar("T")


class EspoCrmService:
    """EspoCRM's API for one entity and one API user. Thread-safe: workers share one instance and its connections.

    Every method raises the errors of `services.errors`: `AuthFailed`, `NotFound`, `Forbidden`, `Validation` (with the
    field), `Conflict`, `RateLimited`, `ServerError`, `Unreachable`, `TimedOut`, `BadAnswer`; `InvalidInput` before
    anything is sent. Where a write raises `Unreachable` or `TimedOut`, `maybe_done` tells whether it may have been
    carried out; after `ServerError` it may, too.
    """

    def __init__(self, settings: EspoCrmSettings | None = None) -> None:
        """Make a client; nothing is sent yet. `settings` None: from the environment (raises `Unconfigured`)."""
        if settings is None:
            from services.config import EspoCrmSettings as Settings

            settings = Settings.from_environment()
        self._settings = settings
        self._entity = settings.entity
        self._http = HttpClient(SYSTEM, seconds=settings.timeout_seconds, address_variable="ESPOCRM_API_BASE_URL")

    @property
    def entity(self) -> str:
        """The name of the entity that holds the Beteiligte."""
        return self._entity

    def get_record(self, espo_id: str) -> EspoRecord:
        """Read one record with its arrays."""
        from services.espocrm_answers import read_record

        path, what = f"{self._entity}/{_checked(espo_id)}", f"reading {self._entity} {espo_id}"
        return self.read(path, what, lambda payload, what: read_record(payload, espo_id, what))

    def put_arrays(
        self,
        espo_id: str,
        *,
        emails: Sequence[EspoItem] | None,
        phones: Sequence[EspoItem] | None,
        version: int | None = None,
    ) -> None:
        """Replace the given arrays by one PUT; None leaves an array as it is, `()` empties it.

        `version`: `Conflict` if the record is not at this versionNumber any more (where the entity has one).
        The answer is not looked at: it shows what was sent.
        """
        arrays: dict[str, Any] = {}
        if emails is not None:
            arrays["emailAddressData"] = [email_item(item) for item in emails]
        if phones is not None:
            arrays["phoneNumberData"] = [phone_item(item) for item in phones]
            # EspoCRM also checks the stored primary: an old national one would refuse an array that is all E.164.
            if primary := next((item.value for item in phones if item.primary), None):
                arrays["phoneNumber"] = primary
        if not arrays:
            raise Bug("A PUT without any array.", system=SYSTEM)
        headers = {} if version is None else {"X-Version-Number": str(version)}
        path, what = f"{self._entity}/{_checked(espo_id)}", f"changing {self._entity} {espo_id}"
        self.send("PUT", path, what, body=arrays, headers=headers)

    def find_holders(self, art: Art, values: Sequence[str], *, betnr: int | None) -> list[EspoListRow]:
        """Records that hold one of the values (e-mail: any case; phone: E.164), or that have this `betnr`.

        One query, unless it does not fit into an address or has more than 200 rows.
        """
        attribute = "emailAddress" if art is Art.EMAIL else "phoneNumber"
        conditions = [equals(attribute, value) for value in dict.fromkeys(values)]
        if betnr is not None:
            conditions.append(equals("betnr", betnr))
        return self._any_of(conditions)

    def find_by_betnr(self, betnrs: Sequence[int]) -> list[EspoListRow]:
        """Records that have one of these `betnr`; more than one record for a `betnr` is possible."""
        return self._any_of([equals("betnr", betnr) for betnr in dict.fromkeys(betnrs)])

    def list_changed(self, since: str | None, *, offset: int, limit: int = MAX_ROWS) -> list[EspoListRow]:
        """Records with `modifiedAt` at or after `since` ('YYYY-MM-DD HH:MM:SS' UTC; None: all), oldest change first.

        At or after, because `modifiedAt` has whole seconds: drop what is known. Changes of shared addresses and numbers
        through another record do not show.
        """
        # EspoCRM takes a value that is no date for 'everything'.
        if since is not None and not _MOMENT.fullmatch(since):
            raise InvalidInput("A moment is given as 'YYYY-MM-DD HH:MM:SS' (UTC).", system=SYSTEM)
        newer = {"type": "greaterThanOrEquals", "attribute": "modifiedAt", "value": since}
        return self._list([newer] if since else [], order_by="modifiedAt", offset=offset, limit=limit)

    def newest_change(self) -> str | None:
        """The `modifiedAt` of the record changed last, by EspoCRM's own clock; None without records."""
        rows = self._list([], order_by="modifiedAt", order="desc", limit=1)
        return rows[0].modified_at if rows else None

    def list_linked(self, *, after_id: str | None, limit: int) -> list[EspoListRow]:
        """Records that have a `betnr`, by id, those after `after_id`."""
        where: list[Where] = [{"type": "isNotNull", "attribute": "betnr"}]
        if after_id is not None:
            where.append({"type": "greaterThan", "attribute": "id", "value": _checked(after_id)})
        return self._list(where, order_by="id", limit=limit)

    def find_named(self, *, text: str = "", ids: Sequence[str] = (), limit: int = MAX_ROWS) -> list[EspoNamed]:
        """Records with their names, by name: those whose name contains `text`, or those with these ids (20 at most)."""
        from services.espocrm_answers import read_names

        by_ids: Where = {"type": "or", "value": [equals("id", _checked(one)) for one in ids]}
        where: Where = {"type": "contains", "attribute": "name", "value": text} if text else by_ids
        query = [("select", "id,betnr,name"), ("orderBy", "name"), ("order", "asc"), ("maxSize", str(min(limit, MAX_ROWS)))]
        return self.read(self._entity, f"looking for names in {self._entity}", read_names, (*query, *flat([where])))

    def server_version(self) -> str | None:
        """The version of the server, None if it does not tell. Needs no right: a check of address and key."""
        from services.espocrm_answers import read_version

        return self.read("App/user", "asking for the server's version", read_version)

    def whoami(self) -> EspoSelf:
        """What EspoCRM tells about this user and itself: version, rights, settings, its clock. Needs no right."""
        from services.espocrm_answers import read_self

        what = "asking who we are"

        def attempt(seconds: float) -> EspoSelf:
            return read_self(self.send("GET", "App/user", what, seconds=seconds), self._entity, what)

        return repeat_read(attempt, seconds=self._settings.timeout_seconds)

    def list_webhooks(self) -> list[EspoWebhook]:
        """The webhooks of this API user (EspoCRM allows 50)."""
        from services.espocrm_answers import read_webhooks

        return self.read("Webhook", "listing webhooks", read_webhooks, query=(("maxSize", str(MAX_ROWS)),))

    def create_webhook(self, event: str, url: str, *, skip_own: bool) -> EspoWebhook:
        """Register a webhook; its secret is made by EspoCRM. `skip_own` is ignored there before 9.2."""
        from services.espocrm_answers import read_webhook

        what = f"creating the webhook {event}"
        answer = self.send("POST", "Webhook", what, body={"event": event, "url": url, "skipOwn": skip_own})
        return read_webhook(answer.json(), what)

    def update_webhook(self, webhook_id: str, *, active: bool | None = None, skip_own: bool | None = None) -> None:
        """Switch a webhook on or off, and whether it leaves out its owner's changes; None leaves it as it is."""
        body = {name: value for name, value in (("isActive", active), ("skipOwn", skip_own)) if value is not None}
        self.send("PUT", f"Webhook/{_checked(webhook_id)}", f"changing webhook {webhook_id}", body=body)

    def delete_webhook(self, webhook_id: str) -> None:
        """Delete a webhook, with the events that wait for it."""
        self.send("DELETE", f"Webhook/{_checked(webhook_id)}", f"deleting webhook {webhook_id}")

    def close(self) -> None:
        """Close all connections; the client can't be used afterwards."""
        self._http.close()

    def _any_of(self, conditions: list[Where]) -> list[EspoListRow]:
        """Rows that meet one of the conditions, each once. Halves the query where it does not fit or its answer is full.

        With 200 rows of one much shared number, the only other holder of a second one may be among those cut off.
        """
        if not conditions:
            return []
        where: list[Where] = [{"type": "or", "value": conditions}]
        fits = len(urlencode(flat(where))) <= _MAX_QUERY_BYTES
        if fits:
            rows = self._list(where, select="id,betnr")
            if len(rows) < MAX_ROWS:
                return rows
        if len(conditions) == 1:
            return rows if fits else []
        middle = len(conditions) // 2
        both = self._any_of(conditions[:middle]) + self._any_of(conditions[middle:])
        return list({row.id: row for row in both}.values())

    def _list(
        self,
        where: Sequence[Where],
        *,
        select: str = "id,betnr,modifiedAt",
        order_by: str = "id",
        order: str = "asc",
        offset: int = 0,
        limit: int = MAX_ROWS,
    ) -> list[EspoListRow]:
        from services.espocrm_answers import read_rows

        query = [("select", select), ("orderBy", order_by), ("order", order), ("maxSize", str(min(limit, MAX_ROWS)))]
        if offset:
            query.append(("offset", str(offset)))
        return self.read(self._entity, f"listing {self._entity}", read_rows, query=(*query, *flat(where)))

    def read(
        self,
        path: str,
        what: str,
        parse: Callable[[Any, str], T],
        query: tuple[tuple[str, str], ...] = (),
    ) -> T:
        """A GET, repeated where that can help. `parse` makes the result of the answer and `what` ("while ...")."""

        def attempt(seconds: float) -> T:
            return parse(self.send("GET", path, what, query=query, seconds=seconds).json(), what)

        return repeat_read(attempt, seconds=self._settings.timeout_seconds)

    def send(
        self,
        method: str,
        path: str,
        what: str,
        *,
        query: tuple[tuple[str, str], ...] = (),
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """Any call below /api/v1, once; errors as for all methods."""
        # X-No-Total: counting the rows of a list costs EspoCRM more than giving a page of it.
        headers = {"X-No-Total": "true", **self._authorization(method, path), **(headers or {})}
        if body is not None:
            # EspoCRM ignores a body that comes without this header, and answers 200.
            headers["Content-Type"] = "application/json"
        call = Call(
            method,
            f"{self._settings.base_url}/{path}",
            what,
            headers=headers,
            query=query,
            body=None if body is None else json.dumps(body, ensure_ascii=False).encode(),
            writes=method != "GET",
            seconds=seconds,
        )
        answer = self._http.send(call)
        if error := _error(answer, call, self._http):
            raise error
        return answer

    def _authorization(self, method: str, path: str) -> dict[str, str]:
        key, secret = self._settings.api_key.get_secret_value(), self._settings.hmac_secret
        if secret is None:
            return {"X-Api-Key": key}
        return {"X-Hmac-Authorization": hmac_authorization(key, secret.get_secret_value(), method, path)}


def _error(answer: Answer, call: Call, http: HttpClient) -> SyncError | None:
    error = http.error(answer, call)
    reason = answer.headers.get("x-status-reason", "")
    match error:
        case Validation(status=400):
            from services.espocrm_answers import validation_error

            return validation_error(answer, call.what)
        case NotFound() if "does not exist" in reason and not reason.startswith("Record"):
            return Unconfigured(f"{SYSTEM} does not know the entity (404) while {call.what}.", system=SYSTEM, status=404)
        case NotFound() if "html" in answer.headers.get("content-type", "") and answer.body:
            # A missing record is answered with an empty body; a page comes from a web server that knows no such path.
            text = f"{SYSTEM} is not at its address (404) while {call.what}: check ESPOCRM_API_BASE_URL."
            return Unconfigured(text, system=SYSTEM, status=404)
        case Forbidden() if _REASON.fullmatch(reason):
            text = f"{SYSTEM} does not allow it ({answer.status}, {reason}) while {call.what}."
            return Forbidden(text, system=SYSTEM, status=answer.status)
    return error


def _checked(espo_id: str) -> str:
    if not isinstance(espo_id, str) or not _ID.fullmatch(espo_id):
        raise InvalidInput(f"An id of {SYSTEM} is 1 to 36 letters and digits.", system=SYSTEM)
    return espo_id
