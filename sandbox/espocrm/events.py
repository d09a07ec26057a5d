"""Which events a change makes, and the queues they wait in until a run of the delivery job.

A change writes a row for each event name that an active webhook uses. Which webhooks get it is decided when the job
runs: a webhook made meanwhile gets it too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.espocrm.values import same

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from sandbox.espocrm.database import Database
    from sandbox.espocrm.entities import Entity

EVENTS_A_RUN = 20
ITEMS_A_REQUEST = 50
WEBHOOKS_A_RUN = 20
ATTEMPTS = 4
_NEVER_REPORTED = {"modifiedAt", "versionNumber"}


def php_json(value: Any) -> str:
    """Return JSON as PHP writes it: compact, ASCII, slashes escaped."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/")


class EventQueue:
    """The event rows and the deliveries made of them."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # --- Changes come in --------------------------------------------------------------------------------------------

    def created(self, entity: Entity, attributes: Mapping[str, Any], user_id: str) -> None:
        """Note a new record with the attributes set at that time."""
        self._add(f"{entity.name}.create", attributes["id"], user_id, attributes)

    def deleted(self, entity: Entity, record_id: str, user_id: str) -> None:
        """Note a deletion; the payload is the id alone."""
        self._add(f"{entity.name}.delete", record_id, user_id, {"id": record_id})

    def updated(self, entity: Entity, before: Mapping[str, Any], after: Mapping[str, Any], user_id: str) -> None:
        """Note a change: `update` with what changed, then `fieldUpdate` for each field with a changed attribute."""
        data = {
            name: after[name]
            for name in entity.order
            if name not in _NEVER_REPORTED and name in after and not same(after[name], before.get(name))
        }
        if not data:
            return
        record_id = after["id"]
        self._add(f"{entity.name}.update", record_id, user_id, {**data, "id": record_id})
        for field, attributes in entity.fields.items():
            if data.keys() & set(attributes):
                values = {name: after[name] for name in attributes if name in after}
                self._add(f"{entity.name}.fieldUpdate.{field}", record_id, user_id, {"id": record_id, **values})

    def _add(self, event: str, target_id: str, user_id: str, data: Mapping[str, Any]) -> None:
        in_use = self._db.row("SELECT 1 FROM espo_webhook WHERE event = ? AND isActive AND NOT deleted LIMIT 1", event)
        if in_use:
            self._db.run(
                "INSERT INTO espo_event (event, target_id, user_id, data) VALUES (?, ?, ?, ?)",
                event,
                target_id,
                user_id,
                php_json(data),
            )

    # --- The job takes out ------------------------------------------------------------------------------------------

    def spread(self) -> int:
        """Turn the oldest events into deliveries, one for each webhook that matches now; returns how many events."""
        with self._db.transaction():
            events = self._db.rows("SELECT * FROM espo_event ORDER BY number LIMIT ?", EVENTS_A_RUN)
            for event in events:
                self._db.run(
                    "INSERT INTO espo_delivery (webhook_id, event, target_id, data)"
                    " SELECT id, event, ?, ? FROM espo_webhook WHERE event = ? AND isActive AND NOT deleted"
                    " AND NOT (skipOwn AND createdById IS ?) ORDER BY createdAt, id",
                    event["target_id"],
                    event["data"],
                    event["event"],
                    event["user_id"],
                )
                self._db.run("DELETE FROM espo_event WHERE number = ?", event["number"])
        return len(events)

    def waiting(self) -> bool:
        """Return whether there is anything that was never tried."""
        sql = (
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM espo_event)"
            " OR EXISTS (SELECT 1 FROM espo_delivery WHERE NOT failed AND attempts = 0)"
        )
        return self._db.row(sql) is not None

    def due(self, moment: float) -> list[str]:
        """Return the webhooks with something to send, the longest waiting first."""
        rows = self._db.rows(
            "SELECT webhook_id, min(number) AS first FROM espo_delivery"
            " WHERE NOT failed AND (process_at IS NULL OR process_at <= ?)"
            " GROUP BY webhook_id ORDER BY first LIMIT ?",
            moment,
            WEBHOOKS_A_RUN,
        )
        return [row["webhook_id"] for row in rows]

    def batch(self, webhook_id: str, moment: float) -> tuple[sqlite3.Row | None, list[sqlite3.Row]]:
        """Return the webhook and the next items for it; items of a webhook that is gone or inactive are dropped."""
        items = self._db.rows(
            "SELECT * FROM espo_delivery WHERE webhook_id = ? AND NOT failed"
            " AND (process_at IS NULL OR process_at <= ?) ORDER BY number LIMIT ?",
            webhook_id,
            moment,
            ITEMS_A_REQUEST,
        )
        webhook = self._db.row("SELECT * FROM espo_webhook WHERE id = ? AND isActive AND NOT deleted", webhook_id)
        if webhook is None:
            self.done(items)
        return webhook, items

    def done(self, items: list[sqlite3.Row]) -> None:
        """Forget items that were delivered or dropped."""
        with self._db.transaction():
            for item in items:
                self._db.run("DELETE FROM espo_delivery WHERE number = ?", item["number"])

    def failed(self, items: list[sqlite3.Row], *, again_at: float | None) -> None:
        """Put items back for `again_at`; None, or the last attempt: they failed for good."""
        with self._db.transaction():
            for item in items:
                attempts = item["attempts"] + 1
                final = again_at is None or attempts >= ATTEMPTS
                self._db.run(
                    "UPDATE espo_delivery SET attempts = ?, process_at = ?, failed = ? WHERE number = ?",
                    attempts,
                    None if final else again_at,
                    final,
                    item["number"],
                )

    def drop_webhook(self, webhook_id: str) -> None:
        """The receiver answered 410: the webhook goes, and what waits for it."""
        with self._db.transaction():
            self._db.run("UPDATE espo_webhook SET deleted = 1 WHERE id = ?", webhook_id)
            self._db.run("DELETE FROM espo_delivery WHERE webhook_id = ? AND NOT failed", webhook_id)

    def overview(self) -> dict[str, list[dict[str, Any]]]:
        """Return what waits and what failed, without the payloads."""
        events = self._db.rows("SELECT number, event, target_id FROM espo_event ORDER BY number")
        deliveries = self._db.rows(
            "SELECT number, webhook_id, event, target_id, attempts, process_at, failed FROM espo_delivery ORDER BY number"
        )
        return {"events": [dict(row) for row in events], "deliveries": [dict(row) for row in deliveries]}
