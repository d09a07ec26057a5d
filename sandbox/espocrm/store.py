"""The records: create, read, update, delete, with EspoCRM's ideas of what changed and what an answer shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.espocrm import checks, lists
from sandbox.espocrm.activities import Activities
from sandbox.espocrm.database import Database
from sandbox.espocrm.entities import ARRAY_FIELDS, PERSONS, Entity, Type, address_field
from sandbox.espocrm.errors import ApiError
from sandbox.espocrm.events import EventQueue
from sandbox.espocrm.settings import USER_NAMES, Switches, User, user_id
from sandbox.espocrm.shared import SharedObjects
from sandbox.espocrm.values import new_id, now, same
from sandbox.espocrm.webhooks import Webhooks

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from pathlib import Path

STAFF_ID = user_id("staff")
"""The user for edits that a person makes."""

_DERIVED = {Type.ADDRESS, Type.FLAG, Type.ARRAY, Type.TEAMS}
_DUPLICATES_SHOWN = 20
_NOBODY_FOLLOWS: dict[str, Any] = {
    "isFollowed": False,
    "followersIds": [],
    "followersNames": {},
    "streamUpdatedAt": None,
}
_MAKE_A_NAME = {"firstName", "lastName", "middleName"}


class EspoStore:
    """One EspoCRM's state. Without `place` everything is in memory; an existing file is opened with its data."""

    def __init__(self, place: sqlite3.Connection | str | Path = ":memory:", *, switches: Switches | None = None) -> None:
        self.db = Database(place)
        self.switches = switches or Switches()
        self.events = EventQueue(self.db)
        self.webhooks = Webhooks(self.db)
        self.activities = Activities(self)
        self.shared = {field: SharedObjects(self.db, field) for field in ARRAY_FIELDS}

    def count(self, entity: str = "CBeteiligte") -> int:
        """Return how many records of a type there are."""
        row = self.db.row("SELECT count(*) AS n FROM espo_record WHERE entity = ? AND NOT deleted", entity)
        return int(row["n"]) if row else 0

    # --- Reading ----------------------------------------------------------------------------------------------------

    def read_record(self, entity: str, record_id: str) -> dict[str, Any] | None:
        """Return a record as GET shows it; None if there is none."""
        kind = PERSONS[entity]
        row = self.db.row("SELECT * FROM espo_record WHERE id = ? AND entity = ? AND NOT deleted", record_id, entity)
        if row is None:
            return None
        record = _plain(kind, row)
        for field in ARRAY_FIELDS:
            record |= self._address_attributes(field, record_id)
        stream = _NOBODY_FOLLOWS if self.switches.stream else {}
        return {name: record[name] for name in kind.order} | stream

    def _address_attributes(self, field: str, record_id: str) -> dict[str, Any]:
        items = self.shared[field].items(record_id)
        return {**primary_attributes(field, items), f"{field}Data": items}

    def rights_of(self, user: User) -> frozenset[str]:
        """Return the rights a user has now."""
        return user.rights - set(self.switches.denied_rights) if user.name == "sync" else user.rights

    def list_records(self, entity: str, query: Mapping[str, Any], *, no_total: bool = False) -> dict[str, Any]:
        """Return `{"total", "list"}` for list parameters as the API takes them. Raises ApiError."""
        return lists.find(self.db, PERSONS[entity], query, self.switches, no_total=no_total)

    # --- Writing ----------------------------------------------------------------------------------------------------

    def create_record(
        self,
        entity: str,
        attributes: Mapping[str, Any],
        user: str = STAFF_ID,
        *,
        check_duplicates: bool = False,
        as_import: bool = False,
        record_id: str | None = None,
    ) -> str:
        """Create a record, events included, and return its id.

        Args:
            entity: `CBeteiligte` or `CBeteiligteOcc`.
            attributes: as in the body of a POST.
            user: who creates it.
            check_duplicates: refuse an address or a name that another record has.
            as_import: take values as they are, such as national numbers of old times.
            record_id: the id; None: a new one, as the API always does.

        Raises:
            ApiError: as the API answers.
        """
        options: dict[str, Any] = {"check_duplicates": check_duplicates, "as_import": as_import, "record_id": record_id}
        return str(self.create(entity, attributes, user, **options)["id"])

    def create(
        self,
        entity: str,
        attributes: Mapping[str, Any],
        user: str,
        *,
        check_duplicates: bool = True,
        as_import: bool = False,
        record_id: str | None = None,
    ) -> dict[str, Any]:
        """Create a record as a POST does and return the POST's answer. Raises ApiError."""
        kind = PERSONS[entity]
        switches = self.switches.model_copy(update={"phone_number_international": False}) if as_import else self.switches
        flags = {a.name: False for a in kind.attributes if a.type is Type.FLAG}
        sent = checks.cleaned(kind, attributes, switches)
        record = {"deleted": False, "syncStatus": None, **flags, **sent}
        if not as_import:
            checks.check(kind, record, sent.keys() | {"lastName"}, switches)
        if {"firstName", "lastName"} <= sent.keys():  # with one part alone EspoCRM does not put a name together yet
            record["name"] = _full_name(record)
        if check_duplicates:
            self._refuse_duplicates(kind, record)
        record |= {"id": record_id or new_id(), "createdAt": now(), "createdById": user}
        record["modifiedAt"] = record["createdAt"]
        if kind.versioned:
            record["versionNumber"] = 1
        with self.db.transaction():
            self._insert(kind, record)
            for field in ARRAY_FIELDS:
                self._save_addresses(field, record, {})
            record = {name: record[name] for name in kind.order if name in record}
            self.events.created(kind, record, user)
        names = {"createdByName": USER_NAMES.get(user), "modifiedByName": None}
        names["assignedUserName"] = USER_NAMES.get(record.get("assignedUserId") or "")
        arrays = {f"{field}Data": self.shared[field].items(record["id"]) for field in ARRAY_FIELDS}
        answer = record | arrays | names | {"teamsIds": [], "teamsNames": {}}
        return {name: answer[name] for name in kind.order if name in answer}

    def update_record(
        self, entity: str, record_id: str, attributes: Mapping[str, Any], user: str = STAFF_ID, version: int | None = None
    ) -> dict[str, Any]:
        """Change a record as a PUT does and return the PUT's answer (which is not what is stored).

        Args:
            entity: `CBeteiligte` or `CBeteiligteOcc`.
            record_id: the record.
            attributes: as in the body of a PUT.
            user: who changes it.
            version: the version the change is based on, where the entity has version numbers.

        Raises:
            ApiError: as the API answers.
        """
        kind = PERSONS[entity]
        before = self.read_record(entity, record_id)
        if before is None:
            raise ApiError(404, f"Record {record_id} not found.")
        if self._protected(record_id):
            raise ApiError(403, "No edit access.")
        sent = checks.cleaned(kind, attributes, self.switches)
        after = before | sent
        if kind.versioned and version is not None and version != before["versionNumber"]:
            _refuse_conflict(kind, before, after, sent)
        checks.check(kind, after, set(sent), self.switches)
        if sent.keys() & _MAKE_A_NAME:
            after["name"] = _full_name(after)
        if kind.versioned or any(not same(after[name], before[name]) for name in sent):
            after |= {"modifiedAt": now(), "modifiedById": user, "modifiedByName": USER_NAMES.get(user)}
            if kind.versioned:
                after["versionNumber"] += 1
            with self.db.transaction():
                self._update(kind, after)
                for field in ARRAY_FIELDS:
                    self._save_addresses(field, after, before)
                self.events.updated(kind, before, after, user)
        return after

    def delete_record(self, entity: str, record_id: str, user: str = STAFF_ID) -> None:
        """Delete a record. Raises ApiError if there is none, or it may not be edited."""
        if self.read_record(entity, record_id) is None:
            raise ApiError(404, f"Record {record_id} not found.")
        if self._protected(record_id):
            raise ApiError(403, "No delete access.")
        with self.db.transaction():
            self.db.run("UPDATE espo_record SET deleted = 1, modifiedAt = ? WHERE id = ?", now(), record_id)
            for shared in self.shared.values():
                shared.unlink_all(record_id)
            self.events.deleted(PERSONS[entity], record_id, user)

    def protect(self, record_id: str, *, protected: bool = True) -> None:
        """Let no API user edit a record: what a Contact that the role does not cover does to shared addresses."""
        with self.db.transaction():
            self.db.run("UPDATE espo_record SET protected = ? WHERE id = ?", protected, record_id)

    def _protected(self, record_id: str) -> bool:
        row = self.db.row("SELECT protected FROM espo_record WHERE id = ?", record_id)
        return bool(row and row["protected"])

    # --- Parts of a write -------------------------------------------------------------------------------------------

    def _insert(self, kind: Entity, record: Mapping[str, Any]) -> None:
        self.db.run("INSERT INTO espo_record (id, entity, createdById) VALUES (?, ?, ?)", record["id"], kind.name, None)
        self._update(kind, record)

    def _update(self, kind: Entity, record: Mapping[str, Any]) -> None:
        columns = {a.name: record.get(a.name) for a in kind.attributes if _stored(a.name, a.type)}
        columns |= {"name": _full_name(record), "nameKey": _name_key(record)}
        columns.pop("deleted")
        assignments = ", ".join(f"{name} = ?" for name in columns)
        # The names come from the entity's own list.
        self.db.run(f"UPDATE espo_record SET {assignments} WHERE id = ?", *columns.values(), record["id"])  # noqa: S608

    def _save_addresses(self, field: str, record: dict[str, Any], before: Mapping[str, Any]) -> None:
        """Take the array path, the single path or none, and put what the answer shows into `record`."""
        out, invalid, _, data = address_field(field)
        shared, items, value, old = self.shared[field], record.get(data), record.get(field), before.get(field)
        changed = {
            name: bool(record[key])
            for name, key in (("optOut", out), ("invalid", invalid))
            if not before or not same(record[key], before[key])
        }
        if items is not None and not same(items, before.get(data)):
            flags = {**changed, "key": shared.key(value)} if value else {}
            primary, record[data] = shared.save_array(record["id"], items, before.get(data, []), flags)
            if primary is not None and self.switches.version != "8.4.2":
                record[field] = primary
        elif not same(value, old):
            shared.save_single(record["id"], value, old, opt_out=bool(record[out]), invalid=bool(record[invalid]))
        elif value and changed:
            shared.set_flags(value, opt_out=changed.get("optOut"), invalid=changed.get("invalid"))

    def _refuse_duplicates(self, kind: Entity, record: Mapping[str, Any]) -> None:
        texts = [record.get("emailAddress"), *(i.get("emailAddress") for i in record.get("emailAddressData") or [])]
        keys = {str(text).lower(): None for text in texts if text}
        same_name = self.db.rows(
            "SELECT id FROM espo_record WHERE nameKey = ? AND entity = ? AND NOT deleted", _name_key(record), kind.name
        )
        found = dict.fromkeys([*self.shared["emailAddress"].holders(keys, kind.name), *(r["id"] for r in same_name)])
        if found:
            where = [{"type": "in", "attribute": "id", "value": list(found)[:_DUPLICATES_SHOWN]}]
            raise ApiError(409, "duplicate", self.list_records(kind.name, {"where": where})["list"])


