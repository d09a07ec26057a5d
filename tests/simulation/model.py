"""What people did, and what has to be true of it afterwards: written from the decision table, knowing nothing of the code.

A phase begins where both sides agree and ends where they have settled again. Within it the model notes, letter by letter,
on which side people entered or removed a value. Most of the table collapses into two sentences about one letter:

* Entered last (rows 3 to 7, 10, 13 to 16, 18): it is on both sides, or a list for people holds it. Unless the other side
  removed it too and the entering can't be told from not having touched it (a value typed back into the entry it was in).
* Removed last (rows 2, 4, 8, 9, 11, 12, and the old value of 3, 5, 6, 7): it is on neither side. Unless the other side
  entered it as well, or there was no base to know the removal by.

Nothing in it depends on which of two sides was edited first: no clock tells the sync either (I12).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.values import letter_of, sendable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.simulation.advoware import Row

HASHED = re.compile(r"\[ESPOCRM:[0-9a-f]{8}:\d+\] ?")
MARKER = re.compile(r"\[ESPOCRM(?:-SLOT:(\d+)|:([^:\[\]]+):(\d+))\]")


def users_part(remark: str, tlf: str) -> tuple[str, str]:
    """Marker and user's text of a remark, by the grammar of the design."""
    for match in MARKER.finditer(remark):
        slot, data, kz = match.groups()
        if not 1 <= int(slot or kz) <= 12 or not (slot or _means_something(data, tlf)):
            continue
        rest = remark[match.end() :]
        rest = rest[1:] if len(rest) > 1 and rest.startswith(" ") else rest
        return match[0], remark[: match.start()] + rest
    return "", remark


def _means_something(data: str, tlf: str) -> bool:
    if any(data == hashlib.sha256(text.encode()).hexdigest()[:8] for text in (tlf, tlf.strip())):
        return True
    try:
        raw = base64.b64decode(data, validate=True)
        return bool(raw.decode().strip()) and base64.b64encode(raw).decode() == data
    except (binascii.Error, ValueError):
        return False


def live(rows: Iterable[Row]) -> Counter[str]:
    """How many live entries hold each letter; Internet entries are no business of the sync."""
    return Counter(row.letter for row in rows if row.letter and row.kz != 5)


@dataclass(slots=True)
class Act:
    """One letter entered or removed by a person on one side ('A' or 'E'). `again`: it can't be told from no change."""

    letter: str
    side: str
    entered: bool
    again: bool = False
    copied: bool = False
    """A new entry with the marker of another: a filled base store knows that it has no base."""


@dataclass
class Phase:
    """What people did to one record since both sides last agreed. `vague`: reasons why removals may come back."""

    start: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    """Letters that only Advoware held when the phase began, since EspoCRM is full: never agreed on."""
    acts: list[Act] = field(default_factory=list)
    held: dict[int, set[str]] = field(default_factory=dict)
    """Entry id -> letters it held in this phase."""
    vague: set[str] = field(default_factory=set)
    looks: dict[str, str] = field(default_factory=dict)
    """Letter -> type of its item when the phase began."""
    types: dict[str, str] = field(default_factory=dict)
    """Letter -> the type a person gave it, where nothing else was done to it."""
    touched: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    """Letters of markers that came first in a remark by a person's hand, and are no value of that entry."""
    texts_vague: bool = False
    """A person edited an entry that the sync had just made: whose text it has, the model can't tell."""
    tampered: bool = False
    """A person changed a remark in Advoware, or deleted an entry there."""
    mass: bool = False
    """A person cleared a whole side in one go."""


