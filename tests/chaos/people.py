"""People who edit both systems while everything around them fails, and what has to be there in the end.

Each value has one side on which people edit it, so that what must come out is never a matter of who was first: it ends on
both sides as it was last left there. A planned conflict is one value changed on both sides: both new ones have to stay.

The records are of EspoCRM's entity with version numbers, and people save with them, as EspoCRM's own form does. So no save
crosses another one unseen, and every loss that is found is a loss. Advoware has no such lock: people there change a
value that stands linked on both sides, which no write of the sync is under way for.
"""

from __future__ import annotations

import base64
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from tests.support.sandbox import AdvowarePeople, EspoPeople, Pair, email, entry, phone

if TYPE_CHECKING:
    from random import Random

ENTITY = "CBeteiligteOcc"

_UNCLEAR = (httpx.HTTPError, AssertionError, ValueError)
"""What a planted fault looks like to a person: no answer, an error, half an answer."""
_TRIES = 60
_LIVE_MOST, _LIVE_LEAST = 9, 4
_KINDS = ("new", "new", "change", "change", "change", "delete", "delete", "slot", "copy", "conflict")


@dataclass
class Value:
    """One value through its life. `now` None: deleted. `komm_id`: its entry, where people edit it in Advoware.

    `moved`: which of two values keeps the user's text after a conflict is not promised, only that it stands somewhere.
    """

    side: str
    now: str | None
    komm_id: int | None = None
    text: str = ""
    moved: bool = False
    story: list[str] = field(default_factory=lambda: [f"new {time.time():.1f}"])
    """Kinds of edits with their unix times."""

    past: set[str] = field(default_factory=set)
    """What it was before."""

    def became(self, new: str | None, kind: str) -> None:
        """A person's edit; None: it was deleted."""
        self.past |= {self.now} if self.now is not None else set()
        self.now = new
        self.story.append(f"{kind} {time.time():.1f}")

    @property
    def emptied(self) -> bool:
        """People emptied its entry and left it there."""
        return self.now is None and self.komm_id is not None


@dataclass
class Person:
    """A pair of records and its values."""

    pair: Pair
    values: list[Value] = field(default_factory=list)

    def expected(self) -> set[str]:
        """What has to stand on both sides, and nothing else."""
        return {value.now for value in self.values if value.now is not None}

    def story_of(self, text: str) -> str:
        """What people did to the value that once was this."""
        return "; ".join(f"{one.side}: {', '.join(one.story)}" for one in self.values if text in one.past) or "nobody's"


@dataclass
class View:
    """Both sides as stored."""

    record: dict[str, Any]
    entries: list[dict[str, Any]]

    @property
    def items(self) -> Counter[str]:
        """Values in EspoCRM."""
        values = [one["emailAddress"] for one in self.record["emailAddressData"]]
        return Counter(values + [one["phoneNumber"] for one in self.record["phoneNumberData"]])

    @property
    def live(self) -> Counter[str]:
        """Values in Advoware. The sync brings E.164 numbers and plain addresses, and people here type nothing else."""
        return Counter(one["tlf"] for one in self.entries if (one["tlf"] or "").strip())

    def entry(self, komm_id: int | None) -> dict[str, Any] | None:
        """The entry with this id."""
        return next((one for one in self.entries if one["id"] == komm_id), None)

    def linked(self) -> dict[int, str]:
        """Entry id -> value, of those that stand on both sides."""
        return {one["id"]: one["tlf"] for one in self.entries if (one["tlf"] or "").strip() and self.items[one["tlf"]]}

    def calm(self, value: Value) -> bool:
        """It stands linked on both sides: nothing is under way for it."""
        one = self.entry(value.komm_id)
        if value.now is None or one is None or one["tlf"] != value.now or not self.items[value.now]:
            return False
        return bool((one["bemerkung"] or "").startswith(f"[ESPOCRM:{base64.b64encode(value.now.encode()).decode()}:"))

    def remark(self, value: Value) -> str:
        """The user's text of the entry that holds the value, or held it; the specification's grammar in short."""
        holders = [one for one in self.entries if value.now is not None and one["tlf"] == value.now]
        one = holders[0] if holders else self.entry(value.komm_id)
        return _text(one["bemerkung"] if one else None)

    def remarks(self) -> set[str]:
        """All users' texts."""
        return {_text(one["bemerkung"]) for one in self.entries}


