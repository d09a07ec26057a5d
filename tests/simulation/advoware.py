"""Advoware in memory (reference: advoware-api): kommKz 0 when read and fixed when made, no deletion, a new rowId a write."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from services.advoware_service import AdvowareService
from services.errors import Forbidden, NotFound, Validation
from services.kommunikation_types import Beteiligter, Kommunikation, KommunikationWrite
from tests.simulation.calls import Side
from tests.simulation.hub import Call
from tests.simulation.values import letter_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.hub import Hub

TOP_LEVEL = {
    1: "telgesch", 2: "faxgesch", 3: "mobil", 4: "emailgesch", 5: "internet", 6: "telprivat", 7: "faxprivat",
    8: "email", 9: "autotelefon", 10: "sonstige", 11: "epost", 12: "bea",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One entry as stored. `kz`: the true kind; `row`: its version."""

    id: int
    kz: int
    tlf: str
    bemerkung: str
    online: bool
    row: int = 0

    @property
    def letter(self) -> str:
        """The letter of its value, '' if blank."""
        return letter_of(self.tlf)


@dataclass
class AdvowareWorld:
    """All entries by betNr and id. `limit`: how long a remark may be, None without a limit; `cuts`: cut instead of 400."""

    people: dict[int, dict[int, Row]] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    """Beteiligte that answer 404."""
    next_id: int = 1000
    rows: int = 0
    limit: int | None = None
    cuts: bool = False
    on_write: Callable[[int, Row | None, Row], None] = lambda *_: None
    """Sees every write of the sync: betNr, the entry before (None: new) and after."""

    def put(self, betnr: int, row: Row) -> Row:
        """Store an entry under a new version."""
        self.rows += 1
        row = replace(row, row=self.rows)
        self.people[betnr][row.id] = row
        return row

    def add(self, betnr: int, kz: int, tlf: str, bemerkung: str, *, online: bool) -> Row:
        """Store a new entry."""
        self.next_id += 1
        return self.put(betnr, Row(self.next_id, kz, tlf, bemerkung, online))

    def fitted(self, bemerkung: str) -> str:
        """A remark as Advoware keeps it."""
        if self.limit is None or len(bemerkung) <= self.limit:
            return bemerkung
        if not self.cuts:
            raise Validation("Advoware: the remark is too long.", system="Advoware")
        return bemerkung[: self.limit]

    def read(self, betnr: int, leave_out: int = 0) -> Beteiligter:
        """What a GET shows; `leave_out`: so many entries are missing at the end of the list."""
        rows = [self.people[betnr][n] for n in sorted(self.people[betnr])]
        top: dict[str, str] = {}
        for row in rows:
            if row.tlf:
                top.setdefault(TOP_LEVEL[row.kz], row.tlf)
        shown = rows[: len(rows) - leave_out] if leave_out else rows
        entries = tuple(Kommunikation(r.id, f"R{r.row}", r.tlf, r.bemerkung, r.online) for r in shown)
        return Beteiligter(betnr, f"B{betnr}", entries, top)


class SimAdvoware(Side, AdvowareService):
    """`AdvowareService` on the world in memory."""

    system = "A"

    def __init__(self, hub: Hub, world: AdvowareWorld) -> None:
        Side.__init__(self, hub)
        self.world = world

    def get_beteiligter(self, betnr: int) -> Beteiligter:
        """See `AdvowareService.get_beteiligter`."""

        def effect(order: str) -> Beteiligter:
            if betnr not in self.world.people or betnr in self.world.gone:
                raise NotFound("Advoware: no such Beteiligter.", system="Advoware", status=404)
            return self.world.read(betnr, 1 if order == "shortened" else 0)

        return self.reading(
            Call("A", "get", record=betnr), effect, lambda b: {k.id: (k.tlf, k.bemerkung) for k in b.kommunikation}
        )

    def create_kommunikation(self, betnr: int, body: KommunikationWrite) -> Kommunikation | None:
        """See `AdvowareService.create_kommunikation`."""

        def effect() -> Kommunikation:
            self._check(betnr, None)
            text = self.world.fitted(body.bemerkung)
            row = self.world.add(betnr, int(body.komm_kz), body.tlf, text, online=body.online)
            self.world.on_write(betnr, None, row)
            return Kommunikation(row.id, f"R{row.row}", row.tlf, row.bemerkung, row.online)

        letters = frozenset({letter_of(body.tlf)} - {""})
        made = self.writing(Call("A", "post", True, betnr, 0, letters, letter_of(body.tlf)), effect)
        worker = self.hub.current
        if made is not None and worker is not None and (e := worker.seen.get(("E", betnr))) is not None and not e.dirty:
            # The answer names the new entry: it was there, whatever a person does with it before it is read.
            worker.proved.update((betnr, made.id, letter) for letter in letters if letter in e.held)
        return made

    def update_kommunikation(self, betnr: int, komm_id: int, body: KommunikationWrite) -> Kommunikation | None:
        """See `AdvowareService.update_kommunikation`: the kommKz is ignored."""

        def effect() -> Kommunikation:
            self._check(betnr, komm_id)
            old = self.world.people[betnr][komm_id]
            text = self.world.fitted(body.bemerkung)
            row = self.world.put(betnr, replace(old, tlf=body.tlf, bemerkung=text, online=body.online))
            self.world.on_write(betnr, old, row)
            return Kommunikation(row.id, f"R{row.row}", row.tlf, row.bemerkung, row.online)

        letters = frozenset({letter_of(body.tlf)} - {""})
        what = f"entry {komm_id} {letter_of(body.tlf) or 'blank'}"
        return self.writing(Call("A", "put", True, betnr, komm_id, letters, what), effect)

    def delete_kommunikation(self, betnr: int, komm_id: int) -> None:
        """See `AdvowareService.delete_kommunikation`: always refused."""
        raise Forbidden("Advoware: no deletion.", system="Advoware", status=403)

    def _check(self, betnr: int, komm_id: int | None) -> None:
        if betnr in self.world.gone:
            raise NotFound("Advoware: no such Beteiligter.", system="Advoware", status=404)
        if betnr not in self.world.people or (komm_id is not None and komm_id not in self.world.people[betnr]):
            raise NotFound("Advoware: no such entry.", system="Advoware", status=404)
