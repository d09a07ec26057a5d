"""What is remembered of a pair of records: the base after a run. Pure.

The base follows from the last readings alone: where both sides show the same value, that is what they agree on; where they
do not, the old base stays. So it can only change after a write was read back, whatever went wrong in between (I6).
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from services.kommunikation_entry import BaseView, Entry, read_entries
from services.kommunikation_mapper import KINDS, canonical_key, parse_remark, type_fits
from services.kommunikation_table import Act
from services.kommunikation_types import Base, BaseEntry, MarkerForm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from services.kommunikation_diff import Comparison
    from services.kommunikation_types import Beteiligter, EspoItem, EspoRecord


def advoware_text(beteiligter: Beteiligter) -> str:
    """All of Advoware's side, for a keyed digest. Holds client values."""
    rows = [[r.id, r.row_id, r.tlf, r.bemerkung, r.online] for r in beteiligter.kommunikation]
    return json.dumps(sorted(rows, key=lambda row: str(row[0])))


def espocrm_text(record: EspoRecord) -> str:
    """All of EspoCRM's side, for a keyed digest. Holds client values."""
    items = [[i.art.value, i.value, i.type, i.primary, i.opt_out, i.invalid] for i in record.emails + record.phones]
    return json.dumps(sorted(items))


REFUSAL_SECONDS = 86400.0
"""How long a refused value is not tried again: what a system takes may change with its settings."""


def items_by_key(record: EspoRecord) -> dict[str, EspoItem]:
    """The items of both arrays by canonical key."""
    return {canonical_key(item.value): item for item in reversed(record.emails + record.phones)}


def fresh_base(beteiligter: Beteiligter, view: BaseView) -> dict[int, BaseEntry]:
    """Entries of a record met for the first time: known from now on, but nothing may be removed because of them."""
    return {entry.id: _entry(entry, entry.base, fresh=True) for entry in read_entries(beteiligter, view)}


def _entry(
    entry: Entry, value: str | None, *, fresh: bool, item: EspoItem | None = None, form: MarkerForm | None = None
) -> BaseEntry:
    # A guess is not worth remembering: the item's type decides when the entry is matched.
    kz = 0 if value is None and entry.kind.guessed else entry.kz
    espo_value, espo_type = (item.value, item.type) if item is not None else ("", "")
    return BaseEntry(value, kz, entry.row_id, espo_value, espo_type, fresh, form or entry.form)


def base_after(
    beteiligter: Beteiligter,
    record: EspoRecord,
    view: BaseView,
    *,
    moves: Mapping[int, int],
    unfinished: Iterable[int] = (),
    given_up: Iterable[int] = (),
    to_fill: Iterable[int] = (),
    forms: Mapping[int, MarkerForm] | None = None,
    refused: Mapping[str, float] | None = None,
    withheld: Iterable[str] = (),
) -> Base:
    """The base after a run, from the last readings.

    `unfinished`: entries whose change of type is not carried out, so the type last read back stays the old one.
    `given_up`: entries whose old value both sides have left and whose new one could not be sent: there is no base any more.
    `to_fill`: emptied entries that are to get the value EspoCRM has instead (row 10), when its direction comes.
    `forms`: how much of a marker fitted into remarks written in this run.
    """
    held = items_by_key(record)
    entries: dict[int, BaseEntry] = {}
    settled: dict[int, str | None] = {}
    waiting, left, filled = frozenset(unfinished), frozenset(given_up), frozenset(to_fill)
    read = read_entries(beteiligter, view)
    here = {entry.key for entry in read if entry.synced and not entry.blank}
    live = here & held.keys()
    linked = linked_keys(read, held)
    for entry in read:
        form = (forms or {}).get(entry.id, entry.form)
        item = held.get(entry.key) if entry.synced and not entry.blank else None
        # The old value of an entry that changed has still to leave EspoCRM: only this base says whose it is.
        leaving = entry.changed and entry.base_key in held and entry.base_key not in live
        if item is not None and not leaving:
            now = _entry(entry, entry.tlf, fresh=False, item=item, form=form)
            if entry.id in waiting and entry.stored is not None:
                now = replace(now, espo_type=entry.stored.espo_type)
            elif entry.stored is None and view.brought(entry) and not type_fits(entry.kz, item):
                # Made for an item of the type that belongs to its kind, just before a crash: the type changed since.
                now = replace(now, espo_type=KINDS[entry.kz].espo_type)
        elif entry.base is None or entry.id in left:
            now = _entry(entry, None, fresh=entry.fresh, form=form)
        else:
            # Emptied before we first met it: no value is missing where EspoCRM lacks it too, or another entry holds it. Left
            # fresh, it would get the value back as soon as that other entry changes.
            agreed_gone = entry.blank and (entry.base_key not in held or entry.base_key in linked)
            if agreed_gone and not entry.slot and entry.id not in filled:
                settled[entry.id] = None
            if agreed_gone and form is MarkerForm.NONE:
                # No room for a slot's marker: only this base tells that the entry is done with.
                now = _entry(entry, None, fresh=False, form=form)
            else:
                now = _entry(entry, entry.base, fresh=entry.fresh and not agreed_gone, form=form)
                if entry.stored is not None and entry.stored.value == entry.base:
                    now = replace(now, espo_value=entry.stored.espo_value, espo_type=entry.stored.espo_type)
        entries[entry.id] = now
    # A gone entry is needed no longer where another one is linked with the same item; holding the value alone is not enough.
    known = {canonical_key(entry.value) for entry in entries.values() if entry.value is not None}
    entries |= {
        entry_id: stored
        for entry_id, stored in view.remembered.items()
        if entry_id not in entries and _still_needed(stored, held, known)
    }
    return Base(
        beteiligter.betnr,
        dict(sorted(entries.items())),
        dict(moves),
        refused=dict(refused or {}),
        withheld=tuple(sorted(set(withheld))),
        agreed={**still_agreed(beteiligter, view, set(held), live), **settled},
        undone=still_undone(view, here, set(held)),
    )


