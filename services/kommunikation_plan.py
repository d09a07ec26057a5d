"""From rows to operations: what a run will do, why, and what it leaves to people. Pure.

Two passes. The first judges each line: may its value go to EspoCRM at all, does the valve let a removal pass, does the
run's direction cover it. Only then is it known which items must stay in EspoCRM, and the second pass makes operations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from services.kommunikation_arrays import ArrayEdit
from services.kommunikation_diff import Comparison, Line, compare
from services.kommunikation_entry import BaseView, Entry, Gone
from services.kommunikation_mapper import (
    KINDS,
    art_of,
    calculate_hash,
    canonical_key,
    espo_form,
    held_back_reason,
    new_kz_for,
    type_fits,
)
from services.kommunikation_ops import (
    CHANGE_OF_TYPE,
    Arrays,
    CreateEntry,
    EmptyEntry,
    Operation,
    SetMarker,
    WriteEntry,
)
from services.kommunikation_table import ConflictPolicy, Direction
from services.kommunikation_types import Art, EspoItem, MarkerForm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from services.kommunikation_types import Beteiligter, EspoRecord

VALVE_VALUES = 3
"""A plan that removes more different values than this, and more than half of the linked ones, needs a release."""

SENDING_ROWS = frozenset({4, 6, 7, 15})


@dataclass(frozen=True, slots=True)
class Rules:
    """What the run may do. `allow_removals`: the valve is released for this run; `stop_removals`: it is shut for all."""

    policy: ConflictPolicy = ConflictPolicy.KEEP_BOTH
    direction: Direction = Direction.BOTH
    allow_removals: bool = False
    stop_removals: bool = False


@dataclass(frozen=True, slots=True)
class Answers:
    """What EspoCRM said. `holders`: canonical key -> the item of another record that holds the value, None if nobody does.

    `refused`, `refused_by_advoware`: canonical keys that system would not take.
    """

    holders: Mapping[str, EspoItem | None] = field(repr=False, default_factory=dict)
    refused: frozenset[str] = field(repr=False, default=frozenset())
    refused_by_advoware: frozenset[str] = field(repr=False, default=frozenset())


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing for people: a conflict, a held back value, a notice, something pending. Holds client values by nature.

    `id`: stable name, the same each run. `values`: what is shown to the firm's staff.
    """

    id: str
    row: int
    reason: str
    entry_id: int | None
    kz: int | None
    values: dict[str, str] = field(repr=False, default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """The form of result and lists."""
        where = {"entry_id": self.entry_id, "kommKz": self.kz}
        return {"id": self.id, "row": self.row, "reason": self.reason, **where, **self.values}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do. `operations` in order of execution; `arrays` what EspoCRM gets, computed from them.

    `questions`: numbers and addresses to ask EspoCRM about before the plan can be carried out (key, value as EspoCRM
    spells it). `moves`: changes of type under way after this run. `withheld`: canonical keys the valve kept.
    `removals`: different values that rows 2, 8 and 11 remove; `linked`: different values that have a base.
    `absence`: decided by what is not there, so both sides have to be read a second time.
    """

    comparison: Comparison
    operations: tuple[Operation, ...]
    arrays: Arrays
    conflicts: tuple[Finding, ...]
    held_back: tuple[Finding, ...]
    notices: tuple[Finding, ...]
    pending: tuple[Finding, ...]
    valve: tuple[Finding, ...]
    questions: Mapping[Art, tuple[tuple[str, str], ...]] = field(repr=False)
    moves: Mapping[int, int]
    absence: bool
    unfinished: frozenset[int]
    withheld: frozenset[str] = field(repr=False, default=frozenset())
    removals: int = 0
    linked: int = 0


class _Fate(Enum):
    GO = "go"
    HELD_BACK = "held back"
    WITHHELD = "withheld by the valve"
    PENDING = "pending"


def make_plan(beteiligter: Beteiligter, record: EspoRecord, view: BaseView, rules: Rules, answers: Answers) -> Plan:
    """The plan for one pair of records: a pure function of what was read, the base, the rules and EspoCRM's answers."""
    return _Planner(compare(beteiligter, record, view), record, view, rules, answers).plan()


def _finding(line_id: str, line: Line, reason: str, **values: str) -> Finding:
    subject = line.subject
    entry_id, kz = (subject.id, subject.kz) if subject is not None else (None, None)
    return Finding(f"{line_id}:{entry_id or 'new'}", line.number, reason, entry_id, kz, values)


def _value(subject: Entry | Gone | None) -> str:
    return subject.tlf if isinstance(subject, Entry) else subject.base if subject is not None else ""


class _Planner:
    def __init__(self, comparison: Comparison, record: EspoRecord, view: BaseView, rules: Rules, answers: Answers) -> None:
        self.comparison, self.view, self.rules, self.answers = comparison, view, rules, answers
        self.lines = comparison.lines
        self.live = [e for e in comparison.entries if e.synced and not e.blank]
        self.edit = ArrayEdit(record, answers.holders)
        self.to_advoware: list[Operation] = []
        self.markers: list[Operation] = []
        self.conflicts: list[Finding] = []
        self.held_back: list[Finding] = []
        self.notices: list[Finding] = []
        self.pending: list[Finding] = []
        self.valve: list[Finding] = []
        self.moves: dict[int, int] = {}
        self.unfinished: set[int] = set()
        self.moved_keys: set[str] = set()
        self.used_slots: set[int] = set()
        self.asked: dict[str, str] = {}
        self.placed: set[int] = set()
        self.absence = False
        self.removals = self.linked = 0

    # ---------------------------------------------------------------------------------------------------- first pass

    def plan(self) -> Plan:
        fates = self._judge()
        for line in self.lines:
            if fates[id(line)] is _Fate.GO:
                # Where a partner lands in an entry by row 3 or 10, a conflict beside it need not create it again.
                if line.row.number in {3, 10} and line.partner is not None:
                    self.placed.add(id(line.partner))
                self.absence |= line.row.second_reading
        stays = self._staying(fates)
        for line in self.lines:
            if fates[id(line)] is _Fate.GO:
                getattr(self, f"_row_{line.row.number}")(line, stays)
        self._too_many()
        questions: dict[Art, tuple[tuple[str, str], ...]] = {}
        for art, pairs in self.edit.questions().items():
            asked = tuple(self.asked.items()) if art is Art.PHONE else ()
            new = tuple(dict.fromkeys(pairs + asked))
            if new:
                questions[art] = new
        return Plan(
            comparison=self.comparison,
            operations=(*sorted(self.to_advoware, key=_creations_first), *self.edit.operations(), *self.markers),
            arrays=self.edit.arrays(),
            conflicts=tuple(self.conflicts),
            held_back=tuple(self.held_back),
            notices=tuple(self.notices),
            pending=tuple(self.pending),
            valve=tuple(self.valve),
            questions=questions,
            moves=self.moves,
            absence=self.absence,
            unfinished=frozenset(self.unfinished),
            removals=self.removals,
            linked=self.linked,
            withheld=frozenset(
                line.subject.base_key
                for line in self.lines
                if fates[id(line)] is _Fate.WITHHELD and line.subject is not None
            ),
        )

    def _judge(self) -> dict[int, _Fate]:
        withheld = self._withheld()
        fates = {}
        for line in self.lines:
            number = line.row.number
            reason = self._refusal(line) if number in SENDING_ROWS else None
            if number == 7:
                self._list_conflict(line)
            if reason is not None:
                self.held_back.append(_finding("held", line, reason, value=_value(line.subject)))
            if line.partner is not None and self._advoware_refuses(line.partner):
                name = f"held:{calculate_hash(line.partner.value)}"
                self.held_back.append(_finding(name, line, "Advoware refused it", value=line.partner.value))
                reason = reason or "Advoware refused it"
            if id(line) in withheld:
                fate = _Fate.WITHHELD
                self.valve.append(_finding("valve", line, "removal needs a release", value=_value(line.subject)))
            elif reason is not None and number != 7:
                fate = _Fate.HELD_BACK
            elif not self.rules.direction.allows(line.row.direction) and not self._only_bookkeeping(line):
                fate = _Fate.PENDING
                self._leave(line, line.row.direction)
            else:
                fate = _Fate.GO
            fates[id(line)] = fate
        return fates

    def _leave(self, line: Line, direction: Direction | None) -> None:
        name = direction.value if direction else ""
        value = _value(line.subject) or (line.partner.value if line.partner else "")
        self.pending.append(
            _finding(f"pending:{line.number}", line, f"belongs to direction {name}", direction=name, value=value)
        )

    def _only_bookkeeping(self, line: Line) -> bool:
        """A removal that removes nothing, since another live entry holds the value."""
        return line.row.number in {8, 11} and self._held_elsewhere(line)

    def _held_elsewhere(self, line: Line) -> bool:
        key = line.subject.base_key if line.subject is not None else ""
        return any(entry.key == key for entry in self.live)

    def _refusal(self, line: Line) -> str | None:
        """Why the entry's value can't go to EspoCRM; None if it can."""
        entry = line.entry
        art = art_of(entry.tlf, entry.kz)
        if espo_form(entry.tlf, art) is None:
            return held_back_reason(entry.tlf, art)
        return "EspoCRM refused it" if entry.key in self.answers.refused else None

    def _advoware_refuses(self, item: EspoItem) -> bool:
        return canonical_key(item.value) in self.answers.refused_by_advoware

    def _withheld(self) -> set[int]:
        """The removals the valve stops, as ids of lines."""
        removing = [ln for ln in self.lines if ln.row.removes and not (ln.row.number != 2 and self._held_elsewhere(ln))]
        linked = {ln.subject.base_key for ln in self.lines if ln.subject is not None and ln.subject.base is not None}
        going = {line.subject.base_key for line in removing if line.subject is not None}
        self.removals, self.linked = len(going), len(linked)
        mass = len(going) > VALVE_VALUES and 2 * len(going) > len(linked)
        everything = len(linked) > 1 and len(going) == len(linked)
        if self.rules.allow_removals:
            return set()
        waiting = self.view.base.withheld if self.view.base is not None else ()
        stopped = (
            removing if mass or everything else [ln for ln in removing if ln.subject and ln.subject.base_key in waiting]
        )
        return {id(line) for line in stopped}

    def _staying(self, fates: Mapping[int, _Fate]) -> set[str]:
        """Keys that must stay in EspoCRM: what a live entry holds, and what a change not carried out still needs."""
        stays = {entry.key for entry in self.live}
        for line in self.lines:
            waits = line.row.number in {4, 8, 11} and fates[id(line)] is not _Fate.GO
            # `saved`: an emptied entry gets its value back, so no entry that changed away from it may take it along.
            if line.subject is not None and (waits or line.saved):
                stays.add(line.subject.base_key)
        return stays

    # --------------------------------------------------------------------------------------------------- second pass

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

    def _create(self, line: Line, value: str, kz: int, *, reason: str = "", text: str = "") -> None:
        """A slot of that kommKz without a user's text, else a new entry."""
        reason = reason or line.row.act.value
        for entry in self.comparison.entries:
            if entry.free and entry.kz == kz and entry.id not in self.used_slots:
                self.used_slots.add(entry.id)
                self.to_advoware.append(WriteEntry(line.number, reason, entry, value=value, kz=kz, text=text, created=True))
                return
        self.to_advoware.append(CreateEntry(line.number, reason, None, value=value, kz=kz, text=text))

    def _empty(self, line: Line, absent: Iterable[str] = ()) -> None:
        entry = line.entry
        operation = EmptyEntry(
            line.number, line.row.act.value, entry, kz=entry.kz, text=entry.text, absent=frozenset(absent)
        )
        (self.markers if line.row.number in {8, 9} else self.to_advoware).append(operation)

    def _add(self, line: Line) -> None:
        reason = "no base, no deletion: the value is added where it is missing" if line.saved else line.row.act.value
        self.edit.add(line.number, reason, line.entry)

    def _row_1(self, line: Line, _: set[str]) -> None:
        entry, item = line.entry, line.item
        if item is not None and not type_fits(entry.kz, item) and art_of(entry.tlf, entry.kz) is Art.PHONE:
            self._misfit(line, item)
        marked = entry.marker.base if entry.marker is not None else None
        if marked is None or canonical_key(marked) != entry.key or self._legacy(entry):
            self._mark(line)

    def _row_2(self, line: Line, _: set[str]) -> None:
        self._empty(line)

    def _row_3(self, line: Line, _: set[str]) -> None:
        self._write(line, line.partner.value if line.partner else "")

    def _row_4(self, line: Line, stays: set[str]) -> None:
        entry = line.entry
        if line.item is not None and entry.base_key not in stays:
            self.edit.replace(line.number, line.row.act.value, entry, line.item)
            self._mark(line, present=[entry.key], absent=[entry.base_key])
        else:
            self._add(line)
            self._mark(line, present=[entry.key])

    def _row_5(self, line: Line, _: set[str]) -> None:
        self._mark(line, present=[line.entry.key])

    def _row_6(self, line: Line, _: set[str]) -> None:
        self._add(line)
        self._mark(line, present=[line.entry.key])

    def _row_7(self, line: Line, _: set[str]) -> None:
        partner = line.partner
        if partner is None:
            return
        if self._advoware_refuses(partner):
            self.placed.add(id(partner))  # listed as held back: it can't be carried over
        if self.rules.policy is ConflictPolicy.ESPOCRM_WINS:
            self._espocrm_wins(line, partner)
            return
        if self.rules.policy is ConflictPolicy.KEEP_BOTH and id(partner) not in self.placed:
            if self.rules.direction.allows(Direction.TO_ADVOWARE):
                self.placed.add(id(partner))
                self._create(line, partner.value, new_kz_for(partner))
            else:
                self._leave(line, Direction.TO_ADVOWARE)
        if self._refusal(line) is None:
            self._conflict_to_espocrm(line, partner)

    def _espocrm_wins(self, line: Line, partner: EspoItem) -> None:
        if not self.rules.direction.allows(Direction.TO_ADVOWARE):
            self._leave(line, Direction.TO_ADVOWARE)
        elif not self._advoware_refuses(partner):
            self._write(line, partner.value)

    def _conflict_to_espocrm(self, line: Line, partner: EspoItem) -> None:
        entry = line.entry
        if not self.rules.direction.allows(Direction.TO_ESPOCRM):
            self._leave(line, Direction.TO_ESPOCRM)
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
        self._create(line, line.partner.value, kz)

    def _row_14(self, line: Line, _: set[str]) -> None:
        entry, item = line.entry, line.item
        if item is None:
            return
        phone = item.art is Art.PHONE and KINDS[entry.kz].art is Art.PHONE
        # A guessed kind gives way to the item's type; a known one that does not fit is listed and left.
        kz = new_kz_for(item) if entry.kind.guessed and item.art is Art.PHONE else entry.kz
        if not type_fits(kz, item) and phone:
            self.notices.append(_type_notice(line, item, "the type does not fit the kind in Advoware"))
        self._mark(line, present=[entry.key], kz=kz)

    def _row_15(self, line: Line, _: set[str]) -> None:
        self._add(line)
        self._mark(line, present=[line.entry.key])

    def _row_16(self, line: Line, _: set[str]) -> None:
        if line.partner is not None:
            self._create(line, line.partner.value, new_kz_for(line.partner))

    def _row_17(self, line: Line, stays: set[str]) -> None:
        """A free slot waits for a value."""

    # ------------------------------------------------------------------------------------------------ rules beside it

    def _misfit(self, line: Line, item: EspoItem) -> None:
        """The item's type and the entry's kommKz disagree: a change of type by a person, or an old disagreement."""
        entry, target = line.entry, new_kz_for(item)
        twins = [e for e in self.live if e.key == entry.key and e.id != entry.id and type_fits(e.kz, item)]
        if self.view.base is not None and self.view.base.moves.get(entry.id) == target and twins:
            self._finish_move(line, target)
            return
        stored = entry.stored
        known = stored is not None and bool(stored.espo_type) and not entry.fresh
        if not known or stored is None or stored.espo_type == item.type or twins or entry.key in self.moved_keys:
            if not twins:
                self.notices.append(_type_notice(line, item, "the type does not fit the kind in Advoware"))
            return
        if entry.key not in self.answers.holders:
            self.asked[entry.key] = item.value
        elif self.answers.holders[entry.key] is not None:
            self.notices.append(_type_notice(line, item, "the type was changed, but another record holds the number too"))
            return
        self.unfinished.add(entry.id)
        if not self.rules.direction.allows(Direction.TO_ADVOWARE):
            self._leave(line, Direction.TO_ADVOWARE)
            return
        self.moved_keys.add(entry.key)
        self.moves[entry.id] = target
        moved = Line(line.row, CHANGE_OF_TYPE, entry, item)
        self.notices.append(_type_notice(line, item, "the type was changed in EspoCRM: the value moves to another entry"))
        self._create(
            moved, entry.tlf, target, reason="change of type: the value moves to an entry of the new kind", text=entry.text
        )

    def _finish_move(self, line: Line, target: int) -> None:
        if not self.rules.direction.allows(Direction.TO_ADVOWARE):
            self.unfinished.add(line.entry.id)
            self.moves[line.entry.id] = target
            self._leave(line, Direction.TO_ADVOWARE)
            return
        entry = line.entry
        reason = "change of type: the value has moved, the old entry becomes a slot"
        self.to_advoware.append(EmptyEntry(CHANGE_OF_TYPE, reason, entry, kz=entry.kz))

    def _list_conflict(self, line: Line) -> None:
        entry, partner = line.entry, line.partner
        if partner is None:
            return
        digest = calculate_hash("\n".join((entry.base or "", entry.tlf, partner.value)))
        values = {
            "base": entry.base or "",
            "advoware": entry.tlf,
            "espocrm": partner.value,
            "art": partner.art.value,
            "policy": self.rules.policy.value,
        }
        self.conflicts.append(_finding(f"conflict:{digest}", line, "both sides changed the value", **values))

    def _too_many(self) -> None:
        """EspoCRM takes ten items of a kind: linked ones stay, then the order of entry ids decides."""
        surplus = self.edit.drop_surplus()
        if not surplus:
            return
        for line in self.lines:
            entry = line.subject
            if isinstance(entry, Entry) and entry.key in surplus and line.row.number in SENDING_ROWS:
                self.held_back.append(_finding("held", line, "more than 10 of a kind in EspoCRM", value=entry.tlf))
        self.markers = [op for op in self.markers if not (isinstance(op, SetMarker) and op.present & surplus)]


def _type_notice(line: Line, item: EspoItem, reason: str) -> Finding:
    return _finding(f"type:{item.type}", line, reason, value=item.value, type=item.type)


def _creations_first(operation: Operation) -> int:
    """New values before anything is emptied: whatever interrupts, nothing is missing in between."""
    return 2 if isinstance(operation, EmptyEntry) else 0 if isinstance(operation, CreateEntry) else 1
