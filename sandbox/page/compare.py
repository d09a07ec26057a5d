"""What both systems hold, side by side, for the page: which value is on both sides, which only on one.

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
_ITEMS = """
SELECT l.record_id, l.field, l.is_primary, s.name, s.type, s.optOut, s.invalid
FROM espo_link l JOIN espo_shared s ON s.id = l.shared_id ORDER BY l.is_primary DESC, l.number
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


class Overview:
    """All records of both systems as one list, made anew when either has changed."""

    def __init__(self, advoware: AdvowareStore, espocrm: EspoStore) -> None:
        self._advoware = advoware
        self._espocrm = espocrm
        self._version = ""
        self._not_before = 0.0
        self._rows: list[dict[str, Any]] = []

    def page(self, *, q: str, only: str, offset: int, limit: int, version: str) -> dict[str, Any]:
        """Return one page of records.

        Args:
            q: text to look for in names, numbers and addresses, or a betNr.
            only: `all`, `different`, `equal` or `unlinked`.
            offset: how many records to pass over.
            limit: how many to return at most.
            version: the `version` of an answer already shown; if nothing has changed since, only that is said.
        """
        current = f"{self._advoware.changes}.{self._espocrm.db.connection.total_changes}"
        started = time.monotonic()
        if current != self._version and started >= self._not_before:
            self._rows, self._version = self._read(), current
            # Reading thousands of records holds up both systems: it gets at most a fifth of the time.
            self._not_before = time.monotonic() + 4 * (time.monotonic() - started)
        if version == self._version:
            return {"version": version, "unchanged": True}
        found = [row for row in self._rows if _matches(row, q.casefold())] if q else self._rows
        groups = {name: [row for row in found if name in {"all", _group(row)}] for name in _ORDER}
        chosen = groups.get(only, found)
        return {
            "version": self._version,
            "unchanged": False,
            "total": len(chosen),
            "counts": {name: len(rows) for name, rows in groups.items()},
            "rows": chosen[offset : offset + limit],
        }

    def _read(self) -> list[dict[str, Any]]:
        items: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: {"emails": [], "phones": []})
        for row in self._espocrm.db.rows(_ITEMS):
            item = {row["field"]: row["name"], "primary": bool(row["is_primary"])}
            item |= {"optOut": bool(row["optOut"]), "invalid": bool(row["invalid"])}
            if row["type"] is not None:
                item["type"] = row["type"]
            items[row["record_id"]][_LISTS[row["field"]]].append(item)
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
    left = advoware or []
    right = [*espocrm["emails"], *espocrm["phones"]] if espocrm else []
    left_keys = {key(entry["tlf"]) for entry in left if _counts(entry)}
    right_keys = {key(_value(item)) for item in right}
    left = [{**entry, "place": _place(key(entry["tlf"]) in right_keys) if _counts(entry) else "none"} for entry in left]
    for item in right:
        item["place"] = _place(key(_value(item)) in left_keys)
    if advoware is None or espocrm is None:
        state = "espocrm" if advoware is None else "advoware"
    else:
        state = "different" if any(item["place"] == "here" for item in [*left, *right]) else "equal"
    return {
        "key": f"{betnr}-{espocrm['id'] if espocrm else ''}",
        "betnr": betnr,
        "name": name,
        "state": state,
        "advoware": None if advoware is None else left,
        "espocrm": espocrm,
    }


def _counts(entry: dict[str, Any]) -> bool:
    """Whether an entry is one the sync could bring to the other side: not blank, no web page."""
    return bool((entry["tlf"] or "").strip()) and entry["kommKz"] != _INTERNET


def _value(item: dict[str, Any]) -> str:
    return str(item.get("emailAddress") or item.get("phoneNumber"))


def _place(on_both: bool) -> str:  # noqa: FBT001 - reads as a sentence where it is called
    return "both" if on_both else "here"


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
            yield _value(item)
