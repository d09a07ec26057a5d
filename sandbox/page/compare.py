"""All records of both systems as one list for the page: who is equal on both sides, who is not, who stands on one only.

Comparing is the page's own, on purpose: it looks at the sync's work from outside.
"""

from __future__ import annotations

import time
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import idna
import phonenumbers

from sandbox.advoware.api import true_entry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.advoware.store import AdvowareStore
    from sandbox.espocrm.store import EspoStore

_INTERNET = 5
_RECORDS = "SELECT id, name, betnr FROM espo_record WHERE entity = 'CBeteiligte' AND NOT deleted ORDER BY createdAt, id"
_RECORD = "SELECT id, name, betnr FROM espo_record WHERE entity = 'CBeteiligte' AND NOT deleted AND id = ?"
_ITEMS = """
SELECT l.record_id, l.field, l.is_primary, s.name, s.type, s.optOut, s.invalid
FROM espo_link l JOIN espo_shared s ON s.id = l.shared_id {where} ORDER BY l.is_primary DESC, l.number
"""
_LISTS = {"emailAddress": "emails", "phoneNumber": "phones"}
_ORDER = ("all", "different", "equal", "unlinked")


@lru_cache(maxsize=100_000)
def key(value: str) -> str:
    """Return what two spellings of one address or number have in common."""
    text = value.strip()
    local, at, domain = text.rpartition("@")
    if at:
        try:
            domain = idna.encode(domain, uts46=True, transitional=False).decode()
        except idna.IDNAError:
            domain = domain.lower()
        return f"{local.lower()}@{domain}"
    if set(text) <= set("0123456789+()/-. "):
        try:
            return phonenumbers.format_number(phonenumbers.parse(text, "DE"), phonenumbers.PhoneNumberFormat.E164)
        except phonenumbers.NumberParseException:
            pass
    return text


def counts(entry: dict[str, Any]) -> bool:
    """Whether an entry is one the sync could bring to the other side: not blank, no web page."""
    return bool((entry["tlf"] or "").strip()) and entry["kommKz"] != _INTERNET


def value_of(item: dict[str, Any]) -> str:
    """Return the address or number of an item of EspoCRM."""
    return str(item.get("emailAddress") or item.get("phoneNumber"))


