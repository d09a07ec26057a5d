"""The simulation's systems against the sandbox over HTTP: the same drawn requests and edits, the same answers and end.

The simulation proves nothing if its Advoware or EspoCRM behaves otherwise than the real one. The sandbox is checked
against recorded exchanges (`tests/contract`) and the vendor's facts; here the two in memory are checked against the sandbox
in everything the sync relies on. Names differ: ids and rowIds are compared by the order in which they appear.
"""

from __future__ import annotations

import itertools
import random
import time
from abc import ABC, abstractmethod
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from services.advoware_service import AdvowareService
from services.config import AdvowareSettings, EspoCrmSettings
from services.errors import Forbidden, SyncError
from services.espocrm import EspoCrmService
from services.espocrm_wire import email_item, phone_item
from services.kommunikation_types import Art, EspoItem, KommunikationWrite
from tests.simulation.advoware import TOP_LEVEL, AdvowareWorld, SimAdvoware
from tests.simulation.espocrm import EspoWorld, Record, SimEspoCrm
from tests.simulation.hub import Hub
from tests.support.sandbox import Sandbox, entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from services.kommunikation_types import Beteiligter, EspoRecord, Kommunikation

STEPS = 80
SEEDS = range(6)
NOBODY = 99_999_999
"""A betNr and an entry id that do not exist."""


@pytest.fixture(scope="module")
def systems() -> Iterator[Sandbox]:
    """A sandbox of its own: webhooks are registered and records protected in it."""
    with Sandbox() as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(systems: Sandbox) -> None:
    systems.fresh()


def outcome(call: Callable[[], Any]) -> Any:
    """What a caller learns: the answer, or the error by what decides about the next step."""
    try:
        return call()
    except SyncError as error:
        told = (getattr(error, name, None) for name in ("system", "status", "field", "kind", "maybe_done"))
        return type(error).__name__, *told


@dataclass
class Names:
    """Ids or versions by order of appearance, so that two systems' own names can be compared."""

    seen: dict[Any, int] = field(default_factory=dict)

    def __call__(self, name: Any) -> int:
        """The number of a name, a new one for a name not seen before."""
        return self.seen.setdefault(name, len(self.seen))

    def of(self, number: int) -> Any:
        """The name with this number; one that does not exist where there is none."""
        return next((name for name, at in self.seen.items() if at == number), NOBODY)


# ------------------------------------------------------------------------------------------------------------ Advoware

VALUES = ("0511 123456", "+49 171 3920001", "a@example.com", "", " ", "Büro")
REMARKS = ("", "nur vormittags", "[ESPOCRM:YUBleGFtcGxlLmNvbQ==:4] Büro", "[ESPOCRM-SLOT:1]", "x" * 41)
SHORT = REMARKS[:2]
"""Remarks that every limit leaves alone: people's own windows have limits, too, that are no business of the sync."""


class Advoware(ABC):
    """One of the two, with what people do in it. `entries`, `rows`: this system's ids and versions."""

    def __init__(self, service: AdvowareService, betnr: int) -> None:
        self.service, self.betnr = service, betnr
        self.entries, self.rows = Names(), Names()

    def get(self, betnr: int | None = None) -> Any:
        """A GET as it can be compared."""

        def shown() -> Any:
            person: Beteiligter = self.service.get_beteiligter(betnr or self.betnr)
            members = {name: person.top_level.get(name) for name in TOP_LEVEL.values()}
            return [self._shown(one) for one in person.kommunikation], members

        return outcome(shown)

    def post(self, body: KommunikationWrite, betnr: int | None = None) -> Any:
        """A POST and its answer."""
        return outcome(lambda: self._shown(self.service.create_kommunikation(betnr or self.betnr, body)))

    def put(self, number: int, body: KommunikationWrite) -> Any:
        """A PUT of the entry with this number and its answer."""
        return outcome(lambda: self._shown(self.service.update_kommunikation(self.betnr, self.entries.of(number), body)))

    def delete(self, number: int) -> Any:
        """A DELETE by the sync."""
        return outcome(lambda: self.service.delete_kommunikation(self.betnr, self.entries.of(number)))

    def _shown(self, one: Kommunikation | None) -> Any:
        assert one is not None
        return self.entries(one.id), self.rows(one.row_id), one.tlf, one.bemerkung, one.online, one.komm_kz

    @abstractmethod
    def edit(self, name: str, number: int, tlf: str, remark: str, kz: int) -> None:
        """A person's edit."""

    @abstractmethod
    def kinds(self) -> list[int]:
        """The true kinds of the entries, in order."""


