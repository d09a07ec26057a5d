"""EspoCRM in memory (reference: espocrm-api): objects shared by all records, the array path, checks before anything is stored."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from sandbox.espocrm import values as php
from services.errors import NotFound, Validation
from services.espocrm import EspoCrmService
from services.kommunikation_types import Art, EspoItem, EspoListRow, EspoRecord
from tests.simulation.calls import Side
from tests.simulation.hub import Call
from tests.simulation.values import LETTER_OF_KEY, letter_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.simulation.hub import Hub

MOST_ITEMS = 10
FIELD = {Art.EMAIL: "emailAddress", Art.PHONE: "phoneNumber"}


@lru_cache(maxsize=4096)
def _number(text: str) -> str | None:
    number = php.clean_number(text, international=True, extensions=False)
    return number if php.is_number(number, international=True, extensions=False) else None


@lru_cache(maxsize=4096)
def _is_email(text: str) -> bool:
    return php.is_email(text)


@dataclass(slots=True)
class Shared:
    """An address or number: one object for all records."""

    name: str
    type: str
    opt_out: bool
    invalid: bool

    def looks(self) -> tuple[str, str, bool, bool]:
        """Everything about it."""
        return self.name, self.type, self.opt_out, self.invalid


@dataclass(slots=True)
class Record:
    """One CBeteiligte. `links`: per array the keys in order of entry; `primary`: the key of the primary."""

    number: int
    betnr: int | None
    gone: bool = False
    modified: int = 0
    links: dict[Art, list[str]] = field(default_factory=lambda: {Art.EMAIL: [], Art.PHONE: []})
    primary: dict[Art, str | None] = field(default_factory=lambda: {Art.EMAIL: None, Art.PHONE: None})


@dataclass
class EspoWorld:
    """All records and shared objects. `skew`: how far EspoCRM's clock is off, in seconds.

    `protected`: values that a record holds which the sync may not edit: type, flags and spelling of these stay.
    """

    records: dict[int, Record] = field(default_factory=dict)
    shared: dict[tuple[Art, str], Shared] = field(default_factory=dict)
    protected: set[tuple[Art, str]] = field(default_factory=set)
    skew: int = 0
    on_change: Callable[[int, bool], None] = lambda *_: None
    """Sees that a record's arrays changed: number, whether the sync did it."""
    clock: Callable[[], float] = time.time

    @property
    def present(self) -> list[Record]:
        """The records that are not deleted."""
        return [record for record in self.records.values() if not record.gone]

    def items(self, number: int, art: Art) -> tuple[EspoItem, ...]:
        """An array as a GET shows it: the primary first, the rest in order of entry."""
        record = self.records[number]
        primary = record.primary[art]
        keys = [key for key in record.links[art] if key == primary] + [k for k in record.links[art] if k != primary]
        found = [(key, self.shared[art, key]) for key in keys]
        return tuple(EspoItem(art, s.name, s.type, key == primary, s.opt_out, s.invalid) for key, s in found)

    def read(self, number: int, leave_out: int = 0) -> EspoRecord:
        """What a GET shows; `leave_out`: so many items are missing at the end of the longer array."""
        emails, phones = self.items(number, Art.EMAIL), self.items(number, Art.PHONE)
        if leave_out and len(emails) >= len(phones):
            emails = emails[:-leave_out]
        elif leave_out:
            phones = phones[:-leave_out]
        return EspoRecord(f"rec{number}", self.records[number].betnr, emails, phones, None, self.moment(number))

    def letters(self, number: int) -> set[str]:
        """The letters a record holds."""
        links = self.records[number].links
        return {LETTER_OF_KEY[key] for keys in links.values() for key in keys}

    def types(self, number: int) -> dict[str, str]:
        """The letters a record holds, each with its type."""
        return {letter_of(item.value): item.type for art in Art for item in self.items(number, art)}

    def moment(self, number: int) -> str:
        """`modifiedAt`: whole seconds of EspoCRM's own clock."""
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self.records[number].modified))

    def put(self, number: int, arrays: dict[Art, Sequence[EspoItem]], *, by_sync: bool) -> None:
        """One PUT: all is checked before anything is stored."""
        cleaned = {art: self._checked(art, items) for art, items in arrays.items()}
        # A type left out is the default one, but not the same as it: EspoCRM compares what was sent.
        sent = {art: [replace(c, type=i.type) for c, i in zip(cleaned[art], arrays[art], strict=True)] for art in arrays}
        if all(items == list(self.items(number, art)) for art, items in sent.items()):
            return
        for art, items in cleaned.items():
            self._store(self.records[number], art, items, by_sync=by_sync)
        self.records[number].modified = int(self.clock()) + self.skew
        self.on_change(number, by_sync)

    @staticmethod
    def _checked(art: Art, items: Sequence[EspoItem]) -> list[EspoItem]:
        cleaned = []
        for item in items:
            value: str | None = item.value
            if art is Art.EMAIL:
                if not _is_email(item.value):
                    raise _refused(art, "emailAddress")
            else:
                value = _number(item.value)
                if value is None or (item.type and not php.is_number_type(item.type)):
                    raise _refused(art, "valid")
            item_type = "" if art is Art.EMAIL else item.type or "Mobile"
            cleaned.append(replace(item, value=value or "", type=item_type))
        if len(items) > MOST_ITEMS:
            raise _refused(art, "maxCount")
        return cleaned

    def _store(self, record: Record, art: Art, items: list[EspoItem], *, by_sync: bool) -> None:
        if items and not any(item.primary for item in items):
            items = [replace(items[0], primary=True), *items[1:]]
        keyed = [(item.value.lower() if art is Art.EMAIL else item.value, item) for item in items]
        wanted = dict(keyed)
        before, old = record.links[art], record.primary[art]
        candidate = None
        for key, _ in keyed:
            if wanted[key].primary:
                candidate = None if key == old else key
        record.links[art] = [key for key in before if key in wanted] + [key for key in wanted if key not in before]
        record.primary[art] = candidate or (old if old in wanted else None)
        for key, item in wanted.items():
            looks = (item.value, item.type, item.opt_out, item.invalid)
            if (art, key) not in self.shared or not (by_sync and (art, key) in self.protected):
                self.shared[art, key] = Shared(*looks)


