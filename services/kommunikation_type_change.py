"""Change of type in EspoCRM (Office to Mobile): a kommKz can't be changed, so the value moves to another entry. Pure.

Two steps, so that a crash never leaves the value missing: first an entry of the new kind gets it, the intent being noted
in the base store; then, when that entry is there to be seen, the old one becomes a slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.kommunikation_diff import Line
from services.kommunikation_mapper import new_kz_for, type_fits
from services.kommunikation_ops import CHANGE_OF_TYPE, EmptyEntry
from services.kommunikation_rules import Finding, finding
from services.kommunikation_table import Direction

if TYPE_CHECKING:
    from services.kommunikation_entry import BaseView
    from services.kommunikation_judge import Judge
    from services.kommunikation_rows import Rows
    from services.kommunikation_types import EspoItem


class TypeChanges:
    """What a run does about types that do not fit. `moves`: entry id -> new kommKz; `asked`: key -> number to ask about.

    `unfinished`: entries whose change is not carried out, so the type last read back stays the old one.
    """

    def __init__(self, view: BaseView, judge: Judge) -> None:
        self._view, self._rules, self._answers, self._judge = view, judge.rules, judge.answers, judge
        self.notices: list[Finding] = []
        self.moves: dict[int, int] = {}
        self.unfinished: set[int] = set()
        self.asked: dict[str, str] = {}
        self._moved_keys: set[str] = set()

    def look(self, line: Line, item: EspoItem, rows: Rows) -> None:
        """The item's type and the entry's kommKz disagree: a change of type by a person, or an old disagreement."""
        entry, target = line.entry, new_kz_for(item)
        twins = [e for e in self._judge.live if e.key == entry.key and e.id != entry.id and type_fits(e.kz, item)]
        if self._view.base is not None and self._view.base.moves.get(entry.id) == target and twins:
            self._finish(line, target, rows)
            return
        stored = entry.stored
        known = stored is not None and bool(stored.espo_type) and not entry.fresh
        if not known or stored is None or stored.espo_type == item.type or twins or entry.key in self._moved_keys:
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

    def _finish(self, line: Line, target: int, rows: Rows) -> None:
        if not self._rules.direction.allows(Direction.TO_ADVOWARE):
            self.unfinished.add(line.entry.id)
            self.moves[line.entry.id] = target
            self._judge.leave(line, Direction.TO_ADVOWARE)
            return
        entry = line.entry
        reason = "change of type: the value has moved, the old entry becomes a slot"
        rows.to_advoware.append(EmptyEntry(CHANGE_OF_TYPE, reason, entry, kz=entry.kz))


def type_notice(line: Line, item: EspoItem, reason: str) -> Finding:
    """A notice about an item whose type does not fit the entry's kind."""
    return finding(f"type:{item.type}", line, reason, value=item.value, type=item.type)
