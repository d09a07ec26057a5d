"""EspoCRM's arrays computed by merge: what nobody changed is carried over as it is. Pure.

A PUT replaces a whole array, and `type`, `optOut`, `invalid` and spelling belong to an object that all records of
EspoCRM share. So of a value that another record holds, *its* type, flags and spelling are sent, never defaults.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from services.kommunikation_mapper import art_of, canonical_key, espo_form, espo_type_for
from services.kommunikation_ops import AddItem, Arrays, Operation, RemoveItem, ReplaceItem
from services.kommunikation_types import Art, EspoItem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.kommunikation_entry import Entry
    from services.kommunikation_types import EspoRecord

MAX_ITEMS = 10
"""Items of a kind that EspoCRM takes a record (reference: espocrm-api, section 5)."""


class ArrayEdit:
    """Collects additions, replacements and removals, each value once, and gives the arrays to send."""

    def __init__(self, record: EspoRecord, holders: Mapping[str, EspoItem | None]) -> None:
        self._old = record.emails + record.phones
        self._present = {canonical_key(item.value) for item in self._old}
        self._holders = holders
        self._added: dict[str, AddItem] = {}
        self._replaced: dict[str, ReplaceItem] = {}
        self._removed: dict[str, RemoveItem] = {}

    def _new_item(self, entry: Entry, old: EspoItem | None) -> EspoItem:
        """The item for an entry's value: a holder's object as it is, else the replaced item's type, else the kind's."""
        art = art_of(entry.tlf, entry.kz)
        holder = self._holders.get(entry.key)
        if holder is not None:
            return replace(holder, primary=False)
        item_type = old.type if old is not None and old.art is art else espo_type_for(entry.kz, art)
        opt_out = old.opt_out if old is not None else False
        return EspoItem(art, espo_form(entry.tlf, art) or "", item_type, opt_out=opt_out)

    def _is_new(self, key: str) -> bool:
        return key not in self._present and key not in self._added and all(op.key != key for op in self._replaced.values())

    def add(self, row: int, reason: str, entry: Entry) -> None:
        """Adds the entry's value unless it is there, or on its way, already."""
        if self._is_new(entry.key):
            self._added[entry.key] = AddItem(row, reason, entry, item=self._new_item(entry, None), key=entry.key)

    def replace(self, row: int, reason: str, entry: Entry, old: EspoItem) -> None:
        """Puts the entry's value in the old item's place; where it is there already, only the old one leaves.

        Where two entries change away from one item, the first takes its place and the second gets an item of its own.
        """
        old_key = canonical_key(old.value)
        if old_key in self._replaced or old_key in self._removed:
            self.add(row, reason, entry)
        elif not self._is_new(entry.key):
            self._removed[old_key] = RemoveItem(row, reason, entry, old=old, key=old_key)
        else:
            item = self._new_item(entry, old)
            self._replaced[old_key] = ReplaceItem(row, reason, entry, old=old, item=item, key=entry.key)

    def remove(self, row: int, reason: str, entry: Entry | None, old: EspoItem) -> None:
        """Takes an item out."""
        key = canonical_key(old.value)
        if key not in self._replaced:
            self._removed[key] = RemoveItem(row, reason, entry, old=old, key=key)

    def _rest(self, art: Art) -> int:
        kept = [item for item in self._old if item.art is art and canonical_key(item.value) not in self._removed]
        moved = sum(1 for op in self._replaced.values() if op.old.art is art and op.item.art is not art)
        came = sum(1 for op in self._replaced.values() if op.old.art is not art and op.item.art is art)
        return len(kept) - moved + came

    def drop_surplus(self) -> frozenset[str]:
        """Drops the additions EspoCRM has no room for and gives their keys."""
        dropped: list[str] = []
        for art in Art:
            room = max(0, MAX_ITEMS - self._rest(art))
            keys = [key for key, op in self._added.items() if op.item.art is art]
            dropped += keys[room:]
        for key in dropped:
            del self._added[key]
        return frozenset(dropped)

    def questions(self) -> dict[Art, tuple[tuple[str, str], ...]]:
        """New values whose other holders are not known yet: (key, value as EspoCRM spells it) per array."""
        new: list[AddItem | ReplaceItem] = [*self._added.values(), *self._replaced.values()]
        open_ones = [(op.key, op.item) for op in new if op.key not in self._holders]
        return {art: tuple((key, item.value) for key, item in open_ones if item.art is art) for art in Art}

    def operations(self) -> list[Operation]:
        """What happens to the arrays, removals last."""
        return [*self._replaced.values(), *self._added.values(), *self._removed.values()]

    def arrays(self) -> Arrays:
        """The arrays to send; those that nothing touches are None."""
        return Arrays(self._array(Art.EMAIL), self._array(Art.PHONE))

    def _array(self, art: Art) -> tuple[EspoItem, ...] | None:
        touched = any(op.old.art is art or op.item.art is art for op in self._replaced.values())
        touched = touched or any(op.old.art is art for op in self._removed.values())
        touched = touched or any(op.item.art is art for op in self._added.values())
        if not touched:
            return None
        items: list[EspoItem] = []
        heir = ""
        for old in self._old:
            key = canonical_key(old.value)
            swap = self._replaced.get(key)
            if swap is not None and swap.item.art is art:
                items.append(replace(swap.item, primary=old.primary and old.art is art))
            elif old.art is art and swap is None and key not in self._removed:
                # A national number stored in former times would be refused with the whole array.
                items.append(replace(old, value=espo_form(old.value, art) or old.value))
            elif old.art is art and old.primary and key in self._removed:
                # Where its changed value was there already, that one takes over.
                successor = self._removed[key].entry
                heir = successor.key if successor is not None else ""
        items += [op.item for op in self._added.values() if op.item.art is art]
        return _one_primary(_each_once(items), heir)


def _each_once(items: list[EspoItem]) -> list[EspoItem]:
    """A value twice would leave the record without a primary (reference: espocrm-api, 1.7)."""
    first: dict[str, EspoItem] = {}
    for item in items:
        first.setdefault(canonical_key(item.value), item)
    return list(first.values())


def _one_primary(items: list[EspoItem], heir: str) -> tuple[EspoItem, ...]:
    """Exactly one item is primary: the one that was, else the heir (a canonical key), else the first."""
    chosen = next((n for n, item in enumerate(items) if item.primary), None)
    if chosen is None:
        chosen = next((n for n, item in enumerate(items) if canonical_key(item.value) == heir), 0)
    return tuple(replace(item, primary=n == chosen) for n, item in enumerate(items))