def _stored(name: str, kind: Type) -> bool:
    return kind not in _DERIVED and (kind is not Type.NAME or name == "name")


def _plain(kind: Entity, row: sqlite3.Row) -> dict[str, Any]:
    """Return the attributes that lie in the record's own row, and users' names."""
    record: dict[str, Any] = {a.name: row[a.name] for a in kind.attributes if _stored(a.name, a.type)}
    record |= {"deleted": False, "teamsIds": [], "teamsNames": {}}
    for link in ("createdBy", "modifiedBy", "assignedUser"):
        record[f"{link}Name"] = USER_NAMES.get(record[f"{link}Id"])
    return record


def primary_attributes(field: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a record shows of its primary; without one the address is null, without items the flags are too."""
    out, invalid, _, _ = address_field(field)
    if not items or not items[0]["primary"]:
        return {out: None, invalid: None, field: None}
    return {out: items[0]["optOut"], invalid: items[0]["invalid"], field: items[0][field]}


def _full_name(record: Mapping[str, Any]) -> str | None:
    return " ".join(filter(None, (record.get("firstName"), record.get("lastName")))) or None


def _name_key(record: Mapping[str, Any]) -> str:
    return f"{record.get('firstName') or ''}\n{record.get('lastName') or ''}".casefold()


def _refuse_conflict(kind: Entity, before: Mapping[str, Any], after: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
    """Refuse a change based on an old version if it concerns a field whose stored value differs from the sent one."""
    fields = [
        attributes
        for attributes in kind.fields.values()
        if any(name in sent and not same(after[name], before[name]) for name in attributes)
    ]
    if fields:
        values = {name: before[name] for attributes in fields for name in attributes}
        raise ApiError(409, "modified", {"values": values, "versionNumber": before["versionNumber"]})
