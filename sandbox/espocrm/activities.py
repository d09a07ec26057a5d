"""Tasks and stream posts on records, as far as an integration uses them.

From EspoCRM's public source (9.x) and its documentation, not recorded: rights, the list of parents a task may have, how
long a post may be edited and deleted, that a post needs the parent's stream.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox.espocrm import checks, lists
from sandbox.espocrm.entities import ACTIVITIES, PERSONS, Entity, Type
from sandbox.espocrm.errors import ApiError, invalid
from sandbox.espocrm.settings import USER_NAMES
from sandbox.espocrm.values import new_id, now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.espocrm.settings import User
    from sandbox.espocrm.store import EspoStore

_UNCHANGEABLE = {"type", "parentType", "parentId"}
"""Of a post: left out of what a PUT may change."""


class Activities:
    """Tasks and posts of one EspoCRM."""

    def __init__(self, store: EspoStore) -> None:
        self._store, self._db = store, store.db

    def find(self, entity: str, query: Mapping[str, Any], *, no_total: bool) -> dict[str, Any]:
        """A page of tasks or posts."""
        return lists.find(self._db, ACTIVITIES[entity], query, self._store.switches, no_total=no_total)

    def stream(self, parent: str, record_id: str, query: Mapping[str, Any], *, no_total: bool) -> dict[str, Any]:
        """The posts of a record, newest first (`GET Entity/id/stream`)."""
        self._check_stream(parent, record_id)
        here = [
            {"type": "equals", "attribute": "parentType", "value": parent},
            {"type": "equals", "attribute": "parentId", "value": record_id},
        ]
        paging = {name: query[name] for name in ("maxSize", "offset") if name in query}
        return self.find("Note", {**paging, "where": here}, no_total=no_total)

    def read(self, entity: str, record_id: str) -> dict[str, Any]:
        """One of them as GET shows it. Raises ApiError."""
        kind = ACTIVITIES[entity]
        row = self._db.row(f"SELECT * FROM {kind.table} WHERE id = ? AND NOT deleted", record_id)  # noqa: S608 - own names
        if row is None:
            raise ApiError(404, f"Record {record_id} does not exist.")
        found = {a.name: row[a.name] for a in kind.attributes if a.type is not Type.NAME or a.name == "name"}
        for link in ("createdBy", "modifiedBy", "assignedUser"):
            if f"{link}Id" in kind.by_name:
                found[f"{link}Name"] = USER_NAMES.get(found[f"{link}Id"] or "")
        parent = self._store.read_record(found["parentType"], found["parentId"]) if found["parentType"] in PERSONS else None
        return {**found, "deleted": False, "parentName": parent["name"] if parent else None}

    def create(self, entity: str, data: Mapping[str, Any], user: User) -> dict[str, Any]:
        """Make one and return the POST's answer. Raises ApiError."""
        kind = ACTIVITIES[entity]
        sent = checks.cleaned(kind, data, self._store.switches)
        if entity == "Note":
            self._check_post(sent)
        else:
            sent = {"status": "Not Started", "priority": "Normal", **sent}
            self._check_task(sent, user)
        checks.check(kind, sent, sent.keys() | {a.name for a in kind.attributes if a.required}, self._store.switches)
        record = {**sent, "id": new_id(), "createdAt": now(), "createdById": user.id}
        record["modifiedAt"] = record["createdAt"]
        marks = ", ".join("?" * len(record))
        with self._db.transaction():
            self._db.run(f"INSERT INTO {kind.table} ({', '.join(record)}) VALUES ({marks})", *record.values())  # noqa: S608
        return self.read(entity, str(record["id"]))

    def update(self, entity: str, record_id: str, data: Mapping[str, Any], user: User) -> dict[str, Any]:
        """Change one. Raises ApiError."""
        kind, before = ACTIVITIES[entity], self._own(entity, record_id, user, self._store.switches.note_edit_seconds)
        sent = checks.cleaned(kind, data, self._store.switches)
        if entity == "Note":
            sent = {name: value for name, value in sent.items() if name not in _UNCHANGEABLE}
        checks.check(kind, {**before, **sent}, set(sent), self._store.switches)
        if entity == "Task":
            self._check_parent(sent)
        self._store_changes(kind, record_id, {**sent, "modifiedAt": now(), "modifiedById": user.id})
        return self.read(entity, record_id)

    def delete(self, entity: str, record_id: str, user: User) -> None:
        """Delete one. Raises ApiError."""
        self._own(entity, record_id, user, self._store.switches.note_delete_seconds)
        self._store_changes(ACTIVITIES[entity], record_id, {"deleted": 1, "modifiedAt": now()})

    def _store_changes(self, kind: Entity, record_id: str, changes: Mapping[str, Any]) -> None:
        assignments = ", ".join(f"{name} = ?" for name in changes)
        with self._db.transaction():
            self._db.run(f"UPDATE {kind.table} SET {assignments} WHERE id = ?", *changes.values(), record_id)  # noqa: S608

    def _own(self, entity: str, record_id: str, user: User, seconds: float) -> dict[str, Any]:
        """The record, if the user may still change it: of posts only his own, and only for a while."""
        try:
            record = self.read(entity, record_id)
        except ApiError:
            raise ApiError(404, f"Record {record_id} not found.") from None
        if entity == "Note":
            made = datetime.fromisoformat(record["createdAt"]).replace(tzinfo=UTC)
            if record["createdById"] != user.id or (datetime.now(UTC) - made).total_seconds() > seconds:
                raise ApiError(403, "No edit access.")
        return record

    def _check_stream(self, entity: str, record_id: str) -> None:
        if self._store.read_record(entity, record_id) is None:
            raise ApiError(404, f"Record {record_id} does not exist.")
        if not self._store.switches.stream:
            raise ApiError(403, "No stream access.")

    def _check_post(self, sent: Mapping[str, Any]) -> None:
        parent = sent.get("parentType")
        if not self._store.switches.stream or parent not in PERSONS:
            raise ApiError(403, "No create access.")
        if self._store.read_record(str(parent), str(sent.get("parentId"))) is None:
            raise ApiError(403, "No access to parent.")
        if sent.get("type") != "Post":
            raise ApiError(403, "Only 'Post' type allowed.")

    def _check_task(self, sent: Mapping[str, Any], user: User) -> None:
        self._check_parent(sent)
        assigned = sent.get("assignedUserId")
        if assigned and "assign" not in self._store.rights_of(user):
            raise ApiError(403, "Assignment failure: assigned user or team not allowed.")

    def _check_parent(self, sent: Mapping[str, Any]) -> None:
        parent = sent.get("parentType")
        if parent is not None and parent not in self._store.switches.task_parents:
            raise invalid("Task", "parent", "valid")
