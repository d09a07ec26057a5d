"""What takes a run back: a plan made from its journal entries and from what both sides hold now. Pure.

Each thing the run changed is compared three ways: as it was before the run, as the run left it, as it is now. What is as the
run left it goes back; what a person, or a later run, has changed since is kept. Markers are the base of a value, so one
goes back only with the value it belongs to. That the next sync does not do it all again is the base's business: see
`Base.undone` and docs/decisions/017.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from services.kommunikation_arrays import MAX_ITEMS, ArrayEdit
from services.kommunikation_entry import BaseView, Entry, read_entries
from services.kommunikation_mapper import canonical_key, is_blank, join_remark, make_slot_marker, parse_remark
from services.kommunikation_ops import CHANGE_OF_TYPE, AddItem, Arrays, RemoveItem, ReplaceItem, RestoreEntry
from services.kommunikation_types import Art, EspoItem
from services.kommunikation_undo_journal import JSON, Chain, chains_of, looks, net_items, places, told_looks
from services.secrecy import Wert

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from services.kommunikation_types import Beteiligter, EspoRecord

CHANGED_SINCE = "changed since: kept as it is now"
GONE_SINCE = "no longer there: nothing to take back"
NO_ROOM = f"EspoCRM takes {MAX_ITEMS} of a kind: not put back"


@dataclass(frozen=True, slots=True)
class Kept:
    """Something the run changed and the undo leaves alone. `value`: what the run had made of it."""

    system: str
    entry_id: int | None
    reason: str
    value: str = field(repr=False, default="")

    def as_dict(self) -> JSON:
        """The form of the result."""
        return {"system": self.system, "entry_id": self.entry_id, "reason": self.reason, "value": self.value}


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What an undo will do. `bases`: entry id -> the base it had; `undone`: what is not to be brought back, `Base.undone`.

    `questions`: values to ask EspoCRM about first (key, value), as in `Plan`.
    """

    items: tuple[AddItem | ReplaceItem | RemoveItem, ...]
    arrays: Arrays
    entries: tuple[RestoreEntry, ...]
    kept: tuple[Kept, ...]
    bases: Mapping[int, str | None] = field(repr=False)
    undone: frozenset[str] = field(repr=False)
    questions: Mapping[Art, tuple[tuple[str, str], ...]] = field(repr=False)

    @property
    def operations(self) -> tuple[AddItem | ReplaceItem | RemoveItem | RestoreEntry, ...]:
        """In order of execution."""
        return (*self.items, *self.entries)


def make_undo(
    writes: Sequence[JSON],
    beteiligter: Beteiligter,
    record: EspoRecord,
    view: BaseView,
    holders: Mapping[str, EspoItem | None],
) -> UndoPlan:
    """The plan that takes these writes of one run back. `writes`: its journal entries, oldest first."""
    return _Undo(writes, beteiligter, record, view, holders).plan()


