"""What the simulated Advoware holds: Beteiligte and their entries, in SQLite.

Every method is one transaction. The server calls them from one thread only.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS advoware_beteiligte (
    betnr INTEGER PRIMARY KEY AUTOINCREMENT, row_id TEXT NOT NULL, geaendert_am TEXT NOT NULL,
    name TEXT NOT NULL, stammdaten TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS advoware_kommunikation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    betnr INTEGER NOT NULL REFERENCES advoware_beteiligte ON DELETE CASCADE,
    row_id TEXT NOT NULL, komm_kz INTEGER NOT NULL, tlf TEXT, bemerkung TEXT, online INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS advoware_kommunikation_betnr ON advoware_kommunikation (betnr);
"""
# AUTOINCREMENT never gives a number twice; it starts here, so that numbers look like those of a grown database.
_SELECT = "SELECT betnr, row_id, geaendert_am, name, stammdaten FROM advoware_beteiligte"
_FIRST_NUMBERS = {"advoware_beteiligte": 10000, "advoware_kommunikation": 88000}


@dataclass(frozen=True, slots=True)
class Entry:
    """One Kommunikation as stored: the true kommKz, whatever the API shows."""

    id: int
    betnr: int
    row_id: str
    komm_kz: int
    tlf: str | None = field(repr=False)
    bemerkung: str | None = field(repr=False)
    online: bool


@dataclass(frozen=True, slots=True)
class Beteiligter:
    """One person's Stammdaten. `stammdaten`: the members besides `name`, as written; `geaendert_am`: UTC, ISO 8601."""

    betnr: int
    row_id: str
    geaendert_am: str
    name: str = field(repr=False)
    stammdaten: dict[str, Any] = field(repr=False)


def new_row_id() -> str:
    """Make a version of a row: 40 letters A to P (20 random bytes, one letter for each half byte)."""
    return secrets.token_bytes(20).hex().translate(str.maketrans("0123456789abcdef", "ABCDEFGHIJKLMNOP"))


def _beteiligter(row: tuple[Any, ...]) -> Beteiligter:
    betnr, row_id, geaendert_am, name, stammdaten = row
    return Beteiligter(betnr, row_id, geaendert_am, name, json.loads(stammdaten))


def _entry(row: tuple[Any, ...]) -> Entry:
    komm_id, betnr, row_id, komm_kz, tlf, bemerkung, online = row
    return Entry(komm_id, betnr, row_id, komm_kz, tlf, bemerkung, bool(online))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def connect(place: Path | str) -> sqlite3.Connection:
    """Open a database for one or both systems; each statement outside a `transaction` is one of its own."""
    return sqlite3.connect(place, isolation_level=None, check_same_thread=False)