class RealAdvoware(Advoware):
    """The sandbox."""

    def __init__(self, sandbox: Sandbox, service: AdvowareService) -> None:
        self.people = sandbox.advoware
        super().__init__(service, self.people.create())

    def edit(self, name: str, number: int, tlf: str, remark: str, kz: int) -> None:
        """See `Advoware.edit`."""
        people, betnr, known = self.people, self.betnr, self.entries.of(number)
        match name:
            case "add":
                people.add(betnr, entry(tlf, kz, remark))
            case "change":
                people.change(betnr, known, tlf=tlf)
            case "text":
                people.change(betnr, known, bemerkung=remark)
            case "clear":
                people.clear(betnr, known)
            case "copy":
                people.duplicate(betnr, known)
            case "delete":
                people.delete(betnr, known)

    def kinds(self) -> list[int]:
        """See `Advoware.kinds`."""
        return [one["kommKz"] for one in self.people.entries(self.betnr)]


class FakeAdvoware(Advoware):
    """The simulation's."""

    def __init__(self, world: AdvowareWorld) -> None:
        self.world = world
        world.people[1] = {}
        super().__init__(SimAdvoware(Hub(0), world), 1)

    def edit(self, name: str, number: int, tlf: str, remark: str, kz: int) -> None:
        """See `Advoware.edit`: as `People` does it."""
        rows, known = self.world.people[1], self.entries.of(number)
        match name:
            case "add":
                self.world.add(1, kz, tlf, remark, online=False)
            case "change":
                self.world.put(1, replace(rows[known], tlf=tlf))
            case "text":
                self.world.put(1, replace(rows[known], bemerkung=remark))
            case "clear":
                self.world.put(1, replace(rows[known], tlf=""))
            case "copy":
                self.world.add(1, rows[known].kz, rows[known].tlf, rows[known].bemerkung, online=rows[known].online)
            case "delete":
                del rows[known]

    def kinds(self) -> list[int]:
        """See `Advoware.kinds`."""
        return [row.kz for _, row in sorted(self.world.people[1].items())]


@pytest.fixture(scope="module")
def advoware(systems: Sandbox) -> Iterator[AdvowareService]:
    with closing(AdvowareService(AdvowareSettings.from_environment(systems.environ))) as made:
        yield made


def _advoware_step(r: random.Random, alive: list[int]) -> Callable[[Advoware], Any]:
    """One request or edit for both; `alive`: numbers of the entries there are."""
    number = r.choice([*alive, NOBODY]) if alive else NOBODY
    body = KommunikationWrite(r.choice(VALUES), r.choice(REMARKS), r.randint(1, 12), online=r.random() < 0.5)
    tlf, remark, kz = r.choice(VALUES), r.choice(SHORT), r.randint(1, 12)
    edit = r.choice(("add", "change", "text", "clear", "copy", "delete"))
    edited = r.choice(alive) if alive else 0
    if not alive:
        edit = "add"
    steps: list[tuple[int, Callable[[Advoware], Any]]] = [
        (5, lambda side: side.post(body)),
        (1, lambda side: side.post(body, NOBODY)),
        (8, lambda side: side.put(number, body)),
        (2, lambda side: (side.put(number, body), side.put(number, body))),
        (1, lambda side: side.delete(number)),
        (1, lambda side: side.get(NOBODY)),
        (8, lambda side: side.edit(edit, edited, tlf, remark, kz)),
    ]
    return r.choices([step for _, step in steps], [weight for weight, _ in steps])[0]


