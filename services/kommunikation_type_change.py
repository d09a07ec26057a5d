"""Change of type in EspoCRM (Office to Mobile): a kommKz can't be changed, so the value moves to another entry. Pure.

Two steps, so that a crash never leaves the value missing: first an entry of the new kind gets it, the intent being noted
in the base store; then, when that entry is there to be seen, the old one becomes a slot.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from services.kommunikation_diff import Line
from services.kommunikation_mapper import canonical_key, new_kz_for, type_fits
from services.kommunikation_ops import CHANGE_OF_TYPE, EmptyEntry
from services.kommunikation_rules import Finding, finding
from services.kommunikation_table import Direction
from services.kommunikation_types import Art

if TYPE_CHECKING:
    from services.kommunikation_entry import BaseView, Entry
    from services.kommunikation_judge import Judge
    from services.kommunikation_rows import Rows
    from services.kommunikation_types import EspoItem


class TypeChanges:
    """What a run does about types that do not fit. `moves`: entry id -> new kommKz; `asked`: key -> number to ask about.

    `unfinished`: entries whose change is not carried out, so the type last read back stays the old one. `emptied`: entries
    whose value has moved.
    """

    def __init__(self, view: BaseView, judge: Judge) -> None:
        self._view, self._rules, self._answers, self._judge = view, judge.rules, judge.answers, judge
        self.notices: list[Finding] = []
        self.moves: dict[int, int] = {}
        self.unfinished: set[int] = set()
        self.asked: dict[str, str] = {}
        self.emptied: set[int] = set()
        self._moved_keys: set[str] = set()

    def look(self, line: Line, item: EspoItem, rows: Rows) -> None:
        """The item's type and the entry's kommKz disagree: a change of type by a person, or an old disagreement."""
        entry, target = line.entry, new_kz_for(item)
        others = [e for e in self._judge.by_key.get(entry.key, ()) if e.id != entry.id]
        twins = [e for e in others if type_fits(e.kz, item)]
        if not self._changed(entry, item) or twins or entry.key in self._moved_keys or self._stays(entry, others, item):
            if not twins:
                self.notices.append(type_notice(line, item, "the type does not fit the kind in Advoware"))
            return
        if entry.key not in self._answers.holders:
            self.asked[entry.key] = item.value
        elif self._answers.holders[entry.key] is not None:
            self.notices.append(type_notice(line, item, "the type was changed, but another record holds the number too"))
            return
        self.unfinished.add(entry.id)
        if not self._rules.direction.allows(Direction.TO_ADVOWARE):
            self._judge.leave(line, Direction.TO_ADVOWARE)
            return
        self._moved_keys.add(entry.key)
        self.moves[entry.id] = target
        moved = Line(line.row, CHANGE_OF_TYPE, entry, item)
        self.notices.append(type_notice(line, item, "the type was changed in EspoCRM: the value moves to another entry"))
        rows.create(
            moved, entry.tlf, target, reason="change of type: the value moves to an entry of the new kind", text=entry.text
        )

    @staticmethod
    def _changed(entry: Entry, item: EspoItem) -> bool:
        """Whether the type is another than the one last read back here, of this very item.

        An interrupted run may have linked the entry with another item since: whose type differs, and nobody changed it.
        """
        stored = entry.stored
        if stored is None or not stored.espo_type or entry.fresh:
            return False
        return stored.espo_type != item.type and canonical_key(stored.espo_value) == canonical_key(item.value)

    @staticmethod
    def _stays(entry: Entry, others: list[Entry], item: EspoItem) -> bool:
        """Of several entries with one number the one whose kind was the item's old type moves, the others stay."""
        old = replace(item, type=entry.stored.espo_type if entry.stored is not None else "")
        return not type_fits(entry.kz, old) and any(type_fits(other.kz, old) for other in others)

    def postpone(self, entry: Entry, item: EspoItem) -> None:
        """An item whose value changes in Advoware and whose type changed in EspoCRM: the type's turn is the next run."""
        if item.art is Art.PHONE and not type_fits(entry.kz, item) and self._changed(entry, item):
            self.unfinished.add(entry.id)

    def copies(self, entry: Entry) -> list[Entry]:
        """The entries that have this one's value already: a change of type is half done, whatever type it was to."""
        base = self._view.base
        target = base.moves.get(entry.id) if base is not None else None
        if base is None or target is None:
            return []
        same = [e for e in self._judge.by_key.get(entry.key, ()) if e.id != entry.id]
        # Where the remark had no room for a marker, the copy's kind can't be seen: what is new with this value is the copy.
        return [e for e in same if e.kz == target or (e.marker is None and e.id not in base.entries)]

    def keep(self) -> None:
        """A change that is half done stays noted also where this run has nothing to do with it."""
        known = self._view.base.moves if self._view.base is not None else {}
        halves = {entry.id: known[entry.id] for entry in self._judge.live if entry.id in known and self.copies(entry)}
        self.moves = halves | self.moves

    def finish(self, line: Line, rows: Rows, copies: list[Entry]) -> None:
        """The second step. The intent stays noted until it is through, as another crash may come in between."""
        self.moves[line.entry.id] = self._view.base.moves[line.entry.id] if self._view.base is not None else copies[0].kz
        if not self._rules.direction.allows(Direction.TO_ADVOWARE):
            self.unfinished.add(line.entry.id)
            self._judge.leave(line, Direction.TO_ADVOWARE)
            return
        entry = line.entry
        reason = "change of type: the value has moved, the old entry becomes a slot"
        # The text went along with the value, unless a person edited it in between.
        text = "" if any(copy.text == entry.text for copy in copies) else entry.text
        self.emptied.add(entry.id)
        rows.to_advoware.append(EmptyEntry(CHANGE_OF_TYPE, reason, entry, kz=entry.kz, text=text))


def type_notice(line: Line, item: EspoItem, reason: str) -> Finding:
    """A notice about an item whose type does not fit the entry's kind."""
    return finding(f"type:{item.type}", line, reason, value=item.value, type=item.type)
