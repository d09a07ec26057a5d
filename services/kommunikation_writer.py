"""Carries operations to Advoware, one request each, and judges by reading back what became of them.

A 200 does not prove that a value was stored, and an error does not prove that it was not: only the next reading tells.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from services.errors import BadAnswer, NotFound, ServerError, SyncError, TimedOut, Unreachable, Validation
from services.kommunikation_interrupted import is_cut
from services.kommunikation_mapper import (
    join_remark,
    make_hash_marker,
    make_marker,
    make_slot_marker,
    parse_remark,
)
from services.kommunikation_ops import CreateEntry, EmptyEntry, Operation, SetMarker, WriteEntry
from services.kommunikation_types import KommunikationWrite, MarkerForm, OpenWrite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from services.advoware_service import AdvowareService
    from services.kommunikation_types import Beteiligter, Kommunikation
    from services.state import Lease

AdvowareOperation = CreateEntry | WriteEntry | EmptyEntry | SetMarker

_SHORTER = {MarkerForm.FULL: MarkerForm.HASH, MarkerForm.HASH: MarkerForm.NONE}


class Verdict(Enum):
    """What became of a write."""

    OPEN = "not judged yet"
    STORED = "stored"
    REFUSED = "refused"
    REMARK_CUT = "remark cut"
    VALUE_CUT = "value cut"
    MISSING = "not stored"
    OVERTAKEN = "changed by somebody else meanwhile"


@dataclass(slots=True)
class Written:
    """One write on its way. `entry_id` 0: a POST whose id is not known. `error`: why the answer proves nothing.

    `cut`: the remark as Advoware had cut it, while a shorter one is on its way.
    """

    operation: AdvowareOperation
    body: KommunikationWrite
    form: MarkerForm
    entry_id: int
    verdict: Verdict = Verdict.OPEN
    error: SyncError | None = field(default=None, repr=False)
    cut: str | None = field(default=None, repr=False)


def is_for_advoware(operation: Operation) -> bool:
    """Whether the operation is a write to Advoware."""
    return isinstance(operation, AdvowareOperation)


def marker_text(value: str, kz: int, form: MarkerForm) -> str:
    """The marker in the form that the remark has room for."""
    if form is MarkerForm.NONE:
        return ""
    return make_marker(value, kz) if form is MarkerForm.FULL else make_hash_marker(value, kz)


def body_of(operation: AdvowareOperation, form: MarkerForm) -> KommunikationWrite:
    """The request: value and marker together. Entries with a value from EspoCRM go online, slots do not, others stay."""
    if isinstance(operation, EmptyEntry):
        marker = "" if form is MarkerForm.NONE else make_slot_marker(operation.kz)
        return KommunikationWrite("", join_remark(marker, operation.text), operation.kz, online=False)
    remark = join_remark(marker_text(operation.value, operation.kz, form), operation.text)
    online = operation.entry.online if isinstance(operation, SetMarker) and operation.entry is not None else True
    return KommunikationWrite(operation.value, remark, operation.kz, online=online)


def first_form(operation: AdvowareOperation) -> MarkerForm:
    """The form to begin with: what fitted into this remark last time, or all of it."""
    if isinstance(operation, (SetMarker, WriteEntry)) and operation.entry is not None:
        return operation.entry.form
    return MarkerForm.FULL


def announced(operation: AdvowareOperation) -> OpenWrite:
    """The write as it is noted before it happens, for the run after a crash."""
    body, entry = body_of(operation, first_form(operation)), operation.entry
    before = (entry.tlf, entry.bemerkung) if entry is not None else ("", "")
    return OpenWrite(entry.id if entry is not None else 0, operation.kz, *before, body.tlf, body.bemerkung)


class AdvowareWriter:
    """Writes the entries of one Beteiligter. `read` reads them back; `before`: what they were when planned."""

    def __init__(
        self, advoware: AdvowareService, lease: Lease, before: Beteiligter, read: Callable[[], Beteiligter]
    ) -> None:
        self._advoware, self._lease, self._read = advoware, lease, read
        self._before = {raw.id: raw for raw in before.kommunikation}
        self._betnr = before.betnr

    def write(self, operations: Iterable[AdvowareOperation]) -> list[Written]:
        """Sends the writes in order. Stops at the first whose outcome is open: what follows would be built on sand.

        Raises what says that nothing was done and that it is no use to go on (offline, refused token, lease lost).
        """
        written: list[Written] = []
        for operation in operations:
            form = first_form(operation)
            entry_id = operation.entry.id if operation.entry is not None else 0
            one = Written(operation, body_of(operation, form), form, entry_id)
            written.append(one)
            self._send(one)
            if one.error is not None and one.verdict is Verdict.OPEN:
                break
        return written

    def _send(self, one: Written) -> None:
        self._lease.check()
        try:
            if one.entry_id:
                self._advoware.update_kommunikation(self._betnr, one.entry_id, one.body)
            else:
                # A POST is never repeated blindly: whatever is unclear is settled by reading.
                made = self._advoware.create_kommunikation(self._betnr, one.body)
                one.entry_id = made.id if made is not None else 0
        except Validation as error:
            if not self._shorter(one):
                one.verdict, one.error = Verdict.REFUSED, error
                return
            self._send(one)
        except NotFound as error:
            one.verdict, one.error = Verdict.OVERTAKEN, error
        except (TimedOut, ServerError, BadAnswer) as error:
            one.error = error
        except Unreachable as error:
            if not error.maybe_done:
                raise
            one.error = error

    @staticmethod
    def _shorter(one: Written) -> bool:
        """Takes the next shorter marker; the user's text never gives way."""
        if one.form is MarkerForm.NONE or not one.body.bemerkung:
            return False
        before = one.body
        one.form = _SHORTER[one.form]
        one.body = body_of(one.operation, one.form)
        # A slot's marker has no middle form.
        return one.body != before or AdvowareWriter._shorter(one)

    def settle(self, written: list[Written]) -> Beteiligter:
        """Reads back, judges every write, and mends what Advoware cut. Gives the last reading."""
        now = self._read_whole(written)
        self._judge(written, now)
        again = [one for one in written if self._mend(one, now)]
        while again:
            now = self._read_whole(again)
            self._judge(again, now)
            again = [one for one in again if self._mend(one, now)]
        return now

    def _read_whole(self, written: list[Written]) -> Beteiligter:
        """Reads; once more where an entry that ought to be there is missing: a list may come shortened once."""
        now = self._read()
        expected = {*self._before, *(one.entry_id for one in written if one.entry_id)}
        return now if expected <= {raw.id for raw in now.kommunikation} else self._read()

    def _judge(self, written: list[Written], now: Beteiligter) -> None:
        entries = {raw.id: raw for raw in now.kommunikation}
        taken = {one.entry_id for one in written}
        for one in written:
            if one.verdict in {Verdict.REFUSED, Verdict.OVERTAKEN}:
                continue
            if one.entry_id == 0:
                unknown = [raw for raw in now.kommunikation if raw.id not in self._before and raw.id not in taken]
                ours = {Verdict.STORED, Verdict.REMARK_CUT, Verdict.VALUE_CUT}
                one.entry_id = next((raw.id for raw in unknown if _verdict(one, raw, None) in ours), 0)
                taken.add(one.entry_id)
            raw = entries.get(one.entry_id)
            one.verdict = _verdict(one, raw, self._before.get(one.entry_id))
            if one.cut is not None and raw is not None and (raw.tlf, raw.bemerkung) == (one.body.tlf, one.cut):
                # The user's text is cut off still: only the announcement holds it, so the run must not come to its end.
                raise one.error or BadAnswer(f"Advoware did not store entry {one.entry_id} anew.", system="Advoware")

    def _mend(self, one: Written, now: Beteiligter) -> bool:
        """A shorter marker where the remark was cut; where the value was, what stood there before. True: read again."""
        if one.verdict is Verdict.REMARK_CUT and self._shorter(one):
            one.verdict, one.error = Verdict.OPEN, None
            one.cut = next((raw.bemerkung for raw in now.kommunikation if raw.id == one.entry_id), None)
            self._send(one)
            return True
        if one.verdict not in {Verdict.REMARK_CUT, Verdict.VALUE_CUT}:
            return False
        before, kz = self._before.get(one.entry_id), one.body.komm_kz
        body = KommunikationWrite("", make_slot_marker(kz), kz, online=False)
        if before is not None:
            body = KommunikationWrite(before.tlf or "", before.bemerkung or "", kz, online=before.online)
        self._lease.check()
        self._advoware.update_kommunikation(self._betnr, one.entry_id, body)
        where = f"entry {one.entry_id} of Beteiligter {self._betnr}"
        one.verdict = Verdict.REFUSED
        one.error = Validation(f"Advoware has no room for what belongs into {where}.", system="Advoware")
        return True