class _Undo:
    def __init__(
        self,
        writes: Sequence[JSON],
        beteiligter: Beteiligter,
        record: EspoRecord,
        view: BaseView,
        holders: Mapping[str, EspoItem | None],
    ) -> None:
        self.entries = {entry.id: entry for entry in read_entries(beteiligter, view)}
        self.items = {canonical_key(item.value): item for item in reversed(record.emails + record.phones)}
        self.record, self.edit, self.holders = record, ArrayEdit(record, holders), holders
        self.reason = f"undo of run {writes[0]['run']}" if writes else ""
        self.writes = writes
        self.kept: list[Kept] = []
        self.changes: list[AddItem | ReplaceItem | RemoveItem] = []
        self.restored: dict[int, RestoreEntry] = {}
        self.bases: dict[int, str | None] = {}
        self.primaries: dict[Art, str] = {}

    def plan(self) -> UndoPlan:
        before, after = net_items(self.writes)
        self._take_back_items(before, after)
        chains = chains_of(self.writes)
        self._take_back_values([chain for chain in chains if not chain.marker_only])
        self._take_back_markers([chain for chain in chains if chain.marker_only], before)
        for change in self.changes:
            self.edit.take(change)
        apart = self._left_apart(before)
        self._without_links(frozenset(name[2:] for name in apart))
        return UndoPlan(
            tuple(self.changes),
            self._arrays(),
            tuple(sorted(self.restored.values(), key=lambda op: is_blank(op.value))),
            tuple(self.kept),
            self.bases,
            apart,
            self.edit.questions() if self.changes else {},
        )

    # ------------------------------------------------------------------------------------------------------- EspoCRM

    def _take_back_items(self, before: Mapping[str, JSON | None], after: Mapping[str, JSON | None]) -> None:
        added = {key: told for key, told in after.items() if told is not None and before[key] is None}
        removed = {key: told for key, told in before.items() if told is not None and after[key] is None}
        taken = places(self.writes, added, removed)
        for key, told in added.items():
            now, old_key = self.items.get(key), taken.get(key)
            if now is None:
                if old_key is not None:
                    removed.pop(old_key, None)  # a person took the new value away: the old one does not come back for it
                self.kept.append(Kept("espocrm", None, GONE_SINCE, told["value"]))
            elif looks(now) != told_looks(told):
                if old_key is not None:
                    removed.pop(old_key, None)
                self.kept.append(Kept("espocrm", None, CHANGED_SINCE, told["value"]))
            elif old_key is not None and old_key not in self.items:
                old = self._item(removed.pop(old_key))
                self.changes.append(ReplaceItem(0, self.reason, None, old=now, item=old, key=old_key))
            else:
                self.changes.append(RemoveItem(0, self.reason, None, old=now, key=key))
        for key, told in removed.items():
            if key not in self.items:
                self._put_back(key, self._item(told))
        self._note_primaries(before)

    def _put_back(self, key: str, item: EspoItem) -> None:
        leaving = sum(isinstance(c, RemoveItem) and c.old.art is item.art for c in self.changes)
        coming = sum(isinstance(c, AddItem) and c.item.art is item.art for c in self.changes)
        there = len(self.record.emails if item.art is Art.EMAIL else self.record.phones)
        if there - leaving + coming >= MAX_ITEMS:
            self.kept.append(Kept("espocrm", None, NO_ROOM, item.value))
            return
        self.changes.append(AddItem(0, self.reason, None, item=item, key=key))

    def _item(self, told: JSON) -> EspoItem:
        """The item as it was. What another record holds is shared: it comes back as it is there now."""
        art = Art.EMAIL if "@" in told["value"] else Art.PHONE
        holder = self.holders.get(canonical_key(told["value"]))
        if holder is not None:
            return replace(holder, primary=False)
        return EspoItem(art, Wert(told["value"]), told["type"], opt_out=told["optOut"], invalid=told["invalid"])

    def _note_primaries(self, before: Mapping[str, JSON | None]) -> None:
        """Where the primary is still the one the run had left, the old one is primary again."""
        back = {c.key for c in self.changes if not isinstance(c, RemoveItem)}
        left = {canonical_key(value) for write in self.writes for value in write.get("primaries", ())}
        for key in back:
            told = before.get(key)
            if told is None or not told["primary"]:
                continue
            art = Art.EMAIL if "@" in told["value"] else Art.PHONE
            now = next((k for k, item in self.items.items() if item.art is art and item.primary), None)
            if now is None or now in left:
                self.primaries[art] = key

    def _arrays(self) -> Arrays:
        arrays = self.edit.arrays()
        return Arrays(self._with_primary(arrays.emails, Art.EMAIL), self._with_primary(arrays.phones, Art.PHONE))

    def _with_primary(self, items: tuple[EspoItem, ...] | None, art: Art) -> tuple[EspoItem, ...] | None:
        wanted = self.primaries.get(art)
        if items is None or wanted is None or all(canonical_key(item.value) != wanted for item in items):
            return items
        return tuple(replace(item, primary=canonical_key(item.value) == wanted) for item in items)

    # ------------------------------------------------------------------------------------------------------ Advoware

    def _as_left(self, chain: Chain) -> bool:
        """Whether value and user's text are as the run left them; a marker may have been renewed since."""
        entry = self.entries.get(chain.entry_id)
        if entry is None or entry.tlf != chain.after:
            return False
        return entry.text == parse_remark(chain.last["bemerkung"], chain.after, chain.base).text

    def _as_before(self, chain: Chain) -> bool:
        """Whether an undo that was interrupted has put the entry back already."""
        entry = self.entries.get(chain.entry_id)
        if entry is None:
            return False
        if chain.created:
            return not entry.tlf and entry.slot
        text = parse_remark(chain.first["before_bemerkung"], chain.before, chain.base).text
        return (entry.tlf, entry.text) == (chain.before, text)

    def _take_back_values(self, chains: list[Chain]) -> None:
        every, done = chains, {chain.entry_id for chain in chains if self._as_before(chain)}
        chains = [chain for chain in every if chain.entry_id not in done]
        going = {chain.entry_id: chain for chain in chains if self._as_left(chain)}
        moved = {chain.entry_id for chain in chains if CHANGE_OF_TYPE in chain.rows}
        if not moved <= going.keys() | done:
            # A value moved to another entry: taking back one half would take it from Advoware altogether.
            going = {entry_id: chain for entry_id, chain in going.items() if entry_id not in moved}
        for chain in chains:
            if chain.entry_id not in going:
                reason = CHANGED_SINCE if chain.entry_id in self.entries else GONE_SINCE
                self.kept.append(Kept("advoware", chain.entry_id, reason, chain.after))
        texts = self._old_texts(chain for chain in every if chain.entry_id in going.keys() | done)
        for entry_id, chain in going.items():
            entry = self.entries[entry_id]
            if chain.created:
                # What can't be deleted becomes a slot. A text that came along with the value goes back with it.
                kz = int(chain.first["kommKz"])
                text = "" if entry.text in texts else entry.text
                self._restore(entry, "", join_remark(make_slot_marker(kz), text), None, online=False)
            else:
                self._restore(entry, chain.before, chain.first["before_bemerkung"], chain.base, online=chain.online)

    @staticmethod
    def _old_texts(chains: Iterable[Chain]) -> set[str]:
        """Users' texts that stand where they stood before."""
        remarks = [(c.first["before_bemerkung"], c.before, c.base) for c in chains if not c.created]
        return {parse_remark(remark, value, base).text for remark, value, base in remarks}

    def _take_back_markers(self, chains: list[Chain], before: Mapping[str, JSON | None]) -> None:
        """A marker goes back where all that EspoCRM had changed about its value is as before; else it is still true."""
        there = self._espocrm_then()
        for chain in chains:
            keys = {canonical_key(value) for value in (chain.base or "", chain.before) if value} & before.keys()
            back = bool(keys) and all((key in there) == (before[key] is not None) for key in keys)
            if back and self._as_left(chain):
                remark = chain.first["before_bemerkung"]
                self._restore(self.entries[chain.entry_id], chain.before, remark, chain.base, online=chain.online)

    def _restore(self, entry: Entry, value: str, remark: str | None, base: str | None, *, online: bool) -> None:
        self.bases[entry.id] = base
        kz = entry.kz
        self.restored[entry.id] = RestoreEntry(
            0, self.reason, entry, value=Wert(value), kz=kz, bemerkung=Wert(remark or ""), online=online
        )

    # ------------------------------------------------------------------------------------------------- what stays apart

    def _without_links(self, apart: frozenset[str]) -> None:
        """Entries that are left apart get no marker back, only their user's text: the base store knows their base.

        If Redis loses that, a marker would have the run done again, over a value somebody wanted back.
        """
        for entry_id, operation in self.restored.items():
            base = self.bases[entry_id]
            keys = {canonical_key(value) for value in (operation.value, base or "") if not is_blank(value)}
            remark = parse_remark(operation.bemerkung, operation.value, base)
            # A second marker is the user's text; alone it would be taken for ours.
            alone = parse_remark(remark.text, operation.value, base).marker is None
            if keys & apart and remark.marker is not None and not remark.marker.is_slot and alone:
                self.restored[entry_id] = replace(operation, bemerkung=Wert(remark.text))

    def _espocrm_then(self) -> set[str]:
        there = set(self.items)
        for change in self.changes:
            if isinstance(change, ReplaceItem | RemoveItem):
                there.discard(canonical_key(change.old.value))
            if isinstance(change, ReplaceItem | AddItem):
                there.add(change.key)
        return there

    def _left_apart(self, before: Mapping[str, JSON | None]) -> frozenset[str]:
        """Of the values this undo is about, those that will stand on one side only."""
        if not self.changes and not self.restored:
            return frozenset()
        there = self._espocrm_then()
        values = {i: self.restored[i].value if i in self.restored else e.tlf for i, e in self.entries.items() if e.synced}
        here = {canonical_key(value) for value in values.values() if not is_blank(value)}
        about = {key for key in before if (key in there) != (key in self.items)}
        for operation in self.restored.values():
            was = operation.entry.tlf if operation.entry is not None else ""
            about |= {canonical_key(value) for value in (was, operation.value) if not is_blank(value)}
        apart = {"e:" + key for key in about & (here - there)} | {"a:" + key for key in about & (there - here)}
        return frozenset(Wert(name) for name in apart)
