"""What an interrupted run left behind: what it had proved, what it was about to write, what Advoware stored of it. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from services.kommunikation_base import items_by_key, linked_keys
from services.kommunikation_mapper import canonical_key, parse_remark
from services.kommunikation_ops import SetMarker
from services.kommunikation_types import Base, BaseEntry, OpenWrite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from services.kommunikation_entry import BaseView, Entry
    from services.kommunikation_ops import Operation
    from services.kommunikation_types import Beteiligter, EspoItem, EspoRecord, Kommunikation


def agreed_before(view: BaseView, beteiligter: Beteiligter, record: EspoRecord) -> dict[int, str | None]:
    """What an interrupted run had already carried to EspoCRM when it could not write the marker any more.

    What it proved it had noted. Where it did not come to that, its announced writes tell: a marker was to be set for a value
    (now EspoCRM holds it: agreed), or an entry was to become a slot after its value had left EspoCRM (now it is not there:
    agreed on no value). An entry was emptied, and a person has broken the slot marker that came with it: agreed on no value,
    too, so what EspoCRM holds now was entered since.
    """
    held = items_by_key(record)
    now = {raw.id: raw for raw in beteiligter.kommunikation}
    live = {entry_id: canonical_key(raw.tlf or "") for entry_id, raw in now.items()}
    agreed: dict[int, str | None] = {}
    noted = view.base.agreed if view.base is not None else {}
    for write in view.base.open_writes if view.base is not None else ():
        if not write.entry_id or write.entry_id in agreed:
            continue
        if write.before_tlf != write.after_tlf:
            if _has_emptied(write, now.get(write.entry_id)):
                agreed[write.entry_id] = None
            continue
        stored = view.entries.get(write.entry_id)
        marker = parse_remark(write.before_bemerkung, write.before_tlf).marker
        before = marker.base if marker is not None else stored.value if stored is not None else None
        before = noted.get(write.entry_id, before)
        old, new = canonical_key(before or ""), canonical_key(write.after_tlf)
        if write.after_tlf.strip():
            # A replaced value EspoCRM still holds has yet to leave, unless another entry keeps it there or kept it then.
            kept = any(key == old for entry_id, key in live.items() if entry_id != write.entry_id)
            kept |= bool(view.ids_of.get(old, frozenset()) - set(view.writes))
            if new in held and (before is None or old == new or old not in held or kept):
                agreed[write.entry_id] = write.after_tlf
        elif before is not None and old not in held:
            agreed[write.entry_id] = None
    return {**_forgotten(view, beteiligter, held), **noted, **agreed}


def _has_emptied(write: OpenWrite, raw: Kommunikation | None) -> bool:
    """Whether a write that was to empty an entry arrived, where a person has broken the slot marker since.

    Had it not arrived, the entry would have its value, or the remark it had, or a marker of its value before a changed text.
    """
    if raw is None or write.after_tlf.strip() or (raw.bemerkung or "") == write.before_bemerkung:
        return False
    if canonical_key(raw.tlf or "") == canonical_key(write.before_tlf):
        return False
    return parse_remark(raw.bemerkung, raw.tlf).marker is None


def _forgotten(view: BaseView, beteiligter: Beteiligter, held: Mapping[str, EspoItem]) -> dict[int, str | None]:
    """Values of markers in entries the store has never heard of, which a Redis that lost power has forgotten.

    The entry holds another value now, or none; EspoCRM holds the marker's, and nobody but this entry ever did, nor has it in
    its marker: not a copied marker, then, but a value that was carried over in the lost second and edited since.
    """
    if view.base is None:
        return {}
    here = {canonical_key(raw.tlf or "") for raw in beteiligter.kommunikation}
    elsewhere = here | view.ids_of.keys() | view.left_apart | {name[2:] for name in view.base.refused}
    marked = {raw.id: parse_remark(raw.bemerkung, raw.tlf).marker for raw in beteiligter.kommunikation}
    bases = {entry_id: marker.base for entry_id, marker in marked.items() if marker is not None and marker.base is not None}
    times = Counter(map(canonical_key, bases.values()))
    free = held.keys() - elsewhere
    return {
        entry_id: base
        for entry_id, base in bases.items()
        if entry_id not in view.entries and times[canonical_key(base)] == 1 and canonical_key(base) in free
    }


def agreed_already(entries: Iterable[Entry], record: EspoRecord) -> dict[int, str | None]:
    """Entries whose value both sides hold while the base still tells otherwise (row 5, and 14 for a copied entry).

    No write to EspoCRM will prove it, and the marker may come too late or need no writing. Until the base is stored at the
    end of the run only this tells whose the item is, should a person empty or change the entry meanwhile.
    """
    held, read = items_by_key(record), list(entries)
    linked = linked_keys(read, held)
    agreed: dict[int, str | None] = {}
    for entry in read:
        if not entry.synced or entry.blank or entry.key not in held:
            continue
        marked = entry.marker.base if entry.marker is not None else None
        copied = entry.base is None and marked is not None and canonical_key(marked) == entry.key
        if copied or (entry.changed and (entry.base_key not in held or entry.base_key in linked)):
            agreed[entry.id] = entry.tlf
    return agreed


def to_adopt(operations: Iterable[Operation], record: EspoRecord) -> dict[int, BaseEntry]:
    """The base of entries that get their first marker because EspoCRM holds their value already (row 14).

    Should a person change, empty or delete one before its marker is read back, this still tells whose the item is.
    """
    held = items_by_key(record)
    return {
        op.entry.id: BaseEntry(op.value, op.kz, op.entry.row_id, held[op.entry.key].value, held[op.entry.key].type)
        for op in operations
        if isinstance(op, SetMarker) and op.entry is not None and op.entry.base is None and op.entry.key in held
    }


def without_undecided(base: Base | None, beteiligter: Beteiligter) -> Base | None:
    """The base without entries of which nobody can tell what they held when a person deleted them.

    An interrupted run was about to give the entry EspoCRM's new value, and then it was deleted in Advoware: if the write had
    arrived, the deletion means the new value, else the old one. Removing either from EspoCRM might remove what a person has
    just entered there, so the base forgets the entry.
    """
    if base is None:
        return None
    present = {raw.id for raw in beteiligter.kommunikation}
    changing = {write.entry_id for write in base.open_writes if write.before_tlf != write.after_tlf}
    kept = {entry_id: entry for entry_id, entry in base.entries.items() if entry_id in present or entry_id not in changing}
    return replace(base, entries=kept)


def spoilt(beteiligter: Beteiligter, base: Base | None) -> list[tuple[OpenWrite, int]]:
    """Announced writes of which Advoware stored only a part before the run was interrupted, with the entry's id."""
    if base is None:
        return []
    found: list[tuple[OpenWrite, int]] = []
    # An older write looks cut where a later one wrote less text, which a person had shortened meanwhile.
    whole = {(w.entry_id, w.before_tlf, w.before_bemerkung) for w in base.open_writes}
    whole |= {(w.entry_id, w.after_tlf, w.after_bemerkung) for w in base.open_writes}
    for write in base.open_writes:
        for raw in beteiligter.kommunikation:
            same = raw.id == write.entry_id if write.entry_id else raw.id not in base.entries
            same = same and all(raw.id != entry_id for _, entry_id in found)
            now = raw.tlf or "", raw.bemerkung or ""
            if same and (write.entry_id, *now) not in whole and _is_part(write, *now):
                found.append((write, raw.id))
                break
    return found


def _is_part(write: OpenWrite, tlf: str, bemerkung: str) -> bool:
    return is_cut(write.after_tlf, tlf) or (tlf == write.after_tlf and is_cut(write.after_bemerkung, bemerkung))


def is_cut(sent: str, stored: str) -> bool:
    """Whether Advoware kept only the beginning of a text."""
    return bool(stored.strip()) and stored != sent and sent.startswith(stored)
