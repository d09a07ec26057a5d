"""Both sides of a pair of records as a run sees them: read, read again, planned for. Every kind of run begins with it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from services.errors import (
    Bug,
    NotFound,
    RecordProblem,
    SyncError,
)
from services.kommunikation_base import (
    advoware_text,
    current_refusals,
    espocrm_text,
    items_by_key,
)
from services.kommunikation_entry import BaseView
from services.kommunikation_interrupted import agreed_before, without_undecided
from services.kommunikation_mapper import canonical_key
from services.kommunikation_plan import Answers, Plan, Rules, make_plan
from services.kommunikation_report import describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.advoware_service import AdvowareService
    from services.espocrm import EspoCrmService
    from services.kommunikation_report import Report
    from services.kommunikation_rest import Reading
    from services.kommunikation_types import Art, Base, BaseEntry, Beteiligter, EspoItem, EspoRecord, MarkerForm, OpenWrite
    from services.scope import Scope
    from services.state import Lease, StateStore
    from services.state_types import Rest


@dataclass(slots=True)
class Memory:
    """What a manager without a store remembers of a Beteiligter as long as it lives; with one, the base holds it."""

    forms: dict[int, MarkerForm] = field(default_factory=dict)
    withheld: frozenset[str] = field(repr=False, default=frozenset())


class Sides:
    """Both sides under a lease, what is known of their base, and the plan that follows.

    `report.betnr` 0: the record's own betnr counts. Raises typed errors for what concerns the whole pair.
    """

    def __init__(
        self,
        advoware: AdvowareService,
        espocrm: EspoCrmService,
        state: StateStore,
        rules: Rules,
        report: Report,
        *,
        memory: dict[int, Memory],
        now: Callable[[], float],
        scope: Scope,
        expected: str = "",
        reading: Reading | None = None,
    ) -> None:
        """`expected`: fingerprint of the plan that was looked at; only that one is carried out.

        `reading`: both sides as they were read right before the lease was taken.
        """
        self._advoware, self._espocrm, self._state = advoware, espocrm, state
        self._rules, self._report, self._memories = rules, report, memory
        self._espo_id, self._betnr = report.espo_id, report.betnr
        self._now, self._scope, self._expected = now, scope, expected
        self._reading = reading
        self._known: Base | None = None
        self._holders: dict[str, EspoItem | None] = {}
        self._asked_betnr = False
        self._new_forms: dict[int, MarkerForm] = {}
        self._lease: Lease | None = None
        self._failure: SyncError | None = None
        self._announced = False
        self._open: tuple[OpenWrite, ...] = ()
        self._adopting: dict[int, BaseEntry] = {}
        self._note: Base | None = None
        self.repairs = False
        self.base: Base | None = None
        """What both sides agree on after the run; the caller stores it. None: as known before."""
        self.rest: Rest | None = None
        """After a look that found nothing to do and changed nothing: what to know the record by, if that was all."""

    @property
    def live(self) -> bool:
        """Whether this record may be written (shadow mode, pilot list)."""
        return self._scope.allows(self._espo_id, self._betnr)

    @property
    def base_known(self) -> bool:
        """Whether the store knows the record."""
        return self._known is not None

    def fingerprint(self, plan: Plan) -> str:
        """A digest of both sides and of what is to be done: the same again only if nothing has changed."""
        sides = [advoware_text(self._person), espocrm_text(self._record)]
        told = json.dumps([describe(operation) for operation in plan.operations], sort_keys=True)
        return hashlib.sha256("\n".join([*sides, told]).encode()).hexdigest()

    def _begin(self) -> None:
        base = self._state.load(self._espo_id, self._lease)
        reading = self._still_true(self._reading)
        self._record = self._read_espocrm() if reading is None else reading.record
        self._betnr = self._report.betnr = self._record.betnr or self._betnr
        if base is not None and base.betnr != self._betnr:
            base = None  # linked anew: what is known belongs to another pair
        self._refused = current_refusals(base, self._now())
        self._asked_betnr = base is not None
        linked = self._state.register_link(self._espo_id, self._betnr, self._lease)
        if len(linked) > 1:
            self._ask_betnr()
            self._state.register_links((other, None) for other in linked if other != self._espo_id)
        self._person = self._read_advoware() if reading is None else reading.person
        self._known = base = without_undecided(base, self._person)
        self._open = base.open_writes if base is not None else ()
        self._memory = self._memories.setdefault(self._betnr, Memory())
        withheld = frozenset(base.withheld) if base is not None else self._memory.withheld
        view = BaseView(self._state.keeps_base, base, forms=self._memory.forms, withheld=withheld)
        self._view = replace(view, agreed=agreed_before(view, self._person, self._record))

    def _still_true(self, reading: Reading | None) -> Reading | None:
        """The reading, if it is as good as one under the lease.

        A worker saves a base before it writes, and that ends the record's rest. So where the rest is what it was before
        the reading, no worker has written since: only people can have, as they can at any time after a reading.
        """
        if reading is None or self._lease is None or self._lease.rest != reading.rest:
            return None
        return reading

    def _plan(self) -> Plan:
        plan = self._make_plan()
        while plan.questions:
            for art, pairs in plan.questions.items():
                self._ask_holders(art, pairs)
            plan = self._make_plan()
        return plan

    def _make_plan(self) -> Plan:
        refused = [(name[:2], name[2:]) for name in self._refused]
        answers = Answers(
            self._holders,
            refused=frozenset(key for system, key in refused if system == "e:"),
            refused_by_advoware=frozenset(key for system, key in refused if system == "a:"),
        )
        return make_plan(self._person, self._record, self._known_view(), self._rules, answers)

    def _known_view(self) -> BaseView:
        """What is known of the base by now: also of entries that were about to be adopted when a person changed them."""
        now = {raw.id: canonical_key(raw.tlf or "") for raw in self._person.kommunikation}
        left = {
            entry_id: base.value
            for entry_id, base in self._adopting.items()
            if now.get(entry_id) != canonical_key(base.value)
        }
        return replace(self._view, agreed={**left, **self._view.agreed})

    # ------------------------------------------------------------------------------------------------------- reading

    def _read_espocrm(self) -> EspoRecord:
        try:
            record = self._espocrm.get_record(self._espo_id)
        except NotFound as error:
            raise RecordProblem(f"EspoCRM has no record {self._espo_id}.", cause="missing in EspoCRM") from error
        if record.betnr is None:
            raise RecordProblem(f"Record {self._espo_id} has no betnr.", cause="no betnr")
        if self._betnr and record.betnr != self._betnr:
            text = f"Record {self._espo_id} is linked to Beteiligter {record.betnr}, not to {self._betnr}."
            raise RecordProblem(text, cause="linked to another Beteiligter")
        return record

    def _read_advoware(self) -> Beteiligter:
        try:
            return self._advoware.get_beteiligter(self._betnr)
        except NotFound as error:
            raise RecordProblem(f"Advoware has no Beteiligter {self._betnr}.", cause="missing in Advoware") from error

    def _moved(self, *, espocrm: bool, advoware: bool) -> bool:
        """Reads the sides again and takes over what they show now. True if one moved since it was read last."""
        moved = False
        if espocrm:
            record = self._read_espocrm()
            moved |= (record.emails, record.phones) != (self._record.emails, self._record.phones)
            # A list may come shortened just when it should have shown an edit: the time of the edit still tells.
            moved |= record.modified_at != self._record.modified_at
            self._record = record
        if advoware:
            person = self._read_advoware()
            moved |= sorted(person.kommunikation, key=lambda k: k.id) != sorted(
                self._person.kommunikation, key=lambda k: k.id
            )
            self._person = person
        return moved

    def _ask_betnr(self) -> None:
        """Two CBeteiligte with one betnr: no value is touched."""
        self._check_unique([row.id for row in self._espocrm.find_by_betnr([self._betnr])])

    def _check_unique(self, ids: list[str]) -> None:
        others = sorted(set(ids) - {self._espo_id})
        if others:
            text = f"Beteiligter {self._betnr} is linked to {self._espo_id} and to {', '.join(others)}."
            raise RecordProblem(text, cause="betnr linked twice")
        self._asked_betnr = True

    def _ask_holders(self, art: Art, pairs: tuple[tuple[str, str], ...]) -> None:
        """Which other records hold these values? One list query, and one reading of a record for each value found."""
        rows = self._espocrm.find_holders(art, [value for _, value in pairs], betnr=self._betnr)
        self._check_unique([row.id for row in rows if row.betnr == self._betnr])
        self._read_holders([row.id for row in rows if row.id != self._espo_id], {key for key, _ in pairs})
        for key, _ in pairs:
            self._holders.setdefault(key, None)

    def _read_holders(self, ids: list[str], open_keys: set[str]) -> None:
        for espo_id in ids:
            if not open_keys:
                return
            try:
                items = items_by_key(self._espocrm.get_record(espo_id))
            except NotFound:
                continue  # deleted between the list and now
            found = open_keys & set(items)
            self._holders |= {key: items[key] for key in found}
            open_keys -= found

    # ------------------------------------------------------------------------------------------------------- writing

    def _held(self) -> Lease:
        if self._lease is None:
            raise RuntimeError("a dry run writes nothing")
        return self._lease

    def _writing(self) -> Lease:
        """The lease, asked for by whatever writes to a system: the last gate of shadow mode and pilot list."""
        if not self.live:
            raise Bug(f"Record {self._espo_id} is not to be written.")
        return self._held()
