"""One pair of records in rows: an entry of Advoware on the left, the item of EspoCRM that belongs to it on the right."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from sandbox.page.compare import counts, key, value_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARKER = re.compile(r"\[ESPOCRM(?:-SLOT:(?P<slot>\d{1,2})|:(?P<data>[^:\]\[]+):(?P<kz>\d{1,2}))\] ?")
_HASH = re.compile(r"[0-9A-Fa-f]{8}")
_MAIL_KINDS = {4, 8, 11, 12}

Entry = dict[str, Any]
Item = dict[str, Any]


def in_rows(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record of `Overview.record` for the page.

    `rows` takes the place of the two sides: each has `left`, `right` (or null) and `link`: `equal`, `to_espocrm` or
    `to_advoware` (what the sync has yet to carry over), `twin` (the value stands in another entry, too) or `none`.
    `advoware` and `espocrm` tell only whether the side is there, and its id.
    """
    left = [_with_marker(entry) for entry in record["advoware"] or ()]
    espocrm = record["espocrm"]
    right = [
        _with_place(art, n, item) for art in ("emails", "phones") for n, item in enumerate((espocrm or {}).get(art, ()))
    ]
    return {
        **{name: record[name] for name in ("key", "betnr", "name", "state")},
        "advoware": record["advoware"] is not None,
        "espocrm": espocrm["id"] if espocrm else None,
        "rows": _rows(left, right, both=record["advoware"] is not None and espocrm is not None),
    }


def marker_of(bemerkung: str | None) -> tuple[dict[str, Any] | None, str]:
    """Take a remark apart: what the sync's marker says, and the rest.

    The marker has `kind` (`linked`, `slot`, `short`: a hash in place of the value), `value` (last agreed on, '' where
    unknown) and `raw`.
    """
    text = bemerkung or ""
    match = _MARKER.search(text)
    if match is None:
        return None, text
    rest = text[: match.start()] + text[match.end() :]
    raw, data = match[0].strip(), match["data"]
    if match["slot"]:
        return {"kind": "slot", "value": "", "raw": raw}, rest
    try:
        value = base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        value = ""
    if not value or (_HASH.fullmatch(data) and not value.isprintable()):
        return {"kind": "short", "value": "", "raw": raw}, rest
    return {"kind": "linked", "value": value, "raw": raw}, rest


def _with_marker(entry: Entry) -> Entry:
    marker, text = marker_of(entry["bemerkung"])
    return {**entry, "marker": marker, "text": text}


def _with_place(art: str, number: int, item: Item) -> Item:
    return {**item, "art": art, "index": number, "value": value_of(item)}


def _rows(left: Sequence[Entry], right: Sequence[Item], *, both: bool) -> list[dict[str, Any]]:
    free = {id(item): item for item in right}
    partner = _by_value(left, free)
    partner |= _by_marker(left, free, set(partner))
    partner |= _the_only_two(left, free, set(partner))
    present = {key(item["value"]) for item in right}
    rows: list[dict[str, Any]] = []
    slots: list[dict[str, Any]] = []
    for entry in left:
        item = partner.get(entry["id"])
        row = {"left": entry, "right": item, "link": _link(entry, item, present) if both else "none"}
        (slots if _is_slot(entry) else rows).append(row)
    rows += [{"left": None, "right": item, "link": "to_advoware" if both else "none"} for item in free.values()]
    return rows + slots


def _by_value(left: Sequence[Entry], free: dict[int, Item]) -> dict[int, Item]:
    """Entries and items of one value."""
    found = {}
    for entry in left:
        if counts(entry):
            item = next((item for item in free.values() if key(item["value"]) == key(entry["tlf"])), None)
            if item is not None:
                found[entry["id"]] = free.pop(id(item))
    return found


def _by_marker(left: Sequence[Entry], free: dict[int, Item], done: set[int]) -> dict[int, Item]:
    """Entries that were changed or emptied, and the items that still hold the value last agreed on."""
    found = {}
    for entry in left:
        agreed = (entry["marker"] or {}).get("value")
        if agreed and entry["id"] not in done:
            item = next((item for item in free.values() if key(item["value"]) == key(agreed)), None)
            if item is not None:
                found[entry["id"]] = free.pop(id(item))
    return found


def _the_only_two(left: Sequence[Entry], free: dict[int, Item], done: set[int]) -> dict[int, Item]:
    """A linked entry without its item and an item without entry, where there is no other of that sort: one was changed."""
    found = {}
    for mails in (True, False):
        lonely = [
            entry
            for entry in left
            if entry["id"] not in done
            and entry["marker"]
            and entry["marker"]["kind"] == "linked"
            and counts(entry)
            and (entry["kommKz"] in _MAIL_KINDS) is mails
        ]
        items = [item for item in free.values() if (item["art"] == "emails") is mails]
        if len(lonely) == len(items) == 1:
            found[lonely[0]["id"]] = free.pop(id(items[0]))
    return found


def _is_slot(entry: Entry) -> bool:
    return bool(entry["marker"]) and entry["marker"]["kind"] == "slot" and not counts(entry)


def _link(entry: Entry, item: Item | None, present: set[str]) -> str:
    value = key(entry["tlf"]) if counts(entry) else ""
    agreed = key(entry["marker"]["value"]) if entry["marker"] and entry["marker"]["value"] else ""
    if item is not None and value == key(item["value"]):
        return "equal"
    if value and value in present:
        return "twin"
    if item is not None:
        return "to_advoware" if value == agreed else "to_espocrm"
    if not value:
        return "none"
    return "to_advoware" if value == agreed else "to_espocrm"  # an item that was removed, a value that is new