def _verdict(one: Written, raw: Kommunikation | None, before: Kommunikation | None) -> Verdict:
    if raw is None:
        return Verdict.OVERTAKEN if before is not None or one.entry_id else Verdict.MISSING
    tlf, bemerkung = raw.tlf or "", raw.bemerkung or ""
    if (tlf, bemerkung) == (one.body.tlf, one.body.bemerkung):
        return Verdict.STORED
    if is_cut(one.body.tlf, tlf):
        return Verdict.VALUE_CUT
    if tlf == one.body.tlf and is_cut(one.body.bemerkung, bemerkung):
        return Verdict.REMARK_CUT
    if before is not None and (tlf, bemerkung) == (before.tlf or "", before.bemerkung or ""):
        return Verdict.MISSING
    return Verdict.OVERTAKEN


def shorter_bodies(write: OpenWrite, *, online: bool) -> list[KommunikationWrite]:
    """For a remark that was cut just before a crash: the same value and user's text behind shorter and shorter markers."""
    remark = parse_remark(write.after_bemerkung, write.after_tlf)
    bodies = []
    for form in (MarkerForm.HASH, MarkerForm.NONE):
        marker = marker_text(write.after_tlf, write.kz, form) if write.after_tlf else ""
        bodies.append(KommunikationWrite(write.after_tlf, join_remark(marker, remark.text), write.kz, online=online))
    return bodies
