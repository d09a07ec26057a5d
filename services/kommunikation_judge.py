"""The first pass: may a value go to EspoCRM at all, does the valve let a removal pass, does the direction cover it. Pure."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from services.kommunikation_mapper import art_of, calculate_hash, canonical_key, espo_form, held_back_reason
from services.kommunikation_rules import (
    SENDING_ROWS,
    UNDONE,
    VALVE_VALUES,
    WITHHELD,
    Answers,
    Finding,
    Rules,
    finding,
    value_of,
)
from services.kommunikation_table import Act

if TYPE_CHECKING:
    from services.kommunikation_diff import Comparison, Line
    from services.kommunikation_entry import BaseView, Entry
    from services.kommunikation_table import Direction
    from services.kommunikation_types import EspoItem


class Fate(Enum):
    """What becomes of a line in this run."""

    GO = "go"
    HELD_BACK = "held back"
    WITHHELD = "withheld by the valve"
    PENDING = "pending"


class Judge:
    """Judges every line once.

    `fates`: what becomes of each; `going`: the lines to be carried out; `live`: entries with a value; `by_key`: the same by
    canonical key; `removals`, `linked`: different values the valve counted.
    """

    def __init__(self, comparison: Comparison, view: BaseView, rules: Rules, answers: Answers) -> None:
        self.lines, self.view, self.rules, self.answers = comparison.lines, view, rules, answers
        self.live = [e for e in comparison.entries if e.synced and not e.blank]
        self.by_key: dict[str, list[Entry]] = {}
        for entry in self.live:
            self.by_key.setdefault(entry.key, []).append(entry)
        self.conflicts: list[Finding] = []
        self.held_back: list[Finding] = []
        self.pending: list[Finding] = []
        self.valve: list[Finding] = []
        self.removals = self.linked = 0
        self.fates: list[tuple[Line, Fate]] = []
        self.going: list[Line] = []
        self._staying_behind: list[tuple[Line, Fate]] = []
        self._judge()

    def _judge(self) -> None:
        withheld = self._withheld()
        for line in self.lines:
            fate = self._fate(line, withheld=id(line) in withheld)
            self.fates.append((line, fate))
            if fate is Fate.GO:
                self.going.append(line)
            else:
                self._staying_behind.append((line, fate))

    def _fate(self, line: Line, *, withheld: bool) -> Fate:
        """What becomes of a line; lists what people should know of it."""
        reason = self.refusal(line) if line.row.number in SENDING_ROWS else None
        if line.row.act is Act.CONFLICT:
            self._list_conflict(line)
        if reason is not None:
            self.held_back.append(finding("held", line, reason, value=value_of(line.subject)))
        if line.partner is not None and (refused := self.advoware_refusal(line.partner)) is not None:
            name = f"held:{calculate_hash(line.partner.value)}"
            self.held_back.append(finding(name, line, refused, value=line.partner.value))
            reason = reason or refused
        if self._undone_removal(line) and line.subject is not None:
            reason = UNDONE
            self.held_back.append(finding("undone", line, UNDONE, value=line.subject.base or ""))
        if withheld:
            self.valve.append(finding("valve", line, WITHHELD, value=value_of(line.subject)))
            return Fate.WITHHELD
        if reason is not None and line.row.act is not Act.CONFLICT:
            return Fate.HELD_BACK
        if not self.rules.direction.allows(line.row.direction) and not self._only_bookkeeping(line):
            self.leave(line, line.row.direction)
            return Fate.PENDING
        return Fate.GO

    def needs_second_reading(self) -> bool:
        """Whether something is decided by what is not there, be it only what is remembered: both sides are read again first.

        What the valve has stopped before costs this no more. A change that is not sent gives its base up where EspoCRM has
        lost the old value.
        """

        def rests_on_absence(line: Line, fate: Fate) -> bool:
            subject = line.subject
            if fate is Fate.WITHHELD:
                return line.row.second_reading and (subject is None or subject.base_key not in self.view.withheld)
            return line.row.act is Act.ADD_CHANGED

        return any(line.row.second_reading for line in self.going) or any(
            rests_on_absence(line, fate) for line, fate in self._staying_behind
        )

    def landing(self) -> set[int]:
        """Changed values (ids of items) that rows 3 and 10 write into an entry, in this run or one of the other direction.

        A conflict or a deleted entry beside them need not bring these to Advoware again.
        """
        pending = (line for line, fate in self._staying_behind if fate is Fate.PENDING)
        return {id(line.partner) for line in (*self.going, *pending) if line.row.number in {3, 10}}

    def withheld(self) -> frozenset[str]:
        """Keys of what the valve keeps."""
        kept = (line.subject for line, fate in self._staying_behind if fate is Fate.WITHHELD)
        return frozenset(subject.base_key for subject in kept if subject is not None)

    def leave(self, line: Line, direction: Direction | None) -> None:
        """Lists what belongs to the other direction."""
        name = direction.value if direction else ""
        value = value_of(line.subject) or (line.partner.value if line.partner else "")
        self.pending.append(
            finding(f"pending:{line.number}", line, f"belongs to direction {name}", direction=name, value=value)
        )

    def _only_bookkeeping(self, line: Line) -> bool:
        """A removal that removes nothing, since another live entry holds the value.

        Not where that one has yet to be linked with it: if it is emptied before that, nobody would know the item any more.
        """
        key = line.subject.base_key if line.subject is not None else ""
        linked = any(not entry.changed for entry in self.by_key.get(key, ()))
        return line.row.number in {8, 11} and linked

    def _held_elsewhere(self, line: Line) -> bool:
        key = line.subject.base_key if line.subject is not None else ""
        return key in self.by_key

    def refusal(self, line: Line) -> str | None:
        """Why the entry's value can't go to EspoCRM; None if it can."""
        entry = line.entry
        art = art_of(entry.tlf, entry.kz)
        if espo_form(entry.tlf, art) is None:
            return held_back_reason(entry.tlf, art)
        if "e:" + entry.key in self.view.undone:
            return UNDONE
        return "EspoCRM refused it" if entry.key in self.answers.refused else None

    def advoware_refusal(self, item: EspoItem) -> str | None:
        """Why the item's value can't go to Advoware; None if it can."""
        key = canonical_key(item.value)
        if "a:" + key in self.view.undone:
            return UNDONE
        return "Advoware refused it" if key in self.answers.refused_by_advoware else None

    def _undone_removal(self, line: Line) -> bool:
        """Whether the value is missing on the other side because an undo took it back there: that is no deletion."""
        return line.row.removes and line.subject is not None and line.subject.base_key in self.view.left_apart

    def _withheld(self) -> set[int]:
        """The removals the valve stops, as ids of lines."""
        removing = [
            ln
            for ln in self.lines
            if ln.row.removes
            and not self._undone_removal(ln)
            and (ln.subject is None or ln.subject.base_key not in self.rules.released)
            and not (ln.row.act is not Act.EMPTY_ENTRY and self._held_elsewhere(ln))
        ]
        linked = {ln.subject.base_key for ln in self.lines if ln.subject is not None and ln.subject.base is not None}
        going = {line.subject.base_key for line in removing if line.subject is not None}
        self.removals, self.linked = len(going), len(linked)
        mass = len(going) > VALVE_VALUES and 2 * len(going) > len(linked)
        everything = self.rules.stop_removals or (len(linked) > 1 and len(going) == len(linked))
        if self.rules.allow_removals:
            return set()
        waiting = self.view.withheld
        stopped = (
            removing if mass or everything else [ln for ln in removing if ln.subject and ln.subject.base_key in waiting]
        )
        return {id(line) for line in stopped}

    def staying(self) -> set[str]:
        """Keys that must stay in EspoCRM: what a live entry holds, and what a change not carried out still needs."""
        # What an undo has put back there stays, also where an entry changes away from it.
        stays = set(self.by_key) | {name[2:] for name in self.view.undone if name.startswith("a:")}
        waiting = [line for line, _ in self._staying_behind if line.row.number in {4, 8, 11}]
        # An emptied entry gets its value back, so no entry that changed away from it may take it along.
        saved = [line for line in self.lines if line.saved]
        return stays | {line.subject.base_key for line in (*waiting, *saved) if line.subject is not None}

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
        self.conflicts.append(finding(f"conflict:{digest}", line, "both sides changed the value", **values))