class Overview:
    """All records of both systems as one list, made anew when either has changed."""

    def __init__(self, advoware: AdvowareStore, espocrm: EspoStore) -> None:
        self._advoware = advoware
        self._espocrm = espocrm
        self._version = ""
        self._not_before = 0.0
        self._rows: list[dict[str, Any]] = []

    @property
    def version(self) -> str:
        """A text that differs whenever a row of either system has changed."""
        return f"{self._advoware.changes}.{self._espocrm.db.connection.total_changes}"

    def page(self, *, q: str, only: str, offset: int, limit: int) -> dict[str, Any]:
        """Return one page of records, each with key, betNr, name and state; `current` False: ask again in a while.

        Args:
            q: text to look for in names, numbers and addresses, or a betNr.
            only: `all`, `different`, `equal` or `unlinked`.
            offset: how many records to pass over.
            limit: how many to return at most.
        """
        current, started = self.version, time.monotonic()
        if current != self._version and started >= self._not_before:
            self._rows, self._version = self._read(), current
            # Reading thousands of records holds up both systems: it gets at most a fifth of the time.
            self._not_before = time.monotonic() + 4 * (time.monotonic() - started)
        found = [row for row in self._rows if _matches(row, q.casefold())] if q else self._rows
        groups = {name: [row for row in found if name in {"all", _group(row)}] for name in _ORDER}
        chosen = groups.get(only, found)
        return {
            "version": self._version,
            "current": self._version == current,
            "total": len(chosen),
            "counts": {name: len(rows) for name, rows in groups.items()},
            "rows": [
                {name: row[name] for name in ("key", "betnr", "name", "state")} for row in chosen[offset : offset + limit]
            ],
        }

    def record(self, name: str) -> dict[str, Any] | None:
        """Return one row in full, by its key; None if there is no such record (any more)."""
        betnr, _, espo_id = name.partition("-")
        beteiligter = self._advoware.get_beteiligter(int(betnr)) if betnr.isascii() and betnr.isdecimal() else None
        entries = None if beteiligter is None else [true_entry(e) for e in self._advoware.entries(beteiligter.betnr)]
        found = self._espocrm.db.row(_RECORD, espo_id)
        if found is not None and str(found["betnr"]) != betnr:
            return None  # linked to somebody else by now: another row
        other = None
        if found is not None:
            items = self._items("WHERE l.record_id = ?", espo_id)[espo_id]
            other = {"id": espo_id, "name": found["name"], **items}
        if (other is None and espo_id) or (beteiligter is None and other is None):
            return None
        shown = beteiligter.name if beteiligter is not None else other["name"] if other else ""
        return _row(int(betnr) if betnr.isdecimal() else None, shown, entries, other)

    def _items(self, where: str = "", *parameters: object) -> dict[str, dict[str, list[dict[str, Any]]]]:
        items: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: {"emails": [], "phones": []})
        for row in self._espocrm.db.rows(_ITEMS.format(where=where), *parameters):
            item = {row["field"]: row["name"], "primary": bool(row["is_primary"])}
            item |= {"optOut": bool(row["optOut"]), "invalid": bool(row["invalid"])}
            if row["type"] is not None:
                item["type"] = row["type"]
            items[row["record_id"]][_LISTS[row["field"]]].append(item)
        return items

    def _read(self) -> list[dict[str, Any]]:
        items = self._items()
        right: dict[int | None, list[dict[str, Any]]] = defaultdict(list)
        for row in self._espocrm.db.rows(_RECORDS):
            right[row["betnr"]].append({"id": row["id"], "name": row["name"], **items[row["id"]]})
        entries: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for entry in self._advoware.all_entries():
            entries[entry.betnr].append(true_entry(entry))
        rows = []
        for beteiligter in self._advoware.list_beteiligte():
            others: list[dict[str, Any] | None] = [*right.pop(beteiligter.betnr, [])] or [None]
            mine = entries[beteiligter.betnr]
            rows += [_row(beteiligter.betnr, beteiligter.name, mine, other) for other in others]
        rows += [_row(betnr, other["name"], None, other) for betnr, others in right.items() for other in others]
        return rows


def _row(
    betnr: int | None, name: str, advoware: list[dict[str, Any]] | None, espocrm: dict[str, Any] | None
) -> dict[str, Any]:
    if advoware is None or espocrm is None:
        state = "espocrm" if advoware is None else "advoware"
    else:
        left = {key(entry["tlf"]) for entry in advoware if counts(entry)}
        right = {key(value_of(item)) for item in (*espocrm["emails"], *espocrm["phones"])}
        state = "equal" if left == right else "different"
    return {
        "key": f"{betnr}-{espocrm['id'] if espocrm else ''}",
        "betnr": betnr,
        "name": name,
        "state": state,
        "advoware": advoware,
        "espocrm": espocrm,
    }


def _group(row: dict[str, Any]) -> str:
    return str(row["state"]) if row["state"] in {"equal", "different"} else "unlinked"


def _matches(row: dict[str, Any], text: str) -> bool:
    return any(text in part.casefold() or text == part for part in _searchable(row))


def _searchable(row: dict[str, Any]) -> Iterable[str]:
    yield row["name"] or ""
    yield str(row["betnr"])
    for entry in row["advoware"] or ():
        yield entry["tlf"] or ""
        yield entry["bemerkung"] or ""
    if row["espocrm"]:
        yield row["espocrm"]["name"] or ""
        for item in (*row["espocrm"]["emails"], *row["espocrm"]["phones"]):
            yield value_of(item)