class AdvowareStore:
    """All state of the simulated Advoware. `place`: a file, `:memory:`, or what `connect` gave."""

    def __init__(self, place: sqlite3.Connection | Path | str = ":memory:") -> None:
        self._db = place if isinstance(place, sqlite3.Connection) else connect(place)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;")
        self._db.executescript(_SCHEMA)
        with self.transaction():
            for table, first in _FIRST_NUMBERS.items():
                if not self._db.execute("SELECT 1 FROM sqlite_sequence WHERE name = ?", (table,)).fetchone():
                    self._db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, first))

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @property
    def changes(self) -> int:
        """A count that grows with every change of a row."""
        return self._db.total_changes

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside one transaction; nested use joins the outer one (the seed writes thousands)."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # --- Beteiligte -------------------------------------------------------------------------------------------------

    def count(self) -> int:
        """Tell how many Beteiligte there are."""
        return int(self._db.execute("SELECT count(*) FROM advoware_beteiligte").fetchone()[0])

    def list_beteiligte(self, *, limit: int = -1, offset: int = 0) -> list[Beteiligter]:
        """Return Beteiligte in the order of their numbers; `limit` -1: all."""
        rows = self._db.execute(
            _SELECT + " ORDER BY betnr LIMIT ? OFFSET ?",
            (limit, offset),
        )
        return [_beteiligter(row) for row in rows]

    def get_beteiligter(self, betnr: int) -> Beteiligter | None:
        """Return one Beteiligter, None if there is none of that number."""
        row = self._db.execute(_SELECT + " WHERE betnr = ?", (betnr,)).fetchone()
        return _beteiligter(row) if row else None

    def add_beteiligter(self, name: str, stammdaten: dict[str, Any] | None = None, *, betnr: int | None = None) -> int:
        """Add a Beteiligter and return its number; `betnr` None: the next free one.

        Raises:
            ValueError: the number is taken.
        """
        with self.transaction():
            try:
                cursor = self._db.execute(
                    "INSERT INTO advoware_beteiligte (betnr, row_id, geaendert_am, name, stammdaten) VALUES (?, ?, ?, ?, ?)",
                    (betnr, new_row_id(), _now(), name, json.dumps(stammdaten or {})),
                )
            except sqlite3.IntegrityError:
                raise ValueError(f"betNr {betnr} is taken") from None
        return int(cursor.lastrowid or 0)

    def change_stammdaten(self, betnr: int, name: str, stammdaten: dict[str, Any]) -> None:
        """Replace name and Stammdaten; the row gets a new version."""
        with self.transaction():
            self._db.execute(
                "UPDATE advoware_beteiligte SET name = ?, stammdaten = ?, row_id = ?, geaendert_am = ? WHERE betnr = ?",
                (name, json.dumps(stammdaten), new_row_id(), _now(), betnr),
            )

    def touch_beteiligter(self, betnr: int, *, row_id: bool, geaendert_am: bool) -> None:
        """Renew the version or the time stamp of the Stammdaten, as some releases may do when only an entry changes."""
        with self.transaction():
            if row_id:
                self._db.execute("UPDATE advoware_beteiligte SET row_id = ? WHERE betnr = ?", (new_row_id(), betnr))
            if geaendert_am:
                self._db.execute("UPDATE advoware_beteiligte SET geaendert_am = ? WHERE betnr = ?", (_now(), betnr))

    def delete_beteiligter(self, betnr: int) -> None:
        """Delete a Beteiligter and its entries, as a person in Advoware can."""
        with self.transaction():
            self._db.execute("DELETE FROM advoware_beteiligte WHERE betnr = ?", (betnr,))

    # --- Kommunikation ----------------------------------------------------------------------------------------------

    def entries(self, betnr: int) -> list[Entry]:
        """Return the entries of a Beteiligter in the order of their ids."""
        rows = self._db.execute(
            "SELECT id, betnr, row_id, komm_kz, tlf, bemerkung, online FROM advoware_kommunikation"
            " WHERE betnr = ? ORDER BY id",
            (betnr,),
        )
        return [_entry(row) for row in rows]

    def all_entries(self) -> list[Entry]:
        """Return the entries of all Beteiligte."""
        rows = self._db.execute(
            "SELECT id, betnr, row_id, komm_kz, tlf, bemerkung, online FROM advoware_kommunikation ORDER BY id"
        )
        return [_entry(row) for row in rows]

    def get_entry(self, betnr: int, komm_id: int) -> Entry | None:
        """Return one entry, None if that Beteiligter has none of that id."""
        return next((entry for entry in self.entries(betnr) if entry.id == komm_id), None)

    def add_entry(
        self, betnr: int, *, komm_kz: int, tlf: str | None, bemerkung: str | None = None, online: bool = False
    ) -> Entry:
        """Add an entry under the next id."""
        row_id = new_row_id()
        with self.transaction():
            cursor = self._db.execute(
                "INSERT INTO advoware_kommunikation (betnr, row_id, komm_kz, tlf, bemerkung, online)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (betnr, row_id, komm_kz, tlf, bemerkung, online),
            )
        return Entry(int(cursor.lastrowid or 0), betnr, row_id, komm_kz, tlf, bemerkung, online)

    def save_entry(self, entry: Entry, *, new_version: bool = True) -> Entry:
        """Store a changed entry, under a new rowId unless told otherwise."""
        row_id = new_row_id() if new_version else entry.row_id
        with self.transaction():
            self._db.execute(
                "UPDATE advoware_kommunikation SET row_id = ?, komm_kz = ?, tlf = ?, bemerkung = ?, online = ? WHERE id = ?",
                (row_id, entry.komm_kz, entry.tlf, entry.bemerkung, entry.online, entry.id),
            )
        return Entry(entry.id, entry.betnr, row_id, entry.komm_kz, entry.tlf, entry.bemerkung, entry.online)

    def delete_entry(self, komm_id: int) -> None:
        """Delete an entry, as a person in Advoware can and the API can't."""
        with self.transaction():
            self._db.execute("DELETE FROM advoware_kommunikation WHERE id = ?", (komm_id,))