@pytest.mark.parametrize("limit", [None, "40:reject400", "40:truncate"])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_advoware_of_the_simulation_answers_as_the_sandbox_does(
    systems: Sandbox, advoware: AdvowareService, seed: int, limit: str | None
) -> None:
    if limit:
        systems.advoware.switch(bemerkungMax=limit)
    real = RealAdvoware(systems, advoware)
    fake = FakeAdvoware(AdvowareWorld(limit=40 if limit else None, cuts=limit == "40:truncate"))
    r = random.Random(f"{seed} {limit}")  # noqa: S311 - the same requests every time
    for n in range(STEPS):
        alive = [real.entries(one.id) for one in advoware.get_beteiligter(real.betnr).kommunikation]
        step = _advoware_step(r, alive)
        assert step(fake) == step(real), f"step {n}"
        assert fake.get() == real.get(), f"after step {n}"
    assert fake.kinds() == real.kinds()


def test_neither_advoware_lets_the_sync_delete(systems: Sandbox, advoware: AdvowareService) -> None:
    for side in (RealAdvoware(systems, advoware), FakeAdvoware(AdvowareWorld())):
        side.edit("add", 0, VALUES[0], "", 1)
        side.get()
        with pytest.raises(Forbidden):
            side.service.delete_kommunikation(side.betnr, side.entries.of(0))
        assert len(side.kinds()) == 1


# ------------------------------------------------------------------------------------------------------------- EspoCRM

TYPES = ("Office", "Fax", "Mobile", "Home", "Other", "")
_blocks = itertools.count(10)


@dataclass(frozen=True)
class Values:
    """Values of one test; EspoCRM shares them between records, and the sandbox keeps them from test to test."""

    block: int

    def numbers(self) -> list[str]:
        """Numbers EspoCRM takes."""
        return [f"+4951112{self.block:03d}{n}" for n in range(12)]

    def addresses(self) -> list[str]:
        """Addresses EspoCRM takes, some in two spellings."""
        names = [f"person{n}.{self.block}@example.com" for n in range(12)]
        return [*names, *(name.title() for name in names[:4])]

    def refused(self, art: Art) -> list[str]:
        """What EspoCRM refuses."""
        return ["0511 123456", "Büro", "+49"] if art is Art.PHONE else ["jürgen@example.com", " a@example.com", "a@b", "x"]


class Espo(ABC):
    """One of the two EspoCRMs. `ids`: of the records, ascending; `betnrs` likewise."""

    def __init__(self, service: EspoCrmService, ids: list[str], betnrs: list[int]) -> None:
        self.service, self.ids, self.betnrs = service, ids, betnrs

    def get(self, number: int) -> Any:
        """The arrays of a record."""

        def shown() -> Any:
            record: EspoRecord = self.service.get_record(self._id(number))
            return record.emails, record.phones, record.version, self._place(record.betnr)

        return outcome(shown)

    def put(self, number: int, emails: Sequence[EspoItem] | None, phones: Sequence[EspoItem] | None) -> Any:
        """A PUT of the sync."""
        return outcome(lambda: self.service.put_arrays(self._id(number), emails=emails, phones=phones))

    @abstractmethod
    def save(self, number: int, arrays: dict[Art, Sequence[EspoItem]]) -> None:
        """A member of staff saves these arrays."""

    @abstractmethod
    def delete(self, number: int) -> None:
        """A member of staff deletes the record."""

    @abstractmethod
    def link(self, number: int, other: int | None) -> None:
        """A member of staff gives the record the betNr of another, or none."""

    @abstractmethod
    def changes(self) -> list[int]:
        """Records that changed, in order, as EspoCRM notes them for its webhooks."""

    def holders(self, art: Art, values: list[str], number: int | None) -> Any:
        """Numbers of the records that hold one of these values, or have this betNr."""
        betnr = None if number is None else self.betnrs[number]
        return self._rows(lambda: self.service.find_holders(art, values, betnr=betnr))

    def by_betnr(self, numbers: list[int]) -> Any:
        """Numbers of the records with these betNr."""
        return self._rows(lambda: self.service.find_by_betnr([self.betnrs[n] for n in numbers]))

    def linked(self, after: int | None, limit: int) -> Any:
        """A page of the walk through all records, from the first one of this test on."""
        start = self.ids[after] if after is not None else None
        return self._rows(lambda: self.service.list_linked(after_id=start, limit=limit))

    def changed(self, since: str | None, offset: int, limit: int) -> Any:
        """A page of what changed, oldest first."""
        return self._rows(lambda: self.service.list_changed(since, offset=offset, limit=limit))

    def moment(self, number: int) -> str:
        """When a record was changed last, by the system's own clock."""
        return self.service.get_record(self.ids[number]).modified_at

    def _rows(self, call: Callable[[], Any]) -> Any:
        ours = dict(zip(self.ids, itertools.count(), strict=False))
        return outcome(lambda: [(ours[row.id], self._place(row.betnr)) for row in call() if row.id in ours])

    def _place(self, betnr: int | None) -> int | None:
        return None if betnr is None else self.betnrs.index(betnr)

    def _id(self, number: int) -> str:
        return self.ids[number] if number < len(self.ids) else "rec99"


