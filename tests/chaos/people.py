"""People who edit both systems while everything around them fails, and what has to be there in the end.

Each value has one side on which people edit it, so that what must come out is never a matter of who was first: a value
entered, changed and deleted on one side ends on both sides as it was last left there. Conflicts are tested elsewhere.
"""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from tests.support.sandbox import AdvowarePeople, EspoPeople, Pair, email, entry, phone

if TYPE_CHECKING:
    from random import Random

_UNCLEAR = (httpx.HTTPError, AssertionError, ValueError)
"""What a planted fault looks like to a person: no answer, an error, half an answer."""

_numbers = itertools.count(30_000_000)


@dataclass
class Value:
    """One value through its life. `now` None: deleted. `komm_id`: its entry, where people edit it in Advoware."""

    side: str
    now: str | None
    ever: set[str] = field(default_factory=set)
    komm_id: int | None = None
    text: str = ""
    settled: bool = False


@dataclass
class Person:
    """A pair of records and its values. `raced`: one of our own saves crossed one of the sync's, as EspoCRM allows."""

    pair: Pair
    values: list[Value] = field(default_factory=list)
    raced: bool = False


class People:
    """Edits by one seed. Every choice is the seed's; what is asked of the systems is only what a person would see."""

    def __init__(self, advoware: AdvowarePeople, espocrm: EspoPeople, random: Random) -> None:
        self._advoware, self._espocrm, self._random = advoware, espocrm, random
        self.persons: list[Person] = []
        self.edits = 0

    def new_value(self) -> str:
        """A value nobody else has."""
        number = next(_numbers)
        return f"kim.{number}@example.com" if self._random.random() < 0.5 else f"+49511{number}"

    def meet(self, count: int) -> None:
        """Make linked pairs that have values on both sides before the chaos begins."""
        for _ in range(count):
            mine = [self.new_value() for _ in range(3)]
            theirs = [self.new_value() for _ in range(3)]
            entries = [entry(value, 4 if "@" in value else 3, f"Text {value[-6:]}") for value in mine]
            betnr = self._advoware.create(*entries)
            items = [email(v) if "@" in v else phone(v, "Mobile") for v in theirs]
            espo_id = self._espocrm.create(
                betnr=betnr,
                emails=[one for one in items if "emailAddress" in one],
                phones=[one for one in items if "phoneNumber" in one],
            )
            person = Person(Pair(betnr, espo_id))
            ids = {one["tlf"]: one["id"] for one in self._advoware.entries(betnr)}
            for value in mine:
                person.values.append(Value("advoware", value, {value}, ids[value], f"Text {value[-6:]}"))
            person.values += [Value("espocrm", value, {value}) for value in theirs]
            self.persons.append(person)

    def edit(self) -> None:
        """One edit by one person. Calls that fail by a planted fault are not edits."""
        person = self._random.choice(self.persons)
        live = [value for value in person.values if value.now is not None]
        kind = self._random.choice(["new", "change", "change", "delete"])
        if kind == "new" and len(live) >= 8:
            kind = "change"
        if kind == "delete" and len(live) <= 4:
            kind = "new"
        try:
            if kind == "new":
                self._enter(person)
            else:
                self._alter(person, self._random.choice(live), delete=kind == "delete")
        except _UNCLEAR:
            return
        self.edits += 1

    def _enter(self, person: Person) -> None:
        fresh = self.new_value()
        if self._random.random() < 0.5:
            text = f"Text {fresh[-6:]}"
            komm_id = self._advoware.add(person.pair.betnr, entry(fresh, 4 if "@" in fresh else 3, text))
            person.values.append(Value("advoware", fresh, {fresh}, komm_id, text))
        else:
            self._save(person, None, fresh)
            person.values.append(Value("espocrm", fresh, {fresh}))

    def _alter(self, person: Person, value: Value, *, delete: bool) -> None:
        old = value.now or ""
        fresh = None if delete else self._same_kind(old)
        if value.side == "espocrm":
            self._save(person, old, fresh)
        elif fresh is not None and value.komm_id is not None:
            self._advoware.change(person.pair.betnr, value.komm_id, tlf=fresh)
        elif value.komm_id is not None:
            self._advoware.clear(person.pair.betnr, value.komm_id)
        value.now = fresh
        if fresh is not None:
            value.ever.add(fresh)

    def _same_kind(self, old: str) -> str:
        number = next(_numbers)
        return f"kim.{number}@example.com" if "@" in old else f"+49511{number}"

    def _save(self, person: Person, old: str | None, new: str | None) -> None:
        """Save the record as a person's form does: with all items it showed.

        EspoCRM does not isolate two saves. Where one of the sync's fell between our reading and our saving, our save took
        back what it had brought, and the record is not judged: that loss is EspoCRM's.
        """
        espo_id = person.pair.espo_id
        before = self._saves(espo_id)
        record = self._look(espo_id)
        for name in ("emailAddressData", "phoneNumberData"):
            value_name = "emailAddress" if name == "emailAddressData" else "phoneNumber"
            items: list[dict[str, Any]] = [one for one in record[name] if one[value_name] != old]
            if new is not None and ("@" in new) == (name == "emailAddressData"):
                items.append(email(new) if "@" in new else phone(new, "Mobile"))
            if items != record[name]:
                self._put(espo_id, name, items)
        if self._saves(espo_id) - before != 1:
            person.raced = True

    def _put(self, espo_id: str, name: str, items: list[dict[str, Any]]) -> None:
        """Save; where the answer got lost in a planted fault, look whether it was stored."""
        try:
            self._espocrm.put(espo_id, **{name: items})
        except _UNCLEAR:
            value_name = "emailAddress" if name == "emailAddressData" else "phoneNumber"
            wanted = {one[value_name] for one in items}
            if {one[value_name] for one in self._look(espo_id)[name]} != wanted:
                raise

    def _look(self, espo_id: str) -> dict[str, Any]:
        """Read the record; a planted fault makes a person try again."""
        for _ in range(50):
            with contextlib.suppress(*_UNCLEAR):
                return self._espocrm.get(espo_id)
        raise AssertionError("EspoCRM does not answer at all")

    def _saves(self, espo_id: str) -> int:
        return len(self._espocrm.requests("PUT", espo_id))