def _refused(art: Art, kind: str) -> Validation:
    return Validation(f"EspoCRM refused the {art.value} array.", system="EspoCRM", field=FIELD[art], kind=kind)


class SimEspoCrm(Side, EspoCrmService):
    """`EspoCrmService` on the world in memory."""

    system = "E"

    def __init__(self, hub: Hub, world: EspoWorld) -> None:
        Side.__init__(self, hub)
        self.world = world
        self.on_put: Callable[[int, dict[Art, Sequence[EspoItem]]], None] = lambda *_: None

    def get_record(self, espo_id: str) -> EspoRecord:
        """See `EspoCrmService.get_record`."""
        number = int(espo_id.removeprefix("rec"))

        def effect(order: str) -> EspoRecord:
            self._check(number)
            return self.world.read(number, 1 if order == "shortened" else 0)

        def held(record: EspoRecord) -> set[str]:
            return {letter_of(item.value) for item in record.emails + record.phones}

        return self.reading(Call("E", "get", record=number), effect, held)

    def put_arrays(
        self,
        espo_id: str,
        *,
        emails: Sequence[EspoItem] | None,
        phones: Sequence[EspoItem] | None,
        version: int | None = None,
    ) -> None:
        """See `EspoCrmService.put_arrays`."""
        number = int(espo_id.removeprefix("rec"))
        given = {Art.EMAIL: emails, Art.PHONE: phones}
        arrays = {art: items for art, items in given.items() if items is not None}
        letters = frozenset(letter_of(item.value) for items in arrays.values() for item in items)
        call = Call("E", "put", True, number, 0, letters, " ".join(sorted(letters)))
        self.on_put(number, arrays)

        def effect() -> None:
            self._check(number)
            self.world.put(number, arrays, by_sync=True)

        self.writing(call, effect)

    def find_holders(self, art: Art, values: Sequence[str], *, betnr: int | None) -> list[EspoListRow]:
        """See `EspoCrmService.find_holders`."""
        keys = {value.lower() if art is Art.EMAIL else value for value in values}

        def effect(_: str) -> list[EspoListRow]:
            found = (r for r in self.world.present if (r.betnr == betnr is not None) or keys & set(r.links[art]))
            return [self._row(record) for record in found]

        if self.hub.current is not None:
            self.hub.current.asked = min(self.hub.current.asked, self.hub.steps)
        return self.reading(Call("E", "holders"), effect)

    def find_by_betnr(self, betnrs: Sequence[int]) -> list[EspoListRow]:
        """See `EspoCrmService.find_by_betnr`."""
        wanted = set(betnrs)
        return self.reading(Call("E", "by betnr"), lambda _: [self._row(r) for r in self.world.present if r.betnr in wanted])

    def list_changed(self, since: str | None, *, offset: int, limit: int = 200) -> list[EspoListRow]:
        """See `EspoCrmService.list_changed`."""

        def effect(_: str) -> list[EspoListRow]:
            rows = [self._row(record) for record in self.world.present]
            rows = sorted((r for r in rows if since is None or r.modified_at >= since), key=lambda r: (r.modified_at, r.id))
            return rows[offset : offset + limit]

        return self.reading(Call("E", "changed"), effect)

    def newest_change(self) -> str | None:
        """See `EspoCrmService.newest_change`."""
        return self.reading(
            Call("E", "newest"), lambda _: max((self._row(r).modified_at for r in self.world.present), default=None)
        )

    def list_linked(self, *, after_id: str | None, limit: int) -> list[EspoListRow]:
        """See `EspoCrmService.list_linked`."""

        def effect(_: str) -> list[EspoListRow]:
            rows = sorted((self._row(r) for r in self.world.present if r.betnr is not None), key=lambda r: r.id)
            return [row for row in rows if after_id is None or row.id > after_id][:limit]

        return self.reading(Call("E", "linked"), effect)

    def _check(self, number: int) -> None:
        if number not in self.world.records or self.world.records[number].gone:
            raise NotFound("EspoCRM: no such record.", system="EspoCRM", status=404)

    def _row(self, record: Record) -> EspoListRow:
        return EspoListRow(f"rec{record.number}", record.betnr, self.world.moment(record.number))
