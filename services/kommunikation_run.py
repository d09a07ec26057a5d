"""One run over one pair of records: read, plan, read again, write, read back, remember.

The order is chosen for crashes. Whatever happens after any call, the next run must end in the same state:

* EspoCRM is written first. Its PUT is proved by reading back, and only then do markers in Advoware follow (a marker is
  base, and the base follows what was proved). Crash in between: the next run finds both sides equal (rows 5, 9, 14).
* Advoware is read again right before its first write, so that no value a person typed meanwhile is written over.
* Writes are announced in the base store before the first one, for what a marker alone could not tell afterwards.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from services.errors import (
    PlanOutdated,
    RetryLater,
)
from services.kommunikation_base import (
    advoware_text,
    base_after,
    espocrm_text,
    given_up,
    items_by_key,
    to_fill,
    types_to_come,
)
from services.kommunikation_espocrm_writes import EspoCrmWrites
from services.kommunikation_interrupted import agreed_already, spoilt, to_adopt
from services.kommunikation_mapper import canonical_key
from services.kommunikation_ops import CreateEntry, EmptyEntry, SetMarker, WriteEntry
from services.kommunikation_rest import rest_text
from services.kommunikation_types import Base, KommunikationWrite, MarkerForm
from services.kommunikation_writer import (
    AdvowareOperation,
    AdvowareWriter,
    Verdict,
    Written,
    shorter_bodies,
)
from services.state_types import Rest

if TYPE_CHECKING:
    from services.kommunikation_plan import Plan
    from services.kommunikation_types import Beteiligter, Kommunikation
    from services.state import Lease

MAX_ROUNDS = 6
"""Readings that moved before the run gives up for now: somebody is editing."""


class Run(EspoCrmWrites):
    """One run that makes both sides equal. Errors of single values go into the report."""

    # ------------------------------------------------------------------------------------------------------- outline

    def dry(self) -> Plan:
        """Only looks. Nothing is written on either side or remembered."""
        self._begin()
        plan = self._plan()
        self._report.planned(plan)
        self._report.fingerprint = self.fingerprint(plan)
        return plan

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

    # ------------------------------------------------------------------------------------------------------- writing

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
