"""Brings the notices of one record up to date with what is open for its staff."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from services.errors import NotFound
from services.espocrm_notices import NoticeBoard
from services.kommunikation_mapper import canonical_key
from services.notice_texts import Topic
from services.notices import Cause, NoticePlan, Situation, Told, causes, make_notice_plan
from services.state_forms import noticed_id

if TYPE_CHECKING:
    from services.flow_wiring import Wiring
    from services.kommunikation_types import EspoRecord
    from services.state_types import Lease


class Teller:
    """Brings the notices of a record up to date.

    Two events for one record, a second apart: both see a conflict that nobody was told of, and both make a task. So the
    record's notices have a lease, of their own: the sync goes on meanwhile, and what it finds new is due again.

    The process dies after it made a task and before that is remembered: the next one looks for the mark on the record
    before it makes any.
    """

    def __init__(self, wired: Wiring) -> None:
        self._wired, self._state = wired, wired.state

    @cached_property
    def _board(self) -> NoticeBoard:
        return NoticeBoard(self._wired.espocrm)

    @cached_property
    def _slots(self) -> dict[int, dict[str, Any]]:
        return self._state.slot_reports()

    def tell(self, key: str) -> dict[str, Any]:
        """Work on one key of the due list. Gives how many notices were made and ended."""
        espo_id = noticed_id(key) or key
        with self._state.acquire(key) as lease:
            situation = self._situation(espo_id)
            if not self._wired.manager.scope.allows(espo_id, situation.betnr):
                return {"created": 0, "closed": 0}
            told = {digest: Told.read(text) for digest, text in self._state.told(espo_id).items()}
            wanted = {self._state.digest(cause.mark): cause for cause in causes(situation)}
            new = wanted.keys() - told.keys()
            kept = any(cause.topic is Topic.CONFLICT_KEPT for cause in wanted.values())
            record = self._record(espo_id) if kept or new else None
            if record is not None:
                self._see_decisions(record, wanted, told)
            elif new:
                wanted = {}  # deleted in EspoCRM: nobody can be told there any more
            plan = make_notice_plan(wanted, told)
            self._carry_out(plan, espo_id, record, lease)
        return {"created": len(plan.create), "closed": len(plan.close)}

    def _situation(self, espo_id: str) -> Situation:
        status = self._state.status(espo_id)
        betnr = status.betnr if status is not None else None
        slots = self._slots.get(betnr) if betnr is not None else None
        return Situation(espo_id, betnr, self._state.lists(espo_id), status, self._state.due_entry(espo_id), slots)

    def _carry_out(self, plan: NoticePlan, espo_id: str, record: EspoRecord | None, lease: Lease) -> None:
        """Each notice is remembered before the next one is made. What ended comes last: something new is more urgent."""
        kind = self._wired.notices
        there = self._board.find(kind, espo_id) if plan.create else {}
        for digest, cause in plan.create.items():
            notice_id = there.get(cause.mark)
            if notice_id is None:
                lease.check()
                notice_id = self._board.create(kind, espo_id, record.assigned_user if record else None, cause)
            self._state.set_told(espo_id, digest, str(Told(kind, notice_id, cause.topic)))
        for digest, notice in plan.close.items():
            lease.check()
            self._board.close(notice, espo_id)
            self._state.set_told(espo_id, digest, None)
        for digest in plan.drop:
            self._state.set_told(espo_id, digest, None)

    def _record(self, espo_id: str) -> EspoRecord | None:
        try:
            return self._wired.espocrm.get_record(espo_id)
        except NotFound:
            return None

    def _see_decisions(self, record: EspoRecord, wanted: dict[str, Cause], told: dict[str, Told]) -> None:
        """A conflict of which both values stood in EspoCRM, and one is gone, was decided by a person: it is off the list.

        That one is gone is read twice (docs/decisions/002): a list may come shortened.
        """
        held, again = _held(record), None
        for digest, cause in list(wanted.items()):
            notice, entry = told.get(digest), cause.entry
            if cause.topic is not Topic.CONFLICT_KEPT or notice is None or entry is None:
                continue
            values = {canonical_key(entry["advoware"]), canonical_key(entry["espocrm"])}
            if values <= held and not notice.both_seen:
                told[digest] = replace(notice, both_seen=True)
                self._state.set_told(record.id, digest, str(told[digest]))
            elif notice.both_seen and not values <= held:
                again = again or self._wired.espocrm.get_record(record.id)
                if not values <= _held(again):
                    self._state.acknowledge(record.id, entry["id"])
                    del wanted[digest]


def _held(record: EspoRecord) -> set[str]:
    """Canonical keys of the record's values."""
    return {canonical_key(item.value) for item in (*record.emails, *record.phones)}
