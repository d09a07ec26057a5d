"""The decision table a second time, written from the specification alone and knowing nothing of the code under test.

It works on pictures (tests/core/worlds.py): letters for values, so that even "equal" is its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.core.worlds import PHONES, Picture, Sketch, spelled

FITS = {"Office": {1}, "Fax": {2, 7}, "Mobile": {3, 9}, "Home": {6}, "Other": {10}}
MAIL_KINDS = {4, 8, 11, 12}


@dataclass
class Expected:
    """Row by entry id, letters of row 16, and the letters each side holds when everything was carried out."""

    rows: dict[int, int] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    advoware: list[str] = field(default_factory=list)
    espocrm: set[str] = field(default_factory=set)
    conflicts: set[int] = field(default_factory=set)


def base_of(entry: Sketch, store: str) -> str:
    """The letter of the base: from the marker; where it is missing or damaged, from the store; a copied entry has none."""
    if not entry.base or entry.marker == "slot":
        return ""
    if entry.gone:
        return entry.base
    shown = spelled(entry.now, entry.spelling) if entry.now else ""
    hash_fits = bool(shown) and spelled(entry.base, entry.base_spelling) in {shown, shown.strip()}
    readable = entry.marker == "full" or (entry.marker == "hash" and hash_fits)
    if store == "filled":
        return entry.base if entry.known else ""
    return entry.base if readable else ""


def same_array(one: str, other: str) -> bool:
    return (one in PHONES) == (other in PHONES)


def fits(kz: int, kind: str) -> bool:
    return not kind or kz in MAIL_KINDS or kz in FITS[kind]


def pair(picture: Picture, bases: dict[int, str]) -> dict[int, str]:
    """Which changed value e' a vanished base is paired with, by entry id."""
    held = [name for name, _ in picture.items]
    claimed = {e.now for e in picture.entries if e.now and not e.gone} | set(bases.values())
    free = [(name, kind) for name, kind in picture.items if name not in claimed]
    partners: dict[int, str] = {}
    done: set[str] = set()
    for entry in picture.entries:
        base = bases.get(entry.id, "")
        if not base or base in held or base in done or (entry.now != base and entry.now in held):
            continue
        done.add(base)
        group = [e for e in picture.entries if bases.get(e.id) == base and not (e.now and e.now != base and e.now in held)]
        choice = next(((n, k) for n, k in free if same_array(n, base) and any(fits(e.kz, k) for e in group)), None)
        if choice is not None:
            free.remove(choice)
            partners |= {e.id: choice[0] for e in group}
    return partners


def row_of(entry: Sketch, base: str, held: list[str], partner: str) -> int | None:  # noqa: PLR0911
    """The table, line by line as it is printed."""
    now = entry.now
    if not base:
        if entry.marker == "slot":
            return 18 if now else 17
        if not now:
            return None
        return 14 if now in held else 15
    if entry.gone:
        return 11 if base in held else 13 if partner else 12
    if not now:
        return 8 if base in held else 10 if partner else 9
    if now == base:
        return 1 if base in held else 3 if partner else 2
    if base in held:
        return 4
    if now in held:
        return 5
    return 7 if partner else 6


def saved_row(row: int | None, base: str, there: list[str]) -> int | None:
    """No base, no deletion: what is missing on one side is added there, unless it is there already."""
    if row == 2:
        return 15
    if row == 8:
        return None if base in there else 10
    return None if row == 9 else row


def expect(picture: Picture) -> Expected:
    """What has to happen under keep-both, in both directions, with the valve released."""
    held = [name for name, _ in picture.items]
    bases = {e.id: base_of(e, picture.store) for e in picture.entries}
    bases = {entry_id: base for entry_id, base in bases.items() if base}
    partners = pair(picture, bases)
    live = [e.now for e in picture.entries if e.now and not e.gone]
    claimed = set(live) | set(bases.values()) | set(partners.values())
    result = Expected(new=[name for name in held if name not in claimed], espocrm=set(held))
    result.advoware = list(result.new)
    # Where rows 3 and 10 write a changed value into an entry, a deleted or conflicting twin need not bring it again.
    table = {e.id: row_of(e, bases.get(e.id, ""), held, partners.get(e.id, "")) for e in picture.entries}
    brought = {partners[entry_id] for entry_id, row in table.items() if row in {3, 10}}
    given_back: set[str] = set()
    for entry in picture.entries:
        base, partner, row = bases.get(entry.id, ""), partners.get(entry.id, ""), table[entry.id]
        if picture.store == "unknown" and base and row in {2, 8, 9}:
            row, partner = saved_row(row, base, live + result.advoware), base
            given_back |= {base} if row == 10 else set()
        if row is not None:
            result.rows[entry.id] = row
            carry_out(row, entry, base, partner, result, set(live), brought)
    result.espocrm |= given_back
    result.advoware.sort()
    return result


def carry_out(row: int, entry: Sketch, base: str, partner: str, result: Expected, live: set[str], brought: set[str]) -> None:
    """What one row does to both sides. An item leaves EspoCRM only when no live entry holds its value."""
    if row in {1, 4, 5, 6, 7, 14, 15, 18}:
        result.advoware.append(entry.now)
    if row in {3, 10}:
        result.advoware.append(partner)
    if row in {4, 6, 7, 15, 18}:
        result.espocrm.add(entry.now)
    if row in {4, 8, 11}:
        result.espocrm -= {base} - live
    if row == 7:
        result.conflicts.add(entry.id)
    if row in {7, 13} and partner not in brought:
        result.advoware.append(partner)
        brought.add(partner)