def _text(bemerkung: str | None) -> str:
    remark = bemerkung or ""
    if not remark.startswith("[ESPOCRM"):
        return remark
    return remark.partition("]")[2].removeprefix(" ")


class People:
    """Edits by one seed. Every choice is the seed's; what is asked of the systems is only what a person would see.

    `careful`: nothing but new values, for the moments around a loss of power (docs/safety.md tells why); `unknown`: at these
    records even after that, by the record's id in EspoCRM.
    """

    def __init__(self, advoware: AdvowarePeople, espocrm: EspoPeople, random: Random) -> None:
        self._advoware, self._espocrm, self._random = advoware, espocrm, random
        self._numbers = itertools.count(30_000_000)
        self.persons: list[Person] = []
        self.edits: Counter[str] = Counter()
        self.careful = False
        self.unknown: dict[str, dict[int, str]] = {}

    def new_value(self, like: str = "") -> str:
        """A value nobody else has; `like`: of the same sort."""
        number = next(self._numbers)
        address = "@" in like if like else self._random.random() < 0.5
        return f"kim.{number}@example.com" if address else f"+49511{number}"

    def meet(self, count: int) -> None:
        """Make linked pairs that have values of both sides before the chaos begins."""
        for _ in range(count):
            betnr = self._advoware.create()
            person = Person(Pair(betnr, self._espocrm.create(betnr=betnr, entity=ENTITY)))
            self.persons.append(person)
            for side in ("advoware", "espocrm") * 3:
                self._enter(person, side)

    def edit(self) -> Person | None:
        """One edit by one person, if there is occasion for it; gives whose. Edits are counted by their kind."""
        kind = self._random.choice(_KINDS)
        emptied = [one for one in self.persons if any(value.emptied for value in one.values)]
        person = self._random.choice(emptied if kind == "slot" and emptied else self.persons)
        if self.careful or person.pair.espo_id in self.unknown:
            kind = "new"
        do = {
            "new": self._new,
            "change": self._change,
            "delete": self._delete,
            "slot": self._type_into_slot,
            "copy": self._copy_and_delete_one,
            "conflict": self._conflict,
        }[kind]
        if not do(person):
            return None
        self.edits[kind] += 1
        return person

    def view(self, person: Person) -> View:
        """Both sides as stored. Until two readings in a row agree: a planted fault may shorten one."""
        last = None
        for _ in range(_TRIES):
            try:
                record = self._espocrm.get(person.pair.espo_id, ENTITY)
            except _UNCLEAR:
                continue
            if record == last:
                return View(record, self._advoware.entries(person.pair.betnr))
            last = record
        raise AssertionError("EspoCRM does not answer at all")

    # ------------------------------------------------------------------------------------------------------ kinds of edits

    def _new(self, person: Person) -> bool:
        if len(person.expected()) >= _LIVE_MOST:
            return False
        return self._enter(person, self._random.choice(["advoware", "espocrm"]))

    def _enter(self, person: Person, side: str) -> bool:
        fresh = self.new_value()
        value = Value(side, fresh)
        if side == "advoware":
            value.text = f"Text {fresh[-6:]}"
            value.komm_id = self._advoware.add(person.pair.betnr, entry(fresh, 4 if "@" in fresh else 3, value.text))
        elif not self._save(person, None, fresh):
            return False
        person.values.append(value)
        return True

    def _change(self, person: Person) -> bool:
        value = self._pick(person)
        if value is None:
            return False
        fresh = self.new_value(value.now or "")
        if value.side == "espocrm":
            if not self._save(person, value.now, fresh):
                return False
        elif self.view(person).calm(value) and value.komm_id is not None:
            self._advoware.change(person.pair.betnr, value.komm_id, tlf=fresh)
        else:
            return False
        value.became(fresh, "change")
        return True

    def _delete(self, person: Person) -> bool:
        """One deletion of a person at a time: several at once are the valve's business."""
        value, view = self._pick(person), self.view(person)
        expected = person.expected()
        if value is None or len(expected) <= _LIVE_LEAST or {*view.items, *view.live} - expected:
            return False
        if value.side == "espocrm":
            if not self._save(person, value.now, None):
                return False
        elif not view.calm(value) or value.komm_id is None:
            return False
        elif self._random.random() < 0.5:
            self._advoware.clear(person.pair.betnr, value.komm_id)
        else:
            self._advoware.delete(person.pair.betnr, value.komm_id)
            value.komm_id, value.text = None, ""
        value.became(None, "delete")
        return True

    def _type_into_slot(self, person: Person) -> bool:
        view = self.view(person)
        for value in person.values:
            one = view.entry(value.komm_id)
            if value.emptied and one and not one["tlf"] and (one["bemerkung"] or "").startswith("[ESPOCRM-SLOT:"):
                if len(person.expected()) >= _LIVE_MOST:
                    return False
                # What is typed goes by the slot's kommKz: an address into a slot of an address.
                typed = self.new_value("@" if one["kommKz"] == 4 else "+")
                value.became(typed, "slot")
                self._advoware.fill(person.pair.betnr, one["id"], typed)
                return True
        return False

    def _copy_and_delete_one(self, person: Person) -> bool:
        """Copy an entry, its marker included, and delete the one or the other: the value stays."""
        value = self._pick(person, "advoware")
        if value is None or value.komm_id is None or not self.view(person).calm(value):
            return False
        kept, goes = value.komm_id, self._advoware.duplicate(person.pair.betnr, value.komm_id)
        if self._random.random() < 0.5:
            kept, goes = goes, kept
        self._advoware.delete(person.pair.betnr, goes)
        value.komm_id = kept
        value.story.append(f"copy {time.time():.1f}")
        return True

    def _conflict(self, person: Person) -> bool:
        """Two people change one value, each on one side: with keep_both, both new ones stay."""
        value = self._pick(person, "advoware")
        if value is None or value.komm_id is None or len(person.expected()) >= _LIVE_MOST:
            return False
        if not self.view(person).calm(value):
            return False
        old, theirs = value.now or "", self.new_value(value.now or "")
        ours = self.new_value(old)
        value.became(ours, "conflict")
        value.moved = True
        self._advoware.change(person.pair.betnr, value.komm_id, tlf=ours)
        if self._save(person, old, theirs):
            person.values.append(Value("espocrm", theirs, story=["conflict"]))
        return True

    def _pick(self, person: Person, side: str = "") -> Value | None:
        live = [value for value in person.values if value.now is not None and (not side or value.side == side)]
        return self._random.choice(live) if live else None

    # ---------------------------------------------------------------------------------------------- saving in EspoCRM

    def _save(self, person: Person, old: str | None, new: str | None) -> bool:
        """Save the record as the form does, with all items it showed and its version; again, if somebody was faster."""
        for _ in range(_TRIES):
            record = self.view(person).record
            changed = _changed(record, old, new)
            if not changed or self._put(person, changed, record["versionNumber"]):
                return True
            items = View(self.view(person).record, []).items
            if (new is None or items[new]) and (old is None or not items[old]):
                return True  # the answer got lost, the save did not
        return False

    def _put(self, person: Person, attributes: dict[str, Any], version: int) -> bool:
        headers = {"X-Version-Number": str(version)}
        try:
            self._espocrm.call("PUT", f"{ENTITY}/{person.pair.espo_id}", json=attributes, headers=headers)
        except _UNCLEAR:
            return False
        return True


def _changed(record: dict[str, Any], old: str | None, new: str | None) -> dict[str, Any]:
    """The arrays that are not as before with `new` in the place of `old`."""
    changed = {}
    for array, name in (("emailAddressData", "emailAddress"), ("phoneNumberData", "phoneNumber")):
        items = [one for one in record[array] if one[name] != old]
        if new is not None and ("@" in new) == (name == "emailAddress"):
            items.append(email(new) if "@" in new else phone(new, "Mobile"))
        if items != record[array]:
            changed[array] = items
    return changed