def types_to_come(comparison: Comparison, record: EspoRecord) -> frozenset[int]:
    """Entries whose item got another type after the plan was made: the next run has to see it as a change still."""
    planned = {canonical_key(item.value): item.type for item in comparison.items}
    now = {key: item.type for key, item in items_by_key(record).items()}
    linked = (entry for entry in comparison.entries if entry.stored is not None and entry.key in now)
    return frozenset(e.id for e in linked if e.stored and e.stored.espo_type == planned.get(e.key) != now[e.key])


def given_up(comparison: Comparison, record: EspoRecord) -> frozenset[int]:
    """Entries of row 6 whose new value is not in EspoCRM even now.

    Should the old value come up there again, somebody has entered it: it is no longer this entry's.
    """
    held = items_by_key(record)
    edited = [line.entry for line in comparison.lines if line.row.act is Act.ADD_CHANGED]
    return frozenset(entry.id for entry in edited if entry.key not in held and entry.base_key not in held)


def to_fill(comparison: Comparison) -> frozenset[int]:
    """Emptied entries for which EspoCRM has another value (row 10)."""
    return frozenset(line.entry.id for line in comparison.lines if line.row.act is Act.REWRITE_ENTRY)


def still_undone(view: BaseView, here: set[str], held: set[str]) -> tuple[str, ...]:
    """What an undo took back and still stands on the other side alone. `here`: keys in Advoware; `held`: in EspoCRM."""
    alone = {"e:" + key for key in here - held} | {"a:" + key for key in held - here}
    return tuple(sorted(view.undone & alone))


def _still_needed(stored: BaseEntry, held: Mapping[str, EspoItem], known: set[str]) -> bool:
    """A gone entry is remembered as long as EspoCRM holds its value and no entry knows it: its removal is still to come."""
    if stored.value is None or stored.fresh:
        return False
    key = canonical_key(stored.value)
    return key in held and key not in known


def linked_keys(entries: Iterable[Entry], held: Mapping[str, EspoItem]) -> set[str]:
    """Keys of EspoCRM's items that an entry holds and is, or will be, linked with.

    Not those of an entry whose old value has still to leave EspoCRM: until then its base is the old one, and should it be
    changed or deleted nobody would know the new one's item.
    """
    holding = [e for e in entries if e.synced and not e.blank and e.key in held]
    live = {e.key for e in holding}
    return {e.key for e in holding if not (e.changed and e.base_key in held and e.base_key not in live)}


def still_agreed(beteiligter: Beteiligter, view: BaseView, items: set[str], live: set[str]) -> dict[int, str | None]:
    """What was agreed on and can't be told from the markers yet. A marker that fits its value is the newer one.

    `items`: keys EspoCRM holds; `live`: those that an entry holds, too. A slot's marker is the newer one unless a value that
    a person typed into the slot, and emptied again, has still to leave EspoCRM.
    """
    unmarked: dict[int, str | None] = {}
    for raw in beteiligter.kommunikation:
        marker = parse_remark(raw.bemerkung, raw.tlf).marker
        if raw.id not in view.agreed or marker is None:
            continue
        agreed = canonical_key(view.agreed[raw.id] or "")
        if marker.base is None and agreed in items - live:
            unmarked[raw.id] = view.agreed[raw.id]
        if marker.base is not None and canonical_key(marker.base) not in {canonical_key(raw.tlf or ""), agreed}:
            unmarked[raw.id] = view.agreed[raw.id]
    return unmarked


def current_refusals(base: Base | None, now: float) -> dict[str, float]:
    """The refusals young enough to be believed."""
    known = base.refused if base is not None else {}
    return {key: when for key, when in known.items() if 0 <= now - when < REFUSAL_SECONDS}
