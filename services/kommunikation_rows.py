"""The second pass: operations made from the lines that may be carried out, one method a row of the table. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.kommunikation_arrays import ArrayEdit
from services.kommunikation_entry import Entry
from services.kommunikation_mapper import KINDS, art_of, canonical_key, new_kz_for, type_fits
from services.kommunikation_ops import CreateEntry, EmptyEntry, Operation, SetMarker, WriteEntry
from services.kommunikation_rules import SENDING_ROWS, finding
from services.kommunikation_table import Act, ConflictPolicy, Direction
from services.kommunikation_type_change import TypeChanges, type_notice
from services.kommunikation_types import Art, EspoItem, MarkerForm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.kommunikation_diff import Comparison, Line
    from services.kommunikation_entry import BaseView
    from services.kommunikation_judge import Judge
    from services.kommunikation_types import EspoRecord


class Rows:
    """Collects the operations of a run, and what beside them people should know."""

    def __init__(self, comparison: Comparison, record: EspoRecord, view: BaseView, judge: Judge) -> None:
        self.comparison, self.judge, self.rules = comparison, judge, judge.rules
        self.edit = ArrayEdit(record, judge.answers.holders)
        self.to_advoware: list[Operation] = []
        self.markers: list[Operation] = []
        self.types = TypeChanges(view, judge)
        self._slots: dict[int, list[Entry]] = {}
        for entry in reversed(comparison.entries):
            if entry.free:
                self._slots.setdefault(entry.kz, []).append(entry)
        self.placed: set[int] = set()

    def make(self) -> None:
        """Carries out the table, row by row."""
        stays = self.judge.staying()
        self.placed |= self.judge.landing()
        # Replacements come first: they keep an item's place before anything new asks for room or removes that item.
        for line in sorted(self.judge.going, key=lambda ln: ln.row.act is not Act.REPLACE_ITEM):
            getattr(self, f"_row_{line.row.number}")(line, stays)
        self._too_many()
        self.types.keep()

    def operations(self) -> tuple[Operation, ...]:
        """In order of execution."""
        return (*sorted(self.to_advoware, key=_creations_first), *self.edit.operations(), *self.markers)

    def questions(self) -> dict[Art, tuple[tuple[str, str], ...]]:
        """What EspoCRM has to be asked about before the plan can be carried out."""
        questions = self.edit.questions()
        if self.types.asked:
            questions[Art.PHONE] = (*questions.get(Art.PHONE, ()), *self.types.asked.items())
        return {art: tuple(dict.fromkeys(pairs)) for art, pairs in questions.items() if pairs}

    def _mark(self, line: Line, *, present: Iterable[str] = (), absent: Iterable[str] = (), kz: int | None = None) -> None:
        entry = line.entry
        if entry.form is MarkerForm.NONE:
            return
        kz = kz or entry.kz
        marker = entry.marker
        if marker is not None and marker.base == entry.tlf and marker.kz == kz and not self._legacy(entry):
            return
        self.markers.append(
            SetMarker(
                line.number,
                line.row.act.value,
                entry,
                value=entry.tlf,
                kz=kz,
                text=entry.text,
                form=entry.form,
                present=frozenset(present),
                absent=frozenset(absent),
            )
        )

    @staticmethod
    def _legacy(entry: Entry) -> bool:
        return entry.marker is not None and entry.marker.legacy and entry.form is MarkerForm.FULL

    def _write(self, line: Line, value: str) -> None:
        entry, reason = line.entry, line.row.act.value
        if line.saved:
            reason = "no base, no deletion: the value is added where it is missing"
        self.to_advoware.append(WriteEntry(line.number, reason, entry, value=value, kz=entry.kz, text=entry.text))

    def create(self, line: Line, value: str, kz: int, *, reason: str = "", text: str = "") -> None:
        """Brings a value to Advoware: a slot of that kommKz without a user's text, else a new entry."""
        reason = reason or line.row.act.value
        free = self._slots.get(kz)
        if free:
            entry = free.pop()
            self.to_advoware.append(WriteEntry(line.number, reason, entry, value=value, kz=kz, text=text, created=True))
            return
        self.to_advoware.append(CreateEntry(line.number, reason, None, value=value, kz=kz, text=text))

    def _empty(self, line: Line, absent: Iterable[str] = ()) -> None:
        entry = line.entry
        moved = any(copy.text == entry.text for copy in self.types.copies(entry))
        operation = EmptyEntry(
            line.number, line.row.act.value, entry, kz=entry.kz, text="" if moved else entry.text, absent=frozenset(absent)
        )
        (self.markers if line.row.number in {8, 9} else self.to_advoware).append(operation)

    def _add(self, line: Line) -> None:
        reason = "no base, no deletion: the value is added where it is missing" if line.saved else line.row.act.value
        self.edit.add(line.number, reason, line.entry)

    def _row_1(self, line: Line, _: set[str]) -> None:
        entry, item = line.entry, line.item
        copies = self.types.copies(entry)
        if copies:
            self.types.finish(line, self, copies)
        elif item is not None and not type_fits(entry.kz, item) and art_of(entry.tlf, entry.kz) is Art.PHONE:
            self.types.look(line, item, self)
        marked = entry.marker.base if entry.marker is not None else None
        stale = marked is None or canonical_key(marked) != entry.key or self._legacy(entry)
        if stale and entry.id not in self.types.emptied:
            self._mark(line)

    def _row_2(self, line: Line, _: set[str]) -> None:
        self._empty(line)

    def _row_3(self, line: Line, _: set[str]) -> None:
        copies = [copy for copy in self.types.copies(line.entry) if copy.base is not None]
        if copies:
            # The changed value goes where the old one had been moved to, and with it the user's text.
            self.types.finish(line, self, copies)
            return
        self._write(line, line.partner.value if line.partner else "")

    def _row_4(self, line: Line, stays: set[str]) -> None:
        entry = line.entry
        if line.item is not None and entry.base_key not in stays:
            self.edit.replace(line.number, line.row.act.value, entry, line.item)
            self.types.postpone(entry, line.item)
            self._mark(line, present=[entry.key], absent=[entry.base_key])
        else:
            self._add(line)
            self._mark(line, present=[entry.key])

    def _row_5(self, line: Line, _: set[str]) -> None:
        if line.item is not None:
            self.types.postpone(line.entry, line.item)
        self._mark(line, present=[line.entry.key])

    def _row_6(self, line: Line, _: set[str]) -> None:
        self._add(line)
        self._mark(line, present=[line.entry.key])

    def _row_7(self, line: Line, _: set[str]) -> None:
        partner = line.partner
        if partner is None:
            return
        if self.judge.advoware_refusal(partner) is not None:
            self.placed.add(id(partner))  # listed as held back: it can't be carried over
        if self.rules.policy is ConflictPolicy.ESPOCRM_WINS:
            self._espocrm_wins(line, partner)
            return
        if self.rules.policy is ConflictPolicy.KEEP_BOTH and id(partner) not in self.placed:
            if self.rules.direction.allows(Direction.TO_ADVOWARE):
                self.placed.add(id(partner))
                self.create(line, partner.value, new_kz_for(partner))
            else:
                self.judge.leave(line, Direction.TO_ADVOWARE)
        if self.judge.refusal(line) is None:
            self._conflict_to_espocrm(line, partner)

    def _espocrm_wins(self, line: Line, partner: EspoItem) -> None:
        if not self.rules.direction.allows(Direction.TO_ADVOWARE):
            self.judge.leave(line, Direction.TO_ADVOWARE)
        elif self.judge.advoware_refusal(partner) is None:
            self._write(line, partner.value)

    def _conflict_to_espocrm(self, line: Line, partner: EspoItem) -> None:
        entry = line.entry
        if not self.rules.direction.allows(Direction.TO_ESPOCRM):
            self.judge.leave(line, Direction.TO_ESPOCRM)
        elif self.rules.policy is ConflictPolicy.ADVOWARE_WINS and id(partner) not in self.placed:
            self.placed.add(id(partner))
            self.edit.replace(line.number, line.row.act.value, entry, partner)
            self._mark(line, present=[entry.key], absent=[canonical_key(partner.value)])
        else:
            self._add(line)
            self._mark(line, present=[entry.key])

    def _row_8(self, line: Line, stays: set[str]) -> None:
        entry = line.entry
        if entry.base_key in stays or line.item is None:
            self._empty(line)
        else:
            self.edit.remove(line.number, line.row.act.value, entry, line.item)
            self._empty(line, absent=[entry.base_key])

    def _row_9(self, line: Line, _: set[str]) -> None:
        self._empty(line)

    def _row_10(self, line: Line, _: set[str]) -> None:
        # A value put back where there is no base keeps the spelling its entry had.
        value = line.entry.base if line.saved else line.partner.value if line.partner else ""
        self._write(line, value or "")

    def _row_11(self, line: Line, stays: set[str]) -> None:
        if line.item is not None and line.subject is not None and line.subject.base_key not in stays:
            self.edit.remove(line.number, line.row.act.value, None, line.item)

    def _row_12(self, line: Line, stays: set[str]) -> None:
        """Bookkeeping: the base forgets an entry that neither side holds any more."""

    def _row_13(self, line: Line, _: set[str]) -> None:
        if line.partner is None or line.subject is None or id(line.partner) in self.placed:
            return
        self.placed.add(id(line.partner))
        kz = line.subject.kz if type_fits(line.subject.kz, line.partner) else new_kz_for(line.partner)
        self.create(line, line.partner.value, kz)

    def _row_14(self, line: Line, _: set[str]) -> None:
        entry, item = line.entry, line.item
        if item is None:
            return
        phone = item.art is Art.PHONE and KINDS[entry.kz].art is Art.PHONE
        # A guessed kind gives way to the item's type; a known one that does not fit is listed and left.
        kz = new_kz_for(item) if entry.kind.guessed and item.art is Art.PHONE else entry.kz
        if not type_fits(kz, item) and phone:
            self.types.notices.append(type_notice(line, item, "the type does not fit the kind in Advoware"))
        self._mark(line, present=[entry.key], kz=kz)

    def _row_15(self, line: Line, _: set[str]) -> None:
        self._add(line)
        self._mark(line, present=[line.entry.key])

    def _row_16(self, line: Line, _: set[str]) -> None:
        if line.partner is not None:
            self.create(line, line.partner.value, new_kz_for(line.partner))

    def _row_17(self, line: Line, stays: set[str]) -> None:
        """A free slot waits for a value."""

    def _too_many(self) -> None:
        """EspoCRM takes ten items of a kind: linked ones stay, then the order of entry ids decides."""
        surplus = self.edit.drop_surplus()
        if not surplus:
            return
        for line in self.judge.lines:
            entry = line.subject
            if isinstance(entry, Entry) and entry.key in surplus and line.row.number in SENDING_ROWS:
                self.judge.held_back.append(finding("held", line, "more than 10 of a kind in EspoCRM", value=entry.tlf))
        self.markers = [op for op in self.markers if not (isinstance(op, SetMarker) and op.present & surplus)]


def _creations_first(operation: Operation) -> int:
    """New values before anything is emptied: whatever interrupts, nothing is missing in between."""
    return 2 if isinstance(operation, EmptyEntry) else 0 if isinstance(operation, CreateEntry) else 1