class RealEspo(Espo):
    """The sandbox."""

    def __init__(self, sandbox: Sandbox, service: EspoCrmService, records: int) -> None:
        self.people = sandbox.espocrm
        ids = sorted(self.people.create() for _ in range(records))
        betnrs = [70_000 + next(_blocks) for _ in ids]
        for espo_id, betnr in zip(ids, betnrs, strict=True):
            self.people.put(espo_id, betnr=betnr)
        super().__init__(service, ids, betnrs)

    def save(self, number: int, arrays: dict[Art, Sequence[EspoItem]]) -> None:
        """See `Espo.save`."""
        body: dict[str, Any] = {}
        if Art.EMAIL in arrays:
            body["emailAddressData"] = [email_item(item) for item in arrays[Art.EMAIL]]
        if Art.PHONE in arrays:
            body["phoneNumberData"] = [phone_item(item) for item in arrays[Art.PHONE]]
        self.people.put(self.ids[number], **body)

    def delete(self, number: int) -> None:
        """See `Espo.delete`."""
        self.people.delete(self.ids[number])

    def link(self, number: int, other: int | None) -> None:
        """See `Espo.link`."""
        self.people.put(self.ids[number], betnr=None if other is None else self.betnrs[other])

    def changes(self) -> list[int]:
        """See `Espo.changes`."""
        events = self.people.control("GET", "/_sandbox/webhook-queue").json()["events"]
        return [self.ids.index(one["target_id"]) for one in events if one["target_id"] in self.ids]


class FakeEspo(Espo):
    """The simulation's. Its records are numbered from 1."""

    def __init__(self, records: int) -> None:
        self.hub = Hub(0)
        self.world = EspoWorld({n: Record(n, n) for n in range(1, records + 1)}, clock=self.hub.now)
        self.noted: list[int] = []
        self.world.on_change = lambda number, _: self.noted.append(number - 1)
        numbers = list(range(1, records + 1))
        super().__init__(SimEspoCrm(self.hub, self.world), [f"rec{n}" for n in numbers], numbers)

    def save(self, number: int, arrays: dict[Art, Sequence[EspoItem]]) -> None:
        """See `Espo.save`."""
        self.world.put(number + 1, dict(arrays), by_sync=False)

    def delete(self, number: int) -> None:
        """See `Espo.delete`."""
        self.world.records[number + 1].gone = True

    def link(self, number: int, other: int | None) -> None:
        """See `Espo.link`."""
        self.world.records[number + 1].betnr = None if other is None else self.betnrs[other]

    def changes(self) -> list[int]:
        """See `Espo.changes`."""
        return self.noted


