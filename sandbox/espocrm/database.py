"""The SQLite side: tables and transactions. One connection, used by one thread at a time."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS espo_record (
    id TEXT PRIMARY KEY, entity TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0,
    protected INTEGER NOT NULL DEFAULT 0,  -- no API user may edit it
    name TEXT COLLATE NOCASE, nameKey TEXT,  -- nameKey: first and last name, folded, for the duplicate check
    salutationName TEXT COLLATE NOCASE, firstName TEXT COLLATE NOCASE, lastName TEXT COLLATE NOCASE,
    middleName TEXT COLLATE NOCASE, description TEXT COLLATE NOCASE, addressStreet TEXT COLLATE NOCASE,
    addressCity TEXT COLLATE NOCASE, addressState TEXT COLLATE NOCASE, addressCountry TEXT COLLATE NOCASE,
    addressPostalCode TEXT COLLATE NOCASE, createdAt TEXT, modifiedAt TEXT, betnr INTEGER, syncStatus TEXT,
    advowareLastSync TEXT, kommunikationHash TEXT COLLATE NOCASE, versionNumber INTEGER, createdById TEXT,
    modifiedById TEXT, assignedUserId TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS espo_record_modified ON espo_record (modifiedAt, id);
CREATE INDEX IF NOT EXISTS espo_record_created ON espo_record (createdAt, id);
CREATE INDEX IF NOT EXISTS espo_record_betnr ON espo_record (betnr);
CREATE INDEX IF NOT EXISTS espo_record_name ON espo_record (nameKey);
-- An address or number is one object for all records. key: what it is found by; the database ignores case.
CREATE TABLE IF NOT EXISTS espo_shared (
    id INTEGER PRIMARY KEY, field TEXT NOT NULL, key TEXT NOT NULL COLLATE NOCASE, name TEXT NOT NULL, type TEXT,
    optOut INTEGER NOT NULL, invalid INTEGER NOT NULL, UNIQUE (field, key)
);
CREATE TABLE IF NOT EXISTS espo_link (
    number INTEGER PRIMARY KEY AUTOINCREMENT, field TEXT NOT NULL, record_id TEXT NOT NULL,
    shared_id INTEGER NOT NULL, is_primary INTEGER NOT NULL, UNIQUE (record_id, field, shared_id)
);
CREATE INDEX IF NOT EXISTS espo_link_shared ON espo_link (shared_id);
CREATE TABLE IF NOT EXISTS espo_webhook (
    id TEXT PRIMARY KEY, deleted INTEGER NOT NULL DEFAULT 0, event TEXT, url TEXT, isActive INTEGER, entityType TEXT,
    type TEXT, field TEXT, secretKey TEXT, skipOwn INTEGER, createdAt TEXT, modifiedAt TEXT, createdById TEXT,
    modifiedById TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS espo_event (
    number INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, target_id TEXT NOT NULL, user_id TEXT,
    data TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS espo_delivery (
    number INTEGER PRIMARY KEY AUTOINCREMENT, webhook_id TEXT NOT NULL, event TEXT NOT NULL, target_id TEXT NOT NULL,
    data TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, process_at REAL, failed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS espo_delivery_webhook ON espo_delivery (webhook_id, failed, number);
CREATE TABLE IF NOT EXISTS espo_task (
    id TEXT PRIMARY KEY, deleted INTEGER NOT NULL DEFAULT 0, name TEXT COLLATE NOCASE, status TEXT, priority TEXT,
    dateEnd TEXT, description TEXT, parentType TEXT, parentId TEXT, createdAt TEXT, modifiedAt TEXT, createdById TEXT,
    modifiedById TEXT, assignedUserId TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS espo_task_parent ON espo_task (parentId);
CREATE TABLE IF NOT EXISTS espo_note (
    id TEXT PRIMARY KEY, deleted INTEGER NOT NULL DEFAULT 0, post TEXT, type TEXT, isInternal INTEGER, parentType TEXT,
    parentId TEXT, createdAt TEXT, modifiedAt TEXT, createdById TEXT, modifiedById TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS espo_note_parent ON espo_note (parentId);
"""


class Database:
    """A connection with the tables made."""

    def __init__(self, place: sqlite3.Connection | str | Path) -> None:
        if isinstance(place, sqlite3.Connection):
            self.connection = place
        else:
            self.connection = sqlite3.connect(place, check_same_thread=False, timeout=30)
        self.connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _SCHEMA)
        self._rows = self.connection.cursor()
        self._rows.row_factory = sqlite3.Row

    def rows(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        return self._rows.execute(sql, parameters).fetchall()

    def row(self, sql: str, *parameters: object) -> sqlite3.Row | None:
        """Return the first row of a query.

        All rows are fetched: a query left half-way keeps its snapshot of the file, and the next write on it fails when the
        other system, which has a connection of its own to the same file, has written meanwhile.
        """
        found = self.rows(sql, *parameters)
        return found[0] if found else None

    def run(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        """Run a statement that changes something."""
        return self.connection.execute(sql, parameters)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside becomes stored, or nothing."""
        if self.connection.in_transaction:
            yield
            return
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.rollback()
            raise
        self.connection.commit()
