"""Three-way comparison of one pair of records: which row of the decision table applies to what. Pure.

EspoCRM's items have no ids, so who belongs to whom is found by value, with multiplicity:

1. An entry with a base *claims* the item that holds its base; an entry with a value claims the item that holds that value.
   Several entries may claim one item (a firm writes landline and mobile as one number), and EspoCRM holds it once.
2. Where a base vanished from EspoCRM, all entries with that base form a group. The group is *paired* with the first item
   that nobody claims, of the same array, whose type fits the kommKz of one of them: that is the item's changed value e'.
   Without such an item it was a deletion.
3. What is then still unclaimed is new in EspoCRM (row 16).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from services.frozen import frozen_value
from services.kommunikation_entry import BaseView, Entry, Gone, read_entries, read_gone
from services.kommunikation_mapper import art_of, canonical_key, type_fits
from services.kommunikation_table import ROWS, AdvowareIs, BaseIs, EspoIs, Row, look_up

if TYPE_CHECKING:
    from services.kommunikation_types import Art, Beteiligter, EspoItem, EspoRecord

TYPED_INTO_SLOT = 18


@frozen_value
class Line:
    """One row of the table applied to one thing. `number` is the row's, or 18 where rows 14/15 apply to a slot typed into.

    `item`: the item that holds the base (or the entry's value); `partner`: e', or the new item of row 16.
    `saved`: a row that would have removed something, turned into adding it: no base, no deletion.
    """

    row: Row
    number: int
    subject: Entry | Gone | None
    item: EspoItem | None = None
    partner: EspoItem | None = None
    saved: bool = False

    @property
    def entry(self) -> Entry:
        """The entry; only asked of rows that have one."""
        if not isinstance(self.subject, Entry):
            raise TypeError("this row has no entry")
        return self.subject


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything about one pair: its entries (all kinds), the items, and the lines in order of entry ids, new items last."""

    entries: tuple[Entry, ...]
    items: tuple[EspoItem, ...]
    lines: tuple[Line, ...]


class _Items:
    """The items of EspoCRM by key, and which of them are claimed."""

    def __init__(self, record: EspoRecord) -> None:
        self.all = record.emails + record.phones
        self.keys = [canonical_key(item.value) for item in self.all]
        self._at: dict[str, list[int]] = {}
        for position, key in enumerate(self.keys):
            self._at.setdefault(key, []).append(position)
        self._claimed: set[int] = set()
        self._held: set[str] = set()
        """Keys that were claimed."""

    @cached_property
    def _spelt(self) -> dict[str, list[int]]:
        """Positions by the value as EspoCRM spells it."""
        spelt: dict[str, list[int]] = {}
        for position, item in enumerate(self.all):
            spelt.setdefault(item.value, []).append(position)
        return spelt

    @cached_property
    def _free(self) -> dict[tuple[Art, str], list[int]]:
        """Unclaimed positions by array and type, the first one last. What is claimed later is taken off when it comes up."""
        free: dict[tuple[Art, str], list[int]] = {}
        for position in self._unclaimed_from_the_end():
            item = self.all[position]
            free.setdefault((item.art, item.type), []).append(position)
        return free

    def _unclaimed_from_the_end(self) -> list[int]:
        return [position for position in range(len(self.all) - 1, -1, -1) if position not in self._claimed]

    def claim(self, key: str) -> EspoItem | None:
        """Claims every item with this key (there should be one) and gives the first."""
        positions = self._at.get(key)
        if positions is None:
            return None
        if key not in self._held:
            self._held.add(key)
            self._claimed.update(positions)
        return self.all[positions[0]]

    def claim_base(self, subject: Entry | Gone) -> EspoItem | None:
        """Claims the item that holds the base, also where a new normaliser no longer sees the two as equal."""
        found = self.claim(subject.base_key)
        if (
            found is not None
            or subject.stored is None
            or not subject.stored.espo_value
            or subject.stored.value != subject.base
        ):
            return found
        for position in self._spelt.get(subject.stored.espo_value, ()):
            if self.keys[position] not in self._held:
                self._claimed.add(position)
                return self.all[position]
        return None

    def _first_free(self, art: Art, kinds: set[int]) -> int | None:
        """Position of the first unclaimed item of this array whose type fits one of the kommKz."""
        firsts = []
        # Items of one type fit alike, so the first unclaimed one of each type stands for them all.
        for (of, _), positions in self._free.items():
            while positions and positions[-1] in self._claimed:
                positions.pop()
            if of is art and positions and any(type_fits(kz, self.all[positions[-1]]) for kz in kinds):
                firsts.append(positions[-1])
        return min(firsts, default=None)

    def take_partner(self, group: list[Entry | Gone], withheld: frozenset[str], entered: set[str]) -> EspoItem | None:
        """The first unclaimed item of the group's array whose type fits one of the group.

        None for a removal that waits for its release, or that was undone (`withheld`): a value that comes in meanwhile is a
        new one, and taken for the changed one it would remove the old one after all.
        Where a run was interrupted while it wrote e' into the entries of a group, those that have it claim it already:
        the rest still gets what was intended for it. Not where a person has entered it meanwhile (`entered`): that entry is
        the item's now.
        """
        for subject in group:
            intended = subject.intended if isinstance(subject, Entry) else None
            key = canonical_key(intended) if intended else ""
            item = self.claim(key) if key and key not in entered else None
            if item is not None:
                return item
        first = group[0]
        if first.base_key in withheld or len(self._claimed) == len(self.all):
            return None
        position = self._first_free(art_of(first.base or "", first.kz), {subject.kz for subject in group})
        if position is None:
            return None
        self._claimed.add(position)
        return self.all[position]

    def unclaimed(self) -> list[EspoItem]:
        """What nobody claimed, each key once, in order of the arrays."""
        rest = {self.keys[position]: self.all[position] for position in self._unclaimed_from_the_end()}
        return list(reversed(rest.values()))


def _advoware_state(subject: Entry | Gone) -> AdvowareIs:
    if isinstance(subject, Gone):
        return AdvowareIs.GONE
    if subject.blank:
        return AdvowareIs.MISSING
    return AdvowareIs.CHANGED if subject.changed else AdvowareIs.SAME


def _left_behind(subject: Entry | Gone, key: str, others: set[str]) -> bool:
    """Whether an interrupted run still has to change this entry although EspoCRM holds `key`, its base or its value.

    It was not there, and the same run brought it there for another entry that somebody had just typed it into.
    `others`: keys of the entries that no run was about to change.
    """
    return isinstance(subject, Entry) and subject.intended is not None and key in others


def _based_lines(
    subjects: list[Entry | Gone], items: _Items, newcomers: set[str], withheld: frozenset[str]
) -> dict[int, Line]:
    """Lines of everything that has a base, by entry id. `newcomers`: keys of live entries without a base."""
    lines: dict[int, Line] = {}
    vanished: dict[str, list[Entry | Gone]] = {}
    others = newcomers | {s.key for s in subjects if isinstance(s, Entry) and s.intended is None}
    for subject in subjects:
        state = _advoware_state(subject)
        if isinstance(subject, Entry) and subject.settled:
            # Its value had left both sides; should EspoCRM hold it again, somebody has entered it anew.
            row = look_up(BaseIs.VALUE, state, EspoIs.MISSING)
            lines[subject.id] = Line(row, row.number, subject)
            continue
        item = None if _left_behind(subject, subject.base_key, others) else items.claim_base(subject)
        espo = EspoIs.SAME
        if item is None and isinstance(subject, Entry) and state is AdvowareIs.CHANGED:
            foreign = _left_behind(subject, subject.key, others)
            item, espo = None if foreign else items.claim(subject.key), EspoIs.AS_ADVOWARE
        if item is None:
            vanished.setdefault(subject.base_key, []).append(subject)
            continue
        row = look_up(BaseIs.VALUE, state, espo)
        lines[subject.id] = Line(row, row.number, subject, item)
    if vanished:
        entered = newcomers | {s.key for s in subjects if isinstance(s, Entry) and s.changed and not s.blank}
        # What an interrupted run had given to one group is not free for another.
        for group in sorted(vanished.values(), key=_begun, reverse=True):
            lines |= _vanished_lines(group, items.take_partner(group, withheld, entered))
    return lines


def _begun(group: list[Entry | Gone]) -> bool:
    """Whether an interrupted run was about to write e' into one of the group."""
    return any(isinstance(subject, Entry) and subject.intended for subject in group)


def _vanished_lines(group: list[Entry | Gone], partner: EspoItem | None) -> dict[int, Line]:
    """Lines of a group whose base vanished from EspoCRM, by entry id. `partner`: its changed value e'."""
    lines: dict[int, Line] = {}
    states = [_advoware_state(subject) for subject in group]
    # The changed value lands in an entry that still holds the old one; beside it an emptied entry is simply emptied.
    lands = AdvowareIs.SAME in states
    for subject, state in zip(group, states, strict=True):
        emptied = lands and state is AdvowareIs.MISSING
        espo = EspoIs.MISSING if partner is None or emptied else EspoIs.CHANGED
        row = look_up(BaseIs.VALUE, state, espo)
        lines[subject.id] = Line(row, row.number, subject, None, partner)
    return lines


def _baseless_line(entry: Entry, items: _Items) -> Line | None:
    """The line of an entry without base: rows 14, 15, 17, 18; None for a blank entry that is no slot of ours."""
    if entry.blank:
        row = look_up(BaseIs.SLOT, AdvowareIs.MISSING, EspoIs.MISSING)
        return Line(row, row.number, entry) if entry.slot else None
    item = items.claim(entry.key)
    espo = EspoIs.MISSING if item is None else EspoIs.AS_ADVOWARE
    row = look_up(BaseIs.NONE, AdvowareIs.VALUE, espo)
    return Line(row, TYPED_INTO_SLOT if entry.slot else row.number, entry, item)


def _without_deletion(line: Line, held: set[str]) -> Line | None:
    """No base, no deletion: a value missing on one side is added there instead. `held`: keys live in Advoware then."""
    match line.row.number:
        case 2:
            return Line(ROWS[15], 15, line.subject, saved=True)
        case 8:
            # Another entry holds the value (or an emptied twin just got it back): it is not missing, and would be doubled.
            if line.entry.base_key in held:
                return None
            held.add(line.entry.base_key)
            return Line(ROWS[10], 10, line.subject, partner=line.item, saved=True)
        case 9 | 11 | 12 | 13:
            return None
        case _:
            return line


def compare(beteiligter: Beteiligter, record: EspoRecord, view: BaseView) -> Comparison:
    """Compares both sides with the base. Raises nothing: remarks and values may hold anything."""
    entries = read_entries(beteiligter, view)
    synced = [entry for entry in entries if entry.synced]
    items = _Items(record)
    for entry in synced:
        # Claims come before pairing: no item that an entry holds may be taken for another's changed value.
        if not entry.blank:
            items.claim(entry.key)
    based: list[Entry | Gone] = [entry for entry in synced if entry.base is not None]
    based += read_gone(beteiligter, view)
    baseless = {entry.id: _baseless_line(entry, items) for entry in synced if entry.base is None}
    newcomers = {entry.key for entry in synced if entry.base is None and not entry.blank}
    based.sort(key=lambda s: s.id)
    found: dict[int, Line | None] = {**baseless, **_based_lines(based, items, newcomers, view.withheld | view.left_apart)}
    lines = []
    held = {entry.key for entry in synced if not entry.blank}
    for line in (found[entry_id] for entry_id in sorted(found)):
        fresh = line is not None and isinstance(line.subject, Entry) and line.subject.fresh
        kept = _without_deletion(line, held) if line is not None and fresh else line
        if kept is not None:
            lines.append(kept)
    lines += [Line(ROWS[16], 16, None, partner=item) for item in items.unclaimed()]
    return Comparison(tuple(entries), items.all, tuple(lines))