@pytest.fixture(scope="module")
def espocrm(systems: Sandbox) -> Iterator[EspoCrmService]:
    """The client, with a webhook: EspoCRM notes changes only where somebody wants to hear of them."""
    with closing(EspoCrmService(EspoCrmSettings.from_environment(systems.environ))) as made:
        made.create_webhook("CBeteiligte.update", "http://127.0.0.1:9/", skip_own=False)
        yield made


def _array(r: random.Random, art: Art, values: Values, before: Sequence[EspoItem]) -> list[EspoItem]:
    """An array somebody may send: from what is there, or new, in any order, with one primary or none."""
    items = [item for item in before if r.random() < 0.8]
    pool = values.numbers() if art is Art.PHONE else values.addresses()
    if r.random() < 0.1:
        pool = [*pool, *values.refused(art)] * 2
    new = r.sample(pool, 11 if r.random() < 0.05 else r.randint(0, 2))
    items += [EspoItem(art, value, r.choice(TYPES) if art is Art.PHONE else "") for value in new]
    once = {item.value.lower(): item for item in items}
    items = [_retouched(r, item) for item in once.values()]
    if r.random() < 0.3:
        r.shuffle(items)
    primary = r.randrange(len(items)) if items and r.random() < 0.4 else None
    return items if primary is None else [replace(item, primary=n == primary) for n, item in enumerate(items)]


def _retouched(r: random.Random, item: EspoItem) -> EspoItem:
    """An item, at times with another type, flag or spelling."""
    chance = r.random()
    if chance < 0.1:
        return replace(item, opt_out=not item.opt_out)
    if chance < 0.15:
        return replace(item, invalid=not item.invalid)
    if chance < 0.25 and item.art is Art.PHONE:
        return replace(item, type=r.choice((*TYPES, "Pager")) if chance < 0.17 else r.choice(TYPES))
    if chance < 0.25:
        return replace(item, value=item.value.swapcase())
    return item


def _espo_step(r: random.Random, fake: FakeEspo, values: Values) -> Callable[[Espo], Any]:
    """One request or edit for both."""
    number = r.randrange(len(fake.ids))
    there = {art: fake.world.items(number + 1, art) for art in Art}
    arrays = {art: _array(r, art, values, there[art]) for art in Art if r.random() < 0.7}
    single = sum(item.primary for items in arrays.values() for item in items)
    chance = r.random()
    if chance < 0.55:
        if not arrays:
            arrays = {Art.PHONE: list(there[Art.PHONE])}
        # The sync sends one primary, always.
        if single < sum(1 for items in arrays.values() if items):
            arrays = {art: _one_primary(items) for art, items in arrays.items()}
        target = number if r.random() < 0.95 else len(fake.ids)
        return lambda side: side.put(target, arrays.get(Art.EMAIL), arrays.get(Art.PHONE))
    if chance < 0.8:
        return lambda side: outcome(lambda: _saved(side, number, arrays))
    if chance < 0.9:
        art = r.choice(list(Art))
        asked = r.sample(values.numbers() if art is Art.PHONE else values.addresses(), 3)
        also = r.choice((None, number))
        return lambda side: side.holders(art, asked, also)
    numbers = r.sample(range(len(fake.ids)), 2)
    return lambda side: side.by_betnr(numbers)


def _saved(side: Espo, number: int, arrays: dict[Art, Sequence[EspoItem]] | dict[Art, list[EspoItem]]) -> str:
    """A member of staff saves; what is refused there is shown to him, and stored nowhere."""
    try:
        side.save(number, dict(arrays))
    except (AssertionError, SyncError):
        return "refused"
    return "saved"


def _one_primary(items: list[EspoItem]) -> list[EspoItem]:
    at = next((n for n, item in enumerate(items) if item.primary), 0)
    return [replace(item, primary=n == at) for n, item in enumerate(items)]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_espocrm_of_the_simulation_answers_as_the_sandbox_does(
    systems: Sandbox, espocrm: EspoCrmService, seed: int
) -> None:
    real, fake, values = RealEspo(systems, espocrm, 3), FakeEspo(3), Values(100 + seed)
    known = len(real.changes())
    r = random.Random(seed)  # noqa: S311 - the same requests every time
    for n in range(STEPS):
        step = _espo_step(r, fake, values)
        assert step(fake) == step(real), f"step {n}"
        for number in range(4):
            assert fake.get(number) == real.get(number), f"record {number} after step {n}"
        assert fake.changes() == real.changes()[known:], f"changes after step {n}"