class RecordModel:
    """One pair of records. `texts`: entry id -> the user's part of its remark; `twins`: most live entries of one letter."""

    def __init__(self) -> None:
        self.phase = Phase(vague={"first contact"})
        self.texts: dict[int, str] = {}
        self.shadows: dict[int, set[str]] = {}
        self.unsure: set[int] = set()
        """Entries with a hash for a marker whose value changed: only a base can tell it from a user's text."""
        self.twins = 1

    def begin(self, rows: Iterable[Row], types: dict[str, str]) -> None:
        """A new phase: both sides agree. `types`: letter -> type in EspoCRM."""
        rows, letters, former = list(rows), set(types), self.phase.held
        self.phase = Phase(start=set(live(rows)) & letters, held={row.id: {row.letter} for row in rows if row.letter})
        self.phase.waiting = {letter for letter in live(rows) if sendable(letter)} - letters
        self.phase.looks = types
        for row in rows:
            if row.letter in self.phase.waiting:
                self.shadows.setdefault(row.id, set()).update(former.get(row.id, ()))
        now = {row.id for row in rows if row.letter and (not sendable(row.letter) or row.letter in self.phase.waiting)}
        self.shadows = {entry_id: held for entry_id, held in self.shadows.items() if entry_id in now}

    def in_advoware(self, before: dict[int, Row], after: dict[int, Row]) -> list[str]:
        """Take note of a person's edit in Advoware. Gives the letters entered."""
        old, new = live(before.values()), live(after.values())
        entered = []
        just_made = before.keys() - self.texts.keys()
        for entry_id, row in after.items():
            was = before.get(entry_id)
            if was is not None and was != row:
                # The sync moved a text here, or away, in this phase: the model can't tell any more whose it is. Nor where it
                # was about to: the value has its new entry already, and this one would have been emptied next.
                moving = (n for n, other in before.items() if other.letter == was.letter and n not in self.texts)
                self.phase.texts_vague |= bool(was.letter) and any(n != entry_id for n in moving)
                self.phase.texts_vague |= users_part(was.bemerkung, was.tlf)[1] != self.texts.get(entry_id, "")
            if was is not None and was.bemerkung != row.bemerkung:
                self.phase.tampered = True
                # A remark whose end is gone looks as if Advoware had cut it just before a crash, and may be mended.
                self.phase.texts_vague |= bool(row.bemerkung) and was.bemerkung.startswith(row.bemerkung)
                marker, former = users_part(row.bemerkung, row.tlf)[0], users_part(was.bemerkung, was.tlf)[0]
                match = MARKER.fullmatch(marker)
                if match and match[2] and former not in {"", marker}:
                    self.phase.foreign.add(letter_of(decoded(match[2])))
                if HASHED.match(marker + " ") and former != marker and row.letter:
                    # A hash that had become text fits the value, and now nothing stands before it: it says both sides agreed.
                    self.phase.foreign.add(row.letter)
                if match and match[1] and not former.startswith("[ESPOCRM-SLOT") and row.letter:
                    # A slot's marker came first: that means a person typed the value into a slot (row 18).
                    self.phase.acts.append(Act(row.letter, "A", entered=True, again=True))
            if was is None or (was.tlf, was.bemerkung) != (row.tlf, row.bemerkung):
                self.texts[entry_id] = users_part(row.bemerkung, row.tlf)[1]
                if HASHED.search(self.texts[entry_id]):
                    self.unsure.add(entry_id)
                # Which of two is the marker and which the user's text: the base tells a hash of the former value, too.
                self.phase.texts_vague |= bool(HASHED.search(row.bemerkung)) and len(MARKER.findall(row.bemerkung)) > 1
            if row.kz == 5 or not row.letter or (was is not None and was.letter == row.letter):
                continue
            held = self.phase.held.setdefault(entry_id, {was.letter} if was is not None and was.letter else set())
            self.phase.acts.append(
                Act(
                    row.letter,
                    "A",
                    entered=True,
                    again=row.letter in held or (was is not None and self._marked(row)),
                    copied=was is None and self._marked(row),
                )
            )
            entered.append(row.letter)
            if row.letter in self.shadows.get(entry_id, ()):
                # Back from what can't be sent to what was last agreed on: to the sync the entry was never changed.
                self.phase.foreign.add(row.letter)
            if not sendable(row.letter):
                self.shadows.setdefault(entry_id, set()).update(held, {was.letter} if was is not None else ())
            held.add(row.letter)
        for entry_id in before.keys() - after.keys():
            was = before[entry_id]
            self.phase.tampered = True
            self.phase.texts_vague |= users_part(was.bemerkung, was.tlf)[1] != self.texts.pop(entry_id, "")
        self.phase.acts += [Act(letter, "A", entered=False) for letter in sorted(old) if letter not in new]
        # One of two entries with a value went: which of them had it first, only the base knows.
        self.phase.acts += [Act(letter, "A", entered=False) for letter in self._bared(before, after) if letter not in new]
        fewer = [x for x in sorted(old) if 0 < new[x] < old[x]]
        self.phase.acts += [Act(x, "A", entered=True, again=True) for x in fewer]
        # Half-way through a change of type it was the new entry or the old one of a single value.
        moving = {row.letter for n, row in before.items() if n in just_made}
        self.phase.foreign |= moving & set(fewer)
        self.phase.touched |= {*old} ^ {*new} | {*entered}
        self.twins = max(self.twins, *(new[letter] for letter in entered), 1)
        return entered

    def _bared(self, before: dict[int, Row], after: dict[int, Row]) -> list[str]:
        """What stands in EspoCRM for values that can't be sent, where these have just left Advoware: it goes with them."""
        gone = [n for n in self.shadows if n in before and before[n].letter and getattr(after.get(n), "letter", "") == ""]
        return sorted(letter for n in gone for letter in self.shadows[n])

    @staticmethod
    def _marked(row: Row) -> bool:
        """Whether the remark says that this very value was agreed on before (a copied entry)."""
        match = MARKER.fullmatch(users_part(row.bemerkung, row.tlf)[0])
        return bool(match and match[2] and letter_of(decoded(match[2]) or row.tlf) == row.letter)

    def in_espocrm(self, before: set[str], after: set[str]) -> list[str]:
        """Take note of a person's edit in EspoCRM. Gives the letters entered."""
        entered = sorted(after - before)
        gone = {act.letter for act in self.phase.acts if act.side == "E" and not act.entered}
        self.phase.acts += [Act(letter, "E", entered=False) for letter in sorted(before - after)]
        self.phase.acts += [Act(letter, "E", entered=True, again=letter in gone) for letter in entered]
        self.phase.touched |= before ^ after
        return entered

    def must_be(self, letter: str) -> bool:
        """Whether this letter has to be on both sides, or on a list, when everything has settled (I2)."""
        acts = [act for act in self.phase.acts if act.letter == letter]
        if letter in self.phase.foreign:
            return False
        if not acts:
            return letter in self.phase.start | self.phase.waiting
        last = acts[-1]
        if not last.entered:
            return False
        if all((act.entered and not self._again(act)) or act.side == last.side for act in acts):
            return True
        return last.side == "A" and not self._again(last)

    def _again(self, act: Act) -> bool:
        return act.again or (act.copied and bool(self.phase.vague))

    def must_not_be(self, letter: str) -> bool:
        """Whether this letter must be on neither side (I3)."""
        acts = [act for act in self.phase.acts if act.letter == letter]
        if not acts:
            return False
        last = acts[-1]
        if letter in self.phase.waiting and last.side == "E":
            return False  # entered in EspoCRM and removed again: Advoware's waits as before
        known = not self.phase.vague and not self.phase.foreign
        return not last.entered and known and all(act.side == last.side or not act.entered for act in acts)

    def shadow(self) -> set[str]:
        """Letters that EspoCRM keeps because what took their place in Advoware can't be sent."""
        return set().union(*self.shadows.values()) if self.shadows else set()


def decoded(data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
