"""The addresses and numbers of a record: objects shared by all records, and the two ways a PUT changes the links.

An address is found by its lower-cased text, a number by its text. Spelling, optOut, invalid and, of numbers, type
belong to the object: changing them through one record changes every other record that is linked to it, and that record's
modifiedAt doesn't move. Only `primary` belongs to the link.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.espocrm.values import PHP_BLANKS, truthy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sandbox.espocrm.database import Database

DEFAULT_TYPE = "Mobile"

_ITEMS = """
SELECT l.record_id, s.name, s.key, s.type, s.optOut, s.invalid, l.is_primary
FROM espo_link l JOIN espo_shared s ON s.id = l.shared_id
WHERE l.record_id = ? AND l.field = ? ORDER BY l.is_primary DESC, l.number
"""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the request says of one value."""

    name: str
    primary: bool
    type: str | None
    opt_out: bool
    invalid: bool


class SharedObjects:
    """The shared objects of one field (`emailAddress` or `phoneNumber`) and their links."""

    def __init__(self, database: Database, field: str) -> None:
        self._db = database
        self.field = field
        self._typed = field == "phoneNumber"

    def key(self, text: str) -> str:
        """Return what the object of this text is found by."""
        return text if self._typed else text.lower()

    def items(self, record_id: str) -> list[dict[str, Any]]:
        """Return a record's array as a GET shows it: the primary first, the rest in order of entry."""
        rows = self._db.rows(_ITEMS, record_id, self.field)
        if self._typed:
            return [
                {
                    "phoneNumber": row["name"],
                    "type": row["type"],
                    "primary": bool(row["is_primary"]),
                    "optOut": bool(row["optOut"]),
                    "invalid": bool(row["invalid"]),
                }
                for row in rows
            ]
        return [
            {
                "emailAddress": row["name"],
                "lower": row["key"],
                "primary": bool(row["is_primary"]),
                "optOut": bool(row["optOut"]),
                "invalid": bool(row["invalid"]),
            }
            for row in rows
        ]

    def save_array(
        self, record_id: str, sent: list[dict[str, Any]], stored: list[dict[str, Any]], flags: Mapping[str, Any]
    ) -> tuple[str | None, list[dict[str, Any]]]:
        """Make the record's links those of the array.

        Args:
            record_id: the record.
            sent: the array of the request, cleaned and checked.
            stored: the array as it was.
            flags: optOut and invalid sent beside the array for the record's primary, and that primary's key.

        Returns:
            The key of the new primary (None: it did not change, or there is none), and the array to echo: as sent, but with
            the flags of objects that the user may not change.
        """
        wanted, order = self._wanted(sent)
        wanted = {key: _overlaid(item, flags) if key == flags.get("key") else item for key, item in wanted.items()}
        before = {self.key(item[self.field]): item for item in stored}
        primary = _primary(order, wanted, before)
        for key in before.keys() - wanted.keys():
            self._unlink(record_id, key)
        kept: dict[str, dict[str, Any]] = {}
        for key in dict.fromkeys(order):
            shared_id, refused = self._store(record_id, key, wanted[key])
            if refused:
                kept[key] = refused
            if key not in before:
                self._link(record_id, shared_id, primary=key == primary)
        if primary is not None:
            self._make_primary(record_id, primary)
        return primary, [{**item, **kept.get(str(item.get(self.field)), {})} for item in sent]

    def _wanted(self, sent: list[dict[str, Any]]) -> tuple[dict[str, _Wanted], list[str]]:
        """Return the items by key (of two with one key the later counts) and the keys in order, repeated ones too."""
        no_primary = not any(truthy(item.get("primary")) for item in sent)
        wanted: dict[str, _Wanted] = {}
        order: list[str] = []
        for position, item in enumerate(sent):
            value = item.get(self.field)
            if not truthy(value):
                continue
            name = str(value).strip(PHP_BLANKS)
            key = self.key(name)
            wanted[key] = _Wanted(
                name,
                primary=truthy(item.get("primary")) or (no_primary and position == 0),
                type=(item.get("type") or DEFAULT_TYPE) if self._typed else None,
                opt_out=truthy(item.get("optOut")),
                invalid=truthy(item.get("invalid")),
            )
            order.append(key)
        return wanted, order

    def save_single(self, record_id: str, value: str | None, old: str | None, *, opt_out: bool, invalid: bool) -> None:
        """Make `value` the primary and unlink the old one; None only unlinks. The flags go to the object of `value`."""
        if old is not None:
            self._unlink(record_id, self.key(old))
        if value is None:
            return
        key = self.key(value)
        row = self._find(key)
        if row is None:
            name_type = DEFAULT_TYPE if self._typed else None
            shared_id = self._insert(key, _Wanted(value, True, name_type, opt_out, invalid))  # noqa: FBT003 - a row
        else:
            shared_id = row["id"]
        self._link(record_id, shared_id, primary=True)
        self.set_flags(value, opt_out=opt_out, invalid=invalid)
        self._db.run(
            "UPDATE espo_link SET is_primary = 1 WHERE record_id = ? AND field = ? AND shared_id = ?",
            record_id,
            self.field,
            shared_id,
        )

    def set_flags(self, value: str, *, opt_out: bool | None = None, invalid: bool | None = None) -> None:
        """Change the flags of an object, whoever else holds it. None: as it is."""
        self._db.run(
            "UPDATE espo_shared SET optOut = coalesce(?, optOut), invalid = coalesce(?, invalid)"
            " WHERE field = ? AND key = ?",
            opt_out,
            invalid,
            self.field,
            self.key(value),
        )

    def unlink_all(self, record_id: str) -> None:
        """Take all links off a deleted record; the objects stay."""
        self._db.run("DELETE FROM espo_link WHERE record_id = ? AND field = ?", record_id, self.field)

    def holders(self, keys: Iterable[str], entity: str) -> list[str]:
        """Return the ids of all records of a type that are linked to one of the keys."""
        found: dict[str, None] = {}
        for key in keys:
            rows = self._db.rows(
                "SELECT r.id FROM espo_shared s JOIN espo_link l ON l.shared_id = s.id JOIN espo_record r"
                " ON r.id = l.record_id WHERE s.field = ? AND s.key = ? AND r.entity = ? AND NOT r.deleted",
                self.field,
                key,
                entity,
            )
            found.update({row["id"]: None for row in rows})
        return list(found)

    # --- Single statements ------------------------------------------------------------------------------------------

    def _find(self, key: str) -> Any:
        return self._db.row("SELECT * FROM espo_shared WHERE field = ? AND key = ?", self.field, key)

    def _insert(self, key: str, item: _Wanted) -> int:
        cursor = self._db.run(
            "INSERT INTO espo_shared (field, key, name, type, optOut, invalid) VALUES (?, ?, ?, ?, ?, ?)",
            self.field,
            key,
            item.name,
            item.type,
            item.opt_out,
            item.invalid,
        )
        return int(cursor.lastrowid or 0)

    def _store(self, record_id: str, key: str, item: _Wanted) -> tuple[int, dict[str, Any]]:
        """Make the object as wanted; returns its id and, if the user may not change it, what it keeps."""
        row = self._find(key)
        if row is None:
            return self._insert(key, item), {}
        spelling = row["name"] if self._typed else item.name
        as_wanted = (item.type, item.opt_out, item.invalid, spelling)
        if (row["type"], bool(row["optOut"]), bool(row["invalid"]), row["name"]) == as_wanted:
            return int(row["id"]), {}
        if self._held_by_protected(record_id, row["id"]):
            kept = {"optOut": bool(row["optOut"]), "invalid": bool(row["invalid"])}
            return int(row["id"]), ({"type": row["type"], **kept} if self._typed else kept)
        self._db.run(
            "UPDATE espo_shared SET type = ?, optOut = ?, invalid = ?, name = ? WHERE id = ?", *as_wanted, row["id"]
        )
        return int(row["id"]), {}

    def _held_by_protected(self, record_id: str, shared_id: int) -> bool:
        row = self._db.row(
            "SELECT 1 FROM espo_link l JOIN espo_record r ON r.id = l.record_id"
            " WHERE l.shared_id = ? AND r.protected AND NOT r.deleted AND r.id <> ? LIMIT 1",
            shared_id,
            record_id,
        )
        return row is not None

    def _link(self, record_id: str, shared_id: int, *, primary: bool) -> None:
        self._db.run(
            "INSERT INTO espo_link (field, record_id, shared_id, is_primary) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET is_primary = excluded.is_primary",
            self.field,
            record_id,
            shared_id,
            primary,
        )

    def _unlink(self, record_id: str, key: str) -> None:
        self._db.run(
            "DELETE FROM espo_link WHERE record_id = ? AND field = ?"
            " AND shared_id = (SELECT id FROM espo_shared WHERE field = ? AND key = ?)",
            record_id,
            self.field,
            self.field,
            key,
        )

    def _make_primary(self, record_id: str, key: str) -> None:
        row = self._find(key)
        self._db.run(
            "UPDATE espo_link SET is_primary = (shared_id = ?) WHERE record_id = ? AND field = ?",
            row["id"],
            record_id,
            self.field,
        )


def _overlaid(item: _Wanted, flags: Mapping[str, Any]) -> _Wanted:
    return _Wanted(item.name, item.primary, item.type, flags.get("optOut", item.opt_out), flags.get("invalid", item.invalid))


def _primary(order: list[str], wanted: Mapping[str, _Wanted], before: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Walk through the items: one that becomes primary is the candidate, one that was primary already clears it."""
    candidate = None
    for key in order:
        if wanted[key].primary:
            candidate = None if key in before and before[key]["primary"] else key
    return candidate
