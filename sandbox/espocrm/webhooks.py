"""The entity Webhook: who may register what, and what can be changed later."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sandbox.espocrm import checks, lists
from sandbox.espocrm.entities import PERSONS, WEBHOOK
from sandbox.espocrm.errors import ApiError
from sandbox.espocrm.settings import USER_NAMES
from sandbox.espocrm.values import now, same

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from sandbox.espocrm.database import Database
    from sandbox.espocrm.settings import Switches, User

_TYPES = {"create", "update", "delete", "fieldUpdate"}
_MOST_OF_A_USER = 50
_UNREPORTED_FIELDS = {"createdAt", "modifiedAt"}
"""Fields a webhook may name; changes of them were never seen delivered."""
_COLUMNS = (
    *("id", "event", "url", "isActive", "entityType", "type", "field", "secretKey", "skipOwn"),
    *("createdAt", "modifiedAt", "createdById"),
)
_LATER = ("url", "isActive", "skipOwn")


class Webhooks:
    """The webhooks of all users; each user sees his own."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def create(self, data: Mapping[str, Any], user: User, switches: Switches) -> dict[str, Any]:
        """Register a webhook for its creator; the server makes the secret. Raises ApiError."""
        hook: dict[str, Any] = {"isActive": True, "skipOwn": False} | self._sent(data, switches)
        checks.check(WEBHOOK, hook, {"event", "url"}, switches)
        hook |= _event_parts(hook["event"], user)
        count = self._db.row("SELECT count(*) AS n FROM espo_webhook WHERE createdById = ? AND NOT deleted", user.id)
        if count and count["n"] >= _MOST_OF_A_USER:
            raise ApiError(403, "Webhook number per user exceeded the limit.")
        moment = now()
        hook |= {"id": secrets.token_hex(9)[:17], "secretKey": secrets.token_hex(16), "createdAt": moment}
        hook |= {"modifiedAt": moment, "createdById": user.id}
        with self._db.transaction():
            self._db.run(
                "INSERT INTO espo_webhook (id, event, url, isActive, entityType, type, field, secretKey, skipOwn,"
                " createdAt, modifiedAt, createdById) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                *(hook[name] for name in _COLUMNS),
            )
        answer = self._shown(self._own(hook["id"], user, "does not exist."), switches)
        del answer["modifiedById"]  # not set yet, so a POST's answer lacks it
        return answer

    def read(self, hook_id: str, user: User, switches: Switches) -> dict[str, Any]:
        """Return one of the user's webhooks. Raises ApiError."""
        return self._shown(self._own(hook_id, user, "does not exist."), switches)

    def find(self, query: Mapping[str, Any], user: User, switches: Switches, *, no_total: bool) -> dict[str, Any]:
        """Return the user's webhooks for list parameters. Raises ApiError."""
        found = lists.find(self._db, WEBHOOK, query, switches, no_total=no_total, owner=user.id)
        if not switches.skip_own_supported:
            for hook in found["list"]:
                hook.pop("skipOwn", None)
        return found

    def update(self, hook_id: str, data: Mapping[str, Any], user: User, switches: Switches) -> dict[str, Any]:
        """Change address, activity or skipOwn; event and secret are ignored. Raises ApiError."""
        before = self._shown(self._own(hook_id, user, "not found."), switches)
        sent = {name: value for name, value in self._sent(data, switches).items() if name in _LATER}
        after = before | sent
        checks.check(WEBHOOK, after, set(sent), switches)
        if any(not same(after[name], before[name]) for name in sent):
            after |= {"modifiedAt": now(), "modifiedById": user.id, "modifiedByName": user.name}
            with self._db.transaction():
                self._db.run(
                    "UPDATE espo_webhook SET url = ?, isActive = ?, skipOwn = ?, modifiedAt = ?, modifiedById = ?"
                    " WHERE id = ?",
                    after["url"],
                    bool(after["isActive"]),
                    bool(after.get("skipOwn")),
                    after["modifiedAt"],
                    user.id,
                    hook_id,
                )
        return after

    def delete(self, hook_id: str, user: User) -> None:
        """Remove a webhook; what waits for it is dropped when the job runs. Raises ApiError."""
        self._own(hook_id, user, "not found.")
        with self._db.transaction():
            self._db.run("UPDATE espo_webhook SET deleted = 1 WHERE id = ?", hook_id)

    def _own(self, hook_id: str, user: User, sentence: str) -> sqlite3.Row:
        row = self._db.row("SELECT * FROM espo_webhook WHERE id = ? AND NOT deleted", hook_id)
        if row is None:
            raise ApiError(404, f"Record {hook_id} {sentence}")
        if row["createdById"] != user.id:
            raise ApiError(403, "No read access." if sentence.startswith("does") else "No edit access.")
        return row

    @staticmethod
    def _sent(data: Mapping[str, Any], switches: Switches) -> dict[str, Any]:
        sent = checks.cleaned(WEBHOOK, data, switches)
        if not switches.skip_own_supported:
            sent.pop("skipOwn", None)
        return sent

    @staticmethod
    def _shown(row: sqlite3.Row, switches: Switches) -> dict[str, Any]:
        hook = {a.name: row[a.name] for a in WEBHOOK.attributes if not a.name.endswith("ByName")}
        hook |= {name: bool(hook[name]) for name in ("deleted", "isActive", "skipOwn")}
        hook |= {f"{link}Name": USER_NAMES.get(hook[f"{link}Id"]) for link in ("createdBy", "modifiedBy")}
        if not switches.skip_own_supported:
            del hook["skipOwn"]
        return {name: hook[name] for name in WEBHOOK.order if name in hook}


def _event_parts(event: str, user: User) -> dict[str, str | None]:
    """Return entity type, kind and field of an event. Raises ApiError (403) for one that EspoCRM doesn't take."""
    entity, *rest = event.split(".")
    if len(rest) not in {1, 2}:
        raise ApiError(403, "Not supported event.")
    if entity not in PERSONS:
        raise ApiError(403, "Entity type is not available for Webhooks.")
    if "read" not in user.rights:
        raise ApiError(403, "Entity type is forbidden.")
    if rest[0] not in _TYPES:
        raise ApiError(403, "Not supported event.")
    if rest[0] != "fieldUpdate":
        return {"entityType": entity, "type": rest[0], "field": None}
    if len(rest) == 1 or not rest[1]:
        raise ApiError(403, "Field is empty.")
    if rest[1] not in PERSONS[entity].fields and rest[1] not in _UNREPORTED_FIELDS:
        raise ApiError(403, "Field does not exist.")
    return {"entityType": entity, "type": rest[0], "field": rest[1]}
