"""One run over one pair of records: read, plan, read again, write, read back, remember.

The order is chosen for crashes. Whatever happens after any call, the next run must end in the same state:

* EspoCRM is written first. Its PUT is proved by reading back, and only then do markers in Advoware follow (a marker is
  base, and the base follows what was proved). Crash in between: the next run finds both sides equal (rows 5, 9, 14).
* Advoware is read again right before its first write, so that no value a person typed meanwhile is written over.
* Writes are announced in the base store before the first one, for what a marker alone could not tell afterwards.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from services.errors import (
    BadAnswer,
    Bug,
    Conflict,
    NotFound,
    PlanOutdated,
    RecordProblem,
    RetryLater,
    ServerError,
    SyncError,
    Unreachable,
    Validation,
)
from services.kommunikation_base import (
    advoware_text,
    base_after,
    current_refusals,
    espocrm_text,
    fresh_base,
    given_up,
    items_by_key,
    to_fill,
    types_to_come,
)
from services.kommunikation_entry import BaseView
from services.kommunikation_interrupted import agreed_already, agreed_before, spoilt, to_adopt, without_undecided
from services.kommunikation_mapper import canonical_key
from services.kommunikation_ops import AddItem, CreateEntry, EmptyEntry, RemoveItem, ReplaceItem, SetMarker, WriteEntry
from services.kommunikation_plan import Answers, Plan, Rules, make_plan
from services.kommunikation_report import describe
from services.kommunikation_rest import rest_text
from services.kommunikation_types import Art, Base, EspoItem, KommunikationWrite, MarkerForm
from services.kommunikation_writer import (
    AdvowareOperation,
    AdvowareWriter,
    Verdict,
    Written,
    announced,
    shorter_bodies,
)
from services.state_types import Rest

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.advoware_service import AdvowareService
    from services.espocrm import EspoCrmService
    from services.kommunikation_report import Report
    from services.kommunikation_rest import Reading
    from services.kommunikation_types import BaseEntry, Beteiligter, EspoRecord, Kommunikation, OpenWrite
    from services.scope import Scope
    from services.state import Lease, StateStore

MAX_ROUNDS = 6
"""Readings that moved before the run gives up for now: somebody is editing."""


@dataclass(slots=True)
class Memory:
    """What a manager without a store remembers of a Beteiligter as long as it lives; with one, the base holds it."""

    forms: dict[int, MarkerForm] = field(default_factory=dict)
    withheld: frozenset[str] = field(repr=False, default=frozenset())


class Run:
    """One run. Raises typed errors for what concerns the whole pair; errors of single values go into the report.

    `report.betnr` 0: the record's own betnr counts.
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

    # ------------------------------------------------------------------------------------------------------- outline

    def dry(self) -> Plan:
        """Only looks. Nothing is written on either side or remembered."""
        self._begin()
        plan = self._plan()
        self._report.planned(plan)
        self._report.fingerprint = self.fingerprint(plan)
        return plan

    @property
    def live(self) -> bool:
        """Whether this record may be written (shadow mode, pilot list)."""
        return self._scope.allows(self._espo_id, self._betnr)

    @property
    def base_known(self) -> bool:
        """Whether the store knows the record."""
        return self._known is not None

    def forget_refusals(self, lease: Lease, keys: set[str] | None) -> None:
        """Drop what was refused or undone about these values (None: about all), so that it is tried again."""
        base = self._state.load(self._espo_id)
        if base is None:
            return

        def stays(name: str) -> bool:
            return keys is not None and name[2:] not in keys

        refused = {name: when for name, when in base.refused.items() if stays(name)}
        undone = tuple(name for name in base.undone if stays(name))
        if (refused, undone) != (base.refused, base.undone):
            self._state.save(lease, replace(base, refused=refused, undone=undone))

    def fingerprint(self, plan: Plan) -> str:
        """A digest of both sides and of what is to be done: the same again only if nothing has changed."""
        sides = [advoware_text(self._person), espocrm_text(self._record)]
        told = json.dumps([describe(operation) for operation in plan.operations], sort_keys=True)
        return hashlib.sha256("\n".join([*sides, told]).encode()).hexdigest()

    def look(self, lease: Lease) -> Plan:
        """Looks, and remembers what both sides agree on where there is nothing to write; asks EspoCRM no questions."""
        self._lease = lease
        self._begin()
        plan = self._make_plan()
        self._report.planned(plan)
        self.repairs = bool(spoilt(self._person, self._known))
        if not plan.operations and not plan.absence and not self.repairs:
            self._remember(plan)
            if self.base is None and self._known is not None and not self._refused:
                text = rest_text(self._record, self._person)
                self.rest = Rest(self._betnr, plan.linked, self._state.digest(text))
        return plan

    def carry_out(self, lease: Lease) -> Plan:
        """Works until nothing is left to do, then remembers. Gives the last plan."""
        self._lease = lease
        self._begin()
        if not self.live:
            self._report.dry_run = True
            plan = self._plan()
            self._report.planned(plan)
            return plan
        self._repair()
        for _ in range(MAX_ROUNDS):
            plan = self._plan()
            self._check_expected(plan)
            self._report.planned(plan)
            if not plan.operations and not plan.absence:
                break
            plan, done = self._round(plan)
            if done:
                break
        else:
            raise RetryLater(f"Record {self._espo_id} keeps changing while it is synchronised; the sync comes back to it.")
        self._remember(plan)
        if self._failure is not None:
            if self.base is not None:
                self._state.save(self._held(), self.base)
            raise self._failure
        return plan

    def _check_expected(self, plan: Plan) -> None:
        """Before the first write. What follows in this run follows from it: a change of type takes two rounds."""
        if self._expected and not self._report.writes and self.fingerprint(plan) != self._expected:
            raise PlanOutdated(f"Record {self._espo_id} has changed since the plan was made: nothing was written.")

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

    def _round(self, plan: Plan) -> tuple[Plan, bool]:
        """One round of writing: the plan as it was carried out, and False when a new plan is needed (a side moved)."""
        writes = [operation for operation in plan.operations if isinstance(operation, AdvowareOperation)]
        if (writes or plan.arrays) and not self._asked_betnr:
            self._ask_betnr()
        reads_advoware = plan.absence or (bool(writes) and not plan.arrays)
        if self._moved(espocrm=bool(plan.arrays) or plan.absence, advoware=reads_advoware):
            return plan, False
        if not writes and not plan.arrays:
            return plan, True
        seen = agreed_already(plan.comparison.entries, self._record)
        self._view = replace(self._view, agreed={**self._view.agreed, **seen})
        self._adopting |= to_adopt(plan.operations, self._record)
        self._announce(plan, writes)
        if plan.conflicts:
            self._state.set_lists(self._espo_id, conflicts=[finding.as_dict() for finding in plan.conflicts])
        if plan.arrays:
            written = self._write_espocrm(plan)
            if written is None or (writes and self._moved(espocrm=False, advoware=True)):
                return plan, False
            writes = [op for op in written.operations if isinstance(op, AdvowareOperation)]
            plan = written
        if not self._write_advoware(writes):
            return plan, False
        if not plan.moves or self._report.errors:
            return plan, True
        # A change of type: the value has an entry of the new kind now, so another round empties the old one.
        self._view = replace(self._view, base=replace(self._view.base or Base(self._betnr), moves=dict(plan.moves)))
        return plan, False

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

    def _announce(self, plan: Plan, writes: list[AdvowareOperation]) -> None:
        if not self._state.keeps_base:
            return
        # What an earlier round, or an interrupted run, had announced still explains what is found: a second crash must not
        # make it forgotten. The newest comes first and counts first; a run that gets through clears them all.
        self._open = tuple(dict.fromkeys((*(announced(op) for op in writes), *self._open)))
        known = self._known
        entries = dict(known.entries) if known is not None else fresh_base(self._person, self._view)
        entries |= {entry_id: base for entry_id, base in self._adopting.items() if entry_id not in self._view.agreed}
        self._note = Base(
            self._betnr,
            entries,
            dict(plan.moves),
            self._open,
            dict(self._refused),
            tuple(sorted(plan.withheld)),
            agreed=dict(self._view.agreed),
            undone=tuple(sorted(self._view.undone)),
        )
        self._state.save(self._held(), self._note)
        self._announced = True

    def _note_agreed(self) -> None:
        """Notes what EspoCRM was just seen to hold.

        Whatever interrupts before the markers are set, the next run need not guess: it could not tell a value that had yet
        to leave EspoCRM from one that a person has entered there again.
        """
        if self._note is not None:
            self._note = replace(self._note, agreed=dict(self._view.agreed))
            self._state.save(self._held(), self._note)

    def _write_espocrm(self, plan: Plan) -> Plan | None:
        """PUT and read back. None: somebody was faster, plan anew. Otherwise the plan as it was really carried out."""
        doubt: SyncError | None = None
        try:
            plan = self._put(plan)
        except Conflict:
            self._record = self._read_espocrm()
            return None
        except (ServerError, BadAnswer) as error:
            doubt = error
        except Unreachable as error:
            if not error.maybe_done:
                raise
            doubt = error
        self._record = self._read_espocrm()
        if not plan.arrays:
            return plan
        self._take_over(plan, doubt)
        self._report.arrays_written(plan, plan.arrays)
        return plan

    def _put(self, plan: Plan) -> Plan:
        try:
            self._put_once(plan)
        except Validation as error:
            return self._find_culprits(plan, error)
        return plan

    def _put_once(self, plan: Plan) -> None:
        if not plan.arrays:
            return
        self._writing().check()
        emails, phones = plan.arrays.emails, plan.arrays.phones
        self._espocrm.put_arrays(self._espo_id, emails=emails, phones=phones, version=self._record.version)

    def _find_culprits(self, plan: Plan, error: Validation) -> Plan:
        """A 400 names the field, not the item: new values go one by one, and those that fail are held back."""
        keys = list(dict.fromkeys(op.key for op in plan.operations if isinstance(op, (AddItem, ReplaceItem))))
        if not keys:
            raise error
        as_planned, stored = self._record, False
        self._refused |= {"e:" + key: self._now() for key in keys}
        for key in keys if len(keys) > 1 else ():
            when = self._refused.pop("e:" + key)
            try:
                self._put_once(self._make_plan())
            except Validation:
                self._refused["e:" + key] = when
            else:
                stored = True
                self._record = self._read_espocrm()
        self._record = as_planned
        plan = self._make_plan()
        if not stored:
            self._put_once(plan)
        return plan

    def _take_over(self, plan: Plan, doubt: SyncError | None) -> None:
        """What the reading back proves both sides agree on, and what it does not."""
        held = items_by_key(self._record)
        wanted = {op.key for op in plan.operations if isinstance(op, (AddItem, ReplaceItem))}
        unwanted = {op.key for op in plan.operations if isinstance(op, RemoveItem)}
        live = {entry.key for entry in plan.comparison.entries}
        replaced = {canonical_key(op.old.value) for op in plan.operations if isinstance(op, ReplaceItem)} - wanted - live
        # Where the PUT was not answered nobody can tell who brought the new value: a replaced one that is still there has
        # yet to leave. Where it was answered, somebody has entered that one again.
        staying = replaced & set(held) if doubt is not None else set()
        agreed = dict(self._view.agreed)
        for entry in plan.comparison.entries:
            left = entry.changed and entry.base_key in (unwanted | replaced) - set(held)
            if entry.key in held and (left or entry.key in wanted) and entry.base_key not in staying:
                agreed[entry.id] = entry.tlf
            elif (entry.blank and entry.base_key in unwanted - set(held)) or (left and entry.key in wanted):
                # The second: both left the old value, and the new one was taken away again before it was read back.
                agreed[entry.id] = None
        if agreed != self._view.agreed:
            self._view = replace(self._view, agreed=agreed)
            self._note_agreed()
        missing = len(wanted - set(held)) + len(unwanted & set(held)) + len(staying)
        if missing and doubt is not None:
            raise doubt
        if missing:
            self._report.to_espocrm_errors.append(f"EspoCRM did not store {missing} change(s) of record {self._espo_id}.")

    def _write_advoware(self, writes: list[AdvowareOperation]) -> bool:
        """Writes and judges. False: a side was edited meanwhile, so what is left needs a new plan."""
        held = set(items_by_key(self._record))
        brought = {canonical_key(op.value) for op in writes if isinstance(op, (CreateEntry, WriteEntry))}
        if brought - held:
            return False  # EspoCRM, as it was read back, no longer has a value that was to come from there
        ready = [operation for operation in writes if _proved(operation, held)]
        while ready and self._failure is None:
            writer = AdvowareWriter(self._advoware, self._writing(), self._person, self._read_advoware)
            before, written = self._person, writer.write(ready)
            self._person = writer.settle(written)
            for one in written:
                self._judge(one)
            # What follows a lost answer goes on only where reading showed that the write had arrived, and nothing else.
            ready = ready[len(written) :]
            if ready and self._failure is None and _others(before, written) != _others(self._person, written):
                return False
        return True

    def _judge(self, one: Written) -> None:
        if one.verdict is Verdict.STORED:
            self._report.entry_written(one)
            # EspoCRM was seen to hold it: should it leave there in a later round of this run, that is a removal.
            self._agree(one)
            if one.form is not MarkerForm.FULL:
                self._new_forms[one.entry_id] = one.form
                self._report.short_marker(one)
            return
        if one.verdict is Verdict.OVERTAKEN and self._arrived(one):
            self._agree(one)
        if one.verdict is Verdict.REFUSED and not isinstance(one.operation, (EmptyEntry, SetMarker)):
            self._refused["a:" + canonical_key(one.operation.value)] = self._now()
        where = f"entry {one.entry_id or 'new'} of Beteiligter {self._betnr}"
        self._report.to_advoware_errors.append(f"Advoware, {where}: {one.verdict.value}.")
        if one.error is not None and one.verdict is Verdict.MISSING:
            self._failure = one.error

    def _agree(self, one: Written) -> None:
        """Both sides held the value: whatever becomes of it, this entry's base is known."""
        if not isinstance(one.operation, EmptyEntry):
            self._view = replace(self._view, agreed={**self._view.agreed, one.entry_id: one.operation.value})

    def _arrived(self, one: Written) -> bool:
        """Whether a person emptied, changed or deleted an entry right after its new marker had made it a linked one."""
        raw = next((raw for raw in self._person.kommunikation if raw.id == one.entry_id), None)
        if raw is None:
            return isinstance(one.operation, (SetMarker, CreateEntry)) and one.entry_id > 0
        return raw.bemerkung == one.body.bemerkung

    # ------------------------------------------------------------------------------------------- after a crash, memory

    def _repair(self) -> None:
        """Puts right what Advoware cut off right before an earlier run was interrupted."""
        for write, entry_id in spoilt(self._person, self._known):
            raw = next(raw for raw in self._person.kommunikation if raw.id == entry_id)
            if (raw.tlf or "") != write.after_tlf:
                self._refused["a:" + canonical_key(write.after_tlf)] = self._now()
                body = KommunikationWrite(write.before_tlf, write.before_bemerkung, write.kz, online=raw.online)
                self._writing().check()
                self._advoware.update_kommunikation(self._betnr, entry_id, body)
                self._person = self._read_advoware()
                continue
            for form, body in zip((MarkerForm.HASH, MarkerForm.NONE), shorter_bodies(write, online=raw.online), strict=True):
                self._writing().check()
                self._advoware.update_kommunikation(self._betnr, entry_id, body)
                self._person = self._read_advoware()
                now = next((r for r in self._person.kommunikation if r.id == entry_id), None)
                if now is None or now.bemerkung == body.bemerkung:
                    self._new_forms[entry_id] = form
                    break

    def _remember(self, plan: Plan) -> None:
        self._memory.forms.update(self._new_forms)
        self._memory.withheld = plan.withheld
        if not self._state.keeps_base:
            return
        base = base_after(
            self._person,
            self._record,
            self._known_view(),
            moves=plan.moves,
            unfinished=plan.unfinished | types_to_come(plan.comparison, self._record),
            given_up=given_up(plan.comparison, self._record),
            to_fill=to_fill(plan.comparison),
            forms=self._new_forms,
            refused=self._refused,
            withheld=plan.withheld,
        )
        base = replace(
            base,
            digest_advoware=self._state.digest(advoware_text(self._person)),
            digest_espocrm=self._state.digest(espocrm_text(self._record)),
        )
        if base != self._known or self._announced:
            self.base = base


def _others(person: Beteiligter, written: list[Written]) -> list[Kommunikation]:
    """The entries that were not written."""
    ours = {one.entry_id for one in written}
    return sorted((raw for raw in person.kommunikation if raw.id not in ours), key=lambda raw: raw.id)


def _proved(operation: AdvowareOperation, held: set[str]) -> bool:
    """Whether EspoCRM shows what this write would put on record."""
    if isinstance(operation, SetMarker):
        return operation.present <= held and not (operation.absent & held)
    return not (isinstance(operation, EmptyEntry) and operation.absent & held)
