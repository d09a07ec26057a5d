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
        items = record.emails + record.phones
        self._old = [(canonical_key(item.value), item) for item in items]
        """The items as read, each with its key."""
        self._present = {key for key, _ in self._old}
        self._spellings = {item.value for item in items}
        self._holders = holders
        self._added: dict[str, AddItem] = {}
        self._replaced: dict[str, ReplaceItem] = {}
        self._replacing: set[str] = set()
        self._removed: dict[str, RemoveItem] = {}

    def _new_item(self, entry: Entry, old: EspoItem | None) -> EspoItem:
        """The item for an entry's value: a holder's object as it is, else the replaced item's type, else the kind's."""
        art = art_of(entry.tlf, entry.kz)
        holder = self._holders.get(entry.key)
        if holder is not None:
            return _with_primary(holder, primary=False)
        item_type = old.type if old is not None and old.art is art else espo_type_for(entry.kz, art)
        opt_out = old.opt_out if old is not None else False
        return EspoItem(art, espo_form(entry.tlf, art) or "", item_type, opt_out=opt_out)

    def _is_new(self, key: str) -> bool:
        return key not in self._present and key not in self._added and key not in self._replacing

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
            self._replacing.add(entry.key)
            self._replaced[old_key] = ReplaceItem(row, reason, entry, old=old, item=item, key=entry.key)

    def remove(self, row: int, reason: str, entry: Entry | None, old: EspoItem) -> None:
        """Takes an item out."""
        key = canonical_key(old.value)
        if key not in self._replaced:
            self._removed[key] = RemoveItem(row, reason, entry, old=old, key=key)

    def take(self, operation: AddItem | ReplaceItem | RemoveItem) -> None:
        """Takes over an operation that was made elsewhere: an undo knows the item it puts back."""
        if isinstance(operation, AddItem):
            self._added[operation.key] = operation
        elif isinstance(operation, ReplaceItem):
            self._replacing.add(operation.key)
            self._replaced[canonical_key(operation.old.value)] = operation
        else:
            self._removed[operation.key] = operation

    def _kept(self, art: Art) -> int:
        """How many items of this array neither leave it nor change to the other one."""
        away = {key for key, op in self._replaced.items() if op.item.art is not op.old.art} | self._removed.keys()
        return len({key for key, item in self._old if item.art is art} - away)

    def drop_surplus(self) -> frozenset[str]:
        """Drops what EspoCRM has no room for, values that come from its other array last, and gives the keys."""
        dropped: list[str] = []
        for art in (Art.EMAIL, Art.PHONE, Art.EMAIL):  # what is dropped from the phones may come back to the e-mails
            crossing = {key: op for key, op in self._replaced.items() if op.old.art is not art and op.item.art is art}
            added = [key for key, op in self._added.items() if op.item.art is art]
            if not (crossing or added):
                continue
            room = max(0, MAX_ITEMS - self._kept(art))
            for old_key, crossed in list(crossing.items())[room:]:
                del self._replaced[old_key]
                self._replacing.discard(crossed.key)
                dropped.append(crossed.key)
            room = max(0, room - len(crossing))
            for key in added[room:]:
                del self._added[key]
                dropped.append(key)
        return frozenset(dropped)

    def questions(self) -> dict[Art, tuple[tuple[str, str], ...]]:
        """Values new to EspoCRM whose other holders are not known yet: (key, value as EspoCRM spells it) for each array."""
        new = {art: self._sent_anew(art) for art in self._touched()}
        return {art: tuple((key, value) for key, value in pairs if key not in self._holders) for art, pairs in new.items()}

    def _sent_anew(self, art: Art) -> list[tuple[str, str]]:
        """What goes into a touched array: new values, and old national numbers, which become another object in E.164."""
        new: list[AddItem | ReplaceItem] = [*self._added.values(), *self._replaced.values()]
        pairs = [(op.key, op.item.value) for op in new if op.item.art is art]
        for key, old in self._old:
            form = _form(old) if old.art is art else old.value
            if form != old.value and form not in self._spellings:
                pairs.append((key, form))
        return pairs

    def operations(self) -> list[Operation]:
        """What happens to the arrays, removals last."""
        return [*self._replaced.values(), *self._added.values(), *self._removed.values()]

    def arrays(self) -> Arrays:
        """The arrays to send; those that nothing touches are None."""
        touched = self._touched()
        emails, phones = (self._array(art) if art in touched else None for art in (Art.EMAIL, Art.PHONE))
        return Arrays(emails, phones)

    def _touched(self) -> list[Art]:
        """The arrays that something is added to, replaced in or removed from."""
        touched = {op.item.art for op in self._added.values()} | {op.old.art for op in self._removed.values()}
        for op in self._replaced.values():
            touched |= {op.old.art, op.item.art}
        return [art for art in Art if art in touched]

    def _respelled(self, key: str, old: EspoItem, form: str) -> EspoItem:
        """A national number stored in former times would be refused with the whole array: it goes out in E.164.

        That is another object to EspoCRM. If another record holds it, its type and flags are sent.
        """
        return replace(self._holders.get(key) or replace(old, value=form), primary=old.primary)

    def _array(self, art: Art) -> tuple[EspoItem, ...]:
        items: list[EspoItem] = []
        heir = ""
        for key, old in self._old:
            swap = self._replaced.get(key)
            if swap is not None and swap.item.art is art:
                items.append(_with_primary(swap.item, primary=old.primary and old.art is art))
            elif old.art is not art:
                continue
            elif key in self._removed:
                if old.primary:
                    # Where its changed value was there already, that one takes over.
                    successor = self._removed[key].entry
                    heir = successor.key if successor is not None else ""
            elif swap is not None:
                continue  # its new value belongs to the other array
            elif (form := _form(old)) == old.value:
                items.append(old)
            elif form not in self._spellings:
                items.append(self._respelled(key, old, form))
            elif old.primary:
                heir = key  # stands there in E.164 as well: two objects that become one
        items += [op.item for op in self._added.values() if op.item.art is art]
        return _one_primary(_each_once(items), heir)


def _form(item: EspoItem) -> str:
    """How an item of the array is sent: as EspoCRM takes it, or as it is where EspoCRM takes it in no form."""
    return espo_form(item.value, item.art) or item.value


def _each_once(items: list[EspoItem]) -> list[EspoItem]:
    """A value twice would leave the record without a primary (reference: espocrm-api, 1.7)."""
    once: dict[str, EspoItem] = {}
    for item in items:
        key = canonical_key(item.value)
        first = once.setdefault(key, item)
        if item.primary and not first.primary:
            once[key] = _with_primary(first, primary=True)
    return list(once.values())


def _one_primary(items: list[EspoItem], heir: str) -> tuple[EspoItem, ...]:
    """Exactly one item is primary: the one that was, else the heir (a canonical key), else the first."""
    chosen = next((n for n, item in enumerate(items) if item.primary), None)
    if chosen is None:
        chosen = next((n for n, item in enumerate(items) if canonical_key(item.value) == heir), 0)
    return tuple(_with_primary(item, primary=n == chosen) for n, item in enumerate(items))


def _with_primary(item: EspoItem, *, primary: bool) -> EspoItem:
    return item if item.primary == primary else replace(item, primary=primary)