def test_what_the_sync_may_not_edit_keeps_its_type_and_flags_in_both(systems: Sandbox, espocrm: EspoCrmService) -> None:
    real, fake, values = RealEspo(systems, espocrm, 2), FakeEspo(2), Values(200)
    number, address = values.numbers()[0], values.addresses()[0]
    phones = [EspoItem(Art.PHONE, number, "Home", primary=True, opt_out=True)]
    emails = [EspoItem(Art.EMAIL, address, primary=True, invalid=True)]
    for side in (real, fake):
        side.save(0, {Art.PHONE: phones, Art.EMAIL: emails})
    systems.espocrm.protect(real.ids[0])
    fake.world.protected = {(Art.PHONE, number), (Art.EMAIL, address)}
    other = [replace(phones[0], type="Office", opt_out=False)], [replace(emails[0], value=address.title(), invalid=False)]
    for side in (real, fake):
        assert side.put(1, other[1], other[0]) is None
        assert side.get(1) == ((emails[0],), (phones[0],), None, 1)
        assert side.get(0) == ((emails[0],), (phones[0],), None, 0)
    assert fake.get(1) == real.get(1)


def test_who_is_deleted_or_unlinked_is_listed_accordingly_in_both(systems: Sandbox, espocrm: EspoCrmService) -> None:
    real, fake, values = RealEspo(systems, espocrm, 4), FakeEspo(4), Values(202)
    shared = values.numbers()[0]
    for side in (real, fake):
        for n in range(4):
            side.save(n, {Art.PHONE: [EspoItem(Art.PHONE, shared, "Home", primary=True)]})
        side.delete(0)
        side.link(1, None)
        side.link(2, 3)
        assert side.get(1)[3] is None
        assert side.holders(Art.PHONE, [shared], 0) == [(1, None), (2, 3), (3, 3)]
        assert side.by_betnr([0, 1, 2, 3]) == [(2, 3), (3, 3)]
        assert side.linked(None, 200) == [(2, 3), (3, 3)]
    assert fake.get(0) == real.get(0)
    assert fake.put(0, [], None) == real.put(0, [], None)


def test_lists_go_by_the_moment_of_change_and_by_id_in_both(systems: Sandbox, espocrm: EspoCrmService) -> None:
    real, fake, values = RealEspo(systems, espocrm, 4), FakeEspo(4), Values(201)
    numbers = values.numbers()
    for side in (real, fake):
        for n in range(4):
            side.save(n, {Art.PHONE: [EspoItem(Art.PHONE, numbers[n], "Home", primary=True)]})
    # `modifiedAt` has whole seconds. A number of record 1 gets another type through record 2, which moves only record 2.
    for n, value in ((2, numbers[1]), (0, numbers[4]), (3, numbers[5])):
        time.sleep(1.1)
        fake.hub.clock += 1
        for side in (real, fake):
            assert side.put(n, None, [EspoItem(Art.PHONE, value, "Fax", primary=True)]) is None
    for side in (real, fake):
        moments = [side.moment(n) for n in range(4)]
        assert sorted(moments) == [moments[n] for n in (1, 2, 0, 3)]
        assert len(set(moments)) == 4
        assert side.service.newest_change() == moments[3]
        assert [n for n, _ in side.changed(moments[2], 0, 200)] == [2, 0, 3]
        assert [n for n, _ in side.changed(moments[0], 0, 200)] == [0, 3]
        assert [n for n, _ in side.changed(moments[0], 1, 1)] == [3]
        assert [n for n, _ in side.linked(0, 200)] == [1, 2, 3]
        assert [n for n, _ in side.linked(None, 200)] == [0, 1, 2, 3]
